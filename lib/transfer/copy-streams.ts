import { explainAbsent } from '../common/absent-package';

export type CopyStreams = Pick<typeof import('pg-copy-streams'), 'from' | 'to'>;

/**
 * `pg-copy-streams`, which copies the rows of a table as a stream. @throws PackageMissingError when it is not installed
 */
export function loadCopyStreams(): CopyStreams {
  try {
    const { from, to } = require('pg-copy-streams') as CopyStreams;
    return { from, to };
  } catch (error) {
    throw explainAbsent(error, 'pg-copy-streams', 'exporting and importing tenants');
  }
}
