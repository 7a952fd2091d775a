import type { Type } from '@nestjs/common';
import type { FieldError } from '../tenancy.errors';

/** What an option may be, and what to say of anything else. */
export interface Kind<T> {
  /** What to do instead: `poolSize is 'ten': give an integer from 1`. */
  readonly remedy: string;
  readonly accepts: (value: unknown) => boolean;
  /** A refused value as the message shows it. */
  readonly show: (value: unknown) => string;
  /** What a variable says. Without it the option has none. */
  readonly read?: (text: string) => T | undefined;
  /** What to do about a variable that `read` gives nothing for. */
  readonly textRemedy?: string;
  /** What is wrong inside a value that is accepted, under names that users choose. `path` is the option's name. */
  readonly inside?: (value: unknown, path: string) => readonly FieldError[];
  /** The options within this one. */
  readonly group?: Type<object>;
  /** Whether the variables of the options in it speak. Default true. */
  readonly variables?: boolean;
  /** The group may also be a function that gives one. */
  readonly orFunction?: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface OptionSettings<T> {
  /** The variables that speak where the code is silent; the first that is set. */
  readonly variable?: string | readonly string[];
  /** The variables are silent, too, when this option is given. */
  readonly unless?: string;
  /** It has no default, and must be given. */
  readonly required?: boolean;
  /** The default, where it follows from other options. They are declared before this one. */
  readonly defaultOf?: (options: never) => T;
}

export interface DeclaredOption extends OptionSettings<unknown> {
  readonly kind: Kind<unknown>;
}

/** A problem in the middle of several options, or `false`. `field` is named from the group on. */
export type Rule<Options> = (
  options: Options,
  given: Readonly<Record<string, unknown>>,
  environment: Environment,
) => readonly (FieldError | false)[];

interface Declaration {
  readonly options: Map<string, DeclaredOption>;
  rule?: Rule<never>;
  refused: Readonly<Record<string, string>>;
}

const DECLARATION = Symbol('DECLARATION');

/**
 * Declares an option. Its name, type and documentation are those of the property, its default is what the property is set
 * to.
 */
export function Option<T>(kind: Kind<T>, settings: OptionSettings<T> = {}) {
  return <Name extends string>(declared: { readonly [Key in Name]?: T }, name: Name): void => {
    declarationOf(declared.constructor as Type<object>).options.set(name, { ...settings, kind });
  };
}

/** What the options of a class must have to do with one another. */
export function OptionsRule<Options extends object>(rule: Rule<Options>) {
  return (declared: Type<object>): void => {
    declarationOf(declared).rule = rule;
  };
}

/** Names that are no options for a reason that is worth telling, and the end of the sentence `must not be set: it …`. */
export function RefusedOptions(reasons: Readonly<Record<string, string>>) {
  return (declared: Type<object>): void => {
    declarationOf(declared).refused = reasons;
  };
}

/** What a class declares. */
export function declarationOf(declared: Type<object>): Declaration {
  const holder = declared as unknown as { [DECLARATION]?: Declaration };
  const known = holder[DECLARATION];
  if (known && Object.hasOwn(holder, DECLARATION)) return known;
  // A class has its parent's options, and adds none to the parent.
  return (holder[DECLARATION] = {
    ...known,
    options: new Map(known?.options),
    refused: { ...known?.refused },
  });
}

/**
 * What a user gives of declared options: all that has a default may be left out, in the groups that are named here too.
 * Editors show the documentation of the declaration.
 */
export type Given<Options, Groups extends keyof Options = never> = {
  readonly [Name in keyof Options]?: Name extends Groups ? Given<NonNullable<Options[Name]>> : Options[Name];
};
