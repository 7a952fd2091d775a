import type { Clock } from '../../common/clock';
import { TenancyUnavailableError } from '../../common/tenancy.errors';

/** Names in one question to the store. 500 unknown ones take PostgreSQL 3 ms. */
const MAX_NAMES = 500;

/** Names that may wait for their question. It takes 20 questions to answer so many: a tenth of a second. */
const MAX_WAITING = 10_000;

/** A store that takes longer counts as unavailable, because all other names wait meanwhile. */
const ANSWER_TIMEOUT_MS = 5_000;

const REGISTRY = 'The tenant registry';

interface Question<Name, Answer> {
  readonly name: Name;
  readonly answer: Promise<Answer | undefined>;
  readonly resolve: (answer: Answer | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** One query to the registry. */
interface Batch<Name, Answer> {
  readonly questions: ReadonlyMap<string, Question<Name, Answer>>;
  readonly askedAt: number;
  /** Whether something has changed since the query was sent, so that the answer may be stale. */
  outdated: boolean;
}

/**
 * Asks the registry one question at a time: for tenants, for keys. The first name is asked for at once; those that come
 * while it is busy are asked for together in the next question. However many names come in, an instance sends at most
 * 500 questions within a second and 250 a second in the long run, of at most 500 names each, and at most 10,000 names
 * wait.
 */
export class RegistryQuestions<Name, Answer> {
  readonly #budget: QuestionBudget;
  readonly #waiting = new Map<string, Question<Name, Answer>>();
  #batch?: Batch<Name, Answer>;
  #isPaused = false;
  #isFailing = false;

  /**
   * `askAll` gives an answer in the place of each name, of which there are at most 500. `keep` is called with each
   * answer that is still true when it arrives.
   */
  constructor(
    private readonly askAll: (names: readonly Name[]) => Promise<readonly (Answer | undefined)[]>,
    private readonly clock: Clock,
    private readonly keep: (key: string, answer: Answer | undefined, askedAt: number) => void,
  ) {
    this.#budget = new QuestionBudget(clock);
  }

  /** Whether the last query found the registry unavailable. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Names that wait for their question or its answer. */
  get size(): number {
    return this.#waiting.size + (this.#batch?.questions.size ?? 0);
  }

  /**
   * The registry's answer. Calls for the same key share one answer while it is under way.
   *
   * @throws TenancyUnavailableError when it cannot answer, or too many names wait already
   */
  ask(key: string, name: Name): Promise<Answer | undefined> {
    const asked = this.#batch?.outdated ? undefined : this.#batch?.questions.get(key);
    const shared = asked ?? this.#waiting.get(key);
    if (shared) return shared.answer;
    if (this.#waiting.size >= MAX_WAITING) {
      const cause = new Error(`${MAX_WAITING} names wait for the registry's answer already.`);
      return Promise.reject(new TenancyUnavailableError(REGISTRY, { cause }));
    }
    const question = makeQuestion<Name, Answer>(name);
    this.#waiting.set(key, question);
    this.#send();
    return question.answer;
  }

  /** Something has changed: the answer that is under way is neither shared with later calls nor kept. */
  outdate(): void {
    if (this.#batch) this.#batch.outdated = true;
  }

  #send(): void {
    if (this.#batch || this.#isPaused || this.#waiting.size === 0) return;
    const pauseMs = this.#budget.take();
    if (pauseMs > 0) return this.#pause(pauseMs);
    const batch: Batch<Name, Answer> = {
      questions: this.#takeNames(),
      askedAt: this.clock.now(),
      outdated: false,
    };
    this.#batch = batch;
    const callOff = this.clock.after(ANSWER_TIMEOUT_MS, () => {
      const cause = new Error(`The registry did not answer within ${ANSWER_TIMEOUT_MS} ms.`);
      this.#fail(batch, new TenancyUnavailableError(REGISTRY, { cause }));
    });
    void this.askAll([...batch.questions.values()].map(({ name }) => name))
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

  #takeNames(): Map<string, Question<Name, Answer>> {
    const taken = new Map<string, Question<Name, Answer>>();
    for (const [key, question] of this.#waiting) {
      taken.set(key, question);
      this.#waiting.delete(key);
      if (taken.size === MAX_NAMES) break;
    }
    return taken;
  }

  #answer(batch: Batch<Name, Answer>, answers: readonly (Answer | undefined)[]): void {
    if (this.#batch !== batch) return;
    this.#isFailing = false;
    let index = 0;
    for (const [key, { resolve }] of batch.questions) {
      const answer = answers[index++];
      if (!batch.outdated) this.keep(key, answer, batch.askedAt);
      resolve(answer);
    }
    this.#next();
  }

  #fail(batch: Batch<Name, Answer>, error: unknown): void {
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

function makeQuestion<Name, Answer>(name: Name): Question<Name, Answer> {
  let settle!: Pick<Question<Name, Answer>, 'resolve' | 'reject'>;
  const answer = new Promise<Answer | undefined>((resolve, reject) => (settle = { resolve, reject }));
  return { name, answer, ...settle };
}

/** Questions a second in the long run. */
const PER_SECOND = 250;

/** Unused queries that may be saved up for bursts, such as a cold start. Within any second at most 500 are sent. */
const SAVED = 250;

/** A token bucket that bounds how often one instance queries the registry. */
class QuestionBudget {
  #left = SAVED;
  #countedAt: number;

  constructor(private readonly clock: Pick<Clock, 'now'>) {
    this.#countedAt = clock.now();
  }

  /** Takes one token. Returns 0 when there was one, else the milliseconds until there will be. */
  take(): number {
    const now = this.clock.now();
    this.#left = Math.min(SAVED, this.#left + ((now - this.#countedAt) * PER_SECOND) / 1_000);
    this.#countedAt = now;
    if (this.#left < 1) return Math.ceil(((1 - this.#left) * 1_000) / PER_SECOND);
    this.#left -= 1;
    return 0;
  }
}
