import { randomInt } from 'node:crypto';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const RANDOM_CHARACTERS = 20;

/** What such a name looks like, as a regular expression that PostgreSQL reads as JavaScript does. */
export const OWN_NAME = '^t_[a-z0-9]{20}$';

/** `t_` and 20 random characters of `[a-z0-9]` (103 bits): never guessed, never made twice, needs no quoting. */
export function generateSchemaName(): string {
  // randomInt draws again where a modulo would favour the first letters.
  return `t_${Array.from({ length: RANDOM_CHARACTERS }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')}`;
}
