import type { DataSourceOptions, EntityTarget, ObjectLiteral, Repository } from 'typeorm';
import type { Tenant } from '../../../lib/registry/tenant';
import { type TwoTenants, twoTenants } from '../../support/two-tenants';
import { SHOP_ENTITIES } from './shop-entities';

export const PROFILE_ID = '00000000-0000-4000-8000-000000000001';

/** Ids that sequences give are from here on, the same for both tenants. */
export const FIRST_NEW_ID = 101;

/**
 * Two tenants with a shop each: the same entities and primary keys, rows stamped with their tenant.
 */
export interface TwoShops extends TwoTenants {
  /** The repository that both share. */
  repository<T extends ObjectLiteral>(target: EntityTarget<T>): Repository<T>;
  /** What `work` gives for acme and for globex, run for both at once. */
  forBoth<T>(work: (slug: string) => Promise<T>): Promise<T[]>;
  /** The same, three times each and in turn. For work that changes nothing. */
  forBothOften<T>(work: (slug: string) => Promise<T>): Promise<T[]>;
  /**
   * Rows seen from outside, without tenancy: in `sql` `{schema}` stands for the schema of the tenant with this slug.
   */
  outside<Row = Record<string, unknown>>(slug: string, sql: string): Promise<Row[]>;
  /** Rows that lie in another schema than that of the tenant they were written for. */
  strays(): Promise<unknown[]>;
}

export async function twoShops(
  poolSize: number,
  options: Partial<DataSourceOptions> = {},
): Promise<TwoShops> {
  const world = await twoTenants(poolSize, {
    entities: SHOP_ENTITIES,
    uuidExtension: 'pgcrypto',
    ...options,
  });
  const { context, dataSource, database } = world;
  const tenants = [world.acme, world.globex];
  for (const { schemaName, slug } of tenants) {
    await context.runInSchema(schemaName, () => dataSource.synchronize());
    await database.query(stampRows(schemaName, slug));
  }
  const stamped = dataSource.entityMetadatas
    .filter(({ tableType, columns }) => tableType === 'regular' && columns.some(isStamp))
    .map(({ tableName }) => tableName);

  const forEach = <T>(list: Tenant[], work: (slug: string) => Promise<T>) =>
    Promise.all(list.map((tenant) => context.run(tenant, () => work(tenant.slug))));
  const outside = <Row>(slug: string, sql: string) =>
    database.query<Row>(sql.replaceAll('{schema}', `t_${slug}`));
  return {
    ...world,
    repository: (target) => dataSource.getRepository(target),
    forBoth: (work) => forEach(tenants, work),
    forBothOften: (work) => forEach([...tenants, ...tenants, ...tenants], work),
    outside,
    strays: () =>
      database.query(
        tenants.flatMap(({ slug }) => stamped.map((table) => stray(table, slug))).join(' UNION ALL '),
      ),
    reset: async () => {
      const tables = ['order_tag', 'category_closure', ...stamped];
      // Rows alone, by a session that heeds no foreign key: TRUNCATE would make new files for every table.
      await database.query(
        `SET session_replication_role = replica; ${tenants.map(({ slug }) => seed(slug, tables)).join(';')}`,
      );
    },
  };
}

const isStamp = ({ propertyName }: { propertyName: string }) => propertyName === 'owner';

/** Gives every table its tenant's stamp. */
function stampRows(schemaName: string, slug: string): string {
  return `DO $$
    DECLARE relation record;
    BEGIN
      FOR relation IN SELECT attrelid::regclass AS name FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = '${schemaName}'::regnamespace AND relkind = 'r' AND attname = 'owner'
      LOOP
        EXECUTE format('ALTER TABLE %s ALTER owner SET DEFAULT %L', relation.name, '${slug}');
      END LOOP;
    END $$`;
}

function seed(slug: string, tables: readonly string[]): string {
  return `
    SET search_path = t_${slug};
    ${tables.map((table) => `DELETE FROM "${table}"`).join('; ')};
    SELECT setval(oid, ${FIRST_NEW_ID}, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 't_${slug}'::regnamespace;
    INSERT INTO customer (id, label, "addressStreet", "addressCity") VALUES
      (1, '${slug} customer 1', '${slug} street', '${slug} city'), (2, '${slug} customer 2', '${slug} road', NULL);
    INSERT INTO profile (id, label, preferences, "customerId") VALUES
      ('${PROFILE_ID}', '${slug} profile', '{"theme": "${slug}", "size": 1}', 1);
    INSERT INTO product (id, label, sku, stock) VALUES (1, '${slug} anvil', 'anvil', 10), (2, '${slug} rope', 'rope', 20);
    INSERT INTO "order" (id, label, status, cents, notes, version, "customerId", "deletedAt") VALUES
      (1, '${slug} order 1', 'open', 100, '{${slug},first}', 1, 1, NULL),
      (2, '${slug} order 2', 'paid', 200, '{${slug}}', 1, 1, NULL),
      (3, '${slug} order 3', 'open', 300, '{}', 1, 2, now());
    INSERT INTO order_line (id, label, quantity, "orderId", "productId") VALUES
      (1, '${slug} line 1', 1, 1, 1), (2, '${slug} line 2', 2, 1, 2), (3, '${slug} line 3', 3, 2, 1);
    INSERT INTO tag (id, label) VALUES (1, '${slug} tag 1'), (2, '${slug} tag 2');
    INSERT INTO order_tag ("orderId", "tagId") VALUES (1, 1), (1, 2), (2, 1);
    INSERT INTO payment (id, label, kind, "orderId", "lastDigits", coins) VALUES
      (1, '${slug} payment 1', 'CardPayment', 2, '4242', NULL), (2, '${slug} payment 2', 'CashPayment', 2, NULL, 7)`;
}

function stray(table: string, slug: string): string {
  return `SELECT '${slug}' AS schema, '${table}' AS "table", owner, label FROM t_${slug}."${table}"
    WHERE owner <> '${slug}' OR label NOT LIKE '${slug} %'`;
}

/** Whose the rows in `value` are, however deep they lie: every different stamp once. */
export function ownersIn(value: unknown): string[] {
  const owners = new Set<string>();
  const visit = (each: unknown) => {
    if (typeof each !== 'object' || each === null || each instanceof Date) return;
    for (const [key, inner] of Object.entries(each)) {
      if (/(^|_)owner$/.test(key)) owners.add(String(inner));
      else if (/(^|_)label$/.test(key)) owners.add(String(inner).split(' ')[0]);
      else visit(inner);
    }
  };
  visit(value);
  return [...owners].sort();
}
