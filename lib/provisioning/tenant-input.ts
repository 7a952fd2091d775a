import { type FieldError, ValidationFailedError } from '../common/tenancy.errors';
import { normalizeDomain } from '../tenant/domain';
import { metadataProblem } from '../tenant/metadata';
import { isSlug } from '../tenant/slug';
import { TenantSlugReservedError } from '../tenant/tenant.errors';

/** What a caller says of a tenant to be made. */
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

const MAX_NAME_LENGTH = 200;
const MAX_DOMAINS = 50;
const MAX_REASON_LENGTH = 500;

const SLUG_RULE =
  'must be 1 to 60 characters of a-z, 0-9 and -, beginning with a letter, not ending with -, not shaped like a uuid, without -- at positions 3 and 4';
const NAME_RULE = `must be 1 to ${MAX_NAME_LENGTH} characters, not only white space, without NUL or half of a surrogate pair`;
const REASON_RULE = `must be at most ${MAX_REASON_LENGTH} characters, without NUL or half of a surrogate pair`;

/** The input with its defaults, domains normalised and sorted. Throws `ValidationFailedError` naming every bad field. */
export function checkNewTenant(
  input: TenantRequestedBy,
  reservedSlugs: readonly string[],
): Required<TenantRequestedBy> {
  const { slug, name = slug, metadata = {}, domains = [] } = input;
  const list: readonly string[] | undefined = Array.isArray(domains) ? domains : undefined;
  refuseProblems([
    ['slug', isSlug(slug) ? undefined : SLUG_RULE],
    // By default it is the slug, whose own problem is told already.
    ['name', input.name === undefined ? undefined : nameProblem(name)],
    ['metadata', metadataProblem(metadata)],
    [
      'domains',
      list && list.length <= MAX_DOMAINS ? undefined : `must be a list of at most ${MAX_DOMAINS} host names`,
    ],
    ...(list ?? [])
      .slice(0, MAX_DOMAINS)
      .map((domain, i): Problem => [`domains.${i}`, domainProblem(domain)]),
  ]);
  refuseReserved(slug, reservedSlugs);
  const normalized = new Set(domains.map((domain) => normalizeDomain(domain) as string));
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

/** Throws `ValidationFailedError` for a reason that cannot be kept: over 500 characters, NUL, not Unicode. */
export function checkReason(reason: string): void {
  const isReason = [...reason].length <= MAX_REASON_LENGTH && isStorable(reason);
  refuseProblems([['reason', isReason ? undefined : REASON_RULE]]);
}

/** The domain as it is kept. Throws `ValidationFailedError` for what is none. */
export function checkDomain(domain: string): string {
  refuseProblems([['domain', domainProblem(domain)]]);
  return normalizeDomain(domain) as string;
}

type Problem = readonly [field: string, problem: string | undefined];

function refuseProblems(problems: readonly Problem[]): void {
  const errors = problems.flatMap(([field, message]): FieldError[] => (message ? [{ field, message }] : []));
  if (errors.length > 0) throw new ValidationFailedError(errors);
}

function refuseReserved(slug: string, reservedSlugs: readonly string[]): void {
  if (reservedSlugs.includes(slug)) throw new TenantSlugReservedError(slug);
}

function nameProblem(name: unknown): string | undefined {
  const isName =
    typeof name === 'string' && name.trim() !== '' && [...name].length <= MAX_NAME_LENGTH && isStorable(name);
  return isName ? undefined : NAME_RULE;
}

/** PostgreSQL's text holds no NUL, and UTF-8 no half of a surrogate pair: it would come back as U+FFFD. */
function isStorable(text: string): boolean {
  return !/[\0\ud800-\udfff]/u.test(text);
}

function domainProblem(domain: unknown): string | undefined {
  return normalizeDomain(domain)
    ? undefined
    : 'must be a host name such as shop.example.com, without port or path';
}
