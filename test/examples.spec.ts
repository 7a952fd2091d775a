import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compileErrors, examplesOf, writeExamples } from './support/examples';

/** Documents whose examples are of one application. */
const APPLICATIONS = [
  ['README.md'],
  ['README.md', 'docs/connections.md', 'docs/testing.md'],
  ['README.md', 'docs/cli.md'],
  ['README.md', 'docs/limits.md'],
  ['README.md', 'docs/migrations.md'],
  ['README.md', 'docs/observability.md'],
  ['README.md', 'docs/resolution.md'],
  ['README.md', 'docs/settings.md'],
  ['README.md', 'docs/transports.md'],
  ['docs/access.md'],
  ['docs/admin.md'],
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
