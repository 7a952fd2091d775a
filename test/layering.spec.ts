import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findViolations, readImports } from './support/layers';

const lib = readImports(join(__dirname, '../lib'));

it('reads every file and finds real imports', () => {
  expect(Object.keys(lib).length).toBeGreaterThan(50);
  expect(lib['index']).toContain('tenancy.module');
  expect(lib['tenant/tenant.errors']).toEqual(['common/tenancy.errors', 'tenant/tenant']);
});

it('imports point one way, without cycles, inner barrels or utils', () => {
  expect(findViolations(lib)).toEqual([]);
});

it('drops schemas in one place, which looks whose they are', () => {
  const dropping = Object.keys(lib).filter((file) =>
    /DROP SCHEMA/.test(readFileSync(join(__dirname, '../lib', `${file}.ts`), 'utf8')),
  );
  expect(dropping).toEqual(['provisioning/schema-drop']);
});

it.each([
  ['a folder above importing one below', { 'common/a': ['tenant/b'], 'tenant/b': [] }],
  ['an optional module importing another', { 'usage/a': ['events/b'], 'events/b': [] }],
  [
    'a folder importing the files that join it',
    { 'admin/a': [], 'context/a': ['tenancy.module'], 'tenancy.module': [] },
  ],
  ['the main entry importing an optional one', { index: ['admin/a'], 'admin/a': [] }],
  ['a folder going through a public entry', { 'admin/a': ['index'], index: [] }],
  ['a cycle between two files of one folder', { 'tenant/a': ['tenant/b'], 'tenant/b': ['tenant/a'] }],
  ['a file importing itself', { 'tenant/a': ['tenant/a'] }],
  ['an inner index', { 'tenant/index': [] }],
  ['a drawer for everything', { 'common/utils': [] }],
])('notices %s', (_violation, graph) => {
  expect(findViolations(graph)).not.toEqual([]);
});

it('has nothing against imports that point the right way', () => {
  const graph = {
    'common/a': [],
    'tenant/b': ['common/a'],
    index: ['tenant/b'],
    'usage/c': ['tenant/b', 'tenancy.options'],
    'tenancy.options': [],
  };
  expect(findViolations(graph)).toEqual([]);
});
