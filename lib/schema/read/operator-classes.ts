import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { objectName } from '../object-name';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface OperatorFamily {
  readonly oid: number;
  readonly name: string;
  readonly method: string;
}

interface OperatorClass extends OperatorFamily {
  /** `DEFAULT FOR TYPE complex USING btree FAMILY complex_ops` */
  readonly purpose: string;
  readonly type: string;
  readonly storage: string | null;
}

interface FamilyMember {
  readonly key: string;
  readonly familyOid: number;
  /** Null for an operator or function that belongs to the family only. */
  readonly classOid: number | null;
  /** `OPERATOR 1 <(complex,complex)`; for a function the types come before the name. */
  readonly definition: string;
}

/**
 * Operator families, operator classes, and the operators and functions of both. Each class names its family, because
 * the family may have another name.
 */
export async function readOperatorClasses(source: SchemaSource): Promise<Step[]> {
  const families = await readFamilies(source);
  const classes = await readClasses(source);
  const members = await readMembers(source);
  return [
    ...families.map(familyStep),
    ...classes.map((one) =>
      classStep(
        one,
        members.filter(({ classOid }) => classOid === one.oid),
      ),
    ),
    ...families.flatMap((family) =>
      members
        .filter(({ familyOid, classOid }) => familyOid === family.oid && classOid === null)
        .map((member) => looseMemberStep(family, member)),
    ),
  ];
}

/** A subquery, because the planner would start a join from the few access methods and read the whole catalog. */
const METHOD_OF = (oid: string) => `(SELECT quote_ident(am.amname) FROM pg_am am WHERE am.oid = ${oid})`;

function readFamilies({ executor, objects }: SchemaSource): Promise<OperatorFamily[]> {
  return rows(
    executor,
    `SELECT f.oid, f.opfname AS name, ${METHOD_OF('f.opfmethod')} AS method
     FROM pg_opfamily f WHERE f.oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_opfamily')],
  );
}

function readClasses({ executor, objects }: SchemaSource): Promise<OperatorClass[]> {
  return rows(
    executor,
    `SELECT c.oid, c.opcname AS name, ${METHOD_OF('c.opcmethod')} AS method,
            format('%sFOR TYPE %s USING %s FAMILY %s', CASE WHEN c.opcdefault THEN 'DEFAULT ' END,
                   format_type(c.opcintype, NULL), ${METHOD_OF('c.opcmethod')}, ${objectName('pg_opfamily', 'c.opcfamily')}) AS purpose,
            format_type(c.opcintype, NULL) AS type, format_type(nullif(c.opckeytype, 0), NULL) AS storage
     FROM pg_opclass c WHERE c.oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_opclass')],
  );
}

function readMembers({ executor, objects }: SchemaSource): Promise<FamilyMember[]> {
  const classOf = (catalog: string, oid: string) =>
    `(SELECT d.refobjid FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = ${oid}
        AND d.refclassid = 'pg_opclass'::regclass)`;
  return rows(
    executor,
    `SELECT 'pg_amop:' || e.oid AS key, e.amopfamily AS "familyOid", ${classOf('pg_amop', 'e.oid')} AS "classOid",
            concat('OPERATOR ', e.amopstrategy, ' ', e.amopopr::regoperator,
                   ' FOR ORDER BY ' || ${objectName('pg_opfamily', 'e.amopsortfamily')}) AS definition
     FROM pg_amop e WHERE e.oid = ANY ($1::oid[])
     UNION ALL
     SELECT 'pg_amproc:' || e.oid, e.amprocfamily, ${classOf('pg_amproc', 'e.oid')},
            format('FUNCTION %s (%s, %s) %s', e.amprocnum, format_type(e.amproclefttype, NULL),
                   format_type(e.amprocrighttype, NULL), e.amproc::regprocedure)
     FROM pg_amproc e WHERE e.oid = ANY ($2::oid[])
     ORDER BY definition`,
    [objects.oidsOf('pg_amop'), objects.oidsOf('pg_amproc')],
  );
}

function familyStep({ oid, name, method }: OperatorFamily): Step {
  return {
    phase: Phase.OperatorClass,
    label: `operator family ${name} for access method ${method}`,
    creates: [`pg_opfamily:${oid}`],
    statements: [`CREATE OPERATOR FAMILY ${quoteIdentifier(name)} USING ${method}`],
  };
}

function classStep(
  { oid, name, method, purpose, type, storage }: OperatorClass,
  members: readonly FamilyMember[],
): Step {
  const items = members.map(({ definition }) => definition);
  // The list must not be empty. A storage type equal to the class's own type means the same as none.
  if (storage !== null || items.length === 0) items.push(`STORAGE ${storage ?? type}`);
  return {
    phase: Phase.OperatorClass,
    label: `operator class ${name} for access method ${method}`,
    creates: [`pg_opclass:${oid}`],
    statements: [`CREATE OPERATOR CLASS ${quoteIdentifier(name)} ${purpose} AS ${items.join(', ')}`],
  };
}

function looseMemberStep({ name, method }: OperatorFamily, { key, definition }: FamilyMember): Step {
  return {
    phase: Phase.OperatorClass,
    label: `operator family ${name} for access method ${method}: ${definition}`,
    creates: [key],
    statements: [`ALTER OPERATOR FAMILY ${quoteIdentifier(name)} USING ${method} ADD ${definition}`],
  };
}
