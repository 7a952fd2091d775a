import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildCommandLine, type CommandLine, type CommandResult } from '../../support/command-line';
import { REPOSITORY } from '../../support/commands';
import { createTestDatabase, type TestDatabase } from '../../support/database';

/** The command line, pointed at the sample on a database of its own. */
export interface CliApp {
  readonly database: TestDatabase;
  readonly line: CommandLine;
  readonly environment: Record<string, string>;
  run(...args: string[]): Promise<CommandResult>;
  /** The document that `--json` prints: all that stdout has. */
  // What a program prints is anybody's guess until a test has looked at it.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  json(...args: string[]): Promise<any>;
  /** A file beside the application. */
  write(name: string, text: string): void;
  close(): Promise<void>;
}

export const SAMPLE = 'dist/app.module.js#AppModule';

/** `others` are applications beside it, folders of TypeScript by the names that they have then. */
export async function startCliApp(others: Readonly<Record<string, string>> = {}): Promise<CliApp> {
  const line = buildCommandLine({ dist: join(REPOSITORY, 'sample/01-orders'), ...others });
  const database = await createTestDatabase();
  const environment = environmentFor(database);
  const run = (...args: string[]) => line.run(args, environment);
  return {
    database,
    line,
    environment,
    run,
    json: async (...args) => JSON.parse((await run(...args, '--json')).stdout) as unknown,
    write: (name, text) => writeFileSync(join(line.directory, name), text),
    close: async () => {
      await line.remove();
      await database.drop();
    },
  };
}

export function environmentFor({ url }: TestDatabase): Record<string, string> {
  return { DATABASE_URL: url, TENANCY_MASTER_KEY: 'x'.repeat(32), TENANCY_MODULE: SAMPLE };
}
