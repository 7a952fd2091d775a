/**
 * How closely a session is looked at before it works for somebody.
 *
 * `quick` costs nothing that can be measured, and is refused by a session that has ever had a temporary table, though
 * all of them are gone. `thorough` looks whether there is one.
 */
export type Probe = 'quick' | 'thorough';

/** `ALTER ROLE … SET search_path = ''` gives sessions the path `""`: one schema of no name. */
const PATH_IS_EMPTY =
  "pg_catalog.replace(pg_catalog.current_setting('search_path'), '\"\"', '') OPERATOR(pg_catalog.=) ''";

const HAS_NO_TEMPORARY_SCHEMA = 'pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) 0';

/** All that is in a schema depends on it; 2615 is pg_namespace. */
const TEMPORARY_SCHEMA_IS_EMPTY = `NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend
  WHERE refclassid OPERATOR(pg_catalog.=) 2615 AND refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())`;

/**
 * A column that PostgreSQL cannot compute in a session which holds anything of somebody else's: functions may have left
 * it, where no statement's text shows it. It is computed before the columns behind it, and what is sent behind it in
 * the same message group does not run.
 */
export const PROBES: Readonly<Record<Probe, string>> = {
  quick: raisesUnless(`${PATH_IS_EMPTY} AND ${HAS_NO_TEMPORARY_SCHEMA}`),
  thorough: raisesUnless(`${PATH_IS_EMPTY} AND ${TEMPORARY_SCHEMA_IS_EMPTY}`),
};

/** division_by_zero. */
export const PROBE_RAISES = '22012';

function raisesUnless(condition: string): string {
  return `1 OPERATOR(pg_catalog./) CASE WHEN ${condition} THEN 1 ELSE 0 END`;
}

/** Held cursors are closed rather than looked for: it takes a sixth of the time. */
export const CLOSE_CURSORS = 'CLOSE ALL';

/**
 * The probe as the beginning of a text, with a transaction of its own: a BEGIN that follows may choose how it sees the
 * others. Without BEGIN before COMMIT PostgreSQL would warn; with BEGIN before the probe the failed one would stay
 * open.
 */
export function probeText(probe: Probe): string {
  return `${CLOSE_CURSORS}; SELECT ${PROBES[probe]}; BEGIN; COMMIT;\n`;
}

/** Removes from a session all that the probe refuses, and what else can be removed. */
export const EMPTY_SESSION =
  "CLOSE ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; SET search_path = ''";
