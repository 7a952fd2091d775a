import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_EVENT_BYTES } from '../../registry/events/event-rules';
import { EventRefusedError } from '../events.errors';
import { checkActor, checkData, checkSubject, checkType } from './event-input';

it.each(['order.shipped', 'order-line.re-opened', 'a.b', 'shop.order.line-2.paid', `a.${'b'.repeat(98)}`])(
  'takes the type %s',
  (type) => expect(checkType(type)).toBe(type),
);

it.each([
  ...[
    '',
    'order',
    'Order.shipped',
    'order.',
    '.shipped',
    'order..shipped',
    'order.shipped ',
    'order.-a',
    'order.a--b',
  ],
  ...['order.*', 'örder.shipped', 'order.shipped\n', 'order_line.paid', '1.a', `a.${'b'.repeat(99)}`],
  ...['tenant.suspended', 'api-key.created', 'quota.reached', 'webhook.x.y', 5, null, undefined, {}, ['a.b']],
])('refuses the type %p', (type) => expect(() => checkType(type)).toThrow(EventRefusedError));

it('says whose a type is', () => {
  expect(() => checkType('tenant.suspended')).toThrow(
    /begins with "tenant\.", as the events of nestjs-tenancy itself do/,
  );
});

const circle: Record<string, unknown> = {};
circle.self = circle;
const deep = JSON.parse('['.repeat(500) + ']'.repeat(500)) as unknown;

it.each([
  ['a NUL', { a: ['x\0'] }, /NUL/],
  ['a NUL in a key', { 'a\0': 1 }, /NUL/],
  ['half of a surrogate pair', { a: '\ud83d' }, /surrogate/],
  ['the other half', 'x\udc00y', /surrogate/],
  ['a circle', circle, /circular/],
  ['a BigInt', { a: 1n }, /BigInt/],
  ['undefined', undefined, /no JSON/],
  ['a function', () => 1, /no JSON/],
  ['1 MB', { text: 'x'.repeat(1_000_000) }, /1000011 bytes as JSON, and at most 65536 are kept/],
  ['600 lists within each other', JSON.parse('['.repeat(600) + ']'.repeat(600)), /nested too deeply/],
  ['more bytes than characters', 'é'.repeat(MAX_EVENT_BYTES / 2), /at most 65536/],
  [
    'what throws',
    {
      toJSON: () => {
        throw new Error('not today');
      },
    },
    /not today/,
  ],
])('refuses data with %s', (_what, data, message) => {
  expect(() => checkData(data)).toThrow(message);
  expect(() => checkData(data)).toThrow(EventRefusedError);
});

it('keeps any other data', () => {
  const pair = '😀 東京 \\u0000';
  expect(checkData(pair)).toBe(JSON.stringify(pair));
  expect(checkData('x'.repeat(MAX_EVENT_BYTES - 2))).toHaveLength(MAX_EVENT_BYTES);
  for (const data of [null, 0, [], {}, deep]) expect(checkData(data)).toBe(JSON.stringify(data));
});

it('takes a subject of 1 to 200 characters, or none', () => {
  expect([checkSubject(undefined), checkSubject('7'), checkSubject('x'.repeat(200))]).toEqual([
    null,
    '7',
    'x'.repeat(200),
  ]);
  for (const subject of ['', 'x'.repeat(201), 'a\0', '\ud800', 7, {}])
    expect(() => checkSubject(subject)).toThrow(EventRefusedError);
});

it('takes an actor that acts for the tenant, and none of those above it', () => {
  for (const actor of [
    { type: 'user', id: 'ann' },
    { type: 'job', id: null },
  ])
    expect(checkActor(actor)).toEqual(actor);
  for (const [type, id] of [
    ...[
      ['operator', 'ops'],
      ['cli', 'eve'],
      ['A', '1'],
      ['', '1'],
      ['a'.repeat(51), '1'],
    ],
    ...[
      ['user', ''],
      ['user', 'x'.repeat(2_001)],
      ['user', 'a\0'],
      ['user', undefined],
    ],
  ] as [string, string][])
    expect(() => checkActor({ type, id })).toThrow(EventRefusedError);
});

it('lets nobody record what docs/events.md lists as events of this package', () => {
  const page = readFileSync(join(__dirname, '../../../docs/events.md'), 'utf8');
  const [, section] = /^## Events of this package$(.*?)^## /ms.exec(page)!;
  const nouns = [...section.matchAll(/`([a-z-]+)\.[a-z*-]+`/g)].map(([, noun]) => noun);
  expect(nouns).toEqual(expect.arrayContaining(['tenant', 'support', 'recovery-key', 'webhook']));
  for (const noun of nouns) expect(() => checkType(`${noun}.done`)).toThrow(EventRefusedError);
});
