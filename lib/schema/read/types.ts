import type { Step } from '../clone-order';
import { readAggregates } from './aggregates';
import { readCasts } from './casts';
import { readCollations } from './collations';
import { readComposites } from './composites';
import { readConversions } from './conversions';
import { readDomains } from './domains';
import { readEnums } from './enums';
import { readFunctions } from './functions';
import { readOperatorClasses } from './operator-classes';
import { readOperators } from './operators';
import { readRanges } from './ranges';
import type { SchemaSource } from './source';
import { readTextSearch } from './text-search';

/** Types, routines, and what gives types their meaning: everything except relations. */
export async function readTypesAndRoutines(source: SchemaSource): Promise<Step[]> {
  const functions = await readFunctions(source);
  const casts = await readCasts(source);
  return [
    ...(await readCollations(source)),
    ...(await readEnums(source)),
    ...(await readComposites(source)),
    ...(await readDomains(source)),
    ...(await readRanges(source)),
    ...withCasts(source, functions, casts),
    ...(await readAggregates(source)),
    ...(await readOperators(source)),
    ...(await readOperatorClasses(source)),
    ...(await readConversions(source)),
    ...(await readTextSearch(source)),
  ];
}

/**
 * A cast by a function of the schema is made in the step of that function. An expression that casts depends on the
 * function, not on the cast, and PostgreSQL can only parse it when both exist.
 */
function withCasts({ objects }: SchemaSource, functions: readonly Step[], casts: readonly Step[]): Step[] {
  const merged = new Set<Step>();
  const castsOf = ({ creates }: Step): Step[] =>
    casts.filter((cast) =>
      cast.creates.some((key) => objects.referencesOf(key).some((reference) => creates.includes(reference))),
    );
  const together = functions.map((step) => {
    const own = castsOf(step);
    own.forEach((cast) => merged.add(cast));
    return {
      ...step,
      creates: [step, ...own].flatMap(({ creates }) => creates),
      statements: [step, ...own].flatMap(({ statements }) => statements),
    };
  });
  return [...together, ...casts.filter((cast) => !merged.has(cast))];
}
