import { explainAbsent } from '../common/absent-package';

export type CopyStreams = Pick<typeof import('pg-copy-streams'), 'from' | 'to'>;

/** `pg-copy-streams`, which reads and writes the rows of a table at the speed of the network. @throws PackageMissingError */
export function loadCopyStreams(): CopyStreams {
  try {
    const { from, to } = require('pg-copy-streams') as CopyStreams;
    return { from, to };
  } catch (error) {
    throw explainAbsent(error, 'pg-copy-streams', 'the export and import of tenants');
  }
}
