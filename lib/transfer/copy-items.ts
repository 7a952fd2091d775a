import type { Tenant } from '../registry/tenant';
import { MAX_PAYLOAD_BYTES } from './export-format';
import type { ExportReader } from './export-reader';
import type { ExportWriter } from './export-writer';
import type { ItemCount, TenantTransferHook, TransferItem } from './transfer-hooks';

/** One piece of an item in an export. A hook may give all of its bytes at once. */
const PIECE_BYTES = 1024 * 1024;

/** The sections of all that a hook keeps for a tenant, and at the end their number. */
export async function* itemsOut(
  writer: ExportWriter,
  hook: TenantTransferHook,
  tenant: Tenant,
): AsyncGenerator<Buffer, ItemCount> {
  let [items, bytes] = [0, 0];
  yield writer.json('P', { name: hook.transferName });
  for await (const { about, body } of hook.exportItems(tenant)) {
    yield head(writer, hook, about);
    for await (const piece of body ?? []) {
      bytes += piece.byteLength;
      for (let at = 0; at < piece.byteLength; at += PIECE_BYTES)
        yield writer.section('B', asBuffer(piece.subarray(at, at + PIECE_BYTES)));
    }
    items += 1;
  }
  yield writer.json('Q', { items, bytes });
  return { items, bytes };
}

function head(writer: ExportWriter, hook: TenantTransferHook, about: TransferItem['about']): Buffer {
  const json = Buffer.from(JSON.stringify({ about }));
  if (json.length <= MAX_PAYLOAD_BYTES.I) return writer.section('I', json);
  throw new RangeError(
    `What "${hook.transferName}" says about an item has ${json.length} bytes: put into its body what is long.`,
  );
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Gives the items of that name to the hook, or to nobody. All of them are read, so that the seal at the end fits. */
export async function itemsIn(
  reader: ExportReader,
  name: string,
  tenant: Tenant,
  hook: TenantTransferHook | undefined,
): Promise<ItemCount> {
  const items = reader.items(name);
  let count: ItemCount | undefined;
  const next = async () => {
    if (count) return { done: true as const, value: undefined };
    const found = await items.next();
    if (!found.done) return found;
    count = found.value;
    return { done: true as const, value: undefined };
  };
  // Without `return()`, so that a hook that stops early does not end the reading.
  await hook?.importItems(tenant, { [Symbol.asyncIterator]: () => ({ next }) });
  while (!(await next()).done);
  return count!;
}
