import type { Type } from '@nestjs/common';
import type { FieldError } from '../tenancy.errors';
import { isPlainObject, showShape } from './kinds';
import { declarationOf, type DeclaredOption, type Environment } from './option.decorator';
import { unknownNames } from './unknown-names';

interface Reading {
  readonly environment: Environment;
  /** The name of the group, and a dot. */
  readonly path: string;
  /** What variables say that cannot be used. They are told of first: what they say is the reason for the rest. */
  readonly ofVariables: FieldError[];
  readonly problems: FieldError[];
}

/** Options that a module is given where it is imported, beside a factory of the others: they say what it consists of. */
export interface Extras {
  readonly declared: Type<object>;
  readonly given: unknown;
}

/**
 * The options with defaults, and with what variables say where the code is silent.
 *
 * @throws `Refusal` with everything that is wrong
 */
export function checkOptions<Options extends object>(
  declared: Type<Options>,
  given: unknown,
  Refusal: new (problems: readonly FieldError[]) => Error,
  extras?: Extras,
): Options {
  const ofModule = given ?? {};
  if (!extras || !isPlainObject(ofModule)) return checkAll([declared], ofModule, Refusal) as Options;
  const late = optionNames(extras.declared).filter((name) => Object.hasOwn(ofModule, name));
  const problems = late.map((name) => ({
    field: name,
    message: 'is given too late, by a factory: give it beside imports, inject and useFactory',
  }));
  const together = { ...ofModule, ...(extras.given as object) };
  return checkAll([declared, extras.declared], together, Refusal, process.env, problems) as Options;
}

/** The same for options that several classes declare together. */
export function checkAll(
  declared: readonly Type<object>[],
  given: unknown,
  Refusal: new (problems: readonly FieldError[]) => Error,
  environment: Environment = process.env,
  known: readonly FieldError[] = [],
): object {
  const reading: Reading = { environment, path: '', ofVariables: [], problems: [...known] };
  const options = isPlainObject(given)
    ? read(declared, given, reading)
    : refuse(reading, 'options', `is ${showShape(given)}: give an object`);
  const problems = [...reading.ofVariables, ...reading.problems];
  if (problems.length > 0) throw new Refusal(problems);
  return options as object;
}

/** The same for the options of a function, which reads no variables. @throws TypeError */
export function checkArguments<Options extends object>(
  caller: string,
  declared: Type<Options>,
  given: unknown,
): Options {
  class Refusal extends TypeError {
    constructor(problems: readonly FieldError[]) {
      super(`${caller} cannot work:\n${sentences(problems)}`);
      this.name = 'TypeError';
    }
  }
  return checkAll([declared], given ?? {}, Refusal, {}) as Options;
}

/** What is wrong with options that stand under a name that users choose, such as that of a plan. */
export function problemsOf(declared: Type<object>, given: unknown, path: string): FieldError[] {
  if (isSound(declared, given)) return [];
  if (!isPlainObject(given)) {
    const names = optionNames(declared).join(', ');
    return [{ field: path, message: `is ${showShape(given)}: give { ${names} }` }];
  }
  const reading: Reading = { environment: {}, path: `${path}.`, ofVariables: [], problems: [] };
  read([declared], given, reading);
  return reading.problems;
}

/** Whether nothing is wrong, for what is asked with every request: it only says yes where that is plain. */
function isSound(declared: Type<object>, given: unknown): boolean {
  if (!isPlainObject(given)) return false;
  const { options, rule } = declarationOf(declared);
  if (rule || Object.keys(given).some((name) => !options.has(name))) return false;
  for (const [name, { kind, required }] of options) {
    const value = given[name];
    const isPlain = value === undefined ? !required : !kind.group && !kind.inside && kind.accepts(value);
    if (!isPlain) return false;
  }
  return true;
}

/** Problems as a message shows them. */
export function sentences(problems: readonly FieldError[]): string {
  return problems.map(({ field, message }) => `- ${field} ${message}`).join('\n');
}

