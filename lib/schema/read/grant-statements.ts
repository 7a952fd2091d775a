/** One privilege of one role. */
export interface Grant {
  /** A quoted role, or PUBLIC. */
  readonly to: string;
  readonly privilege: string;
  /** WITH GRANT OPTION. */
  readonly grantable: boolean;
}

export interface GrantTarget {
  /** `TABLE`, `FUNCTION`, …; of default privileges `TABLES`, …. */
  readonly kind: string;
  /** Quoted, with a function's arguments; undefined where the kind says it all. */
  readonly name?: string;
  /** Quoted, for grants on a column of the table. */
  readonly column?: string;
  readonly wanted: readonly Grant[];
  /** What is there without doing anything. */
  readonly usual: readonly Grant[];
}

/** A statement without the objects that it is about. */
interface Frame {
  /** `GRANT SELECT, INSERT`. */
  readonly head: string;
  /** `TO reader`. */
  readonly tail: string;
}

/**
 * `GRANT` and `REVOKE` that lead from the usual to what is wanted. Objects to which the same happens share statements;
 * each object sees the roles in the order in which PostgreSQL keeps them.
 */
export function grantStatements(targets: readonly GrantTarget[]): string[] {
  const groups = new Map<string, { kind: string; frames: Frame[]; names: string[] }>();
  for (const target of targets) {
    const frames = [...revocations(target), ...additions(target)];
    const key = JSON.stringify([target.kind, frames]);
    const group = groups.get(key) ?? { kind: target.kind, frames, names: [] };
    if (target.name !== undefined) group.names.push(target.name);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap(({ kind, frames, names }) =>
    frames.map(({ head, tail }) => [head, 'ON', kind, names.join(', '), tail].filter(Boolean).join(' ')),
  );
}

function revocations({ wanted, usual, column }: GrantTarget): Frame[] {
  const kept = (grant: Grant) => wanted.find((other) => isSame(grant, other));
  const gone = usual.filter((grant) => kept(grant) === undefined);
  const narrowed = usual.filter((grant) => grant.grantable && kept(grant)?.grantable === false);
  return rolesOf([...gone, ...narrowed]).flatMap((role) => [
    ...frame('REVOKE', gone, role, column, 'FROM'),
    ...frame('REVOKE GRANT OPTION FOR', narrowed, role, column, 'FROM'),
  ]);
}

function additions({ wanted, usual, column }: GrantTarget): Frame[] {
  const missing = wanted.filter(
    (grant) => !usual.some((other) => isSame(grant, other) && (other.grantable || !grant.grantable)),
  );
  const plain = missing.filter(({ grantable }) => !grantable);
  const grantable = missing.filter((grant) => grant.grantable);
  return rolesOf(missing).flatMap((role) => [
    ...frame('GRANT', plain, role, column, 'TO'),
    ...frame('GRANT', grantable, role, column, 'TO', ' WITH GRANT OPTION'),
  ]);
}

function isSame(one: Grant, other: Grant): boolean {
  return one.to === other.to && one.privilege === other.privilege;
}

function rolesOf(grants: readonly Grant[]): string[] {
  return [...new Set(grants.map(({ to }) => to))];
}

function frame(
  verb: string,
  grants: readonly Grant[],
  role: string,
  column: string | undefined,
  preposition: 'TO' | 'FROM',
  suffix = '',
): Frame[] {
  const privileges = grants
    .filter(({ to }) => to === role)
    .map(({ privilege }) => (column === undefined ? privilege : `${privilege} (${column})`));
  if (privileges.length === 0) return [];
  return [{ head: `${verb} ${privileges.join(', ')}`, tail: `${preposition} ${role}${suffix}` }];
}
