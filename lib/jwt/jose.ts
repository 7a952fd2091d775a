import { runInThisContext } from 'node:vm';
import { explainAbsent, isAbsentPackage } from '../common/absent-package';

type Jose = typeof import('jose');

/**
 * `jose` is published as an ES module only. Node can `require` it, but the `require` of Jest, as Nest configures it,
 * cannot. In that case Node's own `require` is used.
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
