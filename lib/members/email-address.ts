import { normalizeDomain } from '../registry/domain';

/** RFC 5321, 4.5.3.1.3: a path has 256 octets, of which two are its angle brackets. */
const MAX_ADDRESS_BYTES = 254;
/** RFC 5321, 4.5.3.1.1. */
const MAX_LOCAL_BYTES = 64;

/** RFC 5322, 3.2.3, without quoted texts and comments; letters outside of ASCII as in RFC 6531. */
const LOCAL = /^(?:[\w!#$%&'*+/=?^`{|}~-]|[^\0-\x7f])+(?:\.(?:[\w!#$%&'*+/=?^`{|}~-]|[^\0-\x7f])+)*$/;

/** What is not to be seen, or looks like a space, in any script; and halves of characters. */
const UNSEEN = /[\s\p{C}\p{Z}]/u;

/**
 * The form in which addresses are compared: `Ann.Lee@Shop.Bücher.DE` becomes `ann.lee@shop.xn--bcher-kva.de`.
 * `undefined` for what is no address.
 *
 * The domain is folded as DNS does it. Before the `@` only `A-Z` are: Unicode would make a `k` of the Kelvin sign, and
 * so give one mailbox the rights of another. Two that merely look alike stay two.
 */
export function foldEmail(address: unknown): string | undefined {
  if (typeof address !== 'string' || address.length > MAX_ADDRESS_BYTES) return undefined;
  const at = address.lastIndexOf('@');
  const local = address.slice(0, Math.max(0, at));
  const domain = normalizeDomain(address.slice(at + 1));
  if (domain === undefined || !LOCAL.test(local) || UNSEEN.test(address)) return undefined;
  const isTooLong =
    Buffer.byteLength(local) > MAX_LOCAL_BYTES || Buffer.byteLength(address) > MAX_ADDRESS_BYTES;
  if (isTooLong || address.endsWith('.')) return undefined;
  return `${local.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())}@${domain}`;
}
