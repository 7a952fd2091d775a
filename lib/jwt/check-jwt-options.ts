import { type Names, unknownNames } from '../common/known-names';
import type { FromJwtClaimOptions, VerifiedTokenCacheOptions } from './jwt.options';

const KNOWN: Names<FromJwtClaimOptions> = {
  claim: true,
  by: true,
  several: true,
  requireClaim: true,
  key: true,
  secret: true,
  jwksUri: true,
  issuer: true,
  audience: true,
  algorithms: true,
  typ: true,
  clockToleranceSeconds: true,
  header: true,
  scheme: true,
  timeoutMs: true,
  cooldownMs: true,
  keysMaxAgeMs: true,
  cache: true,
};
const KNOWN_OF_CACHE: Names<VerifiedTokenCacheOptions> = { maxEntries: true, ttlMs: true };

/** RFC 9110, 5.6.2: names of headers and of authentication schemes. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;

/** Node's timers fire at once when told to wait longer: about 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const KEY_OPTIONS = ['key', 'secret', 'jwksUri'] as const;

type Check = readonly [option: string, ok: boolean, remedy: string];

/**
 * Refuses options that verify nothing, or less than was meant. No value is shown: it may be a secret.
 *
 * @throws TypeError naming every bad option and the remedy
 */
export function checkJwtOptions(options: FromJwtClaimOptions): void {
  const problems = [
    ...nameChecks(options),
    ...claimChecks(options),
    ...keyChecks(options),
    ...tokenChecks(options),
  ].filter(([, ok]) => !ok);
  if (problems.length === 0) return;
  throw new TypeError(
    `fromJwtClaim() cannot work:\n${problems.map(([option, , remedy]) => `- ${option}: ${remedy}`).join('\n')}`,
  );
}

function nameChecks(options: FromJwtClaimOptions): Check[] {
  return [...unknownNames(options, KNOWN), ...unknownNames(options.cache, KNOWN_OF_CACHE, 'cache.')].map(
    ({ name, problem }) => [name, false, problem],
  );
}

function claimChecks({ claim, by, requireClaim = false, several = false }: FromJwtClaimOptions): Check[] {
  const path = typeof claim === 'string' ? claim.split('.') : claim;
  return [
    ['claim', isListOfTexts(path), "name the claim, such as 'tenant' or 'org.tenant'"],
    ['by', by === undefined || by === 'slug' || by === 'id', "say 'slug' or 'id', or leave it out"],
    ['requireClaim', typeof requireClaim === 'boolean', 'say true or false'],
    ['several', typeof several === 'boolean', 'say true or false'],
  ];
}

function keyChecks(options: FromJwtClaimOptions): Check[] {
  const { issuer, audience, jwksUri } = options;
  const given = KEY_OPTIONS.filter((name) => options[name] !== undefined);
  // `secret: process.env.SECRET` of a variable that is not set must not turn into discovery.
  const forgotten = KEY_OPTIONS.filter((name) => options[name] === undefined && Object.hasOwn(options, name));
  const isRemote = given.length === 0 || jwksUri !== undefined;
  return [
    ...forgotten.map((name): Check => [name, false, 'is undefined: give it a value, or leave it out']),
    [
      'key, secret, jwksUri',
      given.length === 1 || (given.length === 0 && typeof issuer === 'string'),
      'give one of them, or the URL of an issuer alone',
    ],
    [
      'jwksUri',
      jwksUri === undefined || isHttpUrl(jwksUri),
      'give an http:// or https:// URL without user and password',
    ],
    [
      'issuer',
      isOneOrMoreTexts(issuer) || (issuer === undefined && !isRemote),
      'name the issuer (iss) of the tokens; jwksUri needs one',
    ],
    [
      'issuer',
      given.length > 0 || typeof issuer !== 'string' || isHttpUrl(issuer),
      'alone it must be the http:// or https:// URL, without user and password, that is asked for its keys',
    ],
    [
      'audience',
      isOneOrMoreTexts(audience) || audience === false || (audience === undefined && !isRemote),
      'name the audience (aud) of the tokens, or say false if the issuer makes them for this application only',
    ],
  ];
}

function tokenChecks(options: FromJwtClaimOptions): Check[] {
  const { algorithms, header = 'x', scheme = '', typ = 'x', cache = {} } = options;
  const { clockToleranceSeconds = 0, timeoutMs = 1, cooldownMs = 0, keysMaxAgeMs = 1 } = options;
  const { maxEntries = 1, ttlMs = 0 } = cache;
  return [
    [
      'algorithms',
      algorithms === undefined || isListOfTexts(algorithms),
      "list signature algorithms, such as 'RS256'",
    ],
    ['header', typeof header === 'string' && TOKEN.test(header), "name a header, such as 'authorization'"],
    [
      'scheme',
      scheme === '' || (typeof scheme === 'string' && TOKEN.test(scheme)),
      "give a word such as 'Bearer'",
    ],
    ['typ', isText(typ), "give a type such as 'at+jwt'"],
    integerCheck('clockToleranceSeconds', clockToleranceSeconds, 0, 300),
    integerCheck('timeoutMs', timeoutMs, 1, MAX_TIMER_MS),
    integerCheck('cooldownMs', cooldownMs, 0, MAX_TIMER_MS),
    integerCheck('keysMaxAgeMs', keysMaxAgeMs, 1, Number.MAX_SAFE_INTEGER),
    integerCheck('cache.maxEntries', maxEntries, 1, 1_000_000),
    integerCheck('cache.ttlMs', ttlMs, 0, Number.MAX_SAFE_INTEGER),
  ];
}

function integerCheck(option: string, value: number, from: number, to: number): Check {
  return [
    option,
    Number.isSafeInteger(value) && value >= from && value <= to,
    `give an integer from ${from} to ${to}`,
  ];
}

/** `fetch` refuses a URL with credentials, and its error shows them. */
function isHttpUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !/^https?:\/\//i.test(value) || !URL.canParse(value)) return false;
  const { username, password } = new URL(value);
  return username === '' && password === '';
}

function isOneOrMoreTexts(value: unknown): boolean {
  return isText(value) || isListOfTexts(value);
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isText);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
