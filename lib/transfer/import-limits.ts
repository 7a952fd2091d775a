import { ExportFileError } from './transfer.errors';

/**
 * How much an import accepts of a file, because gzip can turn a megabyte into a gigabyte. Each is a whole number above
 * 0.
 */
export interface ImportLimits {
  /** Bytes of the unzipped file. Default: 64 GiB. */
  readonly maxBytes?: number;
  /**
   * Bytes of the header, which contains the DDL and is held in memory. Default: 64 MiB; with 10,000 tables it has some
   * megabytes.
   */
  readonly maxHeaderBytes?: number;
  /** Values in the header: names of columns, statements and so on. Default: 2,000,000, which take about 200 MB. */
  readonly maxHeaderValues?: number;
}

const DEFAULTS: Required<ImportLimits> = {
  maxBytes: 64 * 1024 ** 3,
  maxHeaderBytes: 64 * 1024 ** 2,
  maxHeaderValues: 2_000_000,
};

/** Deeper than a tenant's metadata may be. */
const MAX_DEPTH = 100;

const [QUOTE, BACKSLASH, COMMA] = Buffer.from('"\\,');
const OPENING: ReadonlySet<number> = new Set(Buffer.from('[{'));
const CLOSING: ReadonlySet<number> = new Set(Buffer.from(']}'));

/**
 * The limits, with defaults for missing ones. @throws RangeError for an unknown limit, and unless it is a whole number
 * above 0
 */
export function toLimits(limits: ImportLimits = {}): Required<ImportLimits> {
  const given = Object.entries(limits).filter(([, value]) => value !== undefined) as [string, unknown][];
  for (const [name, value] of given) {
    if (!Object.hasOwn(DEFAULTS, name)) throw new RangeError(`An import has no limit "${name}".`);
    if (!Number.isSafeInteger(value) || (value as number) < 1)
      throw new RangeError(`limits.${name} must be a whole number above 0.`);
  }
  return { ...DEFAULTS, ...(Object.fromEntries(given) as ImportLimits) };
}

/**
 * Parses JSON, after its values were counted. @throws ExportFileError when it has too many values or cannot be parsed
 */
export function parseWithin(json: Buffer, maxValues: number): unknown {
  requireFew(json, maxValues);
  try {
    return JSON.parse(json.toString('utf8'));
  } catch (error) {
    throw new ExportFileError('it is damaged.', { cause: error });
  }
}

/** A comma or a bracket comes before each value. Malformed JSON may be counted wrongly; parsing it fails anyway. */
function requireFew(json: Buffer, maxValues: number): void {
  let values = 1;
  let depth = 0;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfString(json, at + 1);
    else if (byte === COMMA) values += 1;
    else if (CLOSING.has(byte)) depth -= 1;
    else if (OPENING.has(byte)) {
      values += 1;
      depth += 1;
    }
    if (values > maxValues)
      throw new ExportFileError(`its header has more than ${maxValues} values (limits.maxHeaderValues).`);
    if (depth > MAX_DEPTH) throw new ExportFileError('it is damaged: its header is nested too deep.');
  }
}

function endOfString(json: Buffer, from: number): number {
  let at = from;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at;
}
