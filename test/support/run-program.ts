import { readFileSync } from 'node:fs';
import Module from 'node:module';
import { resolve } from 'node:path';
import { type Options, transformSync } from '@swc/core';
import config from '../../jest.config';

/**
 * Runs a program of the tests in a process of its own, compiled as the tests are, on the Nest of the run:
 * `node -r esbuild-register test/support/run-program.ts <folder of @nestjs> <program> <arguments…>`.
 */
const [nestFolder, program] = process.argv.splice(2, 2);

type ResolveFilename = (request: string, ...rest: unknown[]) => string;
const internals = Module as unknown as { _resolveFilename: ResolveFilename };
const resolveFilename = internals._resolveFilename;
internals._resolveFilename = (request, parent, isMain, options) =>
  resolveFilename.call(
    Module,
    request,
    parent,
    isMain,
    request.startsWith('@nestjs/') ? { paths: [nestFolder] } : options,
  );

const [[, swcOptions]] = Object.values(config.transform!) as [[string, Options]];

// Node's own hook for extensions: deprecated, and the only one that needs no package. esbuild, which runs this very
// file, cannot compile the library: it leaves out the types that Nest injects by.
require.extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(readFileSync(filename, 'utf8'), { ...swcOptions, filename, swcrc: false });
  (module as NodeJS.Module & { _compile(code: string, filename: string): void })._compile(code, filename);
};

Module.createRequire(__filename)(resolve(program));
