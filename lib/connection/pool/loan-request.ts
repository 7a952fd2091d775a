import type { PoolClient } from 'pg';
import { copyOf, type Scope, workOf } from '../../context/scope';
import type { TenantContext } from '../../context/tenant-context';
import type { Asker, Share } from '../../common/fair-queue';
import type { TransactionSettings } from '../protocol/settings';

export type ConnectCallback = (
  error: Error | undefined,
  client: PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/** What a request needs of the pool that it is made to. */
export interface LendingPool {
  readonly context: TenantContext;
  open(request: LoanRequest): void;
  keepsConnectionOf(work: object): boolean;
}

/** Work that is no tenant's request, but the application's own, takes turns with the tenants as if it were one of them. */
const OPERATOR = 'operator';

/** One call of the pool's `connect`, until it is answered. */
export class LoanRequest implements Asker {
  readonly key: string;
  readonly work: object;
  readonly isUnbounded: boolean;
  share: Share<this> | undefined;
  /** Whom it is counted for. */
  readonly tenantId: string | undefined;
  /** The scope of a request can be cleared while a connection is waited for; the loan is for who asked. */
  readonly lessee: Scope;
  /** Set while it waits for its turn. */
  waitsSince: number | undefined;
  /** Calls off the end of its time. */
  stopTimer: (() => void) | undefined;
  #isAnswered = false;

  constructor(
    private readonly pool: LendingPool,
    private readonly scope: Scope,
    readonly settings: TransactionSettings,
    private readonly callback: ConnectCallback,
  ) {
    this.work = workOf(scope);
    this.lessee = copyOf(scope);
    this.isUnbounded = scope.tenant === undefined || scope.unlimited === true;
    this.tenantId = this.isUnbounded ? undefined : scope.tenant?.id;
    this.key = this.tenantId ?? OPERATOR;
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  isNested(): boolean {
    return this.pool.keepsConnectionOf(this.work);
  }

  start(): void {
    this.pool.open(this);
  }

  answer(
    error: Error | undefined,
    client?: PoolClient,
    release: (error?: Error | boolean) => void = () => {},
  ): void {
    this.#isAnswered = true;
    this.stopTimer?.();
    this.pool.context.runScope(this.scope, () => this.callback(error, client, release));
  }
}
