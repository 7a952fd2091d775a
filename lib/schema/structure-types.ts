import type { RowCatalog } from './catalog-columns';
import { ifAny, type RareCatalog } from './catalogs-in-use';
import { objectName } from './object-name';
import { comment, rowOf } from './structure-sql';

type Named = RowCatalog & RareCatalog;

/**
 * Lines for the members of one catalog: the SQL of their name, and the properties that are not columns of their row.
 */
function linesOf(catalog: Named, object: string, properties: Readonly<Record<string, string>>): string {
  const told = Object.entries({ ...properties, comment: comment(catalog, 'x.oid') });
  return ifAny(
    catalog,
    `UNION ALL
  SELECT ${object}, (${rowOf('x', catalog)} || jsonb_build_object(
    ${told.map(([name, value]) => `'${name}', ${value}`).join(', ')}))::text
  FROM member m CROSS JOIN LATERAL (SELECT * FROM ${catalog} WHERE oid = m.objid OFFSET 0) x
  WHERE m.classid = '${catalog}'::regclass`,
  );
}

function functions(...columns: string[]): Record<string, string> {
  return Object.fromEntries(columns.map((column) => [column, `x.${column}::regprocedure::text`]));
}

function types(...columns: string[]): Record<string, string> {
  return Object.fromEntries(columns.map((column) => [column, `format_type(nullif(x.${column}, 0), NULL)`]));
}

/** The operator class that a member of an operator family belongs to, if any. */
function boundTo(catalog: string): string {
  return `(SELECT ${objectName('pg_opclass', 'd.refobjid')} FROM pg_depend d
           WHERE d.classid = '${catalog}'::regclass AND d.objid = x.oid AND d.refclassid = 'pg_opclass'::regclass)`;
}

const METHOD = (column: string) => `(SELECT amname FROM pg_am WHERE oid = x.${column})`;

