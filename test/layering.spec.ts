import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findNamesakes, findStrays, findViolations, readImports } from './support/layers';

const lib = readImports(join(__dirname, '../lib'));

it('reads every file and finds real imports', () => {
  expect(Object.keys(lib).length).toBeGreaterThan(50);
  expect(lib['index']).toContain('tenancy.module');
  expect(lib['registry/tenant.errors']).toEqual(['common/tenancy.errors', 'registry/tenant']);
});

it('imports point one way, without cycles, inner barrels or utils', () => {
  expect(findViolations(lib)).toEqual([]);
});

it.each([
  ['schemas', /DROP SCHEMA/, 'provisioning/marks/schema-drop'],
  ['databases', /DROP DATABASE/, 'provisioning/homes/tenant-databases'],
])('drops %s in one place, where it is looked whose they are', (_what, statement, place) => {
  const dropping = Object.keys(lib).filter((file) =>
    statement.test(readFileSync(join(__dirname, '../lib', `${file}.ts`), 'utf8')),
  );
  expect(dropping).toEqual([place]);
});

it('names each provider in the module of its own folder', () => {
  expect(findStrays(join(__dirname, '../lib'))).toEqual([]);
});

it('gives no two files one name', () => {
  expect(findNamesakes(Object.keys(lib))).toEqual([]);
  expect(findNamesakes(['usage/a', 'usage/index', 'index', 'admin/a'])).toEqual(['a']);
});

it.each([
  ['a folder above importing one below', { 'common/a': ['registry/b'], 'registry/b': [] }],
  ['an optional module importing another', { 'usage/a': ['files/b'], 'files/b': [] }],
  [
    'a folder importing the files that join it',
    { 'admin/a': [], 'context/a': ['tenancy.module'], 'tenancy.module': [] },
  ],
  ['the main entry importing an optional one', { index: ['admin/a'], 'admin/a': [] }],
  ['a folder going through a public entry', { 'admin/a': ['index'], index: [] }],
  ['a cycle between two files of one folder', { 'registry/a': ['registry/b'], 'registry/b': ['registry/a'] }],
  ['a file importing itself', { 'registry/a': ['registry/a'] }],
  ['an inner index', { 'registry/index': [] }],
  ['a drawer for everything', { 'common/utils': [] }],
])('notices %s', (_violation, graph) => {
  expect(findViolations(graph)).not.toEqual([]);
});

it('has nothing against imports that point the right way', () => {
  const graph = {
    'common/a': [],
    'registry/b': ['common/a'],
    index: ['registry/b'],
    'usage/c': ['registry/b', 'options/tenancy.options'],
    'options/tenancy.options': [],
  };
  expect(findViolations(graph)).toEqual([]);
});
