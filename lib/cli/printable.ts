/**
 * Characters that a terminal interprets instead of printing: control characters, whose sequences move the cursor,
 * change the title or answer as if the user typed, and those that change the direction of text, so that it reads
 * differently than it is.
 */
const OBEYED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const OBEYED_WITHIN_LINES = /(?![\n\t])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** A text on one line that can be printed safely, whoever wrote it. */
export function printable(text: string): string {
  return text.replaceAll(OBEYED, escapeOf);
}

/**
 * The same for a text of several lines. It changes no value in a JSON document, where strings have these characters
 * escaped.
 */
export function printableLines(text: string): string {
  return text.replaceAll(OBEYED_WITHIN_LINES, escapeOf);
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
