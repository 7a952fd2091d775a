import { text } from 'node:stream/consumers';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { TenantEvents } from '../provisioning/hooks/tenant-events';
import { TenantStore } from '../registry/store/tenant.store';
import type { Tenant } from '../registry/tenant';
import { bounded } from './file-body';
import type { FilePlace } from './file-store';
import { type CheckedFilesOptions, FILES_OPTIONS } from './files.options';

/** No schema's name has a dot. */
const OWNER = '.making';

/** No copy of a tenant takes as long. */
const STALE_MS = 86_400_000;

const ABOUT = { contentType: 'text/plain', metadata: {} };

/** More than an id has. */
const MAX_NOTE_BYTES = 100;

/**
 * Notes in the store for which tenants files are being kept that are not there yet. By its note is found what a process has
 * left that was killed, or whose database or store went away; it is removed a day later.
 */
@Injectable()
export class FilesInTheMaking implements OnModuleInit {
  readonly #logger = new Logger(FilesInTheMaking.name);
  readonly #begun = new Set<string>();

  constructor(
    private readonly events: TenantEvents,
    private readonly tenants: TenantStore,
    @Inject(FILES_OPTIONS) private readonly options: CheckedFilesOptions,
  ) {}

  onModuleInit(): void {
    this.events.on('created', (tenant) => this.end(tenant));
  }

  /** Call it before the first file is kept for a tenant that is not committed. */
  async begin({ id, schemaName }: Tenant): Promise<void> {
    const { store } = this.options;
    const note = bounded(id, MAX_NOTE_BYTES);
    const { modifiedAt } = await store.put(placeOf(schemaName), note, ABOUT, () => Promise.resolve());
    this.#begun.add(schemaName);
    try {
      await this.#sweep(modifiedAt);
    } catch (error) {
      this.#logger.warn('What is left of tenants that were never made could not be looked for.', error);
    }
  }

  /** The tenant is there, or its files are gone. A note that stays is seen to with what others have left. */
  async end({ schemaName }: Tenant): Promise<void> {
    if (!this.#begun.delete(schemaName)) return;
    await this.options.store.remove(placeOf(schemaName)).catch(() => undefined);
  }

  /** @param now by the clock of the store, since the one of an instance may be ahead */
  async #sweep(now: Date): Promise<void> {
    const { store } = this.options;
    const { files } = await store.list(OWNER, { prefix: '', limit: 1_000 });
    for (const { key: schemaName, modifiedAt } of files) {
      if (+now - +modifiedAt < STALE_MS) continue;
      const note = await store.open(placeOf(schemaName));
      if (!note) continue;
      const tenant = await this.tenants.find({ by: 'id', value: await text(note.stream) });
      // The sweeper of the registry has not decided yet what becomes of it.
      if (tenant?.status === 'provisioning') continue;
      if (!tenant) await store.removeAll(schemaName);
      await store.remove(placeOf(schemaName));
    }
  }
}

function placeOf(schemaName: string): FilePlace {
  return { owner: OWNER, key: schemaName };
}
