import type { FieldError } from '../tenancy.errors';

/**
 * What is given under names that no option has, and of each what to say. Ignored, it would leave its user with the default.
 * Values are not shown: one that is misplaced may be a password.
 *
 * @param path the name of what they are options of, and a dot
 * @param reasons of those that are refused for one, the end of the sentence `it …`
 */
export function unknownNames(
  given: object,
  known: readonly string[],
  path = '',
  reasons: Readonly<Record<string, string>> = {},
): FieldError[] {
  return Object.entries(given)
    .filter(([name, value]) => value !== undefined && !known.includes(name))
    .filter(([name, value]) => !(Object.hasOwn(reasons, name) && value === false))
    .map(([name]) => ({
      field: `${path}${name}`,
      message: Object.hasOwn(reasons, name)
        ? `must not be set: it ${reasons[name]}`
        : `is no option: ${remedy(name, known)}`,
    }));
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
