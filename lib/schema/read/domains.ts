import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

interface DomainRow {
  readonly oid: number;
  readonly name: string;
  readonly base: string;
  /** Only where it differs from the collation of the base type. */
  readonly collation: string | null;
  readonly default: string | null;
  /** Whether the base type has a default, which the domain would inherit. */
  readonly inheritsDefault: boolean;
  readonly notNull: boolean;
}

interface DomainConstraint {
  readonly oid: number;
  readonly domainOid: number;
  readonly domainName: string;
  readonly name: string;
  readonly valid: boolean;
  readonly definition: string;
}

/**
 * Domains, with the constraints that depend on nothing else in the schema. A check that calls a function is added after
 * the function, which may have the domain as an argument. NOT VALID constraints are added, too, because CREATE DOMAIN
 * cannot state them.
 */
export async function readDomains(source: SchemaSource): Promise<Step[]> {
  const { objects } = source;
  const constraints = await readDomainConstraints(source);
  const late = constraints.filter(
    ({ oid, valid }) => !valid || objects.callsFunction(`pg_constraint:${oid}`),
  );
  const domains = await readDomainRows(source);
  return [
    ...domains.map((domain) =>
      domainStep(
        domain,
        constraints.filter((constraint) => constraint.domainOid === domain.oid && !late.includes(constraint)),
      ),
    ),
    ...late.map(lateConstraint),
  ];
}

function readDomainRows({ executor, objects }: SchemaSource): Promise<DomainRow[]> {
  return rows(
    executor,
    // Not-null constraints of domains have names since PostgreSQL 17.
    `SELECT t.oid, t.typname AS name, format_type(t.typbasetype, t.typtypmod) AS base,
            CASE WHEN t.typcollation NOT IN (0, base.typcollation) THEN t.typcollation::regcollation::text END
              AS collation,
            coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault)) AS "default",
            base.typdefault IS NOT NULL AS "inheritsDefault",
            t.typnotnull AND NOT EXISTS (SELECT FROM pg_constraint WHERE contypid = t.oid AND contype = 'n') AS "notNull"
     FROM pg_type t JOIN pg_type base ON base.oid = t.typbasetype
     WHERE t.oid = ANY ($1::oid[]) AND t.typtype = 'd'`,
    [objects.oidsOf('pg_type')],
  );
}

function readDomainConstraints({ executor, objects }: SchemaSource): Promise<DomainConstraint[]> {
  return rows(
    executor,
    `SELECT con.oid, t.oid AS "domainOid", t.typname AS "domainName", con.conname AS name, con.convalidated AS valid,
            CASE con.contype WHEN 'n' THEN 'NOT NULL' ELSE pg_get_constraintdef(con.oid) END AS definition
     FROM pg_constraint con JOIN pg_type t ON t.oid = con.contypid
     WHERE con.oid = ANY ($1::oid[]) ORDER BY con.conname`,
    [objects.oidsOf('pg_constraint')],
  );
}

function domainStep(domain: DomainRow, constraints: readonly DomainConstraint[]): Step {
  const name = quoteIdentifier(domain.name);
  const definition = [
    `CREATE DOMAIN ${name} AS ${domain.base}`,
    domain.collation !== null && `COLLATE ${domain.collation}`,
    domain.default !== null && `DEFAULT ${domain.default}`,
    domain.notNull && 'NOT NULL',
    ...constraints.map(
      (constraint) => `CONSTRAINT ${quoteIdentifier(constraint.name)} ${constraint.definition}`,
    ),
  ];
  // Over another domain, DEFAULT NULL is a default of its own.
  const dropsDefault = domain.default === null && domain.inheritsDefault;
  return {
    phase: Phase.Type,
    label: `domain ${domain.name}`,
    creates: [`pg_type:${domain.oid}`],
    statements: [
      definition.filter(Boolean).join(' '),
      ...(dropsDefault ? [`ALTER DOMAIN ${name} DROP DEFAULT`] : []),
    ],
  };
}

function lateConstraint({ oid, domainName, name, definition }: DomainConstraint): Step {
  return {
    phase: Phase.Type,
    label: `constraint ${name} on domain ${domainName}`,
    creates: [`pg_constraint:${oid}`],
    statements: [
      `ALTER DOMAIN ${quoteIdentifier(domainName)} ADD CONSTRAINT ${quoteIdentifier(name)} ${definition}`,
    ],
  };
}
