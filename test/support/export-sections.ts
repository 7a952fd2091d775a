import { gunzipSync, gzipSync } from 'node:zlib';
import type { SectionType } from '../../lib/transfer/export-format';
import { ExportWriter } from '../../lib/transfer/export-writer';

export interface Section {
  readonly type: SectionType;
  readonly payload: Buffer;
}

/** What is in an export without a key, behind its first line. */
export function sectionsOf(file: Buffer): Section[] {
  const plain = gunzipSync(file);
  const sections: Section[] = [];
  for (let at = plain.indexOf('\n') + 1; at < plain.length;) {
    const end = at + 5 + plain.readUInt32BE(at + 1);
    const type = plain.toString('latin1', at, at + 1) as SectionType;
    sections.push({ type, payload: plain.subarray(at + 5, end) });
    at = end;
  }
  return sections;
}

export function json(type: SectionType, value: unknown): Section {
  return { type, payload: Buffer.from(JSON.stringify(value)) };
}

/** An export of these sections, with seals that fit, as a forger would make it. */
export function sealed(sections: readonly Section[]): Buffer {
  const writer = new ExportWriter();
  const begin = writer.begin({ hasItems: true });
  const all = sections.map(({ type, payload }) =>
    type === 'S' ? writer.seal() : writer.section(type, payload),
  );
  return gzipSync(Buffer.concat([begin, ...all]));
}
