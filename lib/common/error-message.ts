/** What an error says. Strangers throw anything, also what cannot be made a text. */
export function messageOf(error: unknown): string {
  try {
    const said: unknown = error instanceof Error ? error.message : error;
    return String(said);
  } catch {
    return 'It has no text.';
  }
}

/** The same with what its cause says, where that is more. */
export function messageWithCause(error: unknown): string {
  const message = messageOf(error);
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error)) return message;
  // Where a host has several addresses and none answers, Node's error has a code and no text.
  const said = cause.message || String((cause as NodeJS.ErrnoException).code ?? '');
  return message.includes(said) ? message : `${message} ${said}`;
}
