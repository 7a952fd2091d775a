/** What to do about an error, for those whose messages speak to callers in code, or to strangers. */
const ADVICE: Readonly<Record<string, string>> = {
  TENANT_NOT_FOUND: 'Those that there are: tenancy tenant list',
  TENANT_SLUG_TAKEN:
    'Whose it is: tenancy tenant show, with the slug. A deleted tenant keeps its own until it is purged.',
  SCHEMA_DIFFERS: 'On the command line: --force.',
  MIGRATION_RUN_ACTIVE: 'On the command line: --wait.',
  MIGRATION_UNFINISHED: 'On the command line: tenancy migrate resolve, with --as done or --as rerun.',
  TEMPLATE_UNFINISHED: 'On the command line: tenancy migrate resolve, with --as done or --as rerun.',
  TEMPLATE_BEHIND: 'On the command line: tenancy migrate up.',
  UNKNOWN_MIGRATION: 'Those that there are: tenancy migrate status',
  PURGE_FAILED: 'On the command line: tenancy tenant purge, again.',
  TENANCY_UNAVAILABLE: 'What is wrong: tenancy doctor',
};

/** A line for whoever sits at the terminal; `undefined` when the error says it all. */
export function adviceFor(code: string): string | undefined {
  return ADVICE[code];
}
