import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { objectName } from '../object-name';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface ConversionRow {
  readonly oid: number;
  readonly name: string;
  readonly isDefault: boolean;
  /** `FOR 'LATIN1' TO 'UTF8' FROM …` */
  readonly definition: string;
}

export async function readConversions({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<ConversionRow>(
    executor,
    `SELECT oid, conname AS name, condefault AS "isDefault",
            format('FOR %L TO %L FROM %s', pg_encoding_to_char(conforencoding), pg_encoding_to_char(contoencoding),
                   ${objectName('pg_proc', 'c.conproc')}) AS definition
     FROM pg_conversion c WHERE oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_conversion')],
  );
  return found.map(({ oid, name, isDefault, definition }) => ({
    phase: Phase.Operator,
    label: `conversion ${name}`,
    creates: [`pg_conversion:${oid}`],
    statements: [`CREATE ${isDefault ? 'DEFAULT ' : ''}CONVERSION ${quoteIdentifier(name)} ${definition}`],
  }));
}
