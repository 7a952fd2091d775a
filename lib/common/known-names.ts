/** Every option that there is, and no other: the compiler sees to it. */
export type Names<Options> = Readonly<Record<keyof Options, true>>;

/**
 * What is given under names that no option has, and of each what to say. Ignored, it would leave its user with the default.
 *
 * @param group the name of what they are options of, and a dot
 */
export function unknownNames(
  given: unknown,
  known: Names<object>,
  group = '',
): { name: string; problem: string }[] {
  if (typeof given !== 'object' || given === null) return [];
  // Values are not shown: one that is misplaced may be a password.
  return Object.entries(given)
    .filter(([name, value]) => value !== undefined && !Object.hasOwn(known, name))
    .map(([name]) => ({
      name: `${group}${name}`,
      problem: `is no option: ${remedy(name, Object.keys(known))}`,
    }));
}

/** The same as sentences. */
export function unknownOptions(given: unknown, known: Names<object>, group?: string): string[] {
  return unknownNames(given, known, group).map(({ name, problem }) => `${name} ${problem}`);
}

/** The same for a function's options. @throws TypeError that names what is unknown */
export function requireKnown(caller: string, given: unknown, known: Names<object>): void {
  const [unknown] = unknownOptions(given, known);
  if (unknown !== undefined) throw new TypeError(`${caller}: ${unknown}`);
}

function remedy(name: string, known: readonly string[]): string {
  const meant = closest(name, known);
  return `${meant === undefined ? '' : `did you mean ${meant}? If not, `}leave it out, or say one of ${known.join(' ')}`;
}

/** The name that differs the least, by a third of its letters at most. */
function closest(name: string, known: readonly string[]): string | undefined {
  const distances = known.map((each) => [distance(name.toLowerCase(), each.toLowerCase()), each] as const);
  const [best] = distances.sort(([a], [b]) => a - b);
  return best && best[0] <= Math.ceil(best[1].length / 3) ? best[1] : undefined;
}

/** How many letters must be put in, taken out or changed to make one of the other (Levenshtein). */
function distance(from: string, to: string): number {
  // Nobody types a name of that length by mistake, and the work grows with both lengths.
  if (from.length > 50) return Infinity;
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...to].entries())
      next.push(Math.min(next[j] + 1, row[j + 1] + 1, row[j] + (letter === other ? 0 : 1)));
    row = next;
  }
  return row[to.length];
}
