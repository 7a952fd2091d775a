import type { MigrationInterface } from 'typeorm';
import type { TenancyOptions } from '../../../lib';
import { CreateNotes1700000000000 } from '../../support/notes';
import type { TestApp } from '../../support/test-app';
import { ownDatabase } from '../provisioning/app';
import { migration } from './written-migrations';

const CreateOther = migration('CreateOther1700000000500', 'CREATE TABLE other (id int)');
const AddMore = migration('AddMore1700000002000', 'CREATE TABLE more (id int)');
const AlsoMore = migration('AlsoMore1700000003000', 'CREATE TABLE more (id int)');

const own = ownDatabase();
const { database } = own;

const start = (
  migrations: (new () => MigrationInterface)[],
  changes: Partial<TenancyOptions> = {},
): Promise<TestApp> => own.start({ migrations, ...changes });

const OWN = /a templateSchema \(now "template"\) and a registry\.schema \(now "\w+"\) of its own/;

describe('A second application in the same database', () => {
  it('is told that the template is not its own, before anything runs there', async () => {
    await start([CreateNotes1700000000000]);
    const refused = expect(start([CreateOther])).rejects;
    await refused.toMatchObject({
      code: 'TEMPLATE_FOREIGN',
      message: expect.stringMatching(
        /"template" has seen CreateNotes1700000000000, which this code does not have.*CreateOther1700000000500/,
      ),
    });
    await expect(start([CreateOther])).rejects.toThrow(OWN);
    await expect(database.query(`SELECT FROM pg_tables WHERE tablename = 'other'`)).resolves.toEqual([]);
  });

  it('with a registry of its own is told of the tables that the template had', async () => {
    await start([CreateNotes1700000000000]);
    const other = start([CreateNotes1700000000000], { registry: { schema: 'other' } });
    await expect(other).rejects.toThrow(
      /relation "note" already exists.*had tables \(note\) before its first migration/s,
    );
    await expect(start([CreateNotes1700000000000], { registry: { schema: 'other' } })).rejects.toThrow(OWN);
  });

  it('with a registry and a template of its own starts', async () => {
    await start([CreateNotes1700000000000]);
    await start([CreateOther], { registry: { schema: 'other' }, templateSchema: 'other_template' });
  });
});

describe('A template that has seen what the code does not have', () => {
  it('is named when a migration fails on it', async () => {
    await start([CreateNotes1700000000000, AddMore]);
    const branch = [CreateNotes1700000000000, AlsoMore];
    await expect(start(branch)).rejects.toThrow(
      /relation "more" already exists.*also has AddMore1700000002000, which this code does not have/s,
    );
    await expect(start(branch)).rejects.toThrow(OWN);
  });

  it('is no obstacle when none fails', async () => {
    await start([CreateNotes1700000000000, AddMore]);
    await start([CreateNotes1700000000000, CreateOther]);
    await start([CreateNotes1700000000000]);
  });

  it.each([
    ['some of it', [CreateNotes1700000000000], /: AddMore1700000002000\. They were removed/],
    ['all of it', [], /: CreateNotes1700000000000, AddMore1700000002000\. They were removed/],
  ])('is told of at the start: %s', async (_what, left, names) => {
    const { log } = await start([CreateNotes1700000000000, AddMore]);
    expect(log.warnings).toEqual([]);
    const { warnings } = (await start(left, { entities: [] })).log;
    expect(warnings).toEqual([expect.stringMatching(names)]);
    expect(warnings[0]).toMatch(OWN);
  });

  it('is told of in short, however much it is', async () => {
    const names = Array.from(
      { length: 12 },
      (_, index) => `More17000000030${String(index).padStart(2, '0')}`,
    );
    await start([CreateNotes1700000000000, ...names.map((name) => migration(name, 'SELECT 1'))]);
    const { warnings } = (await start([CreateNotes1700000000000])).log;
    expect(warnings).toEqual([
      expect.stringMatching(/: More1700000003000, .*More1700000003009 and 2 more\. They/),
    ]);
  });
});
