/**
 * The columns of PostgreSQL's catalogs, versions 15 to 18, and whether they belong to a structure. A column in neither
 * list came with a later version. It is left out and reported at the start (see `findUnknownObjects`), because it may
 * be a property that somebody chose or only a note of the server's own.
 */

/** Part of the structure, as they are. */
const TOLD = {
  pg_class: `relname relisshared relpersistence relkind relrowsecurity relforcerowsecurity relispopulated relreplident
    relispartition`,
  pg_attribute: `attname attlen attbyval attalign attstorage attcompression attnotnull atthasdef attidentity attgenerated
    attislocal attinhcount attfdwoptions`,
  pg_constraint: `contype condeferrable condeferred convalidated confupdtype confdeltype confmatchtype conislocal coninhcount
    conenforced conperiod`,
  pg_index: `indnkeyatts indisunique indnullsnotdistinct indisprimary indisexclusion indimmediate indisclustered indisvalid
    indisready indislive indisreplident`,
  pg_trigger: `tgname tgtype tgenabled tgisinternal tgdeferrable tginitdeferred tgoldtable tgnewtable`,
  pg_sequence: `seqstart seqincrement seqmax seqmin seqcache seqcycle`,
  pg_proc: `proname procost prorows prokind prosecdef proleakproof proisstrict proretset provolatile proparallel pronargs
    pronargdefaults proargmodes proargnames prosrc probin proconfig`,
  pg_type: `typname typlen typbyval typtype typcategory typispreferred typisdefined typdelim typsubscript typinput typoutput
    typreceive typsend typmodin typmodout typanalyze typalign typstorage typnotnull`,
  pg_aggregate: `aggkind aggnumdirectargs aggfinalextra aggmfinalextra aggfinalmodify aggmfinalmodify aggtransspace
    aggmtransspace agginitval aggminitval`,
  pg_operator: `oprname oprkind oprcanmerge oprcanhash`,
  pg_opclass: `opcname opcdefault`,
  pg_opfamily: `opfname`,
  pg_amop: `amopstrategy amoppurpose`,
  pg_amproc: `amprocnum`,
  pg_cast: `castcontext castmethod`,
  pg_collation: `collname collprovider collisdeterministic collencoding collcollate collctype colliculocale colllocale
    collicurules`,
  pg_conversion: `conname conforencoding contoencoding condefault`,
  pg_ts_parser: `prsname`,
  pg_ts_template: `tmplname`,
  pg_ts_dict: `dictname dictinitoption`,
  pg_ts_config: `cfgname`,
} as const;

/** A catalog whose rows are part of the structure. */
export type RowCatalog = keyof typeof TOLD;

/**
 * Left out: oids (names stand in their place), node trees (their printed form is used), owners and grants (these have
 * lines of their own), what VACUUM, ANALYZE or mere use changes, and traces of history such as dropped columns.
 */
const LEFT_OUT: Readonly<Record<RowCatalog, string>> = {
  pg_class: `oid relnamespace reltype reloftype relowner relam relfilenode reltablespace relpages reltuples relallvisible
    relallfrozen reltoastrelid relhasindex relnatts relchecks relhasrules relhastriggers relhassubclass relrewrite
    relfrozenxid relminmxid relacl relpartbound reloptions`,
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
  pg_cast: `oid castsource casttarget castfunc`,
  pg_collation: `oid collnamespace collowner collversion`,
  pg_conversion: `oid connamespace conowner conproc`,
  pg_ts_parser: `oid prsnamespace prsstart prstoken prsend prsheadline prslextype`,
  pg_ts_template: `oid tmplnamespace tmplinit tmpllexize`,
  pg_ts_dict: `oid dictnamespace dictowner dicttemplate`,
  pg_ts_config: `oid cfgnamespace cfgowner cfgparser`,
};

export const ROW_CATALOGS = Object.keys(TOLD) as RowCatalog[];

export function toldColumns(catalog: RowCatalog): string[] {
  return TOLD[catalog].split(/\s+/);
}

/** All columns that are known, in the structure or left out, as `pg_class.relname`. */
export const KNOWN_COLUMNS: readonly string[] = ROW_CATALOGS.flatMap((catalog) =>
  [...toldColumns(catalog), ...LEFT_OUT[catalog].split(/\s+/)].map((column) => `${catalog}.${column}`),
);
