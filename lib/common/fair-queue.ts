/** A request for a connection. */
export interface Asker {
  /** The tenant that it counts for: requests of one key take turns with those of the other keys. */
  readonly key: string;
  /** The piece of work that it belongs to. */
  readonly work: object;
  /** Its key has no upper bound, because it is work of the application itself. */
  readonly isUnbounded: boolean;
  /** How many connections its key may have at once, where that is fewer than others may have. */
  readonly maxPerKey?: number;
  /** For the queue, from `enter` on. */
  share: Share<this> | undefined;
  /** Whether its work keeps another connection while it waits for this one. Called only when it may have to wait. */
  isNested(): boolean;
  /** Its turn has come: it has a connection until `leave`. */
  start(): void;
}

export interface FairQueueOptions<A> {
  /** How many connections there are. */
  readonly size: number;
  /** How many of them one key may have at once. */
  readonly maxPerKey: number;
  /** How many requests of one key may wait, and how many more whose work keeps a connection. */
  readonly maxWaitingPerKey: number;
  /**
   * What it takes to serve a request. `free`: a connection that is open, or one more. `closing`: another one must be closed; so
   * `free` ones go first, at most 16 in a row. `later`: it waits for one that is lent. Default: always `free`.
   */
  readonly costOf?: (asker: A) => 'free' | 'closing' | 'later';
}

/** Then it is the turn of the request that has waited for longest, whatever it costs. */
const MAX_AHEAD = 16;

/** The connections that one key has, and its waiting requests. It exists as long as there are any. */
export interface Share<A> {
  readonly isUnbounded: boolean;
  readonly max: number;
  held: number;
  nested: number;
  /** In the order in which they came. */
  readonly waiting: A[];
}

/**
 * Decides which request is next. The first request of each key is served before the second of any, and no key gets more
 * than its share: no tenant waits for the many requests of another.
 *
 * Work that keeps one connection while it asks for the next could deadlock, with itself or with others that do the
 * same. So it is served first, and each key has one connection beyond its share for such requests alone. Work that gets
 * it and asks for no third one ends, and then the next can run.
 */
export class FairQueue<A extends Asker> {
  readonly #options: FairQueueOptions<A>;
  readonly #shares = new Map<string, Share<A>>();
  /** Shares with somebody waiting, in the order of their turns. */
  readonly #turns = new Set<Share<A>>();
  readonly #nested = new Set<A>();
  #free: number;
  /** How many in a row went before one whose turn it was. */
  #ahead = 0;

  constructor(options: FairQueueOptions<A>) {
    this.#options = options;
    this.#free = options.size;
  }

  /** Starts it, or lets it wait for its turn. `refused`: too many requests of its key wait already. */
  enter(asker: A): 'started' | 'waiting' | 'refused' {
    const share = this.#shareOf(asker);
    // A request that waits already cannot be served now, so this one overtakes nobody.
    if (this.#free > 0 && this.#hasRoom(share) && this.#costOf(asker) !== 'later')
      return this.#start(asker, share);
    const isNested = asker.isNested();
    if (isNested && this.#hasRoomBeyond(share)) return this.#start(asker, share);
    const waiting = isNested ? share.nested : share.waiting.length;
    if (!share.isUnbounded && waiting >= this.#options.maxWaitingPerKey) {
      this.#forgetUnlessUsed(asker.key, share);
      return 'refused';
    }
    if (isNested) {
      share.nested++;
      this.#nested.add(asker);
    } else {
      share.waiting.push(asker);
      this.#turns.add(share);
    }
    return 'waiting';
  }

  /** Releases its connection, for the next request. */
  leave(asker: A): void {
    const share = this.#shareOf(asker);
    share.held--;
    this.#free++;
    this.#forgetUnlessUsed(asker.key, share);
    this.#serve();
  }

  /** Removes a waiting request. */
  withdraw(asker: A): void {
    const share = this.#shareOf(asker);
    this.#remove(asker, share);
    this.#forgetUnlessUsed(asker.key, share);
  }

  /** Whether a waiting request is held up by the bound of its own key rather than by a lack of connections. */
  isHeldUp(asker: A): boolean {
    const share = this.#shareOf(asker);
    return !this.#hasRoom(share, this.#nested.has(asker) ? 1 : 0);
  }

  /** The keys that have connections or waiting requests. */
  get keys(): string[] {
    return [...this.#shares.keys()];
  }

  /** All waiting requests. */
  get waiting(): A[] {
    return [...this.#nested, ...[...this.#turns].flatMap(({ waiting }) => waiting)];
  }

  #serve(): void {
    while (this.#free > 0) {
      const next = this.#nextNested() ?? this.#nextInTurn();
      if (next === undefined) return;
      const share = this.#shareOf(next);
      this.#remove(next, share);
      this.#start(next, share);
    }
  }

  #nextNested(): A | undefined {
    for (const asker of this.#nested) if (this.#hasRoomBeyond(this.#shareOf(asker))) return asker;
    return undefined;
  }

  #nextInTurn(): A | undefined {
    let first: A | undefined;
    for (const share of this.#turns) {
      if (!this.#hasRoom(share)) continue;
      const [asker] = share.waiting;
      const cost = this.#costOf(asker);
      if (cost === 'later') continue;
      if (first !== undefined && cost === 'free') {
        this.#ahead++;
        return asker;
      }
      first ??= asker;
      if (cost === 'free' || this.#ahead >= MAX_AHEAD) break;
    }
    this.#ahead = 0;
    return first;
  }

  #costOf(asker: A): 'free' | 'closing' | 'later' {
    return this.#options.costOf?.(asker) ?? 'free';
  }

  #start(asker: A, share: Share<A>): 'started' {
    share.held++;
    this.#free--;
    asker.start();
    return 'started';
  }

  #remove(asker: A, share: Share<A>): void {
    if (this.#nested.delete(asker)) {
      share.nested--;
      return;
    }
    share.waiting.splice(share.waiting.indexOf(asker), 1);
    // A key that was served goes to the end of the line.
    this.#turns.delete(share);
    if (share.waiting.length > 0) this.#turns.add(share);
  }

  #hasRoom({ isUnbounded, held, max }: Share<A>, beyond = 0): boolean {
    return isUnbounded || held < max + beyond;
  }

  #hasRoomBeyond(share: Share<A>): boolean {
    return this.#free > 0 && this.#hasRoom(share, 1);
  }

  #shareOf(asker: A): Share<A> {
    return (asker.share ??= this.#shares.get(asker.key) ?? this.#newShare(asker));
  }

  #newShare({ key, isUnbounded, maxPerKey = Infinity }: A): Share<A> {
    const max = Math.min(maxPerKey, this.#options.maxPerKey);
    const share = { isUnbounded, max, held: 0, nested: 0, waiting: [] };
    this.#shares.set(key, share);
    return share;
  }

  #forgetUnlessUsed(key: string, { held, nested, waiting }: Share<A>): void {
    if (held === 0 && nested === 0 && waiting.length === 0) this.#shares.delete(key);
  }
}
