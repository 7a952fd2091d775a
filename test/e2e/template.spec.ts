import {
  Column,
  Entity,
  Index,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  type MigrationInterface,
  OneToMany,
  PrimaryGeneratedColumn,
  type QueryRunner,
  type Relation,
  Table,
  TableForeignKey,
  TableIndex,
  TableUnique,
  View,
  ViewColumn,
  ViewEntity,
} from 'typeorm';
import { TenancyModule, type Tenant, TenantConnection, TenantContext } from '../../lib';
import { createTestDatabase, type TestDatabase } from '../support/database';
import { notesOptions } from '../support/notes';
import { startTestApp, type TestApp } from '../support/test-app';

enum Genre {
  Novel = 'novel',
  Poem = "poem's",
}

@Entity()
class Author {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'ALWAYS' })
  id!: number;

  @Column({ unique: true })
  name!: string;

  @OneToMany(() => Book, (book) => book.author)
  books!: Relation<Book[]>;
}

@Entity()
class Tag {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  label!: string;
}

@Entity()
@Index('book_title', ['title'])
class Book {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column()
  title!: string;

  @Column({ type: 'enum', enum: Genre, default: Genre.Novel })
  genre!: Genre;

  @Column({ type: 'text', array: true, default: '{}' })
  lines!: string[];

  @Column({
    type: 'int',
    generatedType: 'STORED',
    asExpression: 'char_length("title")',
    insert: false,
    update: false,
  })
  titleLength!: number;

  @ManyToOne(() => Author, (author) => author.books, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'authorId' })
  author!: Relation<Author>;

  @ManyToMany(() => Tag)
  @JoinTable({ name: 'book_tags' })
  tags!: Tag[];
}

const SHELF_SQL = `SELECT a."name" AS "author", count(b."id")::int AS "books"
  FROM "author" a LEFT JOIN "book" b ON b."authorId" = a."id" GROUP BY a."name"`;

@ViewEntity({ name: 'shelf', expression: SHELF_SQL })
class Shelf {
  @ViewColumn()
  author!: string;

  @ViewColumn()
  books!: number;
}

/** As people write them, or as TypeORM generates them, with the QueryRunner's own methods. */
class CreateLibrary1700000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.createTable(
      new Table({
        name: 'author',
        columns: [
          {
            name: 'id',
            type: 'integer',
            isPrimary: true,
            isGenerated: true,
            generationStrategy: 'identity',
            generatedIdentity: 'ALWAYS',
          },
          { name: 'name', type: 'varchar', comment: "The author's name" },
        ],
      }),
    );
    await queryRunner.createTable(
      new Table({
        name: 'book',
        columns: [
          {
            name: 'id',
            type: 'uuid',
            isPrimary: true,
            isGenerated: true,
            generationStrategy: 'uuid',
          },
          { name: 'title', type: 'varchar' },
          {
            name: 'genre',
            type: 'enum',
            enum: Object.values(Genre),
            enumName: 'book_genre_enum',
            default: `'novel'`,
          },
          { name: 'lines', type: 'text', isArray: true, default: `'{}'` },
          {
            name: 'titleLength',
            type: 'int',
            generatedType: 'STORED',
            asExpression: 'char_length("title")',
            isNullable: true,
          },
          { name: 'authorId', type: 'integer' },
        ],
      }),
    );
    await queryRunner.createTable(
      new Table({
        name: 'tag',
        columns: [
          {
            name: 'id',
            type: 'integer',
            isPrimary: true,
            isGenerated: true,
            generationStrategy: 'increment',
          },
          { name: 'label', type: 'varchar' },
        ],
      }),
    );
    await queryRunner.createTable(
      new Table({
        name: 'book_tags',
        columns: [
          { name: 'bookId', type: 'uuid', isPrimary: true },
          { name: 'tagId', type: 'integer', isPrimary: true },
        ],
        foreignKeys: [
          {
            columnNames: ['bookId'],
            referencedTableName: 'book',
            referencedColumnNames: ['id'],
            onDelete: 'CASCADE',
          },
          {
            columnNames: ['tagId'],
            referencedTableName: 'tag',
            referencedColumnNames: ['id'],
            onDelete: 'CASCADE',
          },
        ],
      }),
    );
    await queryRunner.createUniqueConstraint(
      'author',
      new TableUnique({ name: 'author_name', columnNames: ['name'] }),
    );
    await queryRunner.createIndex('book', new TableIndex({ name: 'book_title', columnNames: ['title'] }));
    await queryRunner.createForeignKey(
      'book',
      new TableForeignKey({
        columnNames: ['authorId'],
        referencedTableName: 'author',
        referencedColumnNames: ['id'],
        onDelete: 'CASCADE',
      }),
    );
    await queryRunner.createView(new View({ name: 'shelf', expression: SHELF_SQL }));
  }

  async down(): Promise<void> {}
}

/** TypeORM reads the tables that are there before it changes them: its look-ups must find the template's. */
class ChangeLibrary1700000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.renameColumn('tag', 'label', 'text');
    await queryRunner.renameColumn('tag', 'text', 'label');
    const table = await queryRunner.getTable('book');
    if (!table?.foreignKeys.length) throw new Error('The foreign key of "book" was not found.');
    if (!(await queryRunner.hasColumn('author', 'name'))) throw new Error('"author"."name" was not found.');
  }

  async down(): Promise<void> {}
}

