import type { FactoryProvider, InjectionToken, Type, ValueProvider } from '@nestjs/common';
import type { FieldError } from '../tenancy.errors';
import { checkOptions } from './check-options';

interface CheckedModule<Options extends object> {
  /** The token of the checked options. */
  readonly provide: symbol;
  /** The token of what `forRoot()` or a factory gives. */
  readonly given: InjectionToken;
  readonly declared: Type<Options>;
  /** What is thrown with everything that is wrong. */
  readonly Refusal: new (problems: readonly FieldError[]) => Error;
  /** Declares the options that are given where the module is imported, which then also provides `givenExtras()`. */
  readonly extras?: Type<object>;
}

/** Each module provides its own, and exports it to none. */
const GIVEN_EXTRAS = Symbol('GIVEN_EXTRAS');

/** Hands on what `setExtras()` gets, for `optionsProvider()` to check. */
export function givenExtras(extras: object): ValueProvider {
  return { provide: GIVEN_EXTRAS, useValue: extras };
}

/** The options of a module, checked once, when the application starts. */
export function optionsProvider<Options extends object>({
  provide,
  given,
  declared,
  Refusal,
  extras,
}: CheckedModule<Options>): FactoryProvider<Options> {
  return {
    provide,
    inject: extras ? [given, GIVEN_EXTRAS] : [given],
    useFactory: (ofModule: unknown, ofImport: unknown) =>
      checkOptions(declared, ofModule, Refusal, extras && { declared: extras, given: ofImport }),
  };
}
