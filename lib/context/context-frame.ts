import type { Tenant } from '../registry/tenant';

/**
 * For whom a piece of code runs: a tenant, one schema by name (the template), the system, or nobody yet. A request's
 * frame is made before its tenant is known, so `tenant` may be set and cleared; the other fields never change.
 */
export interface ContextFrame {
  tenant?: Tenant;
  readonly schemaName?: string;
  readonly system?: true;
  /** The system while the data source starts. */
  readonly starting?: true;
  /** The transaction that all code in this frame shares, if it does. */
  readonly transaction?: SharedTransaction;
  /** The QueryRunner of the transaction that this code alone uses. */
  readonly queryRunner?: object;
  /** Work on a tenant rather than for it, such as its migration: the timeouts of requests do not apply. */
  readonly unlimited?: true;
  /**
   * Work that makes the tenant's schema, or checks it itself. All other work is refused while the schema is missing.
   */
  readonly unborn?: true;
  /** The outermost of the frames that this one was entered in: all of them are one piece of work. See `workOf`. */
  readonly work?: object;
}

/** A transaction of the connection layer, as much as a frame needs to know of it. */
export interface SharedTransaction {
  readonly isOpen: boolean;
}

/** The frame of one request. */
export type RequestFrame = Pick<ContextFrame, 'tenant'>;

/** Scopes that were entered one inside another are one piece of work, which can wait for itself. */
export function workOf(frame: ContextFrame): object {
  return frame.work ?? frame;
}

/** A copy, because a request's tenant may be cleared later. It names each field, which is far cheaper than a spread. */
export function copyOf(frame: ContextFrame): ContextFrame {
  const { tenant, schemaName, system, starting, transaction, unlimited, unborn } = frame;
  return { tenant, schemaName, system, starting, transaction, unlimited, unborn, work: workOf(frame) };
}

/** Two frames with the same key may share a lease. `undefined`: the frame is for nobody. */
export function frameKey(frame: ContextFrame | undefined): string | undefined {
  if (!frame) return undefined;
  if (frame.tenant) return frame.tenant.id;
  if (frame.system) return 'system';
  return frame.schemaName && `schema ${frame.schemaName}`;
}
