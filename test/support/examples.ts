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
  /** What the compiler says of them, in words; empty when they are right. */
  compileErrors(): string;
  remove(): void;
}

/** Each example begins with its name: `// orders.service.ts`. */
export function writeExamples(...documents: string[]): Examples {
  const directory = join(ROOT, '.data', `examples-${process.pid}-${documents.length}`);
  mkdirSync(directory, { recursive: true });
  const files = documents
    .flatMap(codeBlocks)
    .filter(({ language }) => language === 'ts')
    .map(({ text }) => ({ path: join(directory, /^\/\/ (\S+)\n/.exec(text)![1]), text }));
  for (const { path, text } of files) writeFileSync(path, text);
  return {
    import: (file) => import(join(directory, file)),
    compileErrors: () => compileErrors(files.map(({ path }) => path)),
    remove: () => rmSync(directory, { recursive: true }),
  };
}

function compileErrors(files: readonly string[]): string {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, ROOT);
  const program = ts.createProgram(files, options);
  return ts.formatDiagnostics(ts.getPreEmitDiagnostics(program), ts.createCompilerHost(options));
}
