import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { show } from '../common/show-value';
import { ValidationFailedError } from '../common/tenancy.errors';
import { markedProviders } from '../provisioning/hooks/named-hooks';
import { InvalidHookError } from '../provisioning/provisioning-start.errors';
import type { Tenant } from '../registry/tenant';

/** A piece of what an adapter keeps for a tenant outside of PostgreSQL, such as a file. */
export interface TransferItem {
  /** What JSON can say of it, in at most 65,000 bytes: its name, its type. */
  readonly about: unknown;
  /** Its bytes as they come. Default: none. */
  readonly body?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** An item as an import finds it. */
export interface ImportedItem {
  /** Anybody may have written it, unless the export is sealed with a key. */
  readonly about: unknown;
  /** Read it before the next item is asked for; what was not read by then is passed over. */
  readonly body: AsyncIterable<Buffer>;
}

/** How much was taken along. */
export interface ItemCount {
  readonly items: number;
  readonly bytes: number;
}

/** What a class with `@OnTransfer()` implements. */
export interface TenantTransferHook {
  /** What its items are called in exports: 1 to 63 characters of `a-z 0-9 -`. Exports of before have it, so never change it. */
  readonly transferName: string;

  /** All that it keeps for the tenant. Called after the rows were read, while the tenant goes on being used. */
  exportItems(tenant: Tenant): AsyncIterable<TransferItem>;

  /**
   * Keeps the items for a new tenant. Called after its rows were copied, before it is committed: when this or anything
   * later fails, no tenant is made, and `onProvisionFailed()` removes what was kept by then.
   */
  importItems(tenant: Tenant, items: AsyncIterable<ImportedItem>): Promise<void>;
}

/**
 * Marks a provider of any module that keeps something for tenants outside of PostgreSQL, so that exports and imports take
 * it along.
 */
export const OnTransfer = DiscoveryService.createDecorator();

const DECORATOR = '@OnTransfer()';

const METHODS = ['exportItems', 'importItems'] as const;

/** What the application's modules keep for tenants outside of PostgreSQL. */
@Injectable()
export class TransferHooks implements OnModuleInit {
  readonly #hooks = new Map<string, TenantTransferHook>();

  constructor(private readonly discovery: DiscoveryService) {}

  /** @throws InvalidHookError */
  onModuleInit(): void {
    for (const { name, instance } of markedProviders(this.discovery, OnTransfer, DECORATOR)) {
      const missing = METHODS.find((method) => typeof instance?.[method] !== 'function');
      if (missing) throw new InvalidHookError(name, DECORATOR, `it has no method ${missing}`);
      const hook = instance as unknown as TenantTransferHook;
      const { transferName } = hook;
      if (!isTransferName(transferName))
        throw new InvalidHookError(
          name,
          DECORATOR,
          `its transferName is ${show(transferName)}`,
          'Give it one of 1 to 63 characters of a-z 0-9 -.',
        );
      if (this.#hooks.has(transferName))
        throw new InvalidHookError(
          name,
          DECORATOR,
          `another provider has its transferName "${transferName}", too`,
          'Exports tell them apart by that name.',
        );
      this.#hooks.set(transferName, hook);
    }
  }

  get names(): string[] {
    return [...this.#hooks.keys()];
  }

  find(name: string): TenantTransferHook | undefined {
    return this.#hooks.get(name);
  }
}

export function isTransferName(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z0-9-]{1,63}$/.test(value);
}

/** A slip of the finger would take along what was to be left out. @throws ValidationFailedError */
export function requireKnown(without: readonly string[], names: readonly string[]): void {
  const unknown = without.find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const known = [...new Set(names)].join(', ') || 'nothing at all';
  const message = `there is nothing called ${show(unknown)}, only ${known}`;
  throw new ValidationFailedError([{ field: 'without', message }]);
}
