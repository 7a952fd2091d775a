import { quoteLiteral } from '../../common/sql';
import { OBJECTS } from '../objects';
import { rows } from '../catalog';
import { neededFor } from '../catalogs-in-use';
import { Phase, type Step } from '../clone-order';
import type { SchemaSource } from './source';
import { TYPE_COMMENT_TARGETS } from './type-comments';

/**
 * Comments on everything in the schema. The comment of the schema itself is left out, because a tenant's holds our
 * mark.
 */
export async function readComments({ executor, schema }: SchemaSource): Promise<Step[]> {
  const found = await rows<{ target: string; comment: string }>(
    executor,
    neededFor(
      schema.catalogs,
      `WITH ${OBJECTS}
     SELECT d.description AS comment, CASE d.classoid
       WHEN 'pg_class'::regclass THEN (
         SELECT CASE
             WHEN d.objsubid > 0 THEN format('COLUMN %I.%I', c.relname, (
               SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = d.objsubid))
             ELSE format('%s %I', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                                                 WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'S' THEN 'SEQUENCE'
                                                 ELSE 'TABLE' END, c.relname)
           END
         FROM pg_class c WHERE c.oid = d.objoid)
       ${TYPE_COMMENT_TARGETS}
       WHEN 'pg_constraint'::regclass THEN (
         SELECT format('CONSTRAINT %I ON %s%I', con.conname, CASE WHEN c.oid IS NULL THEN 'DOMAIN ' END,
                       coalesce(c.relname, t.typname))
         FROM pg_constraint con LEFT JOIN pg_class c ON c.oid = con.conrelid LEFT JOIN pg_type t ON t.oid = con.contypid
         WHERE con.oid = d.objoid)
       WHEN 'pg_trigger'::regclass THEN (
         SELECT format('TRIGGER %I ON %I', tg.tgname, c.relname)
         FROM pg_trigger tg JOIN pg_class c ON c.oid = tg.tgrelid WHERE tg.oid = d.objoid)
       WHEN 'pg_rewrite'::regclass THEN (
         SELECT format('RULE %I ON %I', w.rulename, c.relname)
         FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class WHERE w.oid = d.objoid)
       WHEN 'pg_policy'::regclass THEN (
         SELECT format('POLICY %I ON %I', p.polname, c.relname)
         FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE p.oid = d.objoid)
       WHEN 'pg_statistic_ext'::regclass THEN (
         SELECT format('STATISTICS %I', stxname) FROM pg_statistic_ext WHERE oid = d.objoid)
       END AS target
     FROM object o JOIN pg_description d ON d.classoid = o.classid AND d.objoid = o.objid`,
    ),
    [[schema.oid]],
  );
  return found.map(({ target, comment }) => ({
    phase: Phase.Comment,
    label: `comment on ${target}`,
    creates: [],
    statements: [`COMMENT ON ${target} IS ${quoteLiteral(comment)}`],
  }));
}
