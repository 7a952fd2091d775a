import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { readPages, slugOf } from '../docs/.vitepress/pages';
import * as library from '../lib';
import manifest from '../package.json';

const ROOT = join(__dirname, '..');
const ENTRIES = readdirSync(join(ROOT, 'lib'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(ROOT, 'lib', entry.name, 'index.ts')))
  .map(({ name }) => name);

const PAGES = readdirSync(join(ROOT, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);
/** What npm carries. */
const PACKED = ['README.md', 'CHANGELOG.md', 'SECURITY.md', ...PAGES];
const DOCUMENTS = [...PACKED, 'CONTRIBUTING.md', 'sample/02-saas/README.md'];

/** Of the repository, for what npm does not carry. */
const REPOSITORY_LINK = /^https:\/\/github\.com\/nestjs-tenancy\/nestjs-tenancy\/(?:blob|tree)\/main\//;

function read(document: string): string {
  return readFileSync(join(ROOT, document), 'utf8');
}

/** Without its blocks of code, where `#` begins a comment and brackets are no links. */
function prose(document: string): string {
  return read(document).replaceAll(/^```[^]*?^```/gm, '');
}

function anchorsOf(document: string): string[] {
  return [...prose(document).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    slugOf(heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')),
  );
}

/** Where its links lead: files of the repository with their anchors, and other addresses. */
function linksOf(document: string) {
  const targets = [...prose(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
  return targets.map((target) => {
    const inRepository = REPOSITORY_LINK.test(target);
    if (/^[a-z]+:/.test(target) && !inRepository) return { target, elsewhere: true } as const;
    const [path, anchor] = target.replace(REPOSITORY_LINK, '').split('#');
    const file = inRepository ? path : normalize(join(dirname(document), path));
    return { target, file: path === '' ? document : file, anchor, inRepository } as const;
  });
}

const localLinksOf = (document: string) =>
  linksOf(document).flatMap((link) => (link.elsewhere ? [] : [link]));

it.each(DOCUMENTS)('%s has no dead link', (document) => {
  const dead = localLinksOf(document).filter(
    ({ file, anchor }) =>
      !existsSync(join(ROOT, file)) || (anchor !== undefined && !anchorsOf(file).includes(anchor)),
  );
  expect(dead).toEqual([]);
});

it.each(PACKED)('%s leads to nothing that npm does not carry, but by an address', (document) => {
  const carried = [...manifest.files, 'README.md', 'LICENSE', 'package.json'].map(
    (pattern) => new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`),
  );
  const lost = localLinksOf(document)
    .filter(({ inRepository }) => !inRepository)
    .filter(({ file }) => !carried.some((pattern) => pattern.test(file)));
  expect(lost).toEqual([]);
});

it.each(PAGES)('%s leads to pages and addresses alone, so that the site has all of it', (document) => {
  const outside = localLinksOf(document).filter(
    ({ file, inRepository }) => !inRepository && !PAGES.includes(file),
  );
  expect(outside).toEqual([]);
});

it('package.json says where the repository is', () => {
  const { repository, homepage, bugs } = manifest;
  expect(`${repository.url} ${homepage} ${bugs.url}`).toBe(
    'git+https://github.com/nestjs-tenancy/nestjs-tenancy.git ' +
      'https://github.com/nestjs-tenancy/nestjs-tenancy#readme https://github.com/nestjs-tenancy/nestjs-tenancy/issues',
  );
});

it('README.md is read in some minutes: at most 8,192 bytes', () => {
  expect(Buffer.byteLength(read('README.md'))).toBeLessThanOrEqual(8192);
});

it.each(DOCUMENTS)('%s has no table that is too wide to be read as text', (document) => {
  const wide = prose(document)
    .split('\n')
    .filter((line) => line.startsWith('|') && line.length > 120);
  expect(wide).toEqual([]);
});

it.each(DOCUMENTS)('%s asks nothing of curl that 7.81 does not know', (document) => {
  expect(read(document)).not.toMatch(/curl .*--(json|url-query|variable|expand-)/);
});

it('docs/index.md has each page once, in an order', () => {
  const pages = readPages(join(ROOT, 'docs')).flatMap((group) => group.pages);
  expect(pages.map(({ file }) => `docs/${file}`).sort()).toEqual(
    PAGES.filter((name) => name !== 'docs/index.md').sort(),
  );
});

describe('what is exported', () => {
  const documents = DOCUMENTS.map(read).join('\n');

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

  it('has every code of an error on the one page of errors', () => {
    const sources = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' });
    const codes = sources
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
      .flatMap((name) => [
        ...readFileSync(join(ROOT, 'lib', name), 'utf8').matchAll(/readonly code = '([A-Z_]+)'/g),
      ])
      .map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(80);
    const page = read('docs/errors.md');
    expect(codes.filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });
});
