import { TenantProvisioner, TenantStore } from '../../../lib';
import { startWorld, type World } from './world';

let answer: () => unknown;
let world: World;
beforeAll(async () => {
  world = await startWorld({ placement: { of: (() => answer()) as never } });
});
afterAll(() => world.close());
afterEach(async () => {
  // What was not understood is made nowhere, rather than where everybody is.
  expect(await world.app.get<TenantStore>(TenantStore).list({ limit: 9 })).toEqual([]);
});

const create = (place?: unknown) =>
  world.app.get(TenantProvisioner).create({ slug: 'acme' }, { place: place as never });

it.each<[string, () => unknown]>([
  ['a promise', () => Promise.resolve({ server: 'eu' })],
  ['a promise that is broken', () => Promise.reject(new RangeError('no'))],
  ['a text', () => 'eu'],
  ['a number', () => 42],
  ['a list', () => ['eu']],
  ['a misspelled field', () => ({ sever: 'eu' })],
  ['a server that is no text', () => ({ server: 42 })],
  ['nothing as a server', () => ({ server: null })],
  ['a server that is a property of every object', () => ({ server: 'constructor' })],
])('refuses a tenant for which placement.of gives %s', async (_what, of) => {
  answer = of;
  await expect(create()).rejects.toMatchObject({ code: 'PLACE_NOT_POSSIBLE', statusCode: 409 });
});

it('throws what placement.of throws', async () => {
  answer = () => {
    throw new RangeError('no region');
  };
  await expect(create()).rejects.toThrow(new RangeError('no region'));
});

it('refuses a tenant that is asked for with a misspelled place', async () => {
  answer = () => undefined;
  await expect(create({ sever: 'eu' })).rejects.toMatchObject({ code: 'PLACE_NOT_POSSIBLE' });
});
