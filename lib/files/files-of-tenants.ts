import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { isPlainObject } from '../common/options/kinds';
import { show } from '../common/show-value';
import { OnProvision, type TenantProvisionHook } from '../provisioning/hooks/provision-hooks';
import { OnTransition, type TenantTransitionHook } from '../provisioning/hooks/transition-hooks';
import type { CopiedTenant, TenantOrigin, TenantStep } from '../provisioning/provisioning.options';
import type { Tenant } from '../registry/tenant';
import { ExportFileError } from '../transfer/transfer.errors';
import {
  type ImportedItem,
  OnTransfer,
  type TenantTransferHook,
  type TransferItem,
} from '../transfer/transfer-hooks';
import { bounded } from './file-body';
import { checkFileAbout, checkFileKey } from './file-checks';
import type { FileAbout, FileInfo, OpenedFile } from './file-store';
import { FileDamagedError } from './files.errors';
import { FilesInTheMaking } from './files-in-the-making';
import { type CheckedFilesOptions, FILES_OPTIONS } from './files.options';
import { MAX_PAGE } from './tenant-files';

/** A file as an export tells of it. */
type ExportedFile = Pick<FileInfo, 'key' | 'size' | 'sha256'> & FileAbout;

/** A tenant that is copied waits for the answer to each. */
const COPIES_AT_ONCE = 8;

/** No quota holds for what a tenant had elsewhere. */
const uncounted = () => Promise.resolve();

/** What becomes of a tenant's files when the tenant is purged, copied, exported or imported. */
@Injectable()
@OnTransition()
@OnProvision()
@OnTransfer()
export class FilesOfTenants implements TenantTransitionHook, TenantProvisionHook, TenantTransferHook {
  readonly transferName = 'files';

  constructor(
    private readonly making: FilesInTheMaking,
    @Inject(FILES_OPTIONS) private readonly options: CheckedFilesOptions,
  ) {}

  async onTransition({ schemaName }: Tenant, step: TenantStep): Promise<void> {
    if (step === 'purge') await this.options.store.removeAll(schemaName);
  }

  /** A copy of a tenant gets its files, unless values are masked, which nobody can do in files. */
  async onProvision(
    tenant: Tenant,
    manager: EntityManager,
    _origin: TenantOrigin,
    copied?: CopiedTenant,
  ): Promise<void> {
    if (!copied || copied.isMasked) return;
    const { store } = this.options;
    const [from, to] = [copied.from.schemaName, tenant.schemaName];
    // While many files are copied, nothing is sent to PostgreSQL.
    await manager.query('SET LOCAL idle_in_transaction_session_timeout = 0');
    let isBegun = false;
    for await (const page of this.#pagesOf(from)) {
      if (!isBegun && page.length > 0) await this.making.begin(tenant);
      isBegun ||= page.length > 0;
      for (let at = 0; at < page.length; at += COPIES_AT_ONCE) {
        const copies = page
          .slice(at, at + COPIES_AT_ONCE)
          .map((key) => store.copy({ owner: from, key }, { owner: to, key }, uncounted));
        // None is under way any more when all are removed because one has failed.
        const failed = (await Promise.allSettled(copies)).find(({ status }) => status === 'rejected');
        if (failed) throw (failed as PromiseRejectedResult).reason;
      }
    }
  }

  async onProvisionFailed(tenant: Tenant, origin: TenantOrigin): Promise<void> {
    // An adopted schema has the name of before, and its files may have come from a backup.
    if (origin === 'adopt') return;
    await this.options.store.removeAll(tenant.schemaName);
    await this.making.end(tenant);
  }

  async *exportItems({ schemaName: owner }: Tenant): AsyncGenerator<TransferItem> {
    for await (const page of this.#pagesOf(owner))
      for (const key of page) {
        const file = await this.options.store.open({ owner, key });
        // It was removed meanwhile.
        if (!file) continue;
        const { size, sha256, contentType, metadata } = file.info;
        const about: ExportedFile = { key, size, sha256, contentType, metadata };
        try {
          yield { about, body: verified(file) };
        } finally {
          file.stream.destroy();
        }
      }
  }

  async importItems(tenant: Tenant, items: AsyncIterable<ImportedItem>): Promise<void> {
    const { store, maxBytes } = this.options;
    const { schemaName: owner } = tenant;
    let previous = Buffer.alloc(0);
    for await (const { about, body } of items) {
      if (previous.length === 0) await this.making.begin(tenant);
      const { key, size, sha256, contentType, metadata } = readAbout(about);
      // In this order they were exported, and so none comes twice.
      if (Buffer.compare(previous, Buffer.from(key)) >= 0)
        throw new ExportFileError(`it is damaged: the file ${show(key)} in it is not in its place.`);
      previous = Buffer.from(key);
      const kept = await store.put(
        { owner, key },
        bounded(body, maxBytes),
        { contentType, metadata },
        uncounted,
      );
      if (kept.size !== size || kept.sha256 !== sha256)
        throw new ExportFileError(`it is damaged: the file ${show(key)} in it is not as it was.`);
    }
  }

  async *#pagesOf(owner: string): AsyncGenerator<string[]> {
    let after: string | undefined;
    do {
      const { files, next } = await this.options.store.list(owner, { prefix: '', after, limit: MAX_PAGE });
      yield files.map(({ key }) => key);
      after = next;
    } while (after !== undefined);
  }
}

/** An export with a damaged file in it could not be imported, which would be noticed too late. @throws FileDamagedError */
async function* verified({ info, stream }: OpenedFile): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const piece of stream as AsyncIterable<Buffer>) {
    hash.update(piece);
    yield piece;
  }
  if (hash.digest('hex') !== info.sha256)
    throw new FileDamagedError(`The file ${show(info.key)}`, 'has other bytes than were kept');
}

/** @throws ExportFileError, InvalidFileError */
function readAbout(about: unknown): ExportedFile {
  const { key, size, sha256, contentType, metadata } = (isPlainObject(about)
    ? about
    : {}) as unknown as ExportedFile;
  if (!isPlainObject(metadata)) throw new ExportFileError('it is damaged: a file in it has no metadata.');
  checkFileKey(key);
  checkFileAbout({ contentType, metadata });
  return { key, size, sha256, contentType, metadata };
}
