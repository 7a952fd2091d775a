import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cleanEnvironment, REPOSITORY, run } from '../../support/commands';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { type CliApp, environmentFor, startCliApp } from './cli-app';

const DOCUMENT = join(REPOSITORY, 'docs/cli.md');
const BLOCK = /```console\n([\s\S]*?)```/g;

/** Writes what the commands print into the document instead of comparing the two. */
const WRITE = process.env.TENANCY_TEST_WRITE_DOCS === '1';

// Each command is a process that starts an application: a second on a quiet machine, ten on a busy one.
jest.setTimeout(900_000);

let cli: CliApp;
/** The servers of the application whose tenants live on two. */
let placed: [TestDatabase, TestDatabase];
let bin: string;
let server: Server;

/** What stands in for the program: it asks the process that has it loaded, and says what that says. */
const CLIENT = `#!${process.execPath}
const socket = require('node:net').connect(process.env.TENANCY_TEST_SOCKET);
socket.write(JSON.stringify({ args: process.argv.slice(2), environment: process.env }) + '\\n');
let text = '';
socket.on('data', (chunk) => (text += chunk)).on('end', () => {
  const { code, stdout, stderr } = JSON.parse(text);
  process.stderr.write(stderr);
  process.stdout.write(stdout);
  process.exitCode = code;
});
`;

interface Asked {
  readonly args: string[];
  readonly environment: Record<string, string>;
}

beforeAll(async () => {
  cli = await startCliApp({ placed: join(REPOSITORY, 'test/support/placed-app') });
  placed = [await createTestDatabase(), await createTestDatabase()];
  bin = join(cli.line.directory, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'tenancy'), CLIENT);
  chmodSync(join(bin, 'tenancy'), 0o755);
  server = createServer((socket) => {
    createInterface(socket).once('line', (line) => {
      const { args, environment } = JSON.parse(line) as Asked;
      void cli.line.run(args, environment).then((result) => socket.end(JSON.stringify(result)));
    });
  }).listen(join(bin, 'socket'));
  // A role that is what the documentation recommends, in a database that is too: nothing to warn of.
  const [{ name }] = await cli.database.query<{ name: string }>('SELECT current_database() AS name');
  await cli.database.query(`REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`);
});
afterAll(async () => {
  await cli.close();
  for (const database of placed) await database.drop();
  server.close();
});

/** What differs each time it is run. */
function mask(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, '…')
    .replaceAll(/t_[a-z0-9]{20}(?= {2})/g, 't_…'.padEnd(22))
    .replaceAll(/t_[a-z0-9]{20}/g, 't_…')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '…')
    .replaceAll(/"templateVersion": "[0-9a-f]{64}"/g, '"templateVersion": "…"')
    .replaceAll(/in \d+ ms/g, 'in … ms')
    .replaceAll(/bytes( +)\d+/g, 'bytes$1…')
    .replaceAll(/(version|max|PostgreSQL) (is of version )?\d+\.\d+/g, '$1 $2…')
    .replaceAll(/PostgreSQL has \d+ for all: enough for \d+/g, 'PostgreSQL has … for all: enough for …')
    .replaceAll(/about \d+ of \d+ locks/g, 'about … of … locks')
    .replaceAll(/at [A-Z]\w+\d{13}/g, 'at …')
    .replaceAll(/^(\w+ +)[\w.]+:\d+\/\w+ +(?=yes|no)/gm, '$1…        ')
    .replaceAll(/address +open/g, 'address  open')
    .replaceAll(/by \S+, process \d+/g, 'by …')
    .replaceAll(/^id {36}tenant/gm, 'id tenant')
    .replaceAll(/worker( +)\S+, process .*/g, 'worker$1…')
    .replaceAll(/actor( +)cli:.*/g, 'actor$1…');
}

const program = () => ({ PATH: `${bin}:${process.env.PATH}`, TENANCY_TEST_SOCKET: join(bin, 'socket') });

function onTwoServers(): Record<string, string> {
  const [home, eu] = placed;
  return {
    ...environmentFor(home),
    TENANCY_MODULE: 'placed/app.module.js',
    EU_DATABASE_URL: eu.url,
  };
}

/** As a terminal would show it: stdout and stderr. */
function show(command: string, environment: Record<string, string>): Promise<string> {
  const options = {
    cwd: cli.line.directory,
    env: { ...cleanEnvironment(environment), ...program() },
  };
  return new Promise((resolve) => {
    execFile('bash', ['-c', `{ ${command}\n} 2>&1`], options, (_error, stdout) => resolve(mask(stdout)));
  });
}

