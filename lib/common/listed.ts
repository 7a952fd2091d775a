/** Names for a sentence: at most `most` of them, and how many more there are. */
export function listed(names: readonly string[], most = 10): string {
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
