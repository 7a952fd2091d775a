import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allOptions, optionsPage } from './support/options-page';

const options = allOptions();

it('docs/options.md says what the declarations say: else run npm run docs:options', () => {
  expect(readFileSync(join(__dirname, '../docs/options.md'), 'utf8')).toBe(optionsPage());
});

it('every option is documented where it is declared', () => {
  expect(options.length).toBeGreaterThan(100);
  expect(options.filter(({ documentation }) => documentation.trim() === '').map(({ path }) => path)).toEqual(
    [],
  );
});

it.each(
  options
    .filter(({ standard }) => ['number', 'string', 'boolean'].includes(typeof standard))
    .map(({ path, standard, documentation }) => [path, standard, documentation] as const),
)('the documentation of %s names its default, %p', (_path, standard, documentation) => {
  const shown = typeof standard === 'number' ? standard.toLocaleString('en-US') : String(standard);
  expect(documentation.replace(/`|\s+/g, (each) => (each === '`' ? '' : ' '))).toContain(`Default ${shown}`);
});
