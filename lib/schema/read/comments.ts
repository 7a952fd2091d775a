import { quoteLiteral } from '../../common/sql';
import { OBJECTS } from '../objects';
import { rows } from '../catalog';
import { Phase, type Step } from '../steps';
import type { SchemaSource } from './source';

/** Comments on everything in the schema. Its own comment is its own: a tenant's says who lives there. */
export async function readComments({ executor, schema }: SchemaSource): Promise<Step[]> {
  const found = await rows<{ target: string; comment: string }>(
    executor,
    `WITH ${OBJECTS}
     SELECT d.description AS comment, CASE d.classoid
       WHEN 'pg_class'::regclass THEN (
         SELECT CASE
             WHEN d.objsubid > 0 THEN format('COLUMN %I.%I', c.relname, (
               SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = d.objsubid))
             ELSE format('%s %I', CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' WHEN 'i' THEN 'INDEX'
                                                 WHEN 'S' THEN 'SEQUENCE' END, c.relname)
           END
         FROM pg_class c WHERE c.oid = d.objoid)
       WHEN 'pg_type'::regclass THEN (SELECT format('TYPE %I', typname) FROM pg_type WHERE oid = d.objoid)
       WHEN 'pg_proc'::regclass THEN (
         SELECT format('%s %I(%s)', CASE prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, proname,
                       pg_get_function_identity_arguments(oid))
         FROM pg_proc WHERE oid = d.objoid)
       WHEN 'pg_constraint'::regclass THEN (
         SELECT format('CONSTRAINT %I ON %I', con.conname, c.relname)
         FROM pg_constraint con JOIN pg_class c ON c.oid = con.conrelid WHERE con.oid = d.objoid)
       WHEN 'pg_trigger'::regclass THEN (
         SELECT format('TRIGGER %I ON %I', tg.tgname, c.relname)
         FROM pg_trigger tg JOIN pg_class c ON c.oid = tg.tgrelid WHERE tg.oid = d.objoid)
       WHEN 'pg_rewrite'::regclass THEN (
         SELECT format('RULE %I ON %I', w.rulename, c.relname)
         FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class WHERE w.oid = d.objoid)
       END AS target
     FROM object o JOIN pg_description d ON d.classoid = o.classid AND d.objoid = o.objid`,
    [[schema.oid]],
  );
  return found.map(({ target, comment }) => ({
    phase: Phase.Comment,
    label: `comment on ${target}`,
    creates: [],
    statements: [`COMMENT ON ${target} IS ${quoteLiteral(comment)}`],
  }));
}
