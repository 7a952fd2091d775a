import type { Tenant } from '../registry/tenant';
import { errorText, MAX_FAILURES } from './timer-report';

/** A run that this instance has claimed, or gone on with. */
export interface ClaimedRun {
  readonly name: string;
  readonly fireAt: Date;
  /** Another one that goes on with the run has another id. */
  readonly claimId: string;
  /** Tenants up to this id had their turn, but for those in flight. */
  readonly afterId: string | null;
  readonly inFlight: readonly string[];
  readonly visited: number;
  readonly failed: number;
}

/** Where a run is, as it is written into the registry. */
export interface RunPosition {
  /** Tenants up to this id have had their turn, but for those in flight. */
  readonly afterId: string | null;
  /** Their work has begun, and is not known to have ended. */
  readonly inFlight: readonly string[];
  readonly visited: number;
  readonly failed: number;
  /** Those that are not written yet. */
  readonly failures: readonly NewFailure[];
}

interface NewFailure {
  readonly id: string;
  readonly slug: string;
  readonly error: string;
}

/** Keeps account of a run, so that another instance can go on with it at any moment. */
export class RunProgress {
  readonly #inFlight: Set<string>;
  #afterId: string | null;
  #visited: number;
  #failed: number;
  #failures: NewFailure[] = [];
  /** Rises with each change. */
  #version = 0;
  #written = 0;

  constructor({ afterId, inFlight, visited, failed }: ClaimedRun) {
    this.#afterId = afterId;
    this.#inFlight = new Set(inFlight);
    this.#visited = visited;
    this.#failed = failed;
  }

  /** The ids of those that were in flight when the run was interrupted. */
  get interrupted(): readonly string[] {
    return [...this.#inFlight];
  }

  get afterId(): string | undefined {
    return this.#afterId ?? undefined;
  }

  get hasMoved(): boolean {
    return this.#version > this.#written;
  }

  /** The tenant is the next one in the order of ids. */
  begin({ id }: Tenant): void {
    this.#afterId = id;
    this.#inFlight.add(id);
    this.#version++;
  }

  /** An interrupted one is not active any more. */
  drop(id: string): void {
    this.#inFlight.delete(id);
    this.#version++;
  }

  end({ id, slug }: Tenant, failure?: { readonly error: unknown }): void {
    this.#inFlight.delete(id);
    this.#visited++;
    this.#version++;
    if (!failure) return;
    this.#failed++;
    if (this.#failed <= MAX_FAILURES) this.#failures.push({ id, slug, error: errorText(failure.error) });
  }

  /** What `write` is given; once it resolves, that is written. */
  async written<T>(write: (position: RunPosition) => Promise<T>): Promise<T> {
    const version = this.#version;
    const failures = [...this.#failures];
    const result = await write({
      afterId: this.#afterId,
      inFlight: this.interrupted,
      visited: this.#visited,
      failed: this.#failed,
      failures,
    });
    this.#written = version;
    this.#failures = this.#failures.slice(failures.length);
    return result;
  }
}
