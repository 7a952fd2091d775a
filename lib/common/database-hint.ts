/** The message of an error, with what PostgreSQL advises, if it does. */
export function withHint(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint: unknown = 'hint' in error ? error.hint : undefined;
  return typeof hint === 'string' && hint !== ''
    ? `${error.message.replace(/\.?$/, '.')} ${hint}`
    : error.message;
}
