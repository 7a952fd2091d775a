const RESOURCE = '[a-z][a-z0-9_.-]*';
const MAX_SCOPE_LENGTH = 100;
const SCOPE = new RegExp(`^${RESOURCE}:(?:${RESOURCE}|\\*)$`);

/** Whether a text is a scope that can be granted: `orders:read`, or `orders:*` for all that can be done to orders. */
export function isScope(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_SCOPE_LENGTH && SCOPE.test(text);
}

/** What the role of an owner grants: everything. Keys cannot have it, and in a token it counts for nothing. */
export const ALL_SCOPES = '*';

/**
 * Whether someone who was granted some scopes may do what `wanted` says. `orders:*` grants itself and all of orders, `*`
 * grants everything.
 */
export function grants(granted: readonly string[], wanted: string): boolean {
  const all = `${wanted.slice(0, wanted.indexOf(':') + 1)}*`;
  return granted.some((scope) => scope === wanted || scope === all || scope === ALL_SCOPES);
}

/** What both lists grant. */
export function commonScopes(one: readonly string[], other: readonly string[]): string[] {
  const common = [
    ...one.filter((scope) => grants(other, scope)),
    ...other.filter((scope) => grants(one, scope)),
  ];
  return [...new Set(common)].sort();
}

/** The first of the wanted scopes that was not granted. */
export function missingScope(granted: readonly string[], wanted: readonly string[]): string | undefined {
  return wanted.find((scope) => !grants(granted, scope));
}
