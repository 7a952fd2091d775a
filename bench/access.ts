import { type Bench, type BenchResult, type Row, WrongAnswerError } from './bench';
import { openAccessApp, type AccessBenchApp, contextOf } from './access-app';
import { openDatabase } from './bench-database';
import { inRounds, medians, rounded, runFor } from './measure';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';

const NOTHING = { name: 'access', description: 'empty', build: () => Promise.resolve() };
const BARE = 'bare Nest guard';
const TOKEN = 'token, cached';
const MEMBER = 'token of a member, cached';
const KEYS = 100;
const UNKNOWN = 10_000;

/** What an application without the module would write: a Map of keys that never forgets. */
class BareGuard implements CanActivate {
  constructor(private readonly tenants: ReadonlyMap<string, string>) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<IncomingMessage & { tenant?: string }>();
    request.tenant = this.tenants.get(String(request.headers['x-api-key']));
    return request.tenant !== undefined;
  }
}

interface Variant {
  readonly name: string;
  readonly app: AccessBenchApp;
  admit(index: number): Promise<string | undefined>;
}

/** What it costs to let a request in by its key or its token. */
export const accessBench: Bench = {
  about: 'one caller is let in by keys and tokens, and a flood of unknown keys is refused',

  async run({ options, server, cleanUp }): Promise<BenchResult> {
    const app = await openAccessApp(await openDatabase(server, NOTHING, cleanUp), cleanUp);
    const membersUrl = await openDatabase(server, { ...NOTHING, name: 'access_members' }, cleanUp);
    const withMembers = await openAccessApp(membersUrl, cleanUp, { withMembers: true });
    const cold = await coldKeys(app);
    const variants = [...(await warmVariants(app)), await warmMembers(withMembers)];
    const [before, beforeMembers] = [app.questions(), withMembers.questions()];
    const samples = await inRounds(variants, options.rounds, async (variant) => {
      let turn = 0;
      // Sorting the times of the turn before has kept the feed of changes from being heard.
      await variant.app.quiet();
      return runFor(options.seconds, 1, async () => {
        const tenant = await variant.admit((turn += 1) % KEYS);
        // What is heard of changes must have its turn: an answer that nothing vouches for is asked for again.
        if (turn % 100 === 0) await nextTurn();
        const wanted = variant.app.tenant.id;
        if (tenant !== wanted) throw new WrongAnswerError(variant.name, wanted, tenant);
      });
    });
    const warmQuestions = app.questions() - before;
    const warmMemberQuestions = withMembers.questions() - beforeMembers;
    const flood = await refuseUnknown(app);
    const rows: Row[] = [
      ...variants.map(({ name }, i) => ({ variant: name, ...medians(samples[i]) })),
      flood.row,
    ];
    const rowOf = (name: string) => rows.find(({ variant }) => variant === name)!;
    const speed = (name: string) => rowOf(name).opsPerSecond;
    // Of CPU time, since other work on the machine makes the time by the clock longer.
    const cpuMicros = (name: string) => Number(rowOf(name).clientCpuMicros);
    return {
      rows,
      ratios: {
        keyVsBareGuard: rounded(speed('key, cached') / speed(BARE)),
        tokenVsBareGuard: rounded(speed(TOKEN) / speed(BARE)),
        memberAddedMicros: rounded(cpuMicros(MEMBER) - cpuMicros(TOKEN)),
        queriesPerColdKey: cold,
        queriesOfWarmKeys: warmQuestions,
        queriesOfWarmMembers: warmMemberQuestions,
        queriesOf10000UnknownKeys: flood.questions,
        unknownKeysHeld: app.authentication.size.absent,
      },
    };
  },
};

/** Questions for each key that is met for the first time. */
async function coldKeys(app: AccessBenchApp): Promise<number> {
  const requests = await Promise.all(Array.from({ length: KEYS }, () => app.newKeyRequest()));
  const before = app.questions();
  for (const request of requests) await app.admit(request);
  return (app.questions() - before) / KEYS;
}

async function warmVariants(app: AccessBenchApp): Promise<Variant[]> {
  const keys = await Promise.all(Array.from({ length: KEYS }, () => app.newKeyRequest()));
  const tokens = await Promise.all(Array.from({ length: KEYS }, () => app.tokenRequest()));
  await app.quiet();
  for (const request of [...keys, ...tokens]) await app.admit(request);
  const bare = new BareGuard(
    new Map(keys.map(({ headers }) => [String(headers['x-api-key']), app.tenant.id])),
  );
  return [
    {
      name: BARE,
      app,
      admit: (index) => {
        const request = keys[index] as IncomingMessage & { tenant?: string };
        return Promise.resolve(bare.canActivate(contextOf(request)) ? request.tenant : undefined);
      },
    },
    { name: 'key, cached', app, admit: (index) => app.admit(keys[index]) },
    { name: TOKEN, app, admit: (index) => app.admit(tokens[index]) },
  ];
}

/** Each token is of a member of its own. */
async function warmMembers(app: AccessBenchApp): Promise<Variant> {
  const tokens: IncomingMessage[] = [];
  for (let index = 0; index < KEYS; index += 1) tokens.push(await app.tokenRequest());
  await app.quiet();
  for (const request of tokens) await app.admit(request);
  return { name: MEMBER, app, admit: (index) => app.admit(tokens[index]) };
}

/** All at once, as a flood comes. */
async function refuseUnknown(app: AccessBenchApp): Promise<{ row: Row; questions: number }> {
  const requests = Array.from({ length: UNKNOWN }, () => app.unknownKeyRequest());
  const before = app.questions();
  const start = performance.now();
  const outcomes = await Promise.allSettled(requests.map((request) => app.admit(request)));
  const elapsedMs = performance.now() - start;
  const wrong = outcomes.find(({ status }) => status === 'fulfilled');
  if (wrong) throw new WrongAnswerError('unknown keys', 'refused', wrong);
  const opsPerSecond = rounded((UNKNOWN / elapsedMs) * 1_000);
  const [p50Ms, p99Ms] = [rounded(elapsedMs / 2), rounded(elapsedMs)];
  return {
    row: { variant: 'unknown keys at once', opsPerSecond, p50Ms, p99Ms },
    questions: app.questions() - before,
  };
}
