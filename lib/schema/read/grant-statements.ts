/** One privilege of one role. */
export interface Grant {
  /** A quoted role, or PUBLIC. */
  readonly to: string;
  readonly privilege: string;
  /** WITH GRANT OPTION. */
  readonly grantable: boolean;
}

export interface GrantTarget {
  /** `TABLE`, `FUNCTION`, …; for default privileges `TABLES`, …. */
  readonly kind: string;
  /** Quoted, for a function with its arguments; undefined where `kind` alone is enough. */
  readonly name?: string;
  /** Quoted, for grants on a column of the table. */
  readonly column?: string;
  readonly wanted: readonly Grant[];
  /** The grants that a new object has by itself. */
  readonly usual: readonly Grant[];
}

/** A `GRANT` or `REVOKE` without the objects that it is about. */
interface Command {
  /** `GRANT SELECT, INSERT`. */
  readonly head: string;
  /** `TO reader`. */
  readonly tail: string;
}

/**
 * The `GRANT` and `REVOKE` that lead from the usual grants to the wanted ones. Objects that need the same commands
 * share a statement. Each object gets its roles in the order in which PostgreSQL keeps them.
 */
export function grantStatements(targets: readonly GrantTarget[]): string[] {
  const groups = new Map<string, { kind: string; commands: Command[]; names: string[] }>();
  for (const target of targets) {
    const commands = [...revocations(target), ...additions(target)];
    const key = JSON.stringify([target.kind, commands]);
    const group = groups.get(key) ?? { kind: target.kind, commands, names: [] };
    if (target.name !== undefined) group.names.push(target.name);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap(({ kind, commands, names }) =>
    commands.map(({ head, tail }) => [head, 'ON', kind, names.join(', '), tail].filter(Boolean).join(' ')),
  );
}

function revocations({ wanted, usual, column }: GrantTarget): Command[] {
  const kept = (grant: Grant) => wanted.find((other) => isSame(grant, other));
  const gone = usual.filter((grant) => kept(grant) === undefined);
  const narrowed = usual.filter((grant) => grant.grantable && kept(grant)?.grantable === false);
  return rolesOf([...gone, ...narrowed]).flatMap((role) => [
    ...command('REVOKE', gone, role, column, 'FROM'),
    ...command('REVOKE GRANT OPTION FOR', narrowed, role, column, 'FROM'),
  ]);
}

function additions({ wanted, usual, column }: GrantTarget): Command[] {
  const missing = wanted.filter(
    (grant) => !usual.some((other) => isSame(grant, other) && (other.grantable || !grant.grantable)),
  );
  const plain = missing.filter(({ grantable }) => !grantable);
  const grantable = missing.filter((grant) => grant.grantable);
  return rolesOf(missing).flatMap((role) => [
    ...command('GRANT', plain, role, column, 'TO'),
    ...command('GRANT', grantable, role, column, 'TO', ' WITH GRANT OPTION'),
  ]);
}

function isSame(one: Grant, other: Grant): boolean {
  return one.to === other.to && one.privilege === other.privilege;
}

function rolesOf(grants: readonly Grant[]): string[] {
  return [...new Set(grants.map(({ to }) => to))];
}

function command(
  verb: string,
  grants: readonly Grant[],
  role: string,
  column: string | undefined,
  preposition: 'TO' | 'FROM',
  suffix = '',
): Command[] {
  const privileges = grants
    .filter(({ to }) => to === role)
    .map(({ privilege }) => (column === undefined ? privilege : `${privilege} (${column})`));
  if (privileges.length === 0) return [];
  return [{ head: `${verb} ${privileges.join(', ')}`, tail: `${preposition} ${role}${suffix}` }];
}
