import { rows } from '../catalog';
import { objectName, operatorName } from '../object-name';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface OperatorRow {
  readonly oid: number;
  readonly name: string;
  readonly signature: string;
  readonly properties: string[];
}

/**
 * Operators, in any order. When two are each other's commutator or negator, making the first makes a shell of the
 * second. A shell that was never defined is made in the same way.
 */
export async function readOperators({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<OperatorRow>(
    executor,
    `SELECT o.oid, o.oprname AS name, o.oid::regoperator::text AS signature,
            array_remove(ARRAY[
              'FUNCTION = ' || ${objectName('pg_proc', 'o.oprcode')},
              'LEFTARG = ' || format_type(nullif(o.oprleft, 0), NULL),
              'RIGHTARG = ' || format_type(nullif(o.oprright, 0), NULL),
              'COMMUTATOR = ' || ${operatorName('o.oprcom')},
              'NEGATOR = ' || ${operatorName('o.oprnegate')},
              'RESTRICT = ' || ${objectName('pg_proc', 'o.oprrest')},
              'JOIN = ' || ${objectName('pg_proc', 'o.oprjoin')},
              CASE WHEN o.oprcanhash THEN 'HASHES' END,
              CASE WHEN o.oprcanmerge THEN 'MERGES' END
            ], NULL) AS properties
     FROM pg_operator o WHERE o.oid = ANY ($1::oid[]) AND o.oprcode <> 0`,
    [objects.oidsOf('pg_operator')],
  );
  return found.map(({ oid, name, signature, properties }) => ({
    phase: Phase.Operator,
    label: `operator ${signature}`,
    creates: [`pg_operator:${oid}`],
    // An operator's name consists of symbols, so it cannot be quoted and needs no quotes.
    statements: [`CREATE OPERATOR ${name} (${properties.join(', ')})`],
  }));
}