describe('a template built by the methods of TypeORM’s QueryRunner', () => {
  let database: TestDatabase;
  let running: TestApp;
  let acme: Tenant;
  let globex: Tenant;

  beforeAll(async () => {
    database = await createTestDatabase();
    // What TypeORM may find when it looks beyond the template.
    await database.query('CREATE TABLE public.book (id int)');
    running = await startTestApp({
      imports: [
        TenancyModule.forRoot(
          notesOptions(database, {
            entities: [Author, Book, Tag, Shelf],
            migrations: [CreateLibrary1700000000000, ChangeLibrary1700000000001],
          }),
        ),
      ],
    });
    acme = await running.create({ slug: 'acme' });
    globex = await running.create({ slug: 'globex' });
  });
  afterAll(async () => {
    await running.close();
    await database.drop();
  });

  /** What `work` gives, run for a tenant. */
  const as = <T>(tenant: Tenant, work: (connection: TenantConnection) => Promise<T>) =>
    running.app.get(TenantContext).run(tenant, () => work(running.app.get(TenantConnection)));

  it('holds all objects, and none landed elsewhere', async () => {
    const names = async (schema: string) =>
      (
        await database.query<{ name: string }>(
          `SELECT relname AS name FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'v')
           UNION ALL SELECT typname FROM pg_type WHERE typnamespace = $1::regnamespace AND typtype = 'e' ORDER BY 1`,
          [schema],
        )
      ).map(({ name }) => name);
    const all = ['author', 'book', 'book_genre_enum', 'book_tags', 'shelf', 'tag', 'typeorm_metadata'];
    expect(await names('template')).toEqual(all);
    expect(await names(acme.schemaName)).toEqual(all);
    expect(await names('public')).toEqual(['book']);
  });

  it('leaves nothing in a clone that names the template or another schema', async () => {
    const [view] = await database.query<{ definition: string }>(
      `SELECT replace(definition, schemaname || '.', '') AS definition FROM pg_views WHERE schemaname = $1`,
      [acme.schemaName],
    );
    expect(view.definition).toContain('FROM (author a');
    expect(view.definition).not.toMatch(/template|t_[a-z0-9]{20}/);
    const clauses = await database.query<{ target: string }>(
      `SELECT DISTINCT n.nspname AS target FROM pg_constraint c
       JOIN pg_class r ON r.oid = c.confrelid JOIN pg_namespace n ON n.oid = r.relnamespace
       WHERE c.connamespace = $1::regnamespace AND c.contype = 'f'`,
      [acme.schemaName],
    );
    expect(clauses).toEqual([{ target: acme.schemaName }]);
  });

  it('gives tenants whose entities work: relations, enums, arrays, generated columns, views', async () => {
    await as(acme, async (connection) => {
      const author = await connection.getRepository(Author).save({ name: 'Ünal' });
      const [tag] = await connection.getRepository(Tag).save([{ label: 'red' }, { label: 'blue' }]);
      const books = connection.getRepository(Book);
      await books.save({ title: 'Tea', genre: Genre.Poem, lines: ['a', "b'"], author, tags: [tag] });
      await books.save({ title: 'Coffee', author });
      await expect(
        books.find({ relations: { author: true, tags: true }, order: { title: 'ASC' } }),
      ).resolves.toMatchObject([
        { title: 'Coffee', genre: 'novel', lines: [], titleLength: 6, author: { name: 'Ünal' }, tags: [] },
        { title: 'Tea', genre: "poem's", lines: ['a', "b'"], titleLength: 3, tags: [{ label: 'red' }] },
      ]);
      await expect(
        connection
          .createQueryBuilder(Author, 'a')
          .innerJoinAndSelect('a.books', 'b')
          .where('b.titleLength < 5')
          .getOne(),
      ).resolves.toMatchObject({ name: 'Ünal', books: [{ title: 'Tea' }] });
      await expect(connection.getRepository(Shelf).find()).resolves.toEqual([{ author: 'Ünal', books: 2 }]);
    });
    await as(globex, async (connection) => {
      await expect(connection.getRepository(Book).find()).resolves.toEqual([]);
      await expect(connection.getRepository(Shelf).find()).resolves.toEqual([]);
      // Its sequences start anew.
      await expect(connection.getRepository(Author).save({ name: 'Ünal' })).resolves.toMatchObject({ id: 1 });
      await expect(connection.getRepository(Tag).save({ label: 'red' })).resolves.toMatchObject({ id: 1 });
    });
  });

  it('keeps constraints: unique, foreign keys and their ON DELETE, enums, identity', async () => {
    await as(globex, async (connection) => {
      const authors = connection.getRepository(Author);
      const author = await authors.save({ name: 'Unique' });
      await expect(authors.save({ name: 'Unique' })).rejects.toMatchObject({ code: '23505' });
      const insert = (values: string) =>
        connection.query(`INSERT INTO book (title, genre, "authorId") VALUES ${values}`);
      await expect(insert(`('x', 'novel', 999)`)).rejects.toMatchObject({ code: '23503' });
      await expect(insert(`('x', 'essay', ${author.id})`)).rejects.toMatchObject({ code: '22P02' });
      await expect(
        connection.query(`INSERT INTO author (id, name) VALUES (7, 'Seven')`),
      ).rejects.toMatchObject({ code: '428C9' });
      await insert(`('x', 'novel', ${author.id})`);
      await authors.delete({ id: author.id });
      await expect(connection.getRepository(Book).count()).resolves.toBe(0);
    });
  });
});
