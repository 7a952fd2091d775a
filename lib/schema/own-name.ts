import { quoteIdentifier } from '../common/sql';
import { tokensOf } from '../common/sql-lexer';
import { schemaNamesIn } from './schema-names';

/** Stands for the schema's own name in code that PostgreSQL printed. No text in PostgreSQL can hold this character. */
export const OWN_SCHEMA = '\0';

/**
 * PostgreSQL qualifies an object on the search path in two cases: a table, when a common table expression has the same
 * name; a function or operator, when another one would be taken otherwise. In a clone the clone's name must stand
 * there.
 *
 * Literals stay as they are, because a person wrote them.
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

/** Properties of a structure that are code, printed by PostgreSQL from the trees that it stores. */
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

/** Properties that are names of types. A row type whose name PostgreSQL also uses is printed qualified. */
const TYPES: ReadonlySet<string> = new Set(['type', 'result', 'base']);

/** Like `withoutOwnName`, for the properties of an object, in JSON. */
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

/** Whether the properties name the schema. */
export function hasOwnName(properties: string): boolean {
  return properties.includes(JSON.stringify(OWN_SCHEMA).slice(1, -1));
}
