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
  return cause instanceof Error && !message.includes(cause.message) ? `${message} ${cause.message}` : message;
}
