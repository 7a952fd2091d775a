import type { Clock } from '../common/clock';
import { TenancyUnavailableError } from '../common/tenancy.errors';
import type { Tenant, TenantClaim } from '../tenant/tenant';
import { TenantStore } from '../tenant/tenant.store';
import { QuestionBudget } from './question-budget';

/** Names in one question to the store. 500 unknown ones take PostgreSQL 3 ms. */
const MAX_NAMES = 500;

/** Names that may wait for their question. It takes 20 questions to answer so many: a tenth of a second. */
const MAX_WAITING = 10_000;

/** A store that lets us wait for longer counts as unavailable; nothing else can be asked meanwhile. */
const ANSWER_TIMEOUT_MS = 5_000;

const REGISTRY = 'The tenant registry';

interface Question {
  readonly claim: TenantClaim;
  readonly answer: Promise<Tenant | undefined>;
  readonly resolve: (tenant: Tenant | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** What the store is being asked. */
interface Batch {
  readonly questions: ReadonlyMap<string, Question>;
  readonly askedAt: number;
  /** Whether a tenant was changed meanwhile: the answer may be from before. */
  outdated: boolean;
}

/**
 * Asks the store one question at a time. The first name is asked for at once; those that come while the store is busy
 * are asked for together in the next question. However many names come in, an instance sends at most 500 questions
 * within a second and 250 a second in the long run, of at most 500 names each, and at most 10,000 names wait.
 */
export class RegistryQuestions {
  readonly #budget: QuestionBudget;
  readonly #waiting = new Map<string, Question>();
  #batch?: Batch;
  #isPaused = false;
  #isFailing = false;

  /** `keep` is called with each answer that is still true when it arrives. */
  constructor(
    private readonly store: TenantStore,
    private readonly clock: Clock,
    private readonly keep: (key: string, tenant: Tenant | undefined, askedAt: number) => void,
  ) {
    this.#budget = new QuestionBudget(clock);
  }

  /** Whether the store was unavailable when it was asked last. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Names that wait for their question or its answer. */
  get size(): number {
    return this.#waiting.size + (this.#batch?.questions.size ?? 0);
  }

  /**
   * What the store says. Who asks for the same key before the answer is there shares it.
   *
   * @throws TenancyUnavailableError when the store cannot answer, or too many names wait already
   */
  ask(key: string, claim: TenantClaim): Promise<Tenant | undefined> {
    const asked = this.#batch?.outdated ? undefined : this.#batch?.questions.get(key);
    const shared = asked ?? this.#waiting.get(key);
    if (shared) return shared.answer;
    if (this.#waiting.size >= MAX_WAITING) {
      const cause = new Error(`${MAX_WAITING} names wait for the registry's answer already.`);
      return Promise.reject(new TenancyUnavailableError(REGISTRY, { cause }));
    }
    const question = makeQuestion(claim);
    this.#waiting.set(key, question);
    this.#send();
    return question.answer;
  }

  /** A tenant was changed: nobody else may share the answer that is under way, nor is it kept. */
  outdate(): void {
    if (this.#batch) this.#batch.outdated = true;
  }

  #send(): void {
    if (this.#batch || this.#isPaused || this.#waiting.size === 0) return;
    const pauseMs = this.#budget.take();
    if (pauseMs > 0) return this.#pause(pauseMs);
    const batch: Batch = { questions: this.#takeNames(), askedAt: this.clock.now(), outdated: false };
    this.#batch = batch;
    const callOff = this.clock.after(ANSWER_TIMEOUT_MS, () => {
      const cause = new Error(`The registry did not answer within ${ANSWER_TIMEOUT_MS} ms.`);
      this.#fail(batch, new TenancyUnavailableError(REGISTRY, { cause }));
    });
    void askStore(this.store, [...batch.questions.values()])
      .then(
        (answers) => this.#answer(batch, answers),
        (error: unknown) => this.#fail(batch, error),
      )
      .finally(callOff);
  }

  #pause(ms: number): void {
    this.#isPaused = true;
    this.clock.after(ms, () => {
      this.#isPaused = false;
      this.#send();
    });
  }

  #takeNames(): Map<string, Question> {
    const taken = new Map<string, Question>();
    for (const [key, question] of this.#waiting) {
      taken.set(key, question);
      this.#waiting.delete(key);
      if (taken.size === MAX_NAMES) break;
    }
    return taken;
  }

  #answer(batch: Batch, answers: readonly (Tenant | undefined)[]): void {
    if (this.#batch !== batch) return;
    this.#isFailing = false;
    let index = 0;
    for (const [key, { resolve }] of batch.questions) {
      const tenant = answers[index++];
      if (!batch.outdated) this.keep(key, tenant, batch.askedAt);
      resolve(tenant);
    }
    this.#next();
  }

  #fail(batch: Batch, error: unknown): void {
    if (this.#batch !== batch) return;
    this.#isFailing = error instanceof TenancyUnavailableError;
    for (const { reject } of batch.questions.values()) reject(error);
    this.#next();
  }

  #next(): void {
    this.#batch = undefined;
    this.#send();
  }
}

function makeQuestion(claim: TenantClaim): Question {
  let settle!: Pick<Question, 'resolve' | 'reject'>;
  const answer = new Promise<Tenant | undefined>((resolve, reject) => (settle = { resolve, reject }));
  return { claim, answer, ...settle };
}

async function askStore(
  store: TenantStore,
  questions: readonly Question[],
): Promise<readonly (Tenant | undefined)[]> {
  if (questions.length === 1) return [await store.find(questions[0].claim)];
  const claims = questions.map(({ claim }) => claim);
  // A store that is a plain object, as in many a test, has only what it was given.
  const findMany = store.findMany ?? TenantStore.prototype.findMany;
  const answers = await findMany.call(store, claims);
  if (answers.length === claims.length) return answers;
  throw new Error(`TenantStore.findMany() gave ${answers.length} answers to ${claims.length} claims.`);
}
