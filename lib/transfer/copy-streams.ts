import { PackageMissingError } from './transfer.errors';

export type CopyStreams = Pick<typeof import('pg-copy-streams'), 'from' | 'to'>;

/** `pg-copy-streams`, which reads and writes the rows of a table at the speed of the network. @throws PackageMissingError */
export async function loadCopyStreams(): Promise<CopyStreams> {
  try {
    const { from, to } = await import('pg-copy-streams');
    return { from, to };
  } catch (error) {
    const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
    if (/^(?:ERR_)?MODULE_NOT_FOUND$/.test(String(code)) && String(message).includes(`'pg-copy-streams'`)) {
      throw new PackageMissingError('pg-copy-streams', 'the export and import of tenants', { cause: error });
    }
    throw error;
  }
}
