import type { FieldError } from '../tenancy.errors';
import { checkAll, checkArguments, checkOptions, optionNames, problemsOf } from './check-options';
import { flag, group, groupOrFunction, integer, secret, text, texts } from './kinds';
import { Option, OptionsRule, RefusedOptions } from './option.decorator';
import { InvalidOptionsError } from './invalid-options.errors';

class Inner {
  @Option(integer(1), { variable: 'INNER_SIZE' })
  readonly size: number = 5;
}

@RefusedOptions({ magic: 'is not for you' })
@OptionsRule<Outer>(({ low, high }) => [low > high && { field: 'low', message: `is above high: ${high}` }])
class Outer {
  @Option(integer(0), { variable: ['LOW', 'LOW_OF_OLD'] })
  readonly low: number = 1;

  @Option(integer(0), { defaultOf: ({ low }: Outer) => low + 10 })
  readonly high!: number;

  @Option(text('give a name'), { required: true })
  readonly name!: string;

  @Option(texts('give words'), { variable: 'WORDS', unless: 'quiet' })
  readonly words?: readonly string[];

  @Option(flag())
  readonly quiet?: boolean;

  @Option(secret<string>('give a key', (value) => typeof value === 'string' && value.length > 3))
  readonly key?: string;

  @Option(group(Inner))
  readonly inner: Inner = new Inner();

  @Option(groupOrFunction<Inner, () => Partial<Inner>>(Inner))
  readonly either: Inner | (() => Partial<Inner>) = new Inner();

  @Option(group(Inner, { variables: false }))
  readonly deaf: Inner = new Inner();

  @Option(group(Inner))
  readonly absent?: Inner;
}

class OuterError extends InvalidOptionsError {
  readonly code = 'OUTER';
  constructor(problems: readonly FieldError[]) {
    super('OuterModule', problems);
  }
}

const check = (given: unknown, environment: Record<string, string> = {}) =>
  checkAll([Outer], given, OuterError, environment) as Outer;

/** The lines of the message. */
function problems(given: unknown, environment?: Record<string, string>): string[] {
  try {
    check(given, environment);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(OuterError);
    const [first, ...lines] = (error as Error).message.split('\n');
    expect(first).toBe('OuterModule cannot start:');
    return lines;
  }
}

describe('declared options', () => {
  it('have their defaults, of which some follow from others', () => {
    const inner = { size: 5 };
    expect(check({ name: 'x' })).toEqual({
      ...{ low: 1, high: 11, name: 'x' },
      ...{ inner, either: inner, deaf: inner },
    });
    expect(check({ name: 'x', low: 7 }).high).toBe(17);
  });

  it('come from the code, else from the first variable that is set, else are the default', () => {
    const environment = { LOW: '', LOW_OF_OLD: '3', INNER_SIZE: '8', WORDS: ' a, b,,' };
    expect(check({ name: 'x', low: 2 }, environment).low).toBe(2);
    expect(check({ name: 'x' }, environment)).toMatchObject({
      ...{ low: 3, words: ['a', 'b'], inner: { size: 8 }, either: { size: 8 } },
      ...{ deaf: { size: 5 }, absent: undefined },
    });
    expect(check({ name: 'x', quiet: true }, environment).words).toBeUndefined();
  });

  it('are completed where a function gives them', () => {
    const { either } = check({ name: 'x', either: () => ({}) }, { INNER_SIZE: '8' });
    expect((either as () => unknown)()).toEqual({ size: 8 });
    const { either: other } = check({ name: 'x', either: () => ({ size: 2 }) }, { INNER_SIZE: '8' });
    expect((other as () => unknown)()).toEqual({ size: 2 });
  });

  it('are refused all at once: variables first, then unknown names, then values, then what they do to each other', () => {
    const given = {
      high: 5,
      nmae: 'x',
      magic: 1,
      inner: { size: 0, sise: 1 },
      either: 5,
      key: 'abc',
    };
    expect(problems(given, { LOW: 'many' })).toEqual([
      "- LOW is 'many': give an integer",
      '- nmae is no option: did you mean name? If not, leave it out, or say one of low high name words quiet key inner either deaf absent',
      '- magic must not be set: it is not for you',
      '- name is missing: give a name',
      '- key is a text of 3 characters (not shown): give a key',
      '- inner.sise is no option: did you mean size? If not, leave it out, or say one of size',
      '- inner.size is 0: give an integer from 1',
      '- either is 5: give an object with size, or a function',
    ]);
    expect(problems({ name: 'x', low: 50, high: 5, quiet: 'no' })).toEqual([
      "- quiet is 'no': give true or false",
      '- low is above high: 5',
    ]);
  });

  it('of a function are refused with a TypeError that names it, and read no variables', () => {
    process.env.INNER_SIZE = '8';
    expect(checkArguments('inner()', Inner, undefined)).toEqual({ size: 5 });
    delete process.env.INNER_SIZE;
    expect(() => checkArguments('inner()', Inner, { size: 0 })).toThrow(
      new TypeError('inner() cannot work:\n- size is 0: give an integer from 1'),
    );
  });

  it('are those of the class that it extends, too, which gets none of its own', () => {
    class Larger extends Inner {
      @Option(flag())
      readonly isWide?: boolean;
    }
    expect(checkArguments('larger()', Larger, { isWide: true })).toEqual({ size: 5, isWide: true });
    expect(optionNames(Inner)).toEqual(['size']);
  });

  it('that say what a module consists of are known, and refused when a factory gives them', () => {
    const extras = { declared: Inner, given: { size: 2 } };
    expect(checkOptions(Outer, { name: 'x' }, OuterError, extras)).toMatchObject({ name: 'x', size: 2 });
    expect(() => checkOptions(Outer, { name: 'x', size: 9 }, OuterError, extras)).toThrow(
      '- size is given too late, by a factory',
    );
  });

  it('of a name that users choose are told with it, or found sound without a word', () => {
    class Choice {
      @Option(integer(0), { required: true })
      readonly size!: number;
      @Option(group(Inner))
      readonly inner?: Inner;
    }
    const told = (given: unknown) => problemsOf(Choice, given, 'plans.free').map(({ field }) => field);
    for (const sound of [{ size: 0 }, { size: 1, inner: { size: 1 } }, { size: 1, other: undefined }])
      expect(told(sound)).toEqual([]);
    expect(told({})).toEqual(['plans.free.size']);
    expect(told({ size: -1, inner: { size: 0 } })).toEqual(['plans.free.size', 'plans.free.inner.size']);
    expect(told({ size: 1, sise: 1 })).toEqual(['plans.free.sise']);
    expect(told([])).toEqual(['plans.free']);
  });

  it('are known by name, in the order of their declaration', () => {
    expect(optionNames(Inner)).toEqual(['size']);
    expect(optionNames(Outer).slice(0, 3)).toEqual(['low', 'high', 'name']);
  });
});
