import { BlockList, isIP } from 'node:net';

/** An IPv4 address as a socket for IPv4 and IPv6 shows it. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const RANGE = /^([\da-fA-F.:]+)(?:\/(\d{1,3}))?$/;

/** `10.0.0.0/8`, `2001:db8::/32`, or one address. */
export function isIpRange(text: unknown): text is string {
  return typeof text === 'string' && parse(text) !== undefined;
}

/** Returns a function that tells whether an address lies in one of these ranges. Without ranges every address does. */
export function allowedIps(ranges: readonly string[]): (address: string | undefined) => boolean {
  if (ranges.length === 0) return () => true;
  const list = new BlockList();
  for (const range of ranges) {
    const { address, bits, family } = parse(range)!;
    list.addSubnet(address, bits, family);
  }
  return (given = '') => {
    const address = MAPPED.exec(given)?.[1] ?? given;
    const kind = isIP(address);
    return kind !== 0 && list.check(address, kind === 4 ? 'ipv4' : 'ipv6');
  };
}

interface Range {
  readonly address: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

function parse(text: string): Range | undefined {
  const [, address = '', length] = RANGE.exec(text) ?? [];
  const kind = isIP(address);
  // Such a range would never match, because mapped addresses are turned into IPv4 before they are compared.
  if (kind === 0 || MAPPED.test(address)) return undefined;
  const longest = kind === 4 ? 32 : 128;
  const bits = length === undefined ? longest : Number(length);
  return bits <= longest ? { address, bits, family: kind === 4 ? 'ipv4' : 'ipv6' } : undefined;
}
