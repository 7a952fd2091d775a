const AT_START = String.raw`(?:^|;)(?:\s|--[^\n]*\n|/\*[\s\S]*?\*/)*`;

/**
 * A part of an argument that is surely one: what may hide a parenthesis (an escape, a comment, a dollar quote, a quoted
 * name) is none.
 */
const PART = String.raw`(?:'[^'\\]*'|\$\d+|[^()'"$\\/-])`;

const LEAVES_STATE = new RegExp(
  [
    // SET LOCAL, SET TRANSACTION and SET CONSTRAINTS end with the transaction; `UPDATE … SET` is not at the start.
    String.raw`${AT_START}(?:set\s+(?!local\b|transaction\b|constraints\b)|reset\b|discard\b|deallocate\b|listen\b|load\b|prepare\s+(?!transaction\b))`,
    // Its last argument says whether it ends with the transaction; others may be calls.
    String.raw`\bset_config\s*\((?!(?:${PART}|\(${PART}*\))*,\s*true\s*\))`,
    String.raw`\bwith\s+hold\b`,
    String.raw`\b(?:create|into)\s+(?:or\s+replace\s+)?(?:(?:local|global)\s+)?temp(?:orary)?\b`,
    String.raw`\bpg_temp\s*\.`,
    String.raw`\bpg_(?:try_)?advisory_lock(?:_shared)?\s*\(`,
  ].join('|'),
  'i',
);

/**
 * Whether a statement may leave something in the session that outlives its transaction: a setting, a temporary table, a
 * prepared statement, a held cursor, a subscription, a lock. Reads the text only, and would rather say yes: a
 * connection destroyed for nothing costs milliseconds.
 */
export function leavesSessionState(text: string): boolean {
  return LEAVES_STATE.test(text);
}
