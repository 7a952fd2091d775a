import {
  BaseEntity,
  Column,
  Entity,
  EntitySchema,
  JoinTable,
  ManyToMany,
  type MixedList,
  PrimaryGeneratedColumn,
  Tree,
  TreeChildren,
  TreeParent,
  ViewColumn,
  ViewEntity,
} from 'typeorm';
import { TenancyModule, type TenancyOptions, TenantContext, tenantDataSource } from '../../../lib';
import { createTestDatabase, type TestDatabase } from '../../support/database';
import { Note, notesOptions } from '../../support/notes';
import { startTestApp, type TestApp } from '../../support/test-app';

@Entity('public_note', { schema: 'public' })
class PublicNote {
  @PrimaryGeneratedColumn()
  id!: number;
}

@Entity('public.dotted')
class Dotted {
  @PrimaryGeneratedColumn()
  id!: number;
}

@Entity('elsewhere', { database: 'other' })
class Elsewhere {
  @PrimaryGeneratedColumn()
  id!: number;
}

@Entity('joined')
class Joined {
  @PrimaryGeneratedColumn()
  id!: number;

  @ManyToMany(() => Note)
  @JoinTable({ name: 'joined_notes', schema: 'public' })
  notes!: Note[];
}

@Entity('mood')
class Mood {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'enum', enum: ['good', 'bad'], enumName: 'public.mood_kind' })
  kind!: string;
}

@ViewEntity('note_view', { schema: 'public', expression: 'SELECT 1 AS id' })
class NoteView {
  @ViewColumn()
  id!: number;
}

@Entity('branch')
@Tree('closure-table', { closureTableName: 'public.branch_ways' })
class Branch {
  @PrimaryGeneratedColumn()
  id!: number;

  @TreeParent()
  parent!: Branch | null;

  @TreeChildren()
  children!: Branch[];
}

const ByHand = new EntitySchema({
  name: 'ByHand',
  schema: 'public',
  columns: { id: { type: Number, primary: true } },
});

@Entity('note')
class ActiveNote extends BaseEntity {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  text!: string;
}

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const open: TestApp[] = [];
afterEach(() => Promise.all(open.splice(0).map((app) => app.close())));
const start = async (changes: Partial<TenancyOptions>): Promise<TestApp> => {
  const app = await startTestApp({ imports: [TenancyModule.forRoot(notesOptions(database, changes))] });
  open.push(app);
  return app;
};

describe('An entity that says where it is', () => {
  const CASES: [string, MixedList<unknown>, string][] = [
    ['@Entity({ schema })', [PublicNote], 'PublicNote: "public_note" is in the schema "public"'],
    ['@Entity("public.t")', [Dotted], 'Dotted: "dotted" is in the schema "public"'],
    ['@Entity({ database })', [Elsewhere], 'Elsewhere: its database is "other"'],
    ['@JoinTable({ schema })', [Note, Joined], 'joined_notes: "joined_notes" is in the schema "public"'],
    ['enumName', [Mood], 'Mood: the enum "mood_kind" of kind is in the schema "public"'],
    ['@ViewEntity({ schema })', [NoteView], 'NoteView: "note_view" is in the schema "public"'],
    ['a closure table', [Branch], 'is in the schema "public"'],
    ['EntitySchema', [ByHand], 'ByHand: "by_hand" is in the schema "public"'],
  ];

  it.each(CASES)('is refused at start: %s', async (_how, entities, problem) => {
    const refusal = { code: 'ENTITY_NAMES_SCHEMA', message: expect.stringContaining(problem) };
    const options = { entities: entities as TenancyOptions['entities'] };
    await expect(start(options)).rejects.toMatchObject(refusal);
    await expect(start({ ...options, sharedSchemas: ['other_shared'] })).rejects.toMatchObject(refusal);
    const template = tenantDataSource({ database: { url: database.url }, ...options });
    await expect(template.initialize()).rejects.toMatchObject(refusal);
    expect(template.isInitialized).toBe(false);
  });

  it('is let in when the schema is a shared one', async () => {
    await database.query('CREATE SCHEMA lookups; CREATE TABLE lookups.country (code text PRIMARY KEY)');
    const Country = new EntitySchema<{ code: string }>({
      name: 'country',
      schema: 'lookups',
      columns: { code: { type: 'text', primary: true } },
    });
    await expect(start({ entities: [Note, Country], sharedSchemas: ['lookups'] })).resolves.toBeDefined();
  });
});

describe('Active-record entities', () => {
  const rowsOf = (app: TestApp, slug: string) =>
    app.app.get(TenantContext).run(tenants[slug], () => ActiveNote.find());
  const tenants: Record<string, Awaited<ReturnType<TestApp['create']>>> = {};

  it('stay with the tenants when the template is opened for TypeORM’s command line in the same process', async () => {
    const app = await start({ entities: [ActiveNote] });
    for (const slug of ['acme', 'globex']) tenants[slug] = await app.create({ slug });
    const template = tenantDataSource({ database: { url: database.url }, entities: [ActiveNote] });
    const opening = template.initialize();
    const context = app.app.get(TenantContext);
    await context.run(tenants.acme, () => ActiveNote.create({ text: 'during' }).save());
    await opening;
    try {
      await context.run(tenants.acme, () => ActiveNote.create({ text: 'after' }).save());
      await expect(ActiveNote.count()).rejects.toMatchObject({ code: 'TENANT_REQUIRED' });
      expect((await rowsOf(app, 'acme')).map(({ text }) => text)).toEqual(['during', 'after']);
      await expect(rowsOf(app, 'globex')).resolves.toEqual([]);
      await expect(database.query('SELECT * FROM template.note')).resolves.toEqual([]);
    } finally {
      await template.destroy();
    }
    await expect(rowsOf(app, 'acme')).resolves.toHaveLength(2);
  });
});
