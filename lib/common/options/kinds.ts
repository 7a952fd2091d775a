import type { Type } from '@nestjs/common';
import { quoteIdentifier } from '../sql';
import { hasReadableLogin, isCutInPassword, show, showSecret, showUrl } from '../show-value';
import { declarationOf, type Kind } from './option.decorator';

/** Node's timers fire at once when told to wait longer: about 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** RFC 9110, 5.6.2: names of headers and of authentication schemes. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;

export function kind<T>(
  remedy: string,
  accepts: (value: unknown) => boolean,
  more: Partial<Kind<T>> = {},
): Kind<T> {
  return { remedy, accepts, show, ...more };
}

export function integer(from: number, to = Number.MAX_SAFE_INTEGER, unit = ''): Kind<number> {
  const upTo = to === Number.MAX_SAFE_INTEGER ? '' : ` to ${to}`;
  return kind(`give ${unit}an integer from ${from}${upTo}`, (value) => isInteger(value, from, to), {
    read: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined),
    textRemedy: 'give an integer',
  });
}

export function milliseconds(from: number, to?: number): Kind<number> {
  return integer(from, to, 'milliseconds, ');
}

/** Milliseconds that a timer of Node can wait. */
export function waiting(from: number): Kind<number> {
  return milliseconds(from, MAX_TIMER_MS);
}

/** A text such as 'false' would count as true. */
export function flag(): Kind<boolean> {
  const remedy = 'give true or false';
  return kind(remedy, (value) => typeof value === 'boolean', {
    read: (text) => (['true', 'false'].includes(text) ? text === 'true' : undefined),
    textRemedy: remedy,
  });
}

export function text(
  remedy = 'give a text',
  accepts: (value: string) => boolean = (value) => value !== '',
): Kind<string> {
  return kind(remedy, (value) => typeof value === 'string' && accepts(value), { read: (given) => given });
}

/** The name of a header. */
export function headerName(example: string): Kind<string> {
  return text(`name a header, such as '${example}'`, (value) => TOKEN.test(value));
}

/** The word before a credential, or `''` for none. */
export function scheme(example: string): Kind<string> {
  return text(`give a word such as '${example}', or ''`, (value) => value === '' || TOKEN.test(value));
}

export function oneOf<const T>(...values: readonly T[]): Kind<T> {
  return kind(`say ${values.map((each) => show(each)).join(' or ')}`, (value) =>
    (values as readonly unknown[]).includes(value),
  );
}

export function listOf<T>(remedy: string, accepts: (value: unknown) => boolean): Kind<readonly T[]> {
  return kind<readonly T[]>(remedy, (value) => Array.isArray(value) && value.every(accepts));
}

/** In a variable, separated by commas. */
export function texts(
  remedy: string,
  accepts: (value: string) => boolean = () => true,
): Kind<readonly string[]> {
  return {
    ...listOf<string>(remedy, (value) => typeof value === 'string' && accepts(value)),
    read: (given) =>
      given
        .split(',')
        .map((each) => each.trim())
        .filter(Boolean),
  };
}

/** What a running piece of work can be ended by. */
export function abortSignal(): Kind<AbortSignal> {
  return kind('give the signal of an AbortController', (value) => value instanceof AbortSignal);
}

/** What a record must be: one of these versions. */
export function versions(): Kind<readonly number[]> {
  return listOf('give a list of versions', (each) => isInteger(each, 0));
}

/** A list of what TypeORM takes: classes and globs, or a module whose exports are the classes. */
export function classes(remedy: string): Kind<unknown> {
  return kind(remedy, isObject);
}

export function callback<T>(remedy: string): Kind<T> {
  return kind(remedy, (value) => typeof value === 'function');
}

/** An object with this method, whose insides are not shown. */
export function withMethod<T>(method: string, remedy: string, orClass = false): Kind<T> {
  const accepts = (value: unknown) =>
    (orClass && typeof value === 'function') ||
    (isObject(value) && typeof (value as Record<string, unknown>)[method] === 'function');
  return kind(remedy, accepts, { show: (value) => (isObject(value) ? 'something else' : show(value)) });
}

/** Anything, for what is checked elsewhere, or by another library. */
export function anything<T>(): Kind<T> {
  return kind('leave it out', () => true);
}

/** What is never shown. */
export function secret<T>(remedy: string, accepts: (value: unknown) => boolean): Kind<T> {
  return kind(remedy, accepts, { show: showSecret });
}

export function postgresUrl(remedy: string): Kind<string> {
  return kind(remedy, isPostgresUrl, { show: showUrl, read: (given) => given });
}

/** A list of them. */
export function postgresUrls(remedy: string): Kind<readonly string[]> {
  const showEach = (value: unknown) =>
    Array.isArray(value) ? `[${value.map((each) => showUrl(each)).join(', ')}]` : showSecret(value);
  return { ...listOf<string>(remedy, isPostgresUrl), show: showEach };
}

/** Options within an option. `variables: false`: the variables that they have elsewhere say nothing of these. */
export function group<T extends object>(declared: Type<T>, { variables = true } = {}): Kind<T> {
  return kind<T>('give an object, or leave it out', isPlainObject, {
    group: declared,
    variables,
    show: showShape,
  });
}

/** The same, or a function that gives them; what it leaves out is as the variables say. */
export function groupOrFunction<T extends object, Give>(declared: Type<T>): Kind<T | Give> {
  const names = [...declarationOf(declared).options.keys()].join(', ');
  return {
    ...(group(declared) as Kind<T | Give>),
    orFunction: true,
    remedy: `give an object with ${names}, or a function`,
  };
}

export const SCHEMA_RULE = 'must be 1 to 63 bytes, not pg_… and not a dot-separated name';

export function isSchemaName(name: unknown): boolean {
  if (typeof name !== 'string' || name.startsWith('pg_') || name.includes('.')) return false;
  return isAccepted(() => quoteIdentifier(name));
}

/** Whether a function takes it, which throws for what it does not. */
export function isAccepted(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

export function isInteger(value: unknown, from: number, to = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to;
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** An object that is no list. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value) && !Array.isArray(value);
}

/** What stands where options should: a text may be a URL with a password in it, a list may have one. */
export function showShape(value: unknown): string {
  if (typeof value === 'string') return 'a text';
  if (Array.isArray(value) && value.length > 0) return 'a list';
  return show(value);
}

export function isPostgresUrl(url: unknown): boolean {
  return (
    typeof url === 'string' &&
    /^postgres(ql)?:\/\//.test(url) &&
    URL.canParse(url) &&
    !isCutInPassword(url) &&
    hasReadableLogin(url)
  );
}
