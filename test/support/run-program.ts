import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import Module from 'node:module';
import { join, resolve } from 'node:path';
import type { Options } from '@swc/core';
import type { Config } from 'jest';
import { REPOSITORY } from './commands';

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

const load = Module.createRequire(__filename);

const CONFIG = join(REPOSITORY, 'jest.config.ts');
const CACHE = join(REPOSITORY, 'node_modules/.cache/test-programs');
mkdirSync(CACHE, { recursive: true });

/** Kept from one program to the next: to load the compiler takes longer than most of what they do. */
function compiled(filename: string): string {
  const source = readFileSync(filename, 'utf8');
  const key = createHash('sha256').update(filename).update(source).update(readFileSync(CONFIG)).digest('hex');
  const kept = join(CACHE, `${key}.js`);
  try {
    return readFileSync(kept, 'utf8');
  } catch {
    const code = compile(filename, source);
    // Other programs may be at it, too.
    writeFileSync(`${kept}.${process.pid}`, code);
    renameSync(`${kept}.${process.pid}`, kept);
    return code;
  }
}

function compile(filename: string, source: string): string {
  const { transformSync } = load('@swc/core') as typeof import('@swc/core');
  const { default: config } = load(CONFIG) as { default: Config };
  const [[, options]] = Object.values(config.transform!) as [[string, Options]];
  return transformSync(source, { ...options, filename, swcrc: false }).code;
}

const byEsbuild = require.extensions['.ts']!;

// Node's own hook for extensions: deprecated, and the only one that needs no package. esbuild, which runs this very
// file, cannot compile the library: it leaves out the types that Nest injects by.
require.extensions['.ts'] = (module, filename) => {
  if (filename === CONFIG) return byEsbuild(module, filename);
  const own = module as NodeJS.Module & { _compile(code: string, filename: string): void };
  own._compile(compiled(filename), filename);
};

load(resolve(program));
