import { quoteIdentifier } from '../../common/sql';
import { rows } from '../catalog';
import { objectName } from '../object-name';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';

/** Parsers, templates, dictionaries and configurations. */
export async function readTextSearch(source: SchemaSource): Promise<Step[]> {
  return [
    ...(await readParsers(source)),
    ...(await readTemplates(source)),
    ...(await readDictionaries(source)),
    ...(await readConfigurations(source)),
  ];
}

interface Row {
  readonly oid: number;
  readonly name: string;
  readonly definition: string;
}

async function readParsers({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<Row>(
    executor,
    `SELECT oid, prsname AS name, concat_ws(', ',
              'START = ' || ${objectName('pg_proc', 'p.prsstart')}, 'GETTOKEN = ' || ${objectName('pg_proc', 'p.prstoken')},
              'END = ' || ${objectName('pg_proc', 'p.prsend')}, 'LEXTYPES = ' || ${objectName('pg_proc', 'p.prslextype')},
              'HEADLINE = ' || ${objectName('pg_proc', 'p.prsheadline')}) AS definition
     FROM pg_ts_parser p WHERE oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_ts_parser')],
  );
  return found.map((row) => createStep('parser', `pg_ts_parser:${row.oid}`, row));
}

async function readTemplates({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<Row>(
    executor,
    `SELECT oid, tmplname AS name, concat_ws(', ', 'INIT = ' || ${objectName('pg_proc', 't.tmplinit')},
                                             'LEXIZE = ' || ${objectName('pg_proc', 't.tmpllexize')}) AS definition
     FROM pg_ts_template t WHERE oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_ts_template')],
  );
  return found.map((row) => createStep('template', `pg_ts_template:${row.oid}`, row));
}

async function readDictionaries({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<Row & { readonly template: string }>(
    executor,
    // PostgreSQL stores the options in the form in which a statement takes them.
    `SELECT d.oid, d.dictname AS name, (SELECT tmplname FROM pg_ts_template WHERE oid = d.dicttemplate) AS template,
            concat_ws(', ', 'TEMPLATE = ' || ${objectName('pg_ts_template', 'd.dicttemplate')}, d.dictinitoption)
              AS definition
     FROM pg_ts_dict d WHERE d.oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_ts_dict')],
  );
  return found.map((row) => ({
    ...createStep('dictionary', `pg_ts_dict:${row.oid}`, row),
    // A thesaurus looks up another dictionary when it is made, and pg_depend does not say which one.
    phase: row.template === 'thesaurus' ? Phase.Operator : Phase.Type,
  }));
}

async function readConfigurations({ executor, objects }: SchemaSource): Promise<Step[]> {
  const found = await rows<Row & { readonly mappings: string[] }>(
    executor,
    `SELECT c.oid, c.cfgname AS name, 'PARSER = ' || ${objectName('pg_ts_parser', 'c.cfgparser')} AS definition, ARRAY(
       SELECT format('%I WITH %s', token.alias, string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno))
       FROM pg_ts_config_map m JOIN ts_token_type(c.cfgparser) token ON token.tokid = m.maptokentype
       WHERE m.mapcfg = c.oid GROUP BY token.tokid, token.alias ORDER BY token.tokid) AS mappings
     FROM pg_ts_config c WHERE c.oid = ANY ($1::oid[])`,
    [objects.oidsOf('pg_ts_config')],
  );
  return found.map((row) => {
    const create = createStep('configuration', `pg_ts_config:${row.oid}`, row);
    const mappings = row.mappings.map(
      (mapping) => `ALTER TEXT SEARCH CONFIGURATION ${quoteIdentifier(row.name)} ADD MAPPING FOR ${mapping}`,
    );
    return { ...create, phase: Phase.Operator, statements: [...create.statements, ...mappings] };
  });
}

function createStep(kind: string, key: string, { name, definition }: Row): Step {
  return {
    phase: Phase.Type,
    label: `text search ${kind} ${name}`,
    creates: [key],
    statements: [`CREATE TEXT SEARCH ${kind.toUpperCase()} ${quoteIdentifier(name)} (${definition})`],
  };
}
