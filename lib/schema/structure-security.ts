import { ifAny } from './catalogs-in-use';
import { withoutOwnRole } from './owned';
import { comment, sorted } from './structure-sql';

const ROLE = (oid: string, owner: string) =>
  `CASE ${oid} WHEN 0 THEN 'PUBLIC' WHEN ${owner} THEN 'the owner' ELSE ${oid}::regrole::text END`;

/**
 * Sorted, with the word `owner` for the owner's role, so that neither the order of the grants nor who gave them
 * matters.
 */
const grantList = (acl: string, owner: string) => `(
  SELECT array_agg(line ORDER BY line) FROM (
    SELECT format('%s to %s by %s%s', privilege_type, ${ROLE('grantee', owner)}, ${ROLE('grantor', owner)},
                  CASE WHEN is_grantable THEN ' with grant option' END) COLLATE "C" AS line
    FROM aclexplode(${acl})) AS lines)`;

/**
 * Lines of the structure, to stand after the common table expressions `OBJECTS` and `OWNED`: who may do what. Grants
 * that only repeat PostgreSQL's own rules make no line, because whether they are stored makes no difference.
 */
export const SECURITY_LINES = `
  SELECT format('owner of %s', pg_describe_object(classid, objid, 0)), jsonb_build_object('role', owner::regrole)::text
  FROM owned WHERE objsubid = 0 AND classid <> 'pg_namespace'::regclass
  UNION ALL
  SELECT CASE classid WHEN 'pg_namespace'::regclass THEN 'grants on the schema'
                      ELSE format('grants on %s', pg_describe_object(classid, objid, objsubid)) END,
         jsonb_build_object('grants', ${grantList('acl', 'owner')})::text
  FROM owned
  WHERE acl IS NOT NULL AND NOT (acl @> acldefault(kind, owner) AND acl <@ acldefault(kind, owner))
  ${ifAny(
    'pg_default_acl',
    `UNION ALL
  SELECT format('default privileges of %s on %s', d.defaclrole::regrole, d.defaclobjtype),
         jsonb_build_object('grants', ${grantList('given.acl', 'd.defaclrole')})::text
  FROM member m JOIN pg_default_acl d ON d.oid = m.objid CROSS JOIN LATERAL (SELECT ${withoutOwnRole('d.defaclacl')}) AS given (acl)
  WHERE m.classid = 'pg_default_acl'::regclass AND cardinality(given.acl) > 0`,
  )}
  ${ifAny(
    'pg_policy',
    `UNION ALL
  SELECT format('policy %I on %I', p.polname, r.relname),
         jsonb_build_object(
           'permissive', p.polpermissive, 'command', p.polcmd,
           'roles', ${sorted(`ARRAY(SELECT ${ROLE('role', 'r.relowner')} FROM unnest(p.polroles) AS role)`)},
           'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid),
           'comment', ${comment('pg_policy', 'p.oid')})::text
  FROM relation r JOIN pg_policy p ON p.polrelid = r.oid`,
  )}
  ${ifAny(
    'pg_publication_rel',
    `UNION ALL
  SELECT format('publication %I of %I', p.pubname, r.relname),
         jsonb_build_object(
           'columns', (SELECT array_agg(attname ORDER BY attname) FROM pg_attribute
                       WHERE attrelid = r.oid AND attnum = ANY (pr.prattrs)),
           'condition', pg_get_expr(pr.prqual, pr.prrelid))::text
  FROM relation r JOIN pg_publication_rel pr ON pr.prrelid = r.oid JOIN pg_publication p ON p.oid = pr.prpubid`,
  )}
  ${ifAny(
    'pg_publication_namespace',
    `UNION ALL
  SELECT format('publication %I of the schema', p.pubname), '{}'
  FROM member m JOIN pg_publication_namespace pn ON pn.oid = m.objid JOIN pg_publication p ON p.oid = pn.pnpubid
  WHERE m.classid = 'pg_publication_namespace'::regclass`,
  )}`;
