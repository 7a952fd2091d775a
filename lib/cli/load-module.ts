import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DynamicModule, Type } from '@nestjs/common';
import { CommandLineError } from './cli.errors';
import { nearestManifest } from './nearest-manifest';

export type RootModule = Type | DynamicModule;

/** The place of a module, and where the user named it. */
interface ModulePlace {
  readonly file: string;
  readonly name: string | undefined;
  readonly source: string;
}

/**
 * The application's root module, named by `--module`, else by `TENANCY_MODULE`, else by `"tenancy": { "module": … }` in
 * the nearest package.json. It may be CommonJS or an ES module.
 *
 * @throws CommandLineError when it cannot be loaded; the message says what to write instead
 */
export async function loadModule(given: string | undefined): Promise<RootModule> {
  const place = findPlace(given);
  requireOwnCopy(place.file);
  const exports = await importFile(place);
  const found = place.name === undefined ? guess(exports) : exports.get(place.name);
  if (isModule(found)) return found;
  const names = [...exports.keys()].filter((name) => isModule(exports.get(name))).join(', ');
  throw new CommandLineError(
    `${place.source}: ${place.file} exports no module${place.name === undefined ? ' that could be meant' : ` "${place.name}"`}. ` +
      `Name it after a #, as in ${place.file}#AppModule. The file exports ${names || 'no class'}.`,
  );
}

function findPlace(given: string | undefined): ModulePlace {
  if (given !== undefined) return toPlace(given, process.cwd(), '--module');
  const variable = process.env.TENANCY_MODULE;
  if (variable) return toPlace(variable, process.cwd(), 'TENANCY_MODULE');
  const manifest = nearestManifest(process.cwd());
  const named = manifest?.content.tenancy?.module;
  if (manifest && typeof named === 'string')
    return toPlace(named, manifest.directory, `${manifest.directory}/package.json`);
  throw new CommandLineError(
    'Where is the application? Name its compiled root module: --module dist/app.module.js#AppModule, or TENANCY_MODULE, or ' +
      '"tenancy": { "module": "dist/app.module.js#AppModule" } in package.json.',
  );
}

function toPlace(text: string, directory: string, source: string): ModulePlace {
  const [path, name] = text.split(/#(?=[^#/]*$)/);
  return { file: resolve(directory, path), name, source };
}

/** With two copies of the package, the commands would ask for classes that the application does not have. */
function requireOwnCopy(file: string): void {
  const own = join(__dirname, '../index.js');
  let theirs: string;
  try {
    theirs = createRequire(file).resolve('nestjs-tenancy');
  } catch {
    // The application may be bundled into one file, with its own copy inside.
    return;
  }
  if (theirs === own) return;
  throw new CommandLineError(
    `The application uses another copy of nestjs-tenancy (${theirs}) than this program (${own}). Run the one that is ` +
      'installed with it: npx tenancy, in its directory.',
  );
}

async function importFile({ file, source }: ModulePlace): Promise<Map<string, unknown>> {
  if (!existsSync(file)) {
    throw new CommandLineError(
      `${source}: there is no file ${file}. If your build makes it, build the application first.`,
    );
  }
  try {
    const namespace = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
    // Of some CommonJS files, Node knows the exported names only at run time, under `default`.
    const inner = (namespace.default ?? {}) as Record<string, unknown>;
    return new Map([
      ...(typeof inner === 'object' ? Object.entries(inner) : []),
      ...Object.entries(namespace),
    ]);
  } catch (error) {
    if (/\.[cm]?tsx?$/.test(extname(file))) {
      throw new CommandLineError(
        `${source}: ${file} is TypeScript, which Node cannot run unchanged. Name its compiled file, such as ` +
          `dist/app.module.js, or let a loader compile it: node --import tsx node_modules/.bin/tenancy … (${String(error)})`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** `AppModule`, the default export, or the only module in the file. */
function guess(exports: ReadonlyMap<string, unknown>): unknown {
  const modules = new Set([...exports.values()].filter(isModule));
  return (
    ['AppModule', 'default'].map((name) => exports.get(name)).find(isModule) ??
    (modules.size === 1 ? [...modules][0] : undefined)
  );
}

function isModule(value: unknown): value is RootModule {
  if (typeof value === 'function') return /^class\b/.test(Function.prototype.toString.call(value));
  return typeof (value as DynamicModule | undefined)?.module === 'function';
}
