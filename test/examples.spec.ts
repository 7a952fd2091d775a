import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compileErrors, examplesOf, writeExamples } from './support/examples';

const BEGIN = 'docs/quick-start.md';

/** Documents whose examples are of one application. */
const APPLICATIONS = [
  ['README.md'],
  [BEGIN, 'docs/data.md', 'docs/template.md', 'docs/tenants.md', 'docs/fleet.md'],
  [BEGIN, 'docs/data.md', 'docs/transactions.md', 'docs/connections.md', 'docs/testing.md'],
  [BEGIN, 'docs/cache.md'],
  [BEGIN, 'docs/cli.md'],
  [BEGIN, 'docs/events.md'],
  [BEGIN, 'docs/files.md'],
  [BEGIN, 'docs/graphql.md'],
  [BEGIN, 'docs/limits.md'],
  [BEGIN, 'docs/members.md'],
  [BEGIN, 'docs/observability.md'],
  [BEGIN, 'docs/queues.md'],
  [BEGIN, 'docs/recipes.md'],
  [BEGIN, 'docs/redis.md'],
  [BEGIN, 'docs/resolving.md'],
  [BEGIN, 'docs/settings.md'],
  [BEGIN, 'docs/switching.md'],
  [BEGIN, 'docs/timers.md'],
  [BEGIN, 'docs/transports.md'],
  [BEGIN, 'docs/webhooks.md'],
  [BEGIN, 'docs/who-runs.md'],
  ['docs/access.md'],
  ['docs/adapters.md'],
  ['docs/admin.md'],
  ['docs/placement.md'],
];

it('each example compiles', () => {
  const examples = APPLICATIONS.map((documents) => writeExamples(...documents));
  try {
    expect(compileErrors(examples).join('')).toBe('');
    expect(examples.flatMap(({ files }) => files).length).toBeGreaterThan(50);
  } finally {
    for (const each of examples) each.remove();
  }
});

it('no document is forgotten', () => {
  const documents = ['README.md', ...readdirSync(join(__dirname, '../docs')).map((name) => `docs/${name}`)];
  const withExamples = documents.filter(
    // A block with a test of its own is no file.
    (name) => name.endsWith('.md') && examplesOf(name).some(({ test }) => test === undefined),
  );
  expect(withExamples.sort()).toEqual([...new Set(APPLICATIONS.flat())].sort());
});
