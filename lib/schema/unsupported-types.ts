import { ifAny, type RareCatalog } from './catalogs-in-use';
import { TYPE_CATALOGS } from './read-catalogs';

/** Why it cannot be cloned and what to do, by the reason that `TYPE_FINDINGS` gives. */
export const TYPE_REMEDIES = {
  'base type': 'types written in C are not cloned. Keep the type in a shared schema.',
  'shell type': 'the type was never defined. Define it, or drop it.',
  canonical:
    'a range type with a canonical function, which only C can give it, is not cloned. Keep the type in a shared schema.',
  'range apart':
    'a range type, its multirange and the constructors of both lie in different schemas. Move them into one schema.',
  constructor:
    'it came with a range type and was changed since; the change is not cloned. Reset it, or wrap it in a function of your own.',
  hidden:
    'PostgreSQL has an object of that name, which comes first on every search path. Choose another name.',
  'window function': 'window functions written in C are not cloned. Keep it in a shared schema.',
  'function in C': 'functions written in C are not cloned. Keep it in a shared schema.',
  superuser:
    'only a superuser can make one, and the current user is not a superuser. Keep it in a shared schema, or clone as a superuser.',
  'operator link':
    'its commutator or negator lies in another schema, or has another commutator or negator itself. Recreate it without ' +
    'COMMUTATOR and NEGATOR, or with operators of this schema.',
  'shell operator': 'the operator was never defined. Define it, or drop it.',
  'default class':
    'it is the default operator class of a type in another schema, and a type has only one for each access method. ' +
    'Recreate the class without DEFAULT, or keep it in a shared schema.',
  'family apart': 'its operator family lies in another schema. Recreate it with a family of this schema.',
  outside:
    'it lies in another schema, or in none, and depends on this one, so a clone would lack it. Keep what it needs in a shared schema.',
  'round trip':
    'it uses an object of another schema that uses this schema, so its clone would use this schema too. Move both into one schema.',
} as const;

const NOT_SUPERUSER = `NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`;

/**
 * Rows of `catalog` in the schema for which a condition holds, each with its reason. `OFFSET 0` keeps the planner from
 * reading the whole catalog, which grows with the number of tenants.
 */
function findings(catalog: RareCatalog, reasons: Readonly<Record<string, string>>): string {
  return ifAny(
    catalog,
    `
    UNION ALL
    SELECT '${catalog}'::regclass, x.oid, 0, check_.reason
    FROM object o CROSS JOIN LATERAL (SELECT * FROM ${catalog} WHERE oid = o.objid OFFSET 0) x
    CROSS JOIN LATERAL (VALUES ${Object.entries(reasons)
      .map(([reason, condition]) => `(${condition}, '${reason}')`)
      .join(', ')}) AS check_ (fails, reason)
    WHERE o.classid = '${catalog}'::regclass AND check_.fails`,
  );
}

const isConstructor = `(o.ownerclass IS NOT NULL AND o.ownerclass = 'pg_type'::regclass)`;
const ofOwnSchema = (namespace: string) => `${namespace} = ANY ($1::oid[])`;
const brokenLink = (link: string) => `(x.${link} <> 0 AND NOT EXISTS (
  SELECT FROM pg_operator other WHERE other.oid = x.${link} AND other.${link} = x.oid
    AND ${ofOwnSchema('other.oprnamespace')}))`;

