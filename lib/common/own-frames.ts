import { dirname, sep } from 'node:path';

const LIBRARY = dirname(__dirname) + sep;

/** The lines of a stack that lead to code of the application, without those of Node and of packages. */
export function ownFrames(stack = ''): string[] {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .filter((line) => !/node:|<anonymous>|[\\/]node_modules[\\/]/.test(line) && !line.includes(LIBRARY));
}
