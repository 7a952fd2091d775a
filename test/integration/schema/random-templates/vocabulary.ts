import type fc from 'fast-check';
import { quoteIdentifier } from '../../../../lib/common/sql';

/** What an arbitrary draws. */
export type Drawn<Arbitrary> = Arbitrary extends fc.Arbitrary<infer Value> ? Value : never;

/** Statements that make something, and statements whose outcome must be the same in the template and in its clone. */
export interface Part {
  readonly script: readonly string[];
  readonly trials: readonly string[];
}

/** SQL of a type, and values that it may or may not take; the first is not NULL. */
export interface ColumnType {
  readonly sql: string;
  readonly values: readonly string[];
  /** That a generated column may cast it to text. */
  readonly castsForGood?: boolean;
  readonly isArray?: boolean;
  /** Of a domain, what it is made over in the end. */
  readonly base?: string;
}

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** Which of the type's values the trials begin with. */
  readonly value: number;
}

/** What views, foreign keys and routines need to know of a table or view. */
export interface Relation {
  readonly name: string;
  readonly columns: readonly Column[];
  /** That others may refer to its integer `id`. */
  readonly isKeyed: boolean;
  /** Neither unlogged itself nor in part. */
  readonly isPermanent: boolean;
  /** That its rows can be read: no materialized view without data stands behind it. */
  readonly isPopulated: boolean;
  readonly kind: 'table' | 'view' | 'materialized view';
}

const NAMES = [
  'plain',
  'Mixed Case',
  'select',
  'it"s',
  "o'clock",
  'größe',
  '表',
  'back\\slash',
  'a.b',
  '$1',
  'percent%s',
];

export const BUILT_IN: readonly ColumnType[] = [
  { sql: 'integer', values: ['0', '-7', '2147483647', 'NULL'], castsForGood: true },
  { sql: 'text', values: ["'a'", "'it''s \\ x'", "''", 'NULL'], castsForGood: true },
  { sql: 'numeric(6, 2)', values: ['1.005', '-3', '9999.994', 'NULL'] },
  { sql: 'boolean', values: ['true', 'false', 'NULL'], castsForGood: true },
  { sql: 'timestamptz(0)', values: ["'2024-02-29 12:34:56.7+02'", 'NULL'] },
  { sql: 'jsonb', values: [`'{"a": [1, null]}'`, 'NULL'] },
  { sql: 'text[]', values: [`'{a,"b c",NULL}'`, 'NULL'], isArray: true },
  { sql: 'uuid', values: ["'00000000-0000-7000-8000-000000000001'", 'NULL'], castsForGood: true },
  { sql: 'daterange', values: ["'[2024-01-01,2024-02-01)'", "'empty'", 'NULL'] },
];

/** A quoted name; those with the same number and another suffix differ. */
export function nameOf(number: number, suffix: string): string {
  return quoteIdentifier(`${pick(NAMES, number)} ${suffix}`);
}

export function pick<T>(choices: readonly T[], number: number): T {
  return choices[number % choices.length];
}

/** That an expression of the type has not this value. PostgreSQL compares no domain over an enum with one of its labels. */
export function isNot(expression: string, { base }: ColumnType, value: string): string {
  return `${base === undefined ? expression : `CAST(${expression} AS ${base})`} IS DISTINCT FROM ${value}`;
}

export function valuesOf(columns: readonly Column[], shift: number): string {
  return columns.map(({ type, value }) => pick(type.values, value + shift)).join(', ');
}

export function namesOf(columns: readonly Column[]): string {
  return columns.map(({ name }) => name).join(', ');
}

export function insertInto({ name, columns }: Pick<Relation, 'name' | 'columns'>, shift: number): string {
  if (columns.length === 0) return `INSERT INTO ${name} DEFAULT VALUES`;
  return `INSERT INTO ${name} (${namesOf(columns)}) VALUES (${valuesOf(columns, shift)})`;
}

/** Sorted: tables that inherit are read in the order in which they were made. */
export function rowsOf(relation: string): string {
  return `SELECT * FROM ${relation} AS t ORDER BY t::text`;
}

/** Trials of what only an owner or a superuser may do. */
export function asOwner(...trials: string[]): string[] {
  return ['RESET ROLE', ...trials, 'SET LOCAL ROLE random_template_user'];
}

export function joined(parts: readonly Part[]): Part {
  return {
    script: parts.flatMap(({ script }) => script),
    trials: parts.flatMap(({ trials }) => trials),
  };
}
