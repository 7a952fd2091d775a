import { quoteLiteral } from '../../common/sql';
import { rows } from '../catalog';
import { neededFor } from '../catalogs-in-use';
import { OBJECTS } from '../objects';
import { OWN_ROLE, OWNED, withoutOwnRole } from '../owned';
import { Phase, type Step } from '../clone-order';
import { grantItems, GRANTS_OF_OWNED } from './grants';
import { type Grant, grantStatements } from './grant-statements';
import type { SchemaSource } from './source';

/** Grants on the schema itself, and the default privileges of objects that will be made in it. */
export async function readSchemaGrants(source: SchemaSource): Promise<Step[]> {
  const commands = [...(await readOwnGrants(source)), ...(await readDefaultPrivileges(source))];
  if (commands.length === 0) return [];
  // Both commands need the schema's name. It is read first, because a grant may take away the right to see the schema.
  const body = [
    'DECLARE own text := pg_catalog.quote_ident(pg_catalog.current_schema());',
    'BEGIN',
    ...commands.map((parts) => `EXECUTE ${parts.map(quoteLiteral).join(' || own || ')};`),
    'END',
  ].join(' ');
  return [
    {
      phase: Phase.Grant,
      label: 'grants on the schema',
      creates: [],
      statements: [`DO LANGUAGE plpgsql ${quoteLiteral(body)}`],
    },
  ];
}

/** A command, split where the schema's name goes. */
type Cut = readonly [string, string];

/** No role's name, and so no command, can contain this character. */
const CUT = '\0';

async function readOwnGrants({ executor, schema }: SchemaSource): Promise<Cut[]> {
  const [grants] = await rows<{ wanted: Grant[]; usual: Grant[] }>(
    executor,
    neededFor(
      schema.catalogs,
      `WITH ${OBJECTS}, ${OWNED}
     SELECT ${grantItems('wanted')} AS wanted, ${grantItems('usual')} AS usual
     FROM owned CROSS JOIN LATERAL (${GRANTS_OF_OWNED}) AS grants WHERE classid = 'pg_namespace'::regclass`,
    ),
    [[schema.oid]],
  );
  return grantStatements([{ kind: 'SCHEMA', name: CUT, ...grants }]).map(cut);
}

async function readDefaultPrivileges({ executor, schema, objects }: SchemaSource): Promise<Cut[]> {
  const found = await rows<{ role: string; kind: string; wanted: Grant[] }>(
    executor,
    `WITH ${OWN_ROLE}
     SELECT defaclrole::regrole::text AS role, ${grantItems('given.acl')} AS wanted,
            CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                               WHEN 'T' THEN 'TYPES' END AS kind
     FROM pg_default_acl CROSS JOIN LATERAL (SELECT ${withoutOwnRole('defaclacl')}) AS given (acl)
     WHERE oid = ANY ($2::oid[]) ORDER BY role, kind`,
    [[schema.oid], objects.oidsOf('pg_default_acl')],
  );
  return found.flatMap(({ role, kind, wanted }) =>
    grantStatements([{ kind, wanted, usual: [] }]).map((statement) =>
      cut(`ALTER DEFAULT PRIVILEGES FOR ROLE ${role} IN SCHEMA ${CUT} ${statement}`),
    ),
  );
}

function cut(command: string): Cut {
  const [before, after] = command.split(CUT);
  return [before, after];
}
