import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import * as library from '../lib';

const ROOT = join(__dirname, '..');
const ENTRIES = readdirSync(join(ROOT, 'lib'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(ROOT, 'lib', entry.name, 'index.ts')))
  .map(({ name }) => name);

const DOCUMENTS = ['README.md', ...markdownIn('docs'), ...markdownIn('sample')];

function markdownIn(folder: string): string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.md')).map((name) => join(folder, name));
}

/** Without its blocks of code, where `#` begins a comment and brackets are no links. */
function prose(document: string): string {
  return readFileSync(join(ROOT, document), 'utf8').replaceAll(/^```[^]*?^```/gm, '');
}

/** As GitHub and npm make them of a heading. */
function anchorsOf(document: string): string[] {
  return [...prose(document).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{Letter}\p{Number}_\- ]/gu, '')
      .replaceAll(' ', '-'),
  );
}

it.each(DOCUMENTS)('%s has no dead link', (document) => {
  const targets = [...prose(document).matchAll(/\]\((?![a-z]+:)([^)\s]+)\)/g)].map(([, target]) => target);
  const dead = targets.filter((target) => {
    const [path, anchor] = target.split('#');
    const file = path === '' ? document : normalize(join(dirname(document), path));
    if (!existsSync(join(ROOT, file))) return true;
    return anchor !== undefined && !anchorsOf(file).includes(anchor);
  });
  expect(dead).toEqual([]);
});

describe('what is exported', () => {
  const documents = DOCUMENTS.map((name) => readFileSync(join(ROOT, name), 'utf8')).join('\n');

  it.each(['', ...ENTRIES])(
    'from nestjs-tenancy/%s is in the documents: its values by name, errors by code',
    async (entry) => {
      const exported = (entry === '' ? library : await import(`../lib/${entry}`)) as Record<string, unknown>;
      const unknown = Object.keys(exported).filter(
        (name) => !name.endsWith('Error') && !new RegExp(`\\b${name}\\b`).test(documents),
      );
      expect(unknown).toEqual([]);
    },
  );

  it('has every code of an error in the lists of errors: those of the README, and those of docs/errors.md', () => {
    const sources = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' });
    const codes = sources
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
      .flatMap((name) => [
        ...readFileSync(join(ROOT, 'lib', name), 'utf8').matchAll(/readonly code = '([A-Z_]+)'/g),
      ])
      .map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(80);
    const lists = ['README.md', 'docs/errors.md']
      .map((name) => readFileSync(join(ROOT, name), 'utf8'))
      .join('\n');
    expect(codes.filter((code) => !lists.includes(`\`${code}\``))).toEqual([]);
  });
});
