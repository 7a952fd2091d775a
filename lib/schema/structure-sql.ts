/** SQL for what lines of the structure are put together from. */

/**
 * The columns of each catalog that a structure leaves out: oids (names stand in their place), node trees (printed
 * instead), owners and grants (told in lines of their own), whatever VACUUM, ANALYZE or mere use changes, and traces
 * of history such as dropped columns.
 */
const LEFT_OUT = {
  pg_class: `oid relnamespace reltype reloftype relowner relam relfilenode reltablespace relpages reltuples relallvisible
    relallfrozen reltoastrelid relhasindex relnatts relchecks relhasrules relhastriggers relhassubclass relrewrite
    relfrozenxid relminmxid relacl relpartbound reloptions schema`,
  pg_attribute: `attrelid atttypid attnum attcacheoff attndims atttypmod attcollation attacl atthasmissing attmissingval
    attstattarget attoptions attisdropped`,
  pg_constraint: `oid conname connoinherit connamespace conrelid contypid conindid conparentid confrelid conkey confkey conpfeqop conppeqop
    conffeqop conexclop conbin confdelsetcols`,
  pg_index: `indexrelid indrelid indkey indcollation indclass indoption indexprs indpred indcheckxmin indnatts`,
  pg_trigger: `oid tgrelid tgparentid tgfoid tgconstrrelid tgconstrindid tgconstraint tgattr tgargs tgqual tgnargs`,
  pg_sequence: `seqrelid seqtypid`,
  pg_proc: `oid pronamespace proowner prolang provariadic prosupport prorettype proargtypes proallargtypes proargdefaults
    protrftypes prosqlbody proacl`,
  pg_type: `oid typnamespace typowner typrelid typelem typarray typbasetype typtypmod typndims typcollation typdefault
    typdefaultbin typacl`,
  pg_aggregate: `aggfnoid aggtransfn aggfinalfn aggcombinefn aggserialfn aggdeserialfn aggmtransfn aggminvtransfn
    aggmfinalfn aggsortop aggtranstype aggmtranstype`,
  pg_operator: `oid oprnamespace oprowner oprleft oprright oprresult oprcom oprnegate oprcode oprrest oprjoin`,
  pg_opclass: `oid opcnamespace opcowner opcmethod opcfamily opcintype opckeytype`,
  pg_opfamily: `oid opfnamespace opfowner opfmethod`,
  pg_amop: `oid amopfamily amoplefttype amoprighttype amopopr amopmethod amopsortfamily`,
  pg_amproc: `oid amprocfamily amproclefttype amprocrighttype amproc`,
  pg_cast: `oid castsource casttarget castfunc schema deptype`,
  pg_collation: `oid collnamespace collowner collversion`,
  pg_conversion: `oid connamespace conowner conproc`,
  pg_ts_parser: `oid prsnamespace prsstart prstoken prsend prsheadline prslextype`,
  pg_ts_template: `oid tmplnamespace tmplinit tmpllexize`,
  pg_ts_dict: `oid dictnamespace dictowner dicttemplate`,
  pg_ts_config: `oid cfgnamespace cfgowner cfgparser`,
} as const;

/** JSON of a catalog's whole row, less the columns left out. */
export function rowOf(alias: string, catalog: keyof typeof LEFT_OUT): string {
  return `to_jsonb(${alias}) - ${leftOut(catalog)}`;
}

function leftOut(catalog: keyof typeof LEFT_OUT): string {
  return `'{${LEFT_OUT[catalog].split(/\s+/).join(',')}}'::text[]`;
}

/** The catalogs that `rowOf` reads, for which this server's columns are asked. */
export const ROW_CATALOGS = Object.keys(LEFT_OUT) as (keyof typeof LEFT_OUT)[];

/**
 * The same lines with properties that only hashing can use: plain text in the place of JSON, which takes PostgreSQL a
 * third of the time. `columnsOf` are all columns of a catalog on this server.
 */
export function withoutJson(lines: string, columnsOf: (catalog: string) => readonly string[]): string {
  const bare = ROW_CATALOGS.reduce((sql, catalog) => {
    const kept = columnsOf(catalog).filter((column) => !LEFT_OUT[catalog].split(/\s+/).includes(column));
    const pattern = new RegExp(`to_jsonb\\((\\w+)\\) - ${escape(leftOut(catalog))}`, 'g');
    return sql.replaceAll(
      pattern,
      (_whole, alias: string) => `ROW(${kept.map((column) => `${alias}.${column}`).join(', ')})::text`,
    );
  }, lines);
  return bare.replaceAll('jsonb_build_object(', 'ROW(');
}

function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

export function sorted(array: string): string {
  return `(SELECT array_agg(element ORDER BY element COLLATE "C") FROM unnest(${array}) AS element)`;
}

export function comment(catalog: string, oid: string, column = '0'): string {
  return `(SELECT description FROM pg_description
           WHERE classoid = '${catalog}'::regclass AND objoid = ${oid} AND objsubid = ${column})`;
}
