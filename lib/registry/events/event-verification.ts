import type { SqlExecutor } from '../../common/sql';
import { hashOfEvent, type StoredEvent } from './event-hash';
import { NOBODY } from './event-tables';
import type { EventHead } from './tenant-event';

/** What is wrong with one event of a tenant, or with several one after another. */
export interface EventProblem {
  /**
   * `changed`: the event is not what was sealed. `removed`: it is gone. `inserted`: it is there, and never was sealed. `head`: what is
   * kept of the tenant's last event, or of the last one that was pruned, is not what was sealed.
   */
  readonly kind: 'changed' | 'removed' | 'inserted' | 'head';
  /** Its number, when it was sealed; of one that was inserted, the one that it has. */
  readonly sequence: string;
  /** The last of several that were removed. */
  readonly toSequence?: string;
  /** Of an event that is there. */
  readonly id?: string;
  readonly position?: string;
}

export interface EventVerification {
  readonly tenantId: string | null;
  /** How many events were looked at. */
  readonly checked: number;
  /** All up to this one were pruned, and are vouched for by its hash alone. */
  readonly sealedSequence: string;
  /** The last event, to be kept elsewhere and given as `known` the next time. */
  readonly head: { readonly sequence: string; readonly hash: string } | undefined;
  /** Empty: all is as it was sealed. In the order of the events; the first 100. */
  readonly problems: readonly EventProblem[];
}

export interface VerifyOptions {
  /**
   * The head of an earlier verification, kept where nobody who can write to the registry can. Whoever computes the whole chain
   * anew is found by it, and by nothing else.
   */
  readonly known?: { readonly sequence: string; readonly hash: string };
}

type CheckedRow = StoredEvent & { readonly hash: string };

const PAGE_ROWS = 2_000;
const MAX_PROBLEMS = 100;

/** How far numbers are looked for that somebody has moved to hide a gap, or to make room. */
const MAX_SHIFT = 20;

/** Checks the chain of a tenant, a page at a time. Nothing is locked: events that are sealed meanwhile are not looked at. */
export class EventVerificationRun {
  readonly #problems: EventProblem[] = [];
  #checked = 0;
  /** What the last event's number was when it was sealed. */
  #last = 0n;
  #lastHash = '';
  /** The hash before that one. */
  #hashBefore = '';
  /** The last event itself. */
  #before: CheckedRow | undefined;
  /** How much the numbers of what follows were moved. */
  #shift = 0n;
  /** The last row, as it is: pages go by it. */
  #at = 0n;

  constructor(
    private readonly executor: SqlExecutor,
    private readonly schema: string,
    private readonly tenantId: string | null,
  ) {}