/** Rows of classid, objid, objsubid, reason; needs `OBJECTS`. Covers types, routines and what belongs to types. */
export const TYPE_FINDINGS = [
  findings('pg_type', {
    'base type': `o.ownerid IS NULL AND x.typtype IN ('b', 'p') AND x.typisdefined`,
    'shell type': `o.ownerid IS NULL AND NOT x.typisdefined`,
    hidden: `(o.ownerid IS NULL OR x.typtype = 'm') AND NOT pg_type_is_visible(x.oid)`,
    canonical: `(SELECT rngcanonical FROM pg_range WHERE rngtypid = x.oid) <> 0`,
    'range apart': `(x.typtype = 'm' AND EXISTS (
         SELECT FROM pg_type one WHERE one.oid = o.ownerid AND one.typnamespace <> x.typnamespace))
       OR EXISTS (
         SELECT FROM pg_range r JOIN pg_type multi ON multi.oid = r.rngmultitypid
         WHERE r.rngtypid = x.oid AND multi.typnamespace <> x.typnamespace)
       OR EXISTS (
         SELECT FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
         WHERE x.typtype IN ('r', 'm') AND d.refclassid = 'pg_type'::regclass AND d.refobjid = x.oid
           AND d.classid = 'pg_proc'::regclass AND d.deptype = 'i' AND p.pronamespace <> x.typnamespace)`,
  }),
  findings('pg_proc', {
    'window function': `x.prokind = 'w'`,
    'function in C': `NOT ${isConstructor} AND x.prokind IN ('f', 'p')
      AND (SELECT lanname FROM pg_language WHERE oid = x.prolang) IN ('c', 'internal')`,
    constructor: `${isConstructor} AND (x.proacl IS NOT NULL OR x.proconfig IS NOT NULL OR x.prosecdef
      OR x.proleakproof OR x.procost <> 1 OR x.prosupport <> 0 OR x.provolatile <> 'i' OR x.proparallel <> 's'
      OR x.proisstrict <> starts_with(x.prosrc, 'multirange'))`,
    superuser: `${NOT_SUPERUSER} AND (x.proleakproof OR x.prosupport <> 0 OR EXISTS (
      SELECT FROM pg_aggregate WHERE aggfnoid = x.oid AND 'internal'::regtype IN (aggtranstype, aggmtranstype)))`,
    hidden: `NOT pg_function_is_visible(x.oid)`,
  }),
  findings('pg_operator', {
    'operator link': `${brokenLink('oprcom')} OR ${brokenLink('oprnegate')}`,
    'shell operator': `x.oprcode = 0 AND x.oprcom = 0 AND x.oprnegate = 0`,
    hidden: `NOT pg_operator_is_visible(x.oid)`,
  }),
  findings('pg_opclass', {
    'default class': `x.opcdefault AND NOT EXISTS (
      SELECT FROM object t WHERE t.classid = 'pg_type'::regclass AND t.objid = x.opcintype)`,
    'family apart': `NOT EXISTS (SELECT FROM pg_opfamily f WHERE f.oid = x.opcfamily AND ${ofOwnSchema('f.opfnamespace')})`,
    superuser: NOT_SUPERUSER,
    hidden: `NOT pg_opclass_is_visible(x.oid)`,
  }),
  findings('pg_opfamily', { superuser: NOT_SUPERUSER, hidden: `NOT pg_opfamily_is_visible(x.oid)` }),
  findings('pg_cast', { superuser: `${NOT_SUPERUSER} AND x.castmethod = 'b'` }),
  findings('pg_collation', { hidden: `NOT pg_collation_is_visible(x.oid)` }),
  findings('pg_conversion', { hidden: `NOT pg_conversion_is_visible(x.oid)` }),
  findings('pg_ts_parser', { superuser: NOT_SUPERUSER, hidden: `NOT pg_ts_parser_is_visible(x.oid)` }),
  findings('pg_ts_template', { superuser: NOT_SUPERUSER, hidden: `NOT pg_ts_template_is_visible(x.oid)` }),
  findings('pg_ts_dict', { hidden: `NOT pg_ts_dict_is_visible(x.oid)` }),
  findings('pg_ts_config', { hidden: `NOT pg_ts_config_is_visible(x.oid)` }),
  `
    UNION ALL
    SELECT d.classid, d.objid, 0, 'outside'
    FROM object o JOIN pg_depend d ON d.refclassid = o.classid AND d.refobjid = o.objid
    WHERE d.classid = ANY (ARRAY[${TYPE_CATALOGS.map((catalog) => `'${catalog}'`).join(', ')}]::regclass[])
      AND NOT EXISTS (SELECT FROM object x WHERE x.classid = d.classid AND x.objid = d.objid)`,
  `
    UNION ALL
    SELECT o.classid, o.objid, 0, 'round trip'
    FROM object o JOIN pg_depend d ON d.classid = o.classid AND d.objid = o.objid
    JOIN pg_depend e ON e.classid = d.refclassid AND e.objid = d.refobjid
    JOIN object x ON x.classid = e.refclassid AND x.objid = e.refobjid
    WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass)
      AND NOT EXISTS (SELECT FROM object y WHERE y.classid = d.refclassid AND y.objid = d.refobjid)`,
].join('');
