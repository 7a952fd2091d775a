import type { Writable } from 'node:stream';
import { Command, Option } from 'nest-commander';
import { type ExportReport, TenantExport } from '../../transfer/tenant-export';
import { CommandLineError, InterruptedError } from '../cli.errors';
import { type Answer, type CommonOptions, TenancyCommand } from '../tenancy-command';
import { exportKey } from './export-key';
import { itemsText, namesOf } from './item-names';
import { writeNewFile } from './new-file';

interface ExportCommandOptions extends CommonOptions {
  readonly to?: string;
  readonly force?: boolean;
  readonly without?: readonly string[];
}

const STDOUT = '-';

@Command({
  name: 'export',
  arguments: '<tenant>',
  description: 'write a tenant, its schema, its rows and its files into one file',
})
export class ExportCommand extends TenancyCommand<ExportCommandOptions> {
  protected readonly examples = [
    'tenancy export acme --to acme.tenant',
    'tenancy export acme --to acme.tenant --without files',
    'TENANCY_EXPORT_KEY=… tenancy export acme --to - | ssh backup "cat > acme.tenant"',
  ];

  @Option({
    flags: '--to <file>',
    description: 'the file, which must not be there yet; - for stdout',
    required: true,
  })
  parseTo(file: string): string {
    return file;
  }

  @Option({
    flags: '--without <names>',
    description: 'leave out what modules keep outside of PostgreSQL, such as files (names between commas)',
  })
  parseWithout(names: string): readonly string[] {
    return namesOf(names);
  }

  @Option({ flags: '--force', description: 'replace the file' })
  parseForce(): boolean {
    return true;
  }

  protected async work([tenant]: readonly string[], options: ExportCommandOptions): Promise<Answer> {
    const { to, force = false, without, json } = options;
    if (to === undefined || to === '') throw new CommandLineError('Say where it goes: --to acme.tenant.');
    if (to === STDOUT && json)
      throw new CommandLineError('--json prints its document where --to - writes the export.');
    const service = await this.application.get(TenantExport, 'look', options);
    const key = exportKey();
    const gauge = this.progress.begin(`exporting ${tenant}`, { json });
    const report = await this.interrupts.during(async (signal) => {
      const write = (stream: Writable) =>
        service.export(tenant, stream, {
          key,
          without,
          signal,
          onProgress: (done, total) => gauge.update(done, total),
        });
      try {
        return await (to === STDOUT
          ? write(this.terminal.bytes())
          : writeNewFile(to, { replace: force }, write));
      } catch (error) {
        throw signal.aborted ? new InterruptedError('No file was written.') : error;
      } finally {
        gauge.end();
      }
    });
    return to === STDOUT
      ? { value: report, text: '' }
      : { value: { file: to, ...report }, text: toText(to, report) };
  }
}

function toText(file: string, { tenant, tables, rows, items }: ExportReport): string {
  return `${tenant}: ${rows} rows of ${Object.keys(tables).length} tables${itemsText(items)} are in ${file}.`;
}
