import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { IPv4, IPv6 } from 'ipaddr.js';
import { ipaddr } from './ipaddr';

type Address = IPv4 | IPv6;
type Range = readonly [Address, number];

/** Public by its range, but within Azure it is the host of the virtual machine, which hands out its configuration. */
const HOST_OF_AZURE = '168.63.129.16';

/** Of all of IPv6, this is what is routed on the Internet (RFC 4291, 2.4). */
const GLOBAL_IPV6 = '2000::/3';

/** The prefix by which hosts with IPv6 alone reach the Internet's IPv4 (RFC 6052, 2.1). */
const NAT64 = '64:ff9b::/96';

export interface AddressRules {
  /** Ranges that may be called although they are not public. */
  readonly allowed: readonly string[];
  /** Ranges that may not be called although they are public. */
  readonly refused: readonly string[];
}

/** Whether the text is a range that these rules understand: `10.0.0.0/8`, `fd00::/8`, or one address. */
export function isAddressRange(text: unknown): text is string {
  return typeof text === 'string' && rangeOf(text) !== undefined;
}

/**
 * Decides which addresses may be called on behalf of a tenant: public ones that are not our own. An IPv4 address that is
 * written as one of IPv6 is judged as what it is.
 */
export class CallableAddresses {
  readonly #allowed: readonly Range[];
  readonly #refused: readonly Range[];
  readonly #nat64 = rangeOf(NAT64)!;
  readonly #global = rangeOf(GLOBAL_IPV6)!;

  constructor({ allowed, refused }: AddressRules) {
    this.#allowed = allowed.map((each) => rangeOf(each)!);
    this.#refused = [...refused, HOST_OF_AZURE].map((each) => rangeOf(each)!);
  }

  /** Whether it may be called. Not for a text that is no address. */
  has(text: string): boolean {
    if (!ipaddr().isValid(text)) return false;
    const address = this.#reached(ipaddr().parse(text));
    if (isIn(address, this.#allowed)) return true;
    return this.#isPublic(address) && !isIn(address, this.#refused) && !isOurs(address);
  }

  /** The address that packets to this one arrive at. */
  #reached(address: Address): Address {
    if (!isIPv6(address)) return address;
    if (address.isIPv4MappedAddress()) return address.toIPv4Address();
    return isIn(address, [this.#nat64]) ? new (ipaddr().IPv4)(address.toByteArray().slice(12)) : address;
  }

  #isPublic(address: Address): boolean {
    return address.range() === 'unicast' && (!isIPv6(address) || isIn(address, [this.#global]));
  }
}

/** Whether this machine has it: what listens here for the machine alone would take us for the machine. */
function isOurs(address: Address): boolean {
  const text = address.toString();
  return Object.values(networkInterfaces()).some((each) =>
    each?.some((own) => ipaddr().isValid(own.address) && ipaddr().parse(own.address).toString() === text),
  );
}

function isIn(address: Address, ranges: readonly Range[]): boolean {
  return ranges.some(([base, bits]) => base.kind() === address.kind() && address.match(base, bits));
}

function isIPv6(address: Address): address is IPv6 {
  return address.kind() === 'ipv6';
}

function rangeOf(text: string): Range | undefined {
  // Node's check: three numbers, octal or hexadecimal ones are addresses to others, and mean something else to most people.
  const [base] = text.split('/', 1);
  if (isIP(base) === 0 || base.includes('%')) return undefined;
  if (base === text) return wholeRange(ipaddr().parse(text));
  return ipaddr().isValidCIDR(text) ? ipaddr().parseCIDR(text) : undefined;
}

function wholeRange(address: Address): Range {
  return [address, isIPv6(address) ? 128 : 32];
}
