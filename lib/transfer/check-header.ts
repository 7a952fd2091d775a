import { TENANT_STATUSES } from '../registry/tenant';
import type { ExportHeader } from './export-format';
import { isTransferName } from './transfer-hooks';
import { ExportFileError } from './transfer.errors';

type Shape = (value: unknown) => boolean;

const isText: Shape = (value) => typeof value === 'string';
const isObject: Shape = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isListOf =
  (shape: Shape): Shape =>
  (value) =>
    Array.isArray(value) && value.every(shape);
const has =
  (shapes: Readonly<Record<string, Shape>>): Shape =>
  (value) =>
    isObject(value) &&
    Object.entries(shapes).every(([name, shape]) => shape((value as Record<string, unknown>)[name]));

const HEADER = has({
  seal: (value) => value === 'sha256' || value === 'hmac-sha256',
  exportedAt: isText,
  postgres: (value) => Number.isSafeInteger(value),
  tenant: has({
    id: isText,
    slug: isText,
    name: isText,
    status: (value) => (TENANT_STATUSES as readonly unknown[]).includes(value),
    statusReason: (value) => value === null || isText(value),
    domains: isListOf(isText),
    metadata: isObject,
  }),
  migrations: isListOf(
    has({
      name: isText,
      timestamp: (value) => Number.isSafeInteger(value),
      checksum: (value) => value === null || isText(value),
    }),
  ),
  fingerprint: isText,
  objects: isListOf(isText),
  statements: isListOf(isText),
  rowsAt: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  tables: isListOf(has({ name: isText, columns: isListOf(isText) })),
  items: (value) => value === undefined || (isListOf(isTransferName)(value) && hasNoTwins(value as string[])),
});

function hasNoTwins(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}

/** The header, if it has the right form. Its seal is not checked here. @throws ExportFileError when it has not */
export function checkHeader(value: unknown): ExportHeader {
  if (!HEADER(value)) throw new ExportFileError('it is damaged: its header does not have the expected form.');
  return value as ExportHeader;
}
