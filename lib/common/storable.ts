/** Without what PostgreSQL keeps in no text, NUL, and in no JSON, half of a character: U+FFFD takes the place of each. */
export function storableText(text: string): string {
  return text.replace(/\0|\p{Surrogate}/gu, '\uFFFD');
}

/** JSON whose texts PostgreSQL can keep, whatever they were. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'string' ? storableText(each) : each,
  );
}