  async run({ known }: VerifyOptions = {}): Promise<EventVerification> {
    const head = await this.#head();
    this.#last = BigInt(head?.sealedSequence ?? 0);
    this.#lastHash = head?.sealedHash ?? '';
    const end = BigInt(head?.sequence ?? 0);
    // From 0: there must be no row that was pruned.
    for (let page = await this.#page(end); page.length > 0; page = await this.#page(end)) {
      for (const row of page) await this.#check(row, known);
    }
    for (const row of await this.#beyond()) {
      // The last one, if somebody has made room for another before it.
      if (this.#shift < 0n && this.#shiftOf(row) === this.#shift) await this.#check(row, known);
      else this.#note({ kind: 'inserted', ...placeOf(row) });
    }
    if (this.#last !== end && this.#last !== end + this.#shift) {
      const last = this.#last;
      if (!(await this.#werePruned(end))) this.#note({ kind: 'removed', ...range(last + 1n, end) });
    } else if (head && this.#lastHash !== head.hash) this.#noteHead();
    if (known && BigInt(known.sequence) > end)
      this.#note({ kind: 'removed', ...range(end + 1n, BigInt(known.sequence)) });
    return {
      tenantId: this.tenantId,
      checked: this.#checked,
      sealedSequence: head?.sealedSequence ?? '0',
      head: head && { sequence: head.sequence, hash: head.hash },
      problems: this.#problems,
    };
  }

  async #check(row: CheckedRow, known: VerifyOptions['known']): Promise<void> {
    this.#checked++;
    this.#at = BigInt(row.sequence);
    const shift = this.#shiftOf(row);
    const original = this.#at + (shift ?? this.#shift);
    if (original <= this.#last) {
      // It was numbered anew to make room for the one before it, and is chained to what was before that.
      if (
        this.#before &&
        row.previousHash === this.#hashBefore &&
        shift !== undefined &&
        shift < this.#shift
      ) {
        this.#forget(this.#last);
        this.#note({ kind: 'inserted', ...placeOf(this.#before) });
        this.#go(row, original, shift, this.#hashBefore);
      } else {
        this.#note({ kind: 'inserted', ...placeOf(row) });
      }
      return;
    }
    const isNext = original === this.#last + 1n;
    if (!isNext && !(await this.#werePruned(original - 1n)))
      this.#note({ kind: 'removed', ...range(this.#last + 1n, original - 1n) });
    const place = { ...placeOf(row), sequence: String(original) };
    if (shift === undefined) this.#note({ kind: 'changed', ...place });
    else if (isNext && row.previousHash !== this.#lastHash) {
      if (this.#before)
        this.#note({ kind: 'changed', ...placeOf(this.#before), sequence: String(this.#last) });
      else this.#noteHead();
    }
    if (known?.sequence === place.sequence && known.hash !== row.hash)
      this.#note({ kind: 'changed', ...place });
    this.#go(row, original, shift ?? this.#shift, this.#lastHash);
  }

  #go(row: CheckedRow, original: bigint, shift: bigint, hashBefore: string): void {
    this.#shift = shift;
    this.#last = original;
    this.#lastHash = row.hash;
    this.#hashBefore = hashBefore;
    this.#before = row;
  }

  /** How much its number was moved: 0 of an event as it was sealed. `undefined`: something else was changed. */
  #shiftOf(row: CheckedRow): bigint | undefined {
    const fits = (shift: bigint) =>
      hashOfEvent({ ...row, sequence: String(BigInt(row.sequence) + shift) }) === row.hash;
    if (fits(this.#shift)) return this.#shift;
    for (let by = 0; by <= MAX_SHIFT; by++)
      for (const shift of [BigInt(by), -BigInt(by)]) if (fits(shift)) return shift;
    return undefined;
  }

  /** Somebody may prune while this is under way. */
  async #werePruned(sequence: bigint): Promise<boolean> {
    const head = await this.#head();
    if (!head || BigInt(head.sealedSequence) < sequence) return false;
    this.#last = BigInt(head.sealedSequence);
    this.#lastHash = head.sealedHash;
    return true;
  }

  /** What is kept of the last event, or of the last one that was pruned, is something else. */
  #noteHead(): void {
    const place = this.#before ? placeOf(this.#before) : { sequence: String(this.#last) };
    this.#note({ kind: 'head', ...place });
  }

  #note(problem: EventProblem): void {
    const before = this.#problems.at(-1);
    // Of one that was changed, the next one tells it again.
    if (before?.kind === problem.kind && before.sequence === problem.sequence) return;
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(problem);
  }

  /** The last one was noted as changed, and is something else. */
  #forget(sequence: bigint): void {
    const before = this.#problems.at(-1);
    if (before?.kind === 'changed' && before.sequence === String(sequence)) this.#problems.pop();
  }

  async #head(): Promise<EventHead | undefined> {
    return findHead(this.executor, this.schema, this.tenantId);
  }

  #page(end: bigint): Promise<CheckedRow[]> {
    return this.#rows('sequence > $1 AND sequence <= $2', [String(this.#at), String(end)]);
  }

  /** Rows behind the head. One statement, since events are sealed meanwhile. */
  #beyond(): Promise<CheckedRow[]> {
    return this.#rows(
      `sequence > coalesce((SELECT h.sequence FROM ${this.schema}.tenant_event_heads h WHERE h.tenant_id = $1), 0)`,
      [this.tenantId ?? NOBODY],
    );
  }

  async #rows(where: string, values: unknown[]): Promise<CheckedRow[]> {
    const own = this.tenantId === null ? 'tenant_id IS NULL' : `tenant_id = $${values.push(this.tenantId)}`;
    return (await this.executor.query(
      `SELECT id, tenant_id AS "tenantId", sequence, position, type, actor_type AS "actorType", actor_id AS "actorId", subject,
         data::text AS data, (pg_catalog.date_part('epoch', occurred_at) * 1000)::bigint AS "occurredMs",
         pg_catalog.encode(previous_hash, 'hex') AS "previousHash", pg_catalog.encode(hash, 'hex') AS hash
       FROM ${this.schema}.tenant_events WHERE ${own} AND ${where} ORDER BY sequence LIMIT ${PAGE_ROWS}`,
      values,
    )) as CheckedRow[];
  }
}

export async function findHead(
  executor: SqlExecutor,
  schema: string,
  tenantId: string | null,
): Promise<EventHead | undefined> {
  const [head] = (await executor.query(
    `SELECT sequence, pg_catalog.encode(hash, 'hex') AS hash, sealed_sequence AS "sealedSequence",
       pg_catalog.encode(sealed_hash, 'hex') AS "sealedHash"
     FROM ${schema}.tenant_event_heads WHERE tenant_id = $1`,
    [tenantId ?? NOBODY],
  )) as EventHead[];
  return head;
}

function placeOf({ sequence, id, position }: CheckedRow): Pick<EventProblem, 'sequence' | 'id' | 'position'> {
  return { sequence, id, position };
}

function range(from: bigint, to: bigint): Pick<EventProblem, 'sequence' | 'toSequence'> {
  return { sequence: String(from), ...(to > from && { toSequence: String(to) }) };
}
