import { BlockList, isIP } from 'node:net';

/** An address of IPv4 as a socket for both kinds shows it. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const RANGE = /^([\da-fA-F.:]+)(?:\/(\d{1,3}))?$/;

/** `10.0.0.0/8`, `2001:db8::/32`, or one address. */
export function isIpRange(text: unknown): text is string {
  return typeof text === 'string' && parse(text) !== undefined;
}

/** Says which addresses lie in one of these ranges; all do when there are none. */
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
  // As ranges of IPv6 they would never match: addresses are unwrapped before they are looked for.
  if (kind === 0 || MAPPED.test(address)) return undefined;
  const longest = kind === 4 ? 32 : 128;
  const bits = length === undefined ? longest : Number(length);
  return bits <= longest ? { address, bits, family: kind === 4 ? 'ipv4' : 'ipv6' } : undefined;
}
