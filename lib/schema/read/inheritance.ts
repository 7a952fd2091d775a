import { quoteIdentifier } from '../../common/sql';
import { Phase, type Step } from '../clone-order';
import { type Column, identityClause } from './columns';
import { makingOf, type Member } from './inherited-columns';
import type { Relation } from './relations';
import type { Sequence } from './sequences';

type SequenceOf = (column: Column) => Sequence | undefined;

/**
 * For each family of tables that inherit from one another, one step a table, and one that joins them. Where joining adds
 * columns (`grows`), one step for the whole family, since nothing may read such a table before.
 *
 * Checks and keys come later (`familyCheckSteps`), and so do defaults, because a child's may differ from its parent's.
 */
export function inheritanceSteps(
  relations: readonly Relation[],
  columnsOf: (relation: Relation) => readonly Column[],
  sequenceOf: SequenceOf,
): Step[] {
  const members = membersOf(
    relations.filter(({ inherits }) => inherits),
    columnsOf,
  );
  const standIns = new Map(members.map((member, i) => [member, quoteIdentifier(`stand-in ${i}`)]));
  return familiesOf(members).flatMap((family) =>
    familySteps(family, (member) => standIns.get(member) ?? '', sequenceOf),
  );
}

function membersOf(
  tables: readonly Relation[],
  columnsOf: (relation: Relation) => readonly Column[],
): Member[] {
  const members = tables.map((table) => ({
    table,
    quoted: quoteIdentifier(table.name),
    columns: columnsOf(table),
    parents: [] as Member[],
    children: [] as Member[],
  }));
  const byName = new Map(members.map((member) => [member.quoted, member]));
  for (const child of members) {
    for (const parent of child.table.parents.flatMap((name) => byName.get(name) ?? [])) {
      child.parents.push(parent);
      parent.children.push(child);
    }
  }
  return members;
}

/** Sorted so that parents come before children. */
function familiesOf(members: readonly Member[]): Member[][] {
  const families = new Map<Member, Member[]>();
  const collect = (member: Member, family: Member[]): void => {
    if (families.has(member)) return;
    member.parents.forEach((parent) => collect(parent, family));
    if (families.has(member)) return;
    family.push(member);
    families.set(member, family);
    member.children.forEach((child) => collect(child, family));
  };
  members.forEach((member) => collect(member, []));
  return [...new Set(families.values())];
}

function familySteps(
  family: readonly Member[],
  standInFor: (member: Member) => string,
  sequenceOf: SequenceOf,
): Step[] {
  const makings = family.map((member) => ({ member, ...makingOf(member, standInFor(member)) }));
  const sequences = family.flatMap(({ columns }) => columns.flatMap((column) => sequenceOf(column) ?? []));
  const tables = family.map(({ table }) => `pg_class:${table.oid}`);
  const childrenFirst = [...makings].reverse();
  const created = sequences.map(({ oid }) => `pg_class:${oid}`);
  const joining = [
    ...childrenFirst.flatMap(({ join }) => join),
    ...childrenFirst.flatMap(({ finish }) => finish),
    ...family.flatMap((member) => ownAlterations(member, sequenceOf)),
    ...family.flatMap(({ quoted, table: { ofType } }) =>
      ofType === null ? [] : [`ALTER TABLE ONLY ${quoted} OF ${ofType}`],
    ),
  ];
  if (makings.some(({ grows }) => grows)) {
    return [
      {
        phase: Phase.Table,
        label: `table ${family[0].table.name}`,
        creates: [...tables, ...created],
        statements: [...makings.flatMap(({ create }) => create), ...joining],
      },
    ];
  }
  return [
    ...makings.map(({ member: { table }, create }) => ({
      phase: Phase.Table,
      label: `table ${table.name}`,
      creates: [`pg_class:${table.oid}`],
      statements: create,
    })),
    {
      phase: Phase.Attachment,
      label: `inheritance of table ${family[0].table.name}`,
      creates: created,
      after: tables,
      statements: joining,
    },
  ];
}

function ownAlterations({ quoted, columns }: Member, sequenceOf: SequenceOf): string[] {
  const actions = columns.flatMap((column) => {
    const sequence = sequenceOf(column);
    return [
      column.notNull !== null && !column.notNullNamed && 'SET NOT NULL',
      column.compression !== null && `SET COMPRESSION ${column.compression}`,
      ...column.alterations,
      column.identity !== null && sequence !== undefined && `ADD ${identityClause(column, sequence)}`,
    ]
      .filter(Boolean)
      .map((action) => `ALTER COLUMN ${quoteIdentifier(column.name)} ${action}`);
  });
  return actions.length === 0 ? [] : [`ALTER TABLE ONLY ${quoted} ${actions.join(', ')}`];
}
