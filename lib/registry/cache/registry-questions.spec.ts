import { ManualClock, settled } from '../../../test/support/manual-clock';
import { TenancyUnavailableError } from '../../common/tenancy.errors';
import { InMemoryTenantStore } from '../store/in-memory-tenant.store';
import type { Tenant, TenantClaim } from '../tenant';
import type { TenantStore } from '../store/tenant.store';
import { askStore } from './tenant-lookup';
import { RegistryQuestions } from './registry-questions';

/** Finds a tenant for every slug that does not begin with `nobody`, after a time of the clock. */
class CountingStore extends InMemoryTenantStore {
  /** Of each question: when, and for which names. */
  readonly asked: { readonly at: number; readonly slugs: string[] }[] = [];

  constructor(
    private readonly clock: ManualClock,
    private readonly answerMs: number,
  ) {
    super();
  }

  override async find(claim: TenantClaim): Promise<Tenant | undefined> {
    return (await this.findMany([claim]))[0];
  }

  override findMany(claims: readonly TenantClaim[]): Promise<(Tenant | undefined)[]> {
    this.asked.push({ at: this.clock.now(), slugs: claims.map(({ value }) => value) });
    const answers = claims.map(({ value: slug }) =>
      slug.startsWith('nobody') ? undefined : ({ slug } as Tenant),
    );
    return new Promise((resolve) => this.clock.after(this.answerMs, () => resolve(answers)));
  }
}

function questionsTo(store: TenantStore, clock: ManualClock, keep: (key: string) => void = () => undefined) {
  return new RegistryQuestions((claims: readonly TenantClaim[]) => askStore(store, claims), clock, keep);
}

function setUp(answerMs = 1) {
  const clock = new ManualClock();
  const store = new CountingStore(clock, answerMs);
  const questions = questionsTo(store, clock);
  const ask = (slug: string) => questions.ask(slug, { by: 'slug', value: slug });
  return { clock, store, questions, ask };
}

/** The most questions within any second. */
function mostWithinASecond(asked: readonly { readonly at: number }[]): number {
  return Math.max(
    ...asked.map(({ at: from }) => asked.filter(({ at }) => at >= from && at < from + 1_000).length),
  );
}

