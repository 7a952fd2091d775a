import { SECTION_HEAD_BYTES, type SectionType, MAGIC, MAGIC_WITH_ITEMS, RunningSeal } from './export-format';

/** Makes the bytes of an export, section by section. */
export class ExportWriter {
  readonly #seal = new RunningSeal();

  begin({ hasItems }: { readonly hasItems: boolean }): Buffer {
    const magic = hasItems ? MAGIC_WITH_ITEMS : MAGIC;
    this.#seal.add(magic);
    return magic;
  }

  json(type: SectionType, value: unknown): Buffer {
    return this.section(type, Buffer.from(JSON.stringify(value)));
  }

  section(type: SectionType, payload: Buffer): Buffer {
    const bytes = toSection(type, payload);
    this.#seal.add(bytes);
    return bytes;
  }

  /** Sections of rows, and at the end the result of `pieces`. */
  async *pieces<Result>(pieces: AsyncGenerator<Buffer, Result>): AsyncGenerator<Buffer, Result> {
    try {
      for (;;) {
        const next = await pieces.next();
        if (next.done) return next.value;
        yield this.section('R', next.value);
      }
    } finally {
      // When the consumer stops early, this stops the source of the rows, too.
      await pieces.return(undefined as Result);
    }
  }

  seal(): Buffer {
    return toSection('S', this.#seal.now());
  }
}

export function toSection(type: SectionType, payload: Buffer): Buffer {
  const section = Buffer.allocUnsafe(SECTION_HEAD_BYTES + payload.length);
  section.write(type, 0, 'latin1');
  section.writeUInt32BE(payload.length, 1);
  payload.copy(section, SECTION_HEAD_BYTES);
  return section;
}
