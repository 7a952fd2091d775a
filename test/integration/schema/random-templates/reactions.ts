import fc from 'fast-check';
import { asOwner, nameOf, type Part, type Drawn } from './vocabulary';

const STATES = ['', 'ENABLE ALWAYS', 'ENABLE REPLICA', 'DISABLE'] as const;

const reaction = fc.record({
  kind: fc.constantFrom(
    'stamp',
    'each row',
    'all rows',
    'deferred',
    'rule also',
    'rule instead',
    'rule where',
    'rule insert',
  ),
  name: fc.nat(20),
  state: fc.constantFrom(...STATES),
  event: fc.constantFrom('INSERT', 'UPDATE', 'DELETE'),
});

type Reaction = Drawn<typeof reaction>;

/** Triggers and rules of a table. */
export const randomReactions = fc.array(reaction, { maxLength: 3 });

/** What triggers and rules of all tables need. */
export const REACTION_BASE = [
  `CREATE TYPE mood AS ENUM ('sad', 'it''s ok');`,
  `CREATE SEQUENCE counter INCREMENT 3;`,
  `CREATE TABLE log (line text);`,
  `CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.stamped := TG_ARGV[0] || TG_NAME || nextval('counter'); RETURN NEW; END $$;`,
  `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN INSERT INTO log VALUES (concat_ws(' ', TG_NAME, TG_WHEN, TG_OP, TG_TABLE_NAME, TG_ARGV[0])); RETURN NULL; END $$;`,
  `CREATE FUNCTION note_changes() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO log SELECT TG_NAME || count(*) FROM changed; RETURN NULL; END $$;`,
] as const;

export const READ_LOG = 'SELECT line FROM log ORDER BY line';

/** For a table that has the columns `mood` and `stamped`. */
export function buildReactions(reactions: readonly Reaction[], table: string): Part {
  return {
    script: reactions.flatMap((each, index) => {
      const name = nameOf(each.name, `reaction ${index}`);
      const { kind, statement } = reactionOf(each, name, table);
      return [
        `${statement};`,
        ...(each.state === '' ? [] : [`ALTER TABLE ${table} ${each.state} ${kind} ${name};`]),
      ];
    }),
    trials:
      reactions.length === 0
        ? []
        : [
            ...changes(table),
            ...asOwner(
              'SET LOCAL session_replication_role = replica',
              ...changes(table),
              'SET LOCAL session_replication_role = origin',
            ),
            'SET CONSTRAINTS ALL IMMEDIATE',
            READ_LOG,
          ],
  };
}

function changes(table: string): string[] {
  return [
    `INSERT INTO ${table} (mood) VALUES ('it''s ok')`,
    `UPDATE ${table} SET mood = 'sad' WHERE mood <> 'sad'`,
    `DELETE FROM ${table} WHERE mood = 'sad'`,
    // A rule may have kept them.
    `SELECT count(*) FROM ${table}`,
  ];
}

function reactionOf(
  { kind, event }: Reaction,
  name: string,
  table: string,
): { readonly kind: 'TRIGGER' | 'RULE'; readonly statement: string } {
  const trigger = (rest: string) => ({ kind: 'TRIGGER', statement: `CREATE ${rest}` }) as const;
  const rule = (rest: string) => ({ kind: 'RULE', statement: `CREATE RULE ${name} AS ${rest}` }) as const;
  const row = event === 'INSERT' ? 'NEW' : 'OLD';
  const changed = event === 'DELETE' ? 'OLD' : 'NEW';
  switch (kind) {
    case 'stamp':
      return trigger(
        `TRIGGER ${name} BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION stamp('it''s ')`,
      );
    case 'each row':
      return trigger(
        `TRIGGER ${name} AFTER ${event}${event === 'UPDATE' ? ' OF mood' : ''} ON ${table} FOR EACH ROW ` +
          `WHEN (${row}.mood IS NOT NULL) EXECUTE FUNCTION note('\\')`,
      );
    case 'all rows':
      return trigger(
        `TRIGGER ${name} AFTER ${event} ON ${table} REFERENCING ${changed} TABLE AS changed ` +
          'FOR EACH STATEMENT EXECUTE FUNCTION note_changes()',
      );
    case 'deferred':
      return trigger(
        `CONSTRAINT TRIGGER ${name} AFTER ${event} ON ${table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()`,
      );
    case 'rule also':
      return rule(`ON ${event} TO ${table} DO ALSO INSERT INTO log VALUES ('rule ' || ${row}.mood)`);
    case 'rule instead':
      return rule(`ON ${event} TO ${table} DO INSTEAD NOTHING`);
    case 'rule where':
      return rule(
        `ON ${event} TO ${table} WHERE ${row}.mood = 'sad' DO INSTEAD (INSERT INTO log VALUES ('${event}'); DELETE FROM log WHERE line = '')`,
      );
    case 'rule insert':
      return rule(
        `ON INSERT TO ${table} DO ALSO UPDATE ${table} SET stamped = 'ruled' WHERE stamped IS NULL AND NEW.mood IS NULL`,
      );
  }
}
