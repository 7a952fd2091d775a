/**
 * What a terminal obeys instead of showing it: control characters, whose sequences move the cursor, change the title or
 * answer as if somebody typed, and those that turn the direction of text, so that it reads otherwise than it is.
 */
const OBEYED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const OBEYED_WITHIN_LINES = /(?![\n\t])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** A text of one line as it can be shown, whoever wrote it. */
export function printable(text: string): string {
  return text.replaceAll(OBEYED, escapeOf);
}

/** The same for a text of several lines. In a JSON document it changes no value: strings have such escapes. */
export function printableLines(text: string): string {
  return text.replaceAll(OBEYED_WITHIN_LINES, escapeOf);
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
