import {
  ChildEntity,
  Column,
  Entity,
  ManyToMany,
  JoinTable,
  type MigrationInterface,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type QueryRunner,
  TableInheritance,
  ViewColumn,
  ViewEntity,
  VirtualColumn,
} from 'typeorm';
import { type TenancyOptions, TenancyModule } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

@Entity()
class Tag {
  @PrimaryColumn()
  name!: string;
}

@Entity({ name: 'note' })
class Note {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  text!: string;

  @Column({ name: 'shown_at', nullable: true })
  shownAt?: Date;

  @VirtualColumn({ query: (alias) => `SELECT count(*) FROM tag WHERE name = ${alias}.text` })
  tagCount!: number;

  @ManyToMany(() => Tag)
  @JoinTable()
  tags!: Tag[];
}

@ViewEntity({ expression: 'SELECT text, 1 AS weight FROM note' })
class Headline {
  @ViewColumn()
  text!: string;

  @ViewColumn()
  weight!: number;
}

@Entity({ schema: 'reference' })
class Country {
  @PrimaryColumn()
  code!: string;

  @Column()
  name!: string;
}

/** 65 bytes each: PostgreSQL keeps 62, not half of the last letter. */
const LONG = 'a' + 'é'.repeat(32);

@Entity({ name: LONG })
class Long {
  @PrimaryColumn({ name: LONG })
  id!: number;
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'kind' } })
class Content {
  @PrimaryGeneratedColumn()
  id!: number;
}

@ChildEntity()
class Photo extends Content {
  @Column()
  size!: number;
}

@ChildEntity()
class Question extends Content {}

class CreateLong1700000000002 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`CREATE TABLE "${LONG}" ("${LONG}" int PRIMARY KEY)`);
    await queryRunner.query('CREATE TABLE content (id serial PRIMARY KEY, kind varchar)');
  }
  async down(): Promise<void> {}
}

class CreateNone1700000000003 implements MigrationInterface {
  async up(): Promise<void> {}
  async down(): Promise<void> {}
}

/** Somebody else's, which the application only reads where it is. */
@Entity({ synchronize: false })
class Elsewhere {
  @PrimaryColumn()
  id!: number;
}

class CreateSome1700000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE note (id serial PRIMARY KEY, text varchar NOT NULL)');
    await queryRunner.query('CREATE VIEW headline AS SELECT text FROM note');
  }
  async down(): Promise<void> {}
}

class CreateRest1700000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE note ADD shown_at timestamp');
    await queryRunner.query('CREATE TABLE tag (name varchar PRIMARY KEY)');
    await queryRunner.query(
      'CREATE TABLE note_tags_tag ("noteId" int REFERENCES note, "tagName" varchar REFERENCES tag, PRIMARY KEY ("noteId", "tagName"))',
    );
    await queryRunner.query('CREATE OR REPLACE VIEW headline AS SELECT text, 1 AS weight FROM note');
  }
  async down(): Promise<void> {}
}

describe('Entities that are ahead of the migrations', () => {
  let database: TestDatabase;
  let running: TestApp | undefined;

  beforeEach(async () => {
    database = await createTestDatabase();
    await database.query(
      'CREATE SCHEMA reference; CREATE TABLE reference.country (code varchar PRIMARY KEY)',
    );
  });
  afterEach(async () => {
    await running?.close();
    await database.drop();
  });

  async function warnings(changes: Partial<TenancyOptions>): Promise<string[]> {
    await running?.close();
    running = await startTestApp({
      imports: [
        TenancyModule.forRoot(
          notesOptions(database, {
            entities: [Note, Tag, Headline, Country, Elsewhere],
            sharedSchemas: ['reference'],
            ...changes,
          }),
        ),
      ],
    });
    // A superuser is warned of shared schemas besides.
    return running.log.warnings.filter((warning) => warning.startsWith('Entities'));
  }

  it('are named at the start, tables, columns, views and those of shared schemas, with what to do', async () => {
    const [warning, ...others] = await warnings({ migrations: [CreateSome1700000000000] });
    expect(others).toEqual([]);
    expect(warning).toContain('migration:generate');
    expect(
      [...warning.matchAll(/the (?:table|column) "[^ ]+ \(\w+\)/g)].map(([each]) => each).sort(),
    ).toEqual([
      'the column "country"."name" (Country)',
      'the column "headline"."weight" (Headline)',
      'the column "note"."shown_at" (Note)',
      'the table "note_tags_tag" (note_tags_tag)',
      'the table "tag" (Tag)',
    ]);
  });

  it('are no more when the migration is there', async () => {
    await database.query('ALTER TABLE reference.country ADD name text');
    const migrations = [CreateSome1700000000000, CreateRest1700000000001];
    await expect(warnings({ migrations })).resolves.toEqual([]);
  });

  it('are found under names that PostgreSQL has cut, and what several inherit is named once', async () => {
    const entities = [Long, Content, Photo, Question];
    const one = (warning: string) => [...warning.matchAll(/the (?:table|column) [^(]+\(\w+\)/g)].map(String);
    const [none] = await warnings({ entities, migrations: [CreateNone1700000000003] });
    expect(one(none)).toEqual([`the table "${LONG}" (Long)`, 'the table "content" (Content)']);
    await database.query('DROP SCHEMA template, tenancy CASCADE');
    const [some] = await warnings({ entities, migrations: [CreateLong1700000000002] });
    expect(one(some)).toEqual([expect.stringMatching(/^the column "content"."size" \(\w+\)$/)]);
  });
});
