// `npm start`: builds what has changed since the last time, then runs a sample. Plain JavaScript, for it runs before the build.
import { spawnSync } from 'node:child_process';
import console from 'node:console';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL, URL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TSC = 'node_modules/typescript/bin/tsc';
/** What is built in other folders, and is nobody's source. */
const NOT_OURS = /(^|\/)(node_modules|dist|build)\//;

const [main, project] = process.argv.slice(2);
const program = `build/${main}.js`;
process.chdir(ROOT);

/** One line that says what is in the way, and the end. */
function giveUp(line) {
  console.error(line);
  process.exit(1);
}

/** Before anything is built: to wait for a build and be told then is no fun. */
function requirePort(given) {
  const port = Number(given);
  if (!(Number.isInteger(port) && port >= 0 && port < 65536))
    giveUp(`PORT is "${given}": give a number below 65536, as in PORT=3001 npm start`);
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', ({ code, message }) => {
      giveUp(
        code === 'EADDRINUSE'
          ? `Port ${port} is taken. Stop what listens there, or choose another port: PORT=3001 npm start`
          : `Port ${port} cannot be listened at (${message}). Choose another one: PORT=3001 npm start`,
      );
    });
    probe.listen(port, () => probe.close(resolve));
  });
}

/** Sizes and times instead of contents: they are read in some milliseconds. */
function stateOf(folders) {
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true })
      .map((name) => join(folder, name))
      .filter((name) => name.endsWith('.ts') && !NOT_OURS.test(name))
      .sort(),
  );
  const hash = createHash('sha256');
  for (const file of [...files, 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', project]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** Runs tsc unless it has made `output` of the sources as they are now. A new library is built into an empty folder. */
function build(config, folders, output, empty) {
  const stamp = `build/.sources-${config}`;
  const state = stateOf(folders);
  if ([stamp, output].every(existsSync) && readFileSync(stamp, 'utf8') === state) return;
  if (empty) rmSync(empty, { recursive: true, force: true });
  mkdirSync('build', { recursive: true });
  rmSync(stamp, { force: true });
  const begun = Date.now();
  console.log(`Building ${folders.at(-1)}: the first time, and whenever something has changed …`);
  const { status } = spawnSync(process.execPath, [TSC, '-p', config], { stdio: 'inherit' });
  if (status !== 0) giveUp(`The build has failed: tsc -p ${config}`);
  writeFileSync(stamp, state);
  console.log(`… built in ${Math.round((Date.now() - begun) / 1000)} s.`);
}

if (!existsSync(TSC)) giveUp('The packages are not installed: npm ci');
await requirePort(process.env.PORT ?? 3000);
try {
  build('tsconfig.build.json', ['lib'], 'dist/index.js', 'dist');
  build(project, ['lib', 'sample'], program);
} catch ({ message }) {
  giveUp(
    `${ROOT} cannot be built in (${message}). npm start writes into dist, build and .data: run it in a copy of yours.`,
  );
}
await import(pathToFileURL(program).href);
