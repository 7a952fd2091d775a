import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ts from 'typescript';
import { codeBlocks } from './readme';

const ROOT = join(__dirname, '../..');

/** The TypeScript examples of some documents, as files beside one another. */
export interface Examples {
  /** What one of them exports. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  import(file: string): Promise<any>;
  readonly files: readonly string[];
  remove(): void;
}

let written = 0;

/** Each example begins with its name: `// orders.service.ts`. */
export function writeExamples(...documents: string[]): Examples {
  const directory = join(ROOT, '.data', `examples-${process.pid}-${(written += 1)}`);
  mkdirSync(directory, { recursive: true });
  const files = documents
    .flatMap(examplesOf)
    .map(({ text }) => ({ path: join(directory, /^\/\/ (\S+)\n/.exec(text)![1]), text }));
  for (const { path, text } of files) writeFileSync(path, text);
  return {
    import: (file) => import(join(directory, file)),
    files: files.map(({ path }) => path),
    remove: () => rmSync(directory, { recursive: true }),
  };
}

/** Its blocks of TypeScript. */
export const examplesOf = (document: string) =>
  codeBlocks(document).filter(({ language }) => language === 'ts');

/** What the compiler says of each of them, in words; empty when it is right. It reads Nest and TypeORM just once. */
export function compileErrors(all: readonly Examples[]): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ROOT);
  const program = ts.createProgram(
    all.flatMap(({ files }) => files),
    options,
  );
  const errors = ts.getPreEmitDiagnostics(program);
  const host = ts.createCompilerHost(options);
  return all.map(({ files }) =>
    ts.formatDiagnostics(
      // What is said of no file, or of one of the library, is said of all.
      errors.filter(({ file }) => {
        const path = file?.fileName ?? '';
        return files.includes(path) || !all.some((other) => other.files.includes(path));
      }),
      host,
    ),
  );
}
