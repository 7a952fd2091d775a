import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, posix, relative } from 'node:path';
import ts from 'typescript';

/** Each file's path below `lib/`, without `.ts`, and the files of ours that it imports. */
export type ImportGraph = Readonly<Record<string, readonly string[]>>;

/** A folder imports only from those before it. `.` are the files right in `lib/`; `*` any folder not named. */
const ORDER = [
  ...['common', 'placement', 'registry', 'context', 'connection', 'schema', 'resolution'],
  ...['provisioning', 'options', 'migrations', 'transfer', 'moves'],
  // Who calls, and what happened, before what asks for it.
  ...['.', 'http', 'access', 'events', '*', 'admin', 'cli', 'testing'],
];

/** Ways in for people; nothing of ours goes through them. */
const PUBLIC = [
  'index',
  ...[
    'access',
    'admin',
    'bullmq',
    'cache',
    'cli',
    'domains',
    'events',
    'files',
    'files/s3',
    'graphql',
    'jwt',
    'members',
    'observability',
    'redis',
    'schedule',
    'settings',
    'testing',
    'throttling',
    'transports',
    'usage',
    'webhooks',
  ].map((entry) => `${entry}/index`),
];

const folderOf = (file: string): string => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '.');
const rankOf = (folder: string): number => ORDER.indexOf(ORDER.includes(folder) ? folder : '*');

/** What breaks the rules of the house, one sentence each. */
export function findViolations(graph: ImportGraph): string[] {
  const files = Object.keys(graph);
  const misplaced = files
    .filter(
      (file) => (/(^|\/)index$/.test(file) && !PUBLIC.includes(file)) || /(^|\/)utils?(\/|$)/.test(file),
    )
    .map((file) => `${file} must not exist`);
  const imports = files.flatMap((file) => graph[file].map((target) => ({ file, target })));
  const downward = imports
    .filter(({ file, target }) => PUBLIC.includes(target) || !mayImport(folderOf(file), folderOf(target)))
    .map(({ file, target }) => `${file} must not import ${target}`);
  const cyclic = imports
    .filter(({ file, target }) => reaches(graph, target, file))
    .map(({ file, target }) => `${file} imports ${target}, which leads back to it`);
  return [...misplaced, ...downward, ...cyclic];
}

function mayImport(from: string, to: string): boolean {
  return from === to || rankOf(to) < rankOf(from);
}

function reaches(graph: ImportGraph, from: string, to: string, seen = new Set<string>()): boolean {
  if (from === to) return true;
  if (seen.has(from)) return false;
  seen.add(from);
  return (graph[from] ?? []).some((next) => reaches(graph, next, to, seen));
}

/** Reads `import`, `export … from`, `import()`, `require()` and `import type` alike. Specs do not count. */
export function readImports(directory: string): ImportGraph {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'),
  );
  return Object.fromEntries(
    files.map((file) => {
      const text = readFileSync(join(directory, file), 'utf8');
      const names = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
      return [file.slice(0, -'.ts'.length), names.flatMap((name) => resolveImport(directory, file, name))];
    }),
  );
}

function resolveImport(directory: string, file: string, name: string): string[] {
  if (/^nestjs-tenancy(\/|$)/.test(name))
    return [posix.join(name.slice('nestjs-tenancy'.length), 'index').replace(/^\//, '')];
  return name.startsWith('.') ? [relative(directory, join(directory, dirname(file), name))] : [];
}

/** Made by Nest where a decorator or a consumer names them, and provided by no module. */
const USED_BY_NAME = ['TenantMiddleware', 'TenantTransactionInterceptor'];

/** The injectable classes of the core that the module of their folder, or of the one around it, does not name. */
export function findStrays(directory: string): string[] {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const modules = files.filter((file) => file.endsWith('.module.ts') && file.includes('/'));
  const core = ORDER.slice(0, ORDER.indexOf('.'));
  return files
    .filter((file) => core.includes(folderOf(file)) && file.endsWith('.ts') && !file.endsWith('.spec.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(directory, file), 'utf8');
      const classes = [...text.matchAll(/@Injectable\([^)]*\)\nexport (?:abstract )?class (\w+)/g)];
      // The innermost folder that has a module.
      const [own] = modules
        .filter((module) => file.startsWith(`${dirname(module)}/`))
        .sort((one, other) => dirname(other).length - dirname(one).length);
      const names = own === undefined ? '' : readFileSync(join(directory, own), 'utf8');
      return classes
        .map(([, name]) => name)
        .filter((name) => !USED_BY_NAME.includes(name) && !new RegExp(`\\b${name}\\b`).test(names))
        .map((name) => `${name} of ${file} is not named in ${own ?? 'any module'}`);
    });
}

/** Names that several files have: whoever is told to look into one would look into the wrong one. */
export function findNamesakes(files: readonly string[]): string[] {
  const named = files
    .filter((file) => !file.includes('/openapi/'))
    .map((file) => basename(file))
    .filter((name) => name !== 'index');
  return [...new Set(named.filter((name, index) => named.indexOf(name) !== index))];
}
