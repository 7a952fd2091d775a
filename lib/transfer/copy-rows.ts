import { pipeline } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import type { EntityManager, QueryRunner } from 'typeorm';
import { quoteIdentifier } from '../common/sql';
import type { WireConnection } from '../connection/protocol/pg-internals';
import type { CopyStreams } from './copy-streams';
import type { ExportedTable } from './export-format';
import { ExportFileError } from './transfer.errors';

/** A format that every version reads, whatever the encoding of the database. */
const FORMAT = `(FORMAT text, ENCODING 'UTF8')`;

const LINE_FEED = 0x0a;

/** The table's rows in pieces, without those of its children, and at the end their number. */
export async function* copyOut(
  manager: EntityManager,
  { to }: CopyStreams,
  table: ExportedTable,
): AsyncGenerator<Buffer, number> {
  const client = await clientOf(manager);
  const stream = client.query(to(`COPY ${target(table)} TO STDOUT WITH ${FORMAT}`));
  // After it was destroyed, nothing else listens for the error that the connection has ended.
  stream.on('error', () => undefined);
  let rows = 0;
  let isWhole = false;
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      rows += linesIn(piece);
      yield piece;
    }
    isWhole = true;
    return rows;
  } finally {
    // When rows are left unread, PostgreSQL goes on sending them and accepts no other statement. Only closing the
    // connection stops it.
    if (!isWhole) (client as unknown as { connection: WireConnection }).connection.stream.destroy();
  }
}

/** Writes rows into a table. @throws ExportFileError when their number is not the one at the end of `pieces` */
export async function copyIn(
  manager: EntityManager,
  { from }: CopyStreams,
  table: ExportedTable,
  pieces: AsyncGenerator<Buffer, number>,
): Promise<number> {
  const client = await clientOf(manager);
  const stream = client.query(from(`COPY ${target(table)} FROM STDIN WITH ${FORMAT}`));
  let rows = 0;
  await pipeline(async function* () {
    rows = yield* pieces;
  }, stream);
  if (stream.rowCount === rows) return rows;
  throw new ExportFileError(
    `${stream.rowCount} rows of the table "${table.name}" arrived, but it has ${rows}.`,
  );
}

function target({ name, columns }: ExportedTable): string {
  // A table without columns can still have rows.
  return quoteIdentifier(name) + (columns.length > 0 ? ` (${columns.map(quoteIdentifier).join(', ')})` : '');
}

/** Each line feed ends a row: inside of values, the text format writes `\n`. */
function linesIn(piece: Buffer): number {
  let count = 0;
  for (let at = piece.indexOf(LINE_FEED); at !== -1; at = piece.indexOf(LINE_FEED, at + 1)) count += 1;
  return count;
}

async function clientOf({ queryRunner }: EntityManager): Promise<PoolClient> {
  return (await (queryRunner as QueryRunner).connect()) as PoolClient;
}
