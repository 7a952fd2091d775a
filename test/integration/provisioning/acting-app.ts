import { PassThrough } from 'node:stream';
import { NestFactory } from '@nestjs/core';
import { Client } from 'pg';
import {
  TenancyModule,
  type TenancyOptions,
  TenantExport,
  TenantImport,
  TenantLifecycle,
  TenantProvisioner,
  TenantPurge,
} from '../../../lib';
import { SpareRefill } from '../../../lib/provisioning/spares/spare-refill';
import type { TestDatabase } from '../../support/database';
import { notesOptions } from '../../support/notes';
import { StoreElsewhere } from './store-elsewhere';

export type Action = 'create' | 'clone' | 'adopt' | 'import' | 'delete' | 'purge' | 'refill';

export interface Acting {
  readonly url: string;
  /** Empty: the registry is in the tenants' database. */
  readonly storeUrl: string;
  /** A further server, on which tenants live then. Empty: they live where the registry is. `own`: in databases of their own. */
  readonly euUrl: string;
  readonly action: Action;
  readonly slug: string;
}

export const APPLICATION_NAME = 'to-be-killed';

/**
 * Starts an application that does one thing to tenants, tells of each statement that it sends for it, and gives how
 * many they were.
 */
export async function act(
  { url, storeUrl, euUrl, action, slug }: Acting,
  onStatement: (sent: number) => void = () => undefined,
): Promise<number> {
  const store = storeUrl === '' ? undefined : await StoreElsewhere.open(storeUrl);
  const app = await NestFactory.createApplicationContext(
    TenancyModule.forRoot(
      notesOptions({ url } as TestDatabase, {
        database: { url, connectAttempts: 1, applicationName: APPLICATION_NAME },
        store,
        ...(euUrl !== '' && onFurtherServer(euUrl)),
        sweeper: { intervalMs: 0 },
        // The first refill makes them, at start; what `refill` is counted for are those that are then missing.
        spares: { count: action === 'refill' ? 2 : 0 },
      }),
    ),
    { logger: ['error'] },
  );
  const refill = app.get(SpareRefill);
  await refill.refill();
  const work: Record<Action, () => Promise<unknown>> = {
    create: () => app.get(TenantProvisioner).create({ slug, domains: [`${slug}.example`] }),
    clone: () => app.get(TenantProvisioner).clone('source', slug),
    adopt: () => app.get(TenantProvisioner).adopt(`legacy_${slug}`, slug),
    // From one to the other, so that it may be killed in either.
    import: () => {
      const pipe = new PassThrough();
      return Promise.all([
        app.get(TenantExport).export('source', pipe),
        app.get(TenantImport).import(pipe, { slug }),
      ]);
    },
    delete: () => app.get(TenantLifecycle).delete(slug),
    purge: () => app.get(TenantPurge).purge(slug),
    // One was taken by somebody else, the other is of an older template.
    refill: async () => {
      await app.get(TenantProvisioner).create({ slug });
      await refill.refill();
    },
  };
  const statements = tellStatements(onStatement);
  try {
    await work[action]();
  } finally {
    statements.stop();
    await app.close();
    await store?.close();
  }
  return statements.sent();
}

/** All tenants of an application there. */
export function onFurtherServer(url: string): Partial<TenancyOptions> {
  if (url === 'own') return { placement: { default: { server: 'default', isolation: 'database' } } };
  return { servers: { eu: { url } }, placement: { default: { server: 'eu', isolation: 'schema' } } };
}

function tellStatements(onStatement: (sent: number) => void) {
  const prototype = Client.prototype as { query: (...args: unknown[]) => unknown };
  const { query } = prototype;
  let sent = 0;
  prototype.query = function (this: Client, ...args: unknown[]): unknown {
    const answer = query.apply(this, args);
    // Those of a store elsewhere have no name.
    const { application_name: name } = (
      this as unknown as { connectionParameters: { application_name?: string } }
    ).connectionParameters;
    if (name === undefined || name === APPLICATION_NAME) onStatement(++sent);
    return answer;
  };
  return { sent: () => sent, stop: () => void (prototype.query = query) };
}