/** Lines of the structure for all that is not a relation, enum or function. They stand after others. */
export const TYPE_LINES = [
  // Types and routines
  ifAny(
    'pg_type',
    `UNION ALL
   SELECT format('attribute %I of type %I', a.attname, t.typname),
          (${rowOf('a', 'pg_attribute')} || jsonb_build_object(
            'place', row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
            'type', format_type(a.atttypid, a.atttypmod),
            'collation', nullif(a.attcollation, 0)::regcollation::text,
            'comment', ${comment('pg_class', 'a.attrelid', 'a.attnum')}))::text
   FROM member m JOIN pg_type t ON t.oid = m.objid AND t.typtype = 'c'
   JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
   WHERE m.classid = 'pg_type'::regclass`,
  ),
  ifAny(
    'pg_type',
    `UNION ALL
   SELECT format('constraint %I on domain %I', con.conname, t.typname),
          (${rowOf('con', 'pg_constraint')} || jsonb_build_object(
            'definition', pg_get_constraintdef(con.oid),
            'comment', ${comment('pg_constraint', 'con.oid')}))::text
   FROM member m JOIN pg_type t ON t.oid = m.objid
   JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = t.oid
     AND d.classid = 'pg_constraint'::regclass AND d.deptype = 'a'
   JOIN pg_constraint con ON con.oid = d.objid AND con.contypid = t.oid
   WHERE m.classid = 'pg_type'::regclass`,
  ),
  ifAny(
    'pg_type',
    `UNION ALL
   SELECT format('range type %I', t.typname), jsonb_build_object(
            'subtype', format_type(x.rngsubtype, NULL), 'class', ${objectName('pg_opclass', 'x.rngsubopc')},
            'collation', nullif(x.rngcollation, 0)::regcollation::text,
            'canonical', x.rngcanonical::oid::regprocedure::text, 'difference', x.rngsubdiff::oid::regprocedure::text,
            'multirange', format_type(x.rngmultitypid, NULL))::text
   FROM member m CROSS JOIN LATERAL (SELECT * FROM pg_range WHERE rngtypid = m.objid OFFSET 0) x
   JOIN pg_type t ON t.oid = x.rngtypid WHERE m.classid = 'pg_type'::regclass`,
  ),
  ifAny(
    'pg_proc',
    `UNION ALL
   SELECT 'aggregate ' || x.aggfnoid::oid::regprocedure, (${rowOf('x', 'pg_aggregate')} || jsonb_build_object(
            ${Object.entries({
              ...functions(
                ...['aggtransfn', 'aggfinalfn', 'aggcombinefn', 'aggserialfn', 'aggdeserialfn'],
                ...['aggmtransfn', 'aggminvtransfn', 'aggmfinalfn'],
              ),
              ...types('aggtranstype', 'aggmtranstype'),
              sort: 'x.aggsortop::regoperator::text',
            })
              .map(([name, value]) => `'${name}', ${value}`)
              .join(', ')}))::text
   FROM member m JOIN pg_aggregate x ON x.aggfnoid = m.objid WHERE m.classid = 'pg_proc'::regclass`,
  ),
  // What gives types their meaning
  linesOf('pg_operator', `'operator ' || x.oid::regoperator`, {
    ...functions('oprcode', 'oprrest', 'oprjoin'),
    ...types('oprresult'),
    commutator: 'x.oprcom::regoperator::text',
    negator: 'x.oprnegate::regoperator::text',
  }),
  linesOf('pg_opclass', `format('operator class %I for %s', x.opcname, ${METHOD('opcmethod')})`, {
    ...types('opcintype', 'opckeytype'),
    family: objectName('pg_opfamily', 'x.opcfamily'),
  }),
  linesOf('pg_opfamily', `format('operator family %I for %s', x.opfname, ${METHOD('opfmethod')})`, {}),
  ifAny(
    'pg_opfamily',
    `UNION ALL
   SELECT format('operator %s (%s, %s) of family %I for %s', x.amopstrategy, format_type(x.amoplefttype, NULL),
                 format_type(x.amoprighttype, NULL), f.opfname, ${METHOD('amopmethod')}),
          (${rowOf('x', 'pg_amop')} || jsonb_build_object(
            'operator', x.amopopr::regoperator::text, 'sort family', ${objectName('pg_opfamily', 'x.amopsortfamily')},
            'class', ${boundTo('pg_amop')}))::text
   FROM member m JOIN pg_opfamily f ON f.oid = m.objid JOIN pg_amop x ON x.amopfamily = f.oid
   WHERE m.classid = 'pg_opfamily'::regclass`,
  ),
  ifAny(
    'pg_opfamily',
    `UNION ALL
   SELECT format('function %s (%s, %s) of family %I for %s', x.amprocnum, format_type(x.amproclefttype, NULL),
                 format_type(x.amprocrighttype, NULL), f.opfname, ${METHOD('opfmethod').replace('x.', 'f.')}),
          (${rowOf('x', 'pg_amproc')} || jsonb_build_object(
            'function', x.amproc::oid::regprocedure::text, 'class', ${boundTo('pg_amproc')}))::text
   FROM member m JOIN pg_opfamily f ON f.oid = m.objid JOIN pg_amproc x ON x.amprocfamily = f.oid
   WHERE m.classid = 'pg_opfamily'::regclass`,
  ),
  ifAny(
    'pg_cast',
    `UNION ALL
   SELECT format('cast from %s to %s', format_type(x.castsource, NULL), format_type(x.casttarget, NULL)),
          (${rowOf('x', 'pg_cast')} || jsonb_build_object(
            'function', x.castfunc::regprocedure::text, 'comment', ${comment('pg_cast', 'x.oid')}))::text
   FROM own_cast x`,
  ),
  linesOf('pg_collation', `format('collation %I', x.collname)`, {}),
  linesOf('pg_conversion', `format('conversion %I', x.conname)`, functions('conproc')),
  linesOf(
    'pg_ts_parser',
    `format('text search parser %I', x.prsname)`,
    functions('prsstart', 'prstoken', 'prsend', 'prsheadline', 'prslextype'),
  ),
  linesOf(
    'pg_ts_template',
    `format('text search template %I', x.tmplname)`,
    functions('tmplinit', 'tmpllexize'),
  ),
  linesOf('pg_ts_dict', `format('text search dictionary %I', x.dictname)`, {
    template: objectName('pg_ts_template', 'x.dicttemplate'),
  }),
  linesOf('pg_ts_config', `format('text search configuration %I', x.cfgname)`, {
    parser: objectName('pg_ts_parser', 'x.cfgparser'),
    mappings: `(SELECT jsonb_agg(jsonb_build_array(maptokentype, mapseqno, mapdict::regdictionary::text)
                                 ORDER BY maptokentype, mapseqno) FROM pg_ts_config_map WHERE mapcfg = x.oid)`,
  }),
].join('\n  ');
