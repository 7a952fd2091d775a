/** DDL of `count` tables as TypeORM's migrations write them: uuid keys, an enum each, foreign keys, indexes, comments. */
export function wideSchema(count: number): string {
  return Array.from({ length: count }, (_, place) => tableNumber(place)).join('\n');
}

function tableNumber(place: number): string {
  const hash = (text: string) => Buffer.from(`${text}${place}`).toString('hex').padEnd(26, '0').slice(0, 26);
  const table = `"thing_${place}"`;
  return `
    CREATE TYPE "thing_${place}_state_enum" AS ENUM ('draft', 'live', 'gone');
    CREATE TABLE ${table} (
      "id" uuid NOT NULL DEFAULT gen_random_uuid(), "number" SERIAL NOT NULL,
      "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(), "updatedAt" TIMESTAMP NOT NULL DEFAULT now(),
      "deletedAt" TIMESTAMP, "name" character varying(255) NOT NULL, "description" text NOT NULL DEFAULT '',
      "state" "thing_${place}_state_enum" NOT NULL DEFAULT 'draft', "price" numeric(10,2) NOT NULL DEFAULT '0',
      "settings" jsonb NOT NULL DEFAULT '{}', "tags" text array NOT NULL DEFAULT '{}', "parentId" uuid,
      CONSTRAINT "UQ_${hash('u')}" UNIQUE ("name", "state"), CONSTRAINT "CHK_${hash('c')}" CHECK ("price" >= 0),
      CONSTRAINT "PK_${hash('p')}" PRIMARY KEY ("id"));
    COMMENT ON COLUMN ${table}."price" IS 'In euros';
    CREATE INDEX "IDX_${hash('i')}" ON ${table} ("name") WHERE "deletedAt" IS NULL;
    CREATE INDEX "IDX_${hash('j')}" ON ${table} ("parentId", "createdAt");
    ALTER TABLE ${table} ADD CONSTRAINT "FK_${hash('f')}" FOREIGN KEY ("parentId")
      REFERENCES "thing_${Math.floor(place / 2)}"("id") ON DELETE CASCADE ON UPDATE NO ACTION;`;
}
