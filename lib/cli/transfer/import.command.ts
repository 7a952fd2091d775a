import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Command, Option } from 'nest-commander';
import { TenantImport } from '../../transfer/tenant-import';
import { CommandLineError, InterruptedError } from '../cli.errors';
import { integer } from '../option-values';
import { ISOLATION_OPTION, isolationOf, placeIn, type PlaceOptions } from '../tenant/new-tenant-command';
import { AuditedCommand, type AuditedOptions, byWhom } from '../tenant/audited-command';
import { tenantAnswer } from '../tenant/tenant-answer';
import type { Answer } from '../tenancy-command';
import { exportKey } from './export-key';
import { itemsText, namesOf } from './item-names';

interface ImportCommandOptions extends AuditedOptions, PlaceOptions {
  readonly slug?: string;
  readonly name?: string;
  readonly domains?: boolean;
  readonly keepId?: boolean;
  readonly maxGb?: number;
  readonly without?: readonly string[];
}

@Command({
  name: 'import',
  arguments: '<file>',
  description: 'make a tenant of a file that export wrote, here or elsewhere; - for what comes on stdin',
})
export class ImportCommand extends AuditedCommand<ImportCommandOptions> {
  protected readonly examples = [
    'tenancy import acme.tenant',
    'tenancy import acme.tenant --slug acme-copy --name "Acme, a copy"',
    'tenancy import acme.tenant --slug acme-eu --server eu',
    'tenancy import acme.tenant --slug acme-own --isolation database',
    'tenancy import acme.tenant --keep-id --domains   # it has moved for good',
  ];

  @Option({ flags: '--slug <slug>', description: 'default: the one that it had' })
  parseSlug(slug: string): string {
    return slug;
  }

  @Option({ flags: '--name <text>', description: 'default: the one that it had' })
  parseName(name: string): string {
    return name;
  }

  @Option({ flags: '--domains', description: 'give it its domains, too' })
  parseDomains(): boolean {
    return true;
  }

  @Option({
    flags: '--keep-id',
    description: 'give it the id that it had, which must never have been used here',
  })
  parseKeepId(): boolean {
    return true;
  }

  @Option({
    flags: '--server <name>',
    description: 'where it is to live (default: as the option placement says, wherever it lived before)',
  })
  parseServer(server: string): string {
    return server;
  }

  @Option({ ...ISOLATION_OPTION })
  parseIsolation(isolation: string): string {
    return isolationOf(isolation);
  }

  @Option({
    flags: '--without <names>',
    description: 'leave out what modules keep outside of PostgreSQL, such as files (names between commas)',
  })
  parseWithout(names: string): readonly string[] {
    return namesOf(names);
  }

  @Option({
    flags: '--max-gb <n>',
    description: 'refuse a file that has more gigabytes when it is unzipped (default: 64)',
  })
  parseMaxGb(gigabytes: string): number {
    return integer('--max-gb', gigabytes, 1, 1_000_000);
  }

  protected async work([file]: readonly string[], options: ImportCommandOptions): Promise<Answer> {
    const { slug, name, domains, keepId, maxGb, without, json } = options;
    const source = await openSource(file);
    const key = exportKey();
    const service = await this.application.get(TenantImport, 'change', options);
    const gauge = this.progress.begin(`importing ${file}`, { json });
    const report = await this.interrupts.during(async (signal) => {
      const onProgress = (done: number, total: number) => gauge.update(done, total);
      try {
        return await service.import(source, {
          slug,
          name,
          domains,
          keepId,
          key,
          without,
          limits: { maxBytes: maxGb && maxGb * 1024 ** 3 },
          signal,
          onProgress,
          ...placeIn(options),
          ...byWhom(options),
        });
      } catch (error) {
        throw signal.aborted ? new InterruptedError('Nothing was imported.') : error;
      } finally {
        gauge.end();
      }
    });
    const { tenant, tables, rows, items, verification } = report;
    const count = Object.keys(tables).length;
    const summary = `${rows} rows of ${count} tables${itemsText(items)}, verified by ${verification}`;
    return { value: report, text: `${tenantAnswer(this.application, tenant).text}\n${summary}` };
  }
}

async function openSource(file: string): Promise<Readable> {
  if (file === '-') return process.stdin;
  try {
    const handle = await open(file);
    return createReadStream('', { fd: handle });
  } catch (error) {
    throw new CommandLineError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
