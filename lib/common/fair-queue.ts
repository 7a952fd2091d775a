/** Somebody who asks for a connection. */
export interface Asker {
  /** Whose share it counts to: askers of one key take turns with those of the others. */
  readonly key: string;
  /** The piece of work that it is a part of. */
  readonly work: object;
  /** Its key's share has no bounds: it is the operator's own. */
  readonly isUnbounded: boolean;
  /** For the queue, from `enter` on. */
  share: Share<this> | undefined;
  /** Whether its work keeps another connection until it has had this one. Asked only when it may have to wait. */
  isNested(): boolean;
  /** It is its turn: from now on it has a connection, until it leaves. */
  start(): void;
}

export interface FairQueueOptions {
  /** How many connections there are. */
  readonly size: number;
  /** How many of them one key may have at once. */
  readonly maxPerKey: number;
  /** How many askers of one key may wait, and how many more whose work keeps a connection. */
  readonly maxWaitingPerKey: number;
}

/** What one key has, and who waits for it. There is one as long as there is either. */
export interface Share<A> {
  readonly isUnbounded: boolean;
  lent: number;
  nested: number;
  /** In the order in which they came. */
  readonly waiting: A[];
}

/**
 * Says whose turn it is. The first asker of each key is served before the second of any, and no key gets more than its
 * share: nobody waits for the many that another has sent.
 *
 * Work that keeps one connection while it asks for the next could wait for itself, or for others that do the same. So
 * it is served first, and each key has one connection beyond its share for such askers alone. Whoever gets it and asks
 * for no third one comes to an end, and so does the next.
 */
export class FairQueue<A extends Asker> {
  readonly #options: FairQueueOptions;
  readonly #shares = new Map<string, Share<A>>();
  /** Shares with somebody waiting, in the order of their turns. */
  readonly #turns = new Set<Share<A>>();
  readonly #nested = new Set<A>();
  #free: number;

  constructor(options: FairQueueOptions) {
    this.#options = options;
    this.#free = options.size;
  }

  /** Starts it, or lets it wait for its turn. `refused`: too many of its key wait already. */
  enter(asker: A): 'started' | 'waiting' | 'refused' {
    const share = this.#shareOf(asker);
    // Whoever waits cannot be served now, so nobody is overtaken.
    if (this.#free > 0 && this.#hasRoom(share)) return this.#start(asker, share);
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

  /** Ends what `start` began: its connection is for the next. */
  leave(asker: A): void {
    const share = this.#shareOf(asker);
    share.lent--;
    this.#free++;
    this.#forgetUnlessUsed(asker.key, share);
    this.#serve();
  }

  /** It waits no longer. */
  withdraw(asker: A): void {
    const share = this.#shareOf(asker);
    this.#remove(asker, share);
    this.#forgetUnlessUsed(asker.key, share);
  }

  /** Whether somebody who waits would wait though connections were free: its key has all that it may have for it. */
  isHeldUp(asker: A): boolean {
    const share = this.#shareOf(asker);
    return !this.#hasRoom(share, this.#nested.has(asker) ? 1 : 0);
  }

  /** Whoever has something or waits for it. */
  get keys(): string[] {
    return [...this.#shares.keys()];
  }

  /** Everybody who waits. */
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
    for (const share of this.#turns) if (this.#hasRoom(share)) return share.waiting[0];
    return undefined;
  }

  #start(asker: A, share: Share<A>): 'started' {
    share.lent++;
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
    // Whoever has had a turn is the last to have the next.
    this.#turns.delete(share);
    if (share.waiting.length > 0) this.#turns.add(share);
  }

  #hasRoom({ isUnbounded, lent }: Share<A>, beyond = 0): boolean {
    return isUnbounded || lent < this.#options.maxPerKey + beyond;
  }

  #hasRoomBeyond(share: Share<A>): boolean {
    return this.#free > 0 && this.#hasRoom(share, 1);
  }

  #shareOf(asker: A): Share<A> {
    return (asker.share ??= this.#shares.get(asker.key) ?? this.#newShare(asker));
  }

  #newShare({ key, isUnbounded }: A): Share<A> {
    const share = { isUnbounded, lent: 0, nested: 0, waiting: [] };
    this.#shares.set(key, share);
    return share;
  }

  #forgetUnlessUsed(key: string, { lent, nested, waiting }: Share<A>): void {
    if (lent === 0 && nested === 0 && waiting.length === 0) this.#shares.delete(key);
  }
}