/** The names of the options that a class declares. */
export function optionNames<Options extends object>(declared: Type<Options>): (keyof Options & string)[] {
  return [...declarationOf(declared).options.keys()] as (keyof Options & string)[];
}

function read(
  declared: readonly Type<object>[],
  given: Readonly<Record<string, unknown>>,
  reading: Reading,
): object {
  const declarations = declared.map(declarationOf);
  reading.problems.push(
    ...unknownNames(
      given,
      declarations.flatMap(({ options }) => [...options.keys()]),
      reading.path,
      Object.assign({}, ...declarations.map(({ refused }) => refused)) as Record<string, string>,
    ),
  );
  const options = Object.assign({}, ...declared.map((each) => new each())) as Record<string, unknown>;
  let isWhole = true;
  for (const declaration of declarations)
    for (const [name, option] of declaration.options) {
      const value = readOption(name, option, given, options, reading);
      if (value === MISSHAPEN) isWhole = false;
      else options[name] = value;
    }
  // Nothing can be said of options that are not there.
  if (isWhole)
    for (const { rule } of declarations)
      for (const problem of rule?.(options as never, given, reading.environment) ?? [])
        if (problem) refuse(reading, problem.field, problem.message);
  return options;
}

/** A group that is none. */
const MISSHAPEN = Symbol('MISSHAPEN');

function readOption(
  name: string,
  option: DeclaredOption,
  given: Readonly<Record<string, unknown>>,
  options: Readonly<Record<string, unknown>>,
  reading: Reading,
): unknown {
  const { kind, required, unless, variable, defaultOf } = option;
  const standard = options[name];
  if (kind.group) return readGroup(name, option, given[name], standard, reading);
  const silent = given[name] === undefined || (given[name] === null && variable !== undefined);
  const isAsked = silent && (unless === undefined || given[unless] === undefined);
  const said = silent ? (isAsked ? readVariable(option, reading) : undefined) : given[name];
  if (said === undefined) {
    if (required && standard === undefined) refuse(reading, name, `is missing: ${kind.remedy}`);
    return defaultOf ? defaultOf(options as never) : standard;
  }
  if (!kind.accepts(said)) refuse(reading, name, `is ${kind.show(said)}: ${kind.remedy}`);
  else reading.problems.push(...(kind.inside?.(said, `${reading.path}${name}`) ?? []));
  return said;
}

function readGroup(
  name: string,
  { kind }: DeclaredOption,
  given: unknown,
  standard: unknown,
  reading: Reading,
): unknown {
  const declared = kind.group as Type<object>;
  const environment = kind.variables === false ? {} : reading.environment;
  const within = { ...reading, environment, path: `${reading.path}${name}.` };
  // Not asked for, and nothing is made of it.
  if (given === undefined && standard === undefined) return undefined;
  if (kind.orFunction && typeof given === 'function') return completed(given as Give, declared, within);
  if (given === undefined || isPlainObject(given)) return read([declared], given ?? {}, within);
  refuse(reading, name, `is ${kind.show(given)}: ${kind.remedy}`);
  return MISSHAPEN;
}

type Give = (...args: unknown[]) => object | undefined;

/** What the function leaves out is as the variables say. */
function completed(give: Give, declared: Type<object>, reading: Reading): Give {
  const standard = read([declared], {}, reading);
  return (...args) => {
    const said = Object.entries(give(...args) ?? {}).filter(
      ([, value]) => (value ?? undefined) !== undefined,
    );
    return { ...standard, ...Object.fromEntries(said) };
  };
}

function readVariable({ kind, variable = [] }: DeclaredOption, reading: Reading): unknown {
  for (const name of typeof variable === 'string' ? [variable] : variable) {
    const text = reading.environment[name];
    // An empty one is as good as unset.
    if (!text) continue;
    const value = kind.read?.(text);
    if (value !== undefined) return value;
    reading.ofVariables.push({
      field: name,
      message: `is ${kind.show(text)}: ${kind.textRemedy ?? kind.remedy}`,
    });
    return undefined;
  }
  return undefined;
}

function refuse({ path, problems }: Reading, field: string, message: string): undefined {
  problems.push({ field: `${path}${field}`, message });
}
