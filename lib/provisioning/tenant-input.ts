import { type FieldProblem, refuseProblems } from '../common/field-problems';
import { anything } from '../common/options/kinds';
import { Option } from '../common/options/option.decorator';
import { normalizeDomain, normalizeWildcard } from '../registry/domain';
import { metadataProblem } from '../registry/metadata';
import { isSlug } from '../registry/claim';
import { TenantSlugReservedError } from '../registry/tenant.errors';

/** The caller's input for a new tenant. */
export interface TenantRequestedBy {
  /** 1 to 60 characters of `[a-z0-9-]`, beginning with a letter. */
  readonly slug: string;
  /** 1 to 200 characters. Default: the slug. */
  readonly name?: string;
  /** A JSON object of at most 16 kB. Default: `{}`. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** At most 50 host names; kept in lower case and punycode. Default: none. */
  readonly domains?: readonly string[];
}

export const MAX_NAME_LENGTH = 200;
const MAX_DOMAINS = 50;
export const MAX_REASON_LENGTH = 500;
const MAX_ACTOR_LENGTH = 200;

const SLUG_RULE =
  'must be 1 to 60 characters of a-z, 0-9 and -, beginning with a letter, not ending with -, not shaped like a uuid, without -- at positions 3 and 4';
const NAME_RULE = `must be 1 to ${MAX_NAME_LENGTH} characters, not only white space, without NUL or half of a surrogate pair`;
const REASON_RULE = `must be at most ${MAX_REASON_LENGTH} characters, without NUL or half of a surrogate pair`;
const ACTOR_RULE = `must be 1 to ${MAX_ACTOR_LENGTH} characters, without NUL or half of a surrogate pair`;

/**
 * The input with its defaults, domains normalised and sorted. Throws `ValidationFailedError` naming every bad field.
 */
export function checkNewTenant(
  input: TenantRequestedBy,
  reservedSlugs: readonly string[],
  wildcardDomains: boolean,
): Required<TenantRequestedBy> {
  const { slug, name = slug, metadata = {}, domains = [] } = input;
  const list: readonly string[] | undefined = Array.isArray(domains) ? domains : undefined;
  refuseProblems([
    ['slug', isSlug(slug) ? undefined : SLUG_RULE],
    // By default it is the slug, whose problem is in the list already.
    ['name', input.name === undefined ? undefined : nameProblem(name)],
    ['metadata', metadataProblem(metadata)],
    [
      'domains',
      list && list.length <= MAX_DOMAINS ? undefined : `must be a list of at most ${MAX_DOMAINS} host names`,
    ],
    ...(list ?? [])
      .slice(0, MAX_DOMAINS)
      .map((domain, i): FieldProblem => [`domains.${i}`, domainProblem(domain, wildcardDomains)]),
  ]);
  refuseReserved(slug, reservedSlugs);
  const normalized = new Set(domains.map((domain) => domainOf(domain, wildcardDomains) as string));
  return { slug, name, metadata, domains: [...normalized].sort() };
}

export interface TenantPatch {
  readonly slug?: string;
  readonly name?: string;
  /** An RFC 7386 merge patch. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Throws `ValidationFailedError` for a slug or a name that no tenant may have. */
export function checkTenantPatch({ slug, name }: TenantPatch, reservedSlugs: readonly string[]): void {
  refuseProblems([
    ['slug', slug === undefined || isSlug(slug) ? undefined : SLUG_RULE],
    ['name', name === undefined ? undefined : nameProblem(name)],
  ]);
  if (slug !== undefined) refuseReserved(slug, reservedSlugs);
}

/** Throws `ValidationFailedError` for metadata that cannot be kept. */
export function checkMetadata(metadata: Readonly<Record<string, unknown>>): void {
  refuseProblems([['metadata', metadataProblem(metadata)]]);
}

/** Who does something, and why, as far as the caller said. */
export class ActorAndReason {
  /** 1 to 200 characters. */
  @Option(anything<string>())
  readonly actor?: string;

  /** At most 500 characters. */
  @Option(anything<string>())
  readonly reason?: string;
}

/** Throws `ValidationFailedError` when one cannot be kept: too long, with a NUL, not Unicode, or an empty actor. */
export function checkActorAndReason({ actor, reason }: ActorAndReason): void {
  refuseProblems([
    ['actor', actor === undefined || isText(actor, 1, MAX_ACTOR_LENGTH) ? undefined : ACTOR_RULE],
    ['reason', reason === undefined || isText(reason, 0, MAX_REASON_LENGTH) ? undefined : REASON_RULE],
  ]);
}

/**
 * The domain as it is kept. Throws `ValidationFailedError` when it is not a host name; `*.acme.com` is one only with `wildcards`.
 */
export function checkDomain(domain: string, wildcards: boolean): string {
  refuseProblems([['domain', domainProblem(domain, wildcards)]]);
  return domainOf(domain, wildcards) as string;
}

function refuseReserved(slug: string, reservedSlugs: readonly string[]): void {
  if (reservedSlugs.includes(slug)) throw new TenantSlugReservedError(slug);
}

function nameProblem(name: unknown): string | undefined {
  return isText(name, 1, MAX_NAME_LENGTH) && name.trim() !== '' ? undefined : NAME_RULE;
}

/** PostgreSQL's text holds no NUL, and UTF-8 no half of a surrogate pair: it would come back as U+FFFD. */
function isText(text: unknown, from: number, to: number): text is string {
  if (typeof text !== 'string' || /[\0\ud800-\udfff]/u.test(text)) return false;
  const { length } = [...text];
  return length >= from && length <= to;
}

function domainProblem(domain: unknown, wildcards: boolean): string | undefined {
  if (domainOf(domain, wildcards)) return undefined;
  const orWildcard = wildcards
    ? ', or *.example.com for all names of one label below it (no public suffix)'
    : '';
  return `must be a host name such as shop.example.com, without port or path${orWildcard}`;
}

function domainOf(domain: unknown, wildcards: boolean): string | undefined {
  return normalizeDomain(domain) ?? (wildcards ? normalizeWildcard(domain) : undefined);
}