it('docs/cli.md shows what the commands print', async () => {
  const before = readFileSync(DOCUMENT, 'utf8');
  let after = before;
  for (const { 0: block, 1: text, index } of before.matchAll(BLOCK)) {
    const isOfServers = before.slice(0, index).split('\n## ').at(-1)!.startsWith('Servers\n');
    const environment = isOfServers ? onTwoServers() : cli.environment;
    const lines: string[] = [];
    const commands = text.split('\n').filter((line) => line.startsWith('$ '));
    for (const command of commands) lines.push(`${command}\n${await show(command.slice(2), environment)}`);
    after = after.replace(block, () => `\`\`\`console\n${lines.join('')}\`\`\``);
  }
  if (WRITE) writeFileSync(DOCUMENT, after);
  else expect(before).toBe(after);
});

it('the commands at a glance work', async () => {
  const [, block] = /## At a glance\n+```sh\n([\s\S]*?)```/.exec(readFileSync(DOCUMENT, 'utf8'))!;
  const commands = block.split('\n').filter((line) => line.startsWith('npx '));
  expect(commands.length).toBeGreaterThanOrEqual(5);
  const database = await createTestDatabase();
  try {
    const script = ['set -e', ...commands.map((line) => line.replace('npx ', ''))].join('\n');
    const environment = { ...environmentFor(database), ...program() };
    rmSync(join(cli.line.directory, 'acme.tenant'), { force: true });
    await run(cli.line.directory, 'bash', ['-c', script], environment);
  } finally {
    await database.drop();
  }
});

/** Each command that has examples, by its words. */
async function commands(): Promise<string[][]> {
  const words = async (group: readonly string[]) => {
    const { stdout } = await cli.line.run([...group, '--help']);
    return [...stdout.slice(stdout.indexOf('Commands:')).matchAll(/^ {2}([a-z-]+)/gm)].map(
      ([, word]) => word,
    );
  };
  const found: string[][] = [];
  for (const word of (await words([])).filter((each) => each !== 'help')) {
    const { stdout } = await cli.line.run([word, '--help']);
    const inner = stdout.includes('Commands:') ? (await words([word])).filter((each) => each !== 'help') : [];
    found.push(...(inner.length > 0 ? inner.map((each) => [word, each]) : [[word]]));
  }
  return found;
}

async function examplesOf(command: readonly string[]): Promise<string[]> {
  const { stdout } = await cli.line.run([...command, '--help']);
  return [...stdout.matchAll(/^ {2}\$ (.*)$/gm)].map(([, line]) => line);
}

it('the examples of --help reach the program as they are meant', async () => {
  const all = await commands();
  expect(all.length).toBeGreaterThan(20);
  // Each call prints what it was given.
  const program = `tenancy() { node -p 'JSON.stringify(process.argv.slice(1))' -- "$@"; }; ssh() { cat > /dev/null; }`;
  for (const command of all) {
    const examples = await examplesOf(command);
    expect([command, examples.length]).not.toEqual([command, 0]);
    for (const example of examples) {
      const { stdout, stderr } = await run(cli.line.directory, 'bash', ['-c', `${program}\n${example}`]);
      expect(stderr).toBe('');
      for (const line of stdout.split('\n').filter(Boolean)) {
        const words = JSON.parse(line) as string[];
        const json = words.filter((_word, place) => ['--mask', '--metadata'].includes(words[place - 1]));
        for (const each of json) expect(JSON.parse(each)).toEqual(expect.any(Object));
      }
    }
  }
});

it('the examples of clone mask what they say', async () => {
  const database = await createTestDatabase();
  try {
    const environment = { ...environmentFor(database), ...program() };
    const bash = (script: string) => run(cli.line.directory, 'bash', ['-ec', script], environment);
    await bash('tenancy tenant create acme');
    await bash(`tenancy exec --tenant acme --write "INSERT INTO orders (description) VALUES ('tea')"`);
    const masking = (await examplesOf(['tenant', 'clone'])).filter((line) => line.includes('--mask '));
    expect(masking).toHaveLength(1);
    await bash(masking[0]);
    const { stdout } = await bash('tenancy exec --tenant acme-support "SELECT description FROM orders"');
    expect(stdout).toMatch(/^order [0-9a-f-]{36}$/m);
  } finally {
    await database.drop();
  }
});
