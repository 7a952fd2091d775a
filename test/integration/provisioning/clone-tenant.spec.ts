import { Client } from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { type Tenant, TenantLifecycle, TenantProvisioner } from '../../../lib';
import { type ProvisioningApp, startProvisioningApp } from './app';

class CreateBank1700000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE customer (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text NOT NULL, phone text,
        "constructor" text DEFAULT 'x', label text GENERATED ALWAYS AS (name || ' <' || email || '>') STORED,
        referred_by int REFERENCES customer);
      CREATE UNIQUE INDEX customer_email ON customer (lower(email));
      CREATE TABLE account (id serial PRIMARY KEY, owner int NOT NULL REFERENCES customer, balance int NOT NULL);
      CREATE FUNCTION hide(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT left($1, 1) || '***' $$`);
  }

  async down(): Promise<void> {}
}

describe('cloning a tenant', () => {
  let running: ProvisioningApp;
  let source: Tenant;

  beforeAll(async () => {
    running = await startProvisioningApp({ entities: [], migrations: [CreateBank1700000000001] });
    source = await running.create({
      slug: 'source',
      metadata: { plan: 'gold' },
      domains: ['source.example'],
    });
    await running.database.query(`SET search_path = ${source.schemaName};
      INSERT INTO customer (name, email, phone, referred_by) SELECT 'Name ' || n, 'n' || n || '@example.com', n, nullif(n - 1, 0)
      FROM generate_series(1, 100) n;
      INSERT INTO account (owner, balance) SELECT 1 + n % 100, 100 FROM generate_series(1, 1000) n`);
  });
  afterAll(() => running.close());

  const clone = (...args: Parameters<TenantProvisioner['clone']>) =>
    running.app.get(TenantProvisioner).clone(...args);
  const sql = (text: string) => running.database.query(text);
  const rowsOf = (tenant: Tenant, table: string) =>
    sql(`SELECT * FROM ${tenant.schemaName}.${table} ORDER BY id`);

  it('copies structure and rows, and goes on counting where the source is', async () => {
    const copy = await clone('source', 'copy', { name: 'Copy', domains: ['copy.example'] });
    expect(copy).toMatchObject({
      slug: 'copy',
      name: 'Copy',
      status: 'active',
      metadata: {},
      domains: ['copy.example'],
      templateVersion: source.templateVersion,
    });
    for (const table of ['customer', 'account']) {
      await expect(rowsOf(copy, table)).resolves.toEqual(await rowsOf(source, table));
    }
    await sql(`SET search_path = ${copy.schemaName};
      INSERT INTO customer (name, email) VALUES ('a', 'a'); INSERT INTO account (owner, balance) VALUES (101, 1)`);
    await expect(sql(`SELECT max(id) AS id FROM ${copy.schemaName}.account`)).resolves.toEqual([
      { id: 1001 },
    ]);
    await expect(sql(`SELECT max(id) AS id FROM ${source.schemaName}.account`)).resolves.toEqual([
      { id: 1000 },
    ]);
  });

  it('masks columns by expressions over the row, also by functions of the schema', async () => {
    const copy = await clone(source.id, 'masked', {
      mask: {
        customer: {
          name: 'hide(name)',
          email: `'user-' || id || '@example.test' -- no real address`,
          phone: null,
          constructor: `'masked'`,
        },
      },
    });
    const [first] = await rowsOf(copy, 'customer');
    expect(first).toMatchObject({
      name: 'N***',
      email: 'user-1@example.test',
      phone: null,
      constructor: 'masked',
      label: 'N*** <user-1@example.test>',
    });
    await expect(rowsOf(copy, 'account')).resolves.toHaveLength(1000);
  });

  it.each([
    [{ customers: { name: 'x' } }, 'customers.name'],
    [{ customer: { nam: 'x' } }, 'customer.nam'],
    [{ customer: { label: 'x' } }, 'customer.label'],
    [{ 'customer"': {} }, 'customer"'],
  ])('refuses a mask of what is not there, because something would stay unmasked: %j', async (mask, name) => {
    await expect(clone('source', 'never', { mask })).rejects.toMatchObject({
      code: 'UNKNOWN_TABLE',
      names: expect.arrayContaining([name]),
    });
    await expect(running.app.get(TenantLifecycle).get('never')).rejects.toMatchObject({
      code: 'TENANT_NOT_FOUND',
    });
  });

  it('leaves nothing when a mask breaks a constraint', async () => {
    const before = await running.schemas();
    await expect(clone('source', 'never', { mask: { customer: { email: `'same'` } } })).rejects.toMatchObject(
      {
        code: 'PROVISIONING_FAILED',
        message: expect.stringContaining('customer_email'),
      },
    );
    await expect(running.schemas()).resolves.toEqual(before);
  });

  it('copies one moment of a source that is being written', async () => {
    const writer = new Client({ connectionString: running.database.url });
    await writer.connect();
    await writer.query(`SET search_path = ${source.schemaName}`);
    let isWriting = true;
    // Every commit leaves the sum as it was, and adds a customer before their account.
    const writing = (async () => {
      while (isWriting) {
        await writer.query(
          `BEGIN; UPDATE account SET balance = balance - 5 WHERE id = 1 + floor(random() * 500)`,
        );
        await writer.query(
          `UPDATE account SET balance = balance + 5 WHERE id = (SELECT id FROM account WHERE balance < 100 LIMIT 1)`,
        );
        const { rows } = await writer.query('SELECT sum(balance)::int AS sum FROM account');
        await writer.query(rows[0].sum === 100_000 ? 'COMMIT' : 'ROLLBACK');
        await writer.query(`INSERT INTO customer (name, email) VALUES ('w', gen_random_uuid())`);
        await writer.query('INSERT INTO account (owner, balance) SELECT max(id), 0 FROM customer');
      }
    })();
    try {
      for (let i = 0; i < 5; i++) {
        const copy = await clone('source', `busy-${i}`);
        const [{ sum }] = await sql(`SELECT sum(balance)::int AS sum FROM ${copy.schemaName}.account`);
        expect(sum).toBe(100_000);
        await sql(`INSERT INTO ${copy.schemaName}.customer (name, email) VALUES ('n', 'n')`);
      }
    } finally {
      isWriting = false;
      await writing;
      await writer.end();
    }
  });

  it('refuses a source that is nobody, or deleted, and a slug that is taken', async () => {
    await expect(clone('nobody', 'x')).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
    await expect(clone('\0', 'x')).rejects.toMatchObject({ code: 'TENANT_NOT_FOUND' });
    await expect(clone('source', 'source')).rejects.toMatchObject({ code: 'TENANT_SLUG_TAKEN' });
    await expect(clone('source', 'Not A Slug')).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    await running.create({ slug: 'gone' });
    await running.app.get(TenantLifecycle).delete('gone');
    await expect(clone('gone', 'x')).rejects.toMatchObject({ code: 'INVALID_TRANSITION' });
  });
});
