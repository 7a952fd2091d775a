import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';

/** RFC 1035, 2.3.4, without the trailing dot. */
const MAX_DOMAIN_LENGTH = 253;

/** Everything ASCII that a host name cannot hold: ports, brackets, paths, percent signs, white space, NUL. */
// eslint-disable-next-line no-control-regex
const NOT_A_HOST = /[\x00-\x2c\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]/;

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * `Shop.Bücher.DE.` becomes `shop.xn--bcher-kva.de`: lower case, IDN as punycode, without one trailing dot.
 *
 * `undefined` for what is no domain of at least two labels: IP addresses in any spelling (`0x7f.1` too), ports,
 * `localhost`, labels over 63 or names over 253 characters.
 */
export function normalizeDomain(input: unknown): string | undefined {
  if (typeof input !== 'string' || input.length > MAX_DOMAIN_LENGTH + 1 || NOT_A_HOST.test(input))
    return undefined;
  const domain = domainToASCII(input).replace(/\.$/, '');
  if (domain.length > MAX_DOMAIN_LENGTH || isIP(domain) !== 0) return undefined;
  const labels = domain.split('.');
  return labels.length > 1 && labels.every((label) => LABEL.test(label)) ? domain : undefined;
}

/** Second-level names that registries sell under: `co.uk`, `com.au`. Not all there are; see `normalizeWildcard`. */
const SOLD_UNDER = new Set('ac co com edu gob gov ltd me mil ne net nom or org plc sch'.split(' '));

/**
 * `*.Shop.Bücher.DE` becomes `*.shop.xn--bcher-kva.de`; `undefined` for a star anywhere else than as the first of three
 * or more labels, and for the plainest of public suffixes, `*.com` and `*.co.uk`. Others (`*.github.io`) are not known
 * here: who may register a wildcard is for the application to decide.
 */
export function normalizeWildcard(input: unknown): string | undefined {
  if (typeof input !== 'string' || !input.startsWith('*.')) return undefined;
  const parent = normalizeDomain(input.slice(2));
  if (parent === undefined || parent.length > MAX_DOMAIN_LENGTH - 2) return undefined;
  const [second, top, ...deeper] = parent.split('.');
  return deeper.length === 0 && top.length === 2 && SOLD_UNDER.has(second) ? undefined : `*.${parent}`;
}
