const WORD = '[a-z0-9]+(?:-[a-z0-9]+)*';
const PATTERN = new RegExp(`^(?:\\*|${WORD}(?:\\.${WORD})*(?:\\.\\*)?)$`);
const MAX_LENGTH = 100;

/** How many of them a list may have. */
export const MAX_PATTERNS = 50;

export const PATTERN_RULE =
  'a type such as order.shipped, or order.* for all that happens to orders, in lower case';

/** Whether a text names a type of events, or all types that begin alike: `order.shipped`, `order.*`, `*`. */
export function isTypePattern(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_LENGTH && PATTERN.test(text);
}

export function isTypePatterns(list: unknown): list is readonly string[] {
  return Array.isArray(list) && list.length <= MAX_PATTERNS && list.every(isTypePattern);
}

/** Whether a type is one of those. No patterns let every type through. */
export function matchesType(type: string, patterns: readonly string[]): boolean {
  if (patterns.length === 0) return true;
  return patterns.some((each) => (each.endsWith('*') ? type.startsWith(each.slice(0, -1)) : type === each));
}

/** The same as PostgreSQL's LIKE has it: patterns have no `%`, no `_` and no backslash in them. */
export function likePatterns(patterns: readonly string[]): string[] {
  return patterns.length === 0 ? ['%'] : patterns.map((each) => each.replace('*', '%'));
}
