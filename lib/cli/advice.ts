/** What to do on the command line about an error whose message is written for code or for callers over HTTP. */
const ADVICE: Readonly<Record<string, string>> = {
  TENANT_NOT_FOUND: 'To see the tenants: tenancy tenant list',
  TENANT_SLUG_TAKEN:
    'To see which tenant has it: tenancy tenant show, with the slug. A deleted tenant keeps its slug until it is purged.',
  SCHEMA_DIFFERS: 'On the command line: --force.',
  MIGRATION_RUN_ACTIVE: 'On the command line: --wait.',
  MIGRATION_UNFINISHED: 'On the command line: tenancy migrate resolve, with --as done or --as rerun.',
  TEMPLATE_UNFINISHED: 'On the command line: tenancy migrate resolve, with --as done or --as rerun.',
  TEMPLATE_BEHIND: 'On the command line: tenancy migrate up.',
  UNKNOWN_MIGRATION: 'To see the migrations: tenancy migrate status',
  PURGE_FAILED: 'On the command line: tenancy tenant purge, again.',
  TENANCY_UNAVAILABLE: 'To find the cause: tenancy doctor',
};

/** A line of advice for the user; `undefined` when the error's message is enough. */
export function adviceFor(code: string): string | undefined {
  return ADVICE[code];
}
