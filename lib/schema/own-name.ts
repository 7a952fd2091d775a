import { quoteIdentifier } from '../common/sql';
import { tokensOf } from '../common/sql-lexer';
import { schemaNamesIn } from './schema-names';

/** Stands for the schema's own name in code that PostgreSQL printed. No text of PostgreSQL's can hold this character. */
export const OWN_SCHEMA = '\0';

/**
 * PostgreSQL prints the schema of a table that lies on the path when a common table expression has the table's name, and
 * that of a function or operator when another one would be taken. In a clone it is the clone's, so it must not stay.
 *
 * Literals stay as they are: somebody wrote them.
 */
export function withoutOwnName(code: string, schemaName: string): string {
  if (!code.includes(schemaName.replaceAll('"', '""'))) return code;
  const tokens = [...tokensOf(code)];
  let result = '';
  let end = 0;
  for (const at of schemaNamesIn(tokens, schemaName)) {
    result += code.slice(end, tokens[at].start) + OWN_SCHEMA;
    end = tokens[at].end;
  }
  return result + code.slice(end);
}

export function withOwnName(code: string, schemaName: string): string {
  return code.replaceAll(OWN_SCHEMA, quoteIdentifier(schemaName));
}

/** Properties of a structure that are code, as PostgreSQL prints it from the trees that it keeps. */
export const CODE: ReadonlySet<string> = new Set([
  'definition',
  'default',
  'view',
  'partition of',
  'partition by',
  'arguments',
  'standard body',
  'columns',
  'using',
  'check',
  'condition',
]);

/** Names of types are printed in these, and that of a row type may be hidden by one of PostgreSQL's. */
const TYPES: ReadonlySet<string> = new Set(['type', 'result', 'base']);

/** The same for the properties of an object, in JSON. */
export function propertiesWithoutOwnName(properties: string, schemaName: string): string {
  const printed = JSON.stringify(schemaName.replaceAll('"', '""')).slice(1, -1);
  if (!properties.includes(`${printed}.`) && !properties.includes(`${printed}\\".`)) return properties;
  let isChanged = false;
  const changed = JSON.stringify(JSON.parse(properties), (key, value: unknown) => {
    if (typeof value !== 'string' || !(CODE.has(key) || TYPES.has(key))) return value;
    const code = withoutOwnName(value, schemaName);
    isChanged ||= code !== value;
    return code;
  });
  return isChanged ? changed : properties;
}

/** Whether such properties name the schema. */
export function hasOwnName(properties: string): boolean {
  return properties.includes(JSON.stringify(OWN_SCHEMA).slice(1, -1));
}
