import { runInThisContext } from 'node:vm';
import { explainAbsent, isAbsentPackage } from '../common/absent-package';

type Jose = typeof import('jose');

/**
 * `jose`, which is an ES module only. Node requires it; the `require` of Jest, as Nest sets it up, refuses to. There Node's
 * own is asked.
 */
export const jose: Jose = load();

function load(): Jose {
  try {
    return require('jose') as Jose;
  } catch (error) {
    if (isAbsentPackage(error, 'jose')) throw explainAbsent(error, 'jose', 'the verification of tokens');
    const { getBuiltinModule } = runInThisContext('process') as typeof process;
    return getBuiltinModule('node:module').createRequire(__filename)('jose') as Jose;
  }
}