describe('RegistryQuestions', () => {
  it('asks for the first name at once and alone, then for all that came meanwhile together', async () => {
    const { clock, store, ask } = setUp();
    const answers = Promise.all(['one', 'two', 'nobody', 'two', 'one'].map(ask));
    await clock.advance(2);
    expect((await answers).map((tenant) => tenant?.slug)).toEqual(['one', 'two', undefined, 'two', 'one']);
    expect(store.asked).toEqual([
      { at: 1_000, slugs: ['one'] },
      { at: 1_001, slugs: ['two', 'nobody'] },
    ]);
  });

  it('does not hold back a cold start: 250 names one after the other wait for nothing but their answers', async () => {
    const { clock, store, ask } = setUp();
    for (let index = 0; index < 250; index += 1) {
      const answer = ask(`tenant-${index}`);
      await clock.advance(1);
      await answer;
    }
    expect(store.asked).toHaveLength(250);
  });

  it('sends at most 500 questions within a second and 250 a second in the long run, whatever comes in', async () => {
    const { clock, store, questions, ask } = setUp();
    const seconds = 5;
    const answers: Promise<unknown>[] = [];
    for (let ms = 0; ms < seconds * 1_000; ms += 1) {
      for (let index = 0; index < 10; index += 1) answers.push(ask(`nobody-${ms}-${index}`));
      await clock.advance(1);
      expect(questions.size).toBeLessThanOrEqual(100);
    }
    await clock.advance(100);
    expect(await Promise.all(answers)).toHaveLength(seconds * 10_000);
    expect(mostWithinASecond(store.asked)).toBeLessThanOrEqual(500);
    expect(store.asked.length).toBeLessThanOrEqual(250 + seconds * 250 + 25);
    expect(questions.size).toBe(0);
  });

  it('lets 10,000 names wait, asks for 500 of them at a time, and refuses the rest as an outage', async () => {
    const { clock, store, questions, ask } = setUp();
    const answers = Array.from({ length: 20_000 }, (_, index) => ask(`nobody-${index}`));
    expect(questions.size).toBe(10_001);
    const outcomes = Promise.allSettled(answers);
    await clock.advance(1_000);
    const refused = (await outcomes).filter((outcome) => outcome.status === 'rejected');
    expect(refused).toHaveLength(9_999);
    expect(refused[0].reason).toBeInstanceOf(TenancyUnavailableError);
    expect(refused[0].reason).toMatchObject({ cause: { message: expect.stringContaining('10000 names') } });
    expect(store.asked.map(({ slugs }) => slugs.length)).toEqual([1, ...Array(20).fill(500)]);
    expect(questions.size).toBe(0);
  });

  it('answers who joined a refused flood’s names that were waiting already', async () => {
    const { clock, ask } = setUp();
    for (let index = 0; index < 10_001; index += 1) ask(`nobody-${index}`).catch(() => undefined);
    const joined = ask('nobody-9999');
    await clock.advance(1_000);
    await expect(joined).resolves.toBeUndefined();
  });

  it('gives a store that hangs 5 s, then asks for the names that wait', async () => {
    const { clock, store, questions, ask } = setUp(60_000);
    const first = ask('one').catch((error: unknown) => error);
    const second = ask('two').catch((error: unknown) => error);
    await clock.advance(4_999);
    expect(store.asked).toHaveLength(1);
    await clock.advance(1);
    await expect(first).resolves.toMatchObject({
      code: 'TENANCY_UNAVAILABLE',
      cause: { message: expect.stringContaining('5000 ms') },
    });
    expect(questions.isFailing).toBe(true);
    expect(store.asked).toHaveLength(2);
    await clock.advance(5_000);
    await expect(second).resolves.toBeInstanceOf(TenancyUnavailableError);
    expect(questions.size).toBe(0);
  });

  it('keeps what the store says late to itself', async () => {
    const clock = new ManualClock();
    const kept: string[] = [];
    const questions = questionsTo(new CountingStore(clock, 6_000), clock, (key) => kept.push(key));
    const answer = questions.ask('one', { by: 'slug', value: 'one' }).catch((error: unknown) => error);
    await clock.advance(7_000);
    await expect(answer).resolves.toBeInstanceOf(TenancyUnavailableError);
    expect(kept).toEqual([]);
  });

  it('fails with whatever the store throws, even before it gives a promise, and goes on', async () => {
    const clock = new ManualClock();
    const store = {
      find: () => {
        throw new Error('broken');
      },
    } as unknown as InMemoryTenantStore;
    const questions = questionsTo(store, clock);
    for (const slug of ['one', 'two'])
      await expect(questions.ask(slug, { by: 'slug', value: slug })).rejects.toThrow('broken');
    expect(questions.isFailing).toBe(false);
  });

  it('asks a store that is a plain object with find alone for each name', async () => {
    const clock = new ManualClock();
    const store = { find: (claim: TenantClaim) => Promise.resolve({ slug: claim.value }) };
    const questions = questionsTo(store as unknown as InMemoryTenantStore, clock);
    const answers = await Promise.all(
      ['one', 'two', 'three'].map((slug) => questions.ask(slug, { by: 'slug', value: slug })),
    );
    expect(answers.map((tenant) => tenant?.slug)).toEqual(['one', 'two', 'three']);
  });

  it('refuses a store that gives fewer answers than it was asked for: nobody is "not found" by a mistake', async () => {
    const clock = new ManualClock();
    const store = new InMemoryTenantStore();
    store.findMany = () => Promise.resolve([]);
    const questions = questionsTo(store, clock);
    const answers = Promise.allSettled(
      ['one', 'two', 'three'].map((slug) => questions.ask(slug, { by: 'slug', value: slug })),
    );
    await settled();
    expect((await answers).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  });
});
