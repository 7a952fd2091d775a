import { randomBytes } from 'node:crypto';

const COUNTER_END = 2 ** 32;

let lastMs = 0;
let counter = 0;

/**
 * A UUID of version 7 (RFC 9562, 5.7): 48 bits of the time in milliseconds, a counter of 32 bits that starts at random,
 * and 42 random bits. Those that one process makes sort in the order of their making, also when its clock is set back.
 */
export function uuidV7(): string {
  const random = randomBytes(10);
  const now = Date.now();
  if (now > lastMs) {
    lastMs = now;
    // The highest bit is 0, so that the counter has room to count up.
    counter = random.readUInt32BE(0) >>> 1;
  } else if (++counter === COUNTER_END) {
    lastMs++;
    counter = 0;
  }
  const time = hex(lastMs, 12);
  const high = hex(0x7000 | (counter >>> 20), 4);
  const middle = hex(0x8000 | ((counter >>> 6) & 0x3fff), 4);
  const low = hex(((counter & 0x3f) << 2) | (random[4] & 0x03), 2) + random.toString('hex', 5);
  return `${time.slice(0, 8)}-${time.slice(8)}-${high}-${middle}-${low}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
