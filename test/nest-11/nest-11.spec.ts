import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HttpException } from '@nestjs/common';
import { TenancyError } from '../../lib';
import { dependencies } from './package.json';

/** Modules that count for themselves, and which of theirs is the one for Nest 11. */
const OWN_COUNT: Readonly<Record<string, number>> = {
  '@nestjs/apollo': 13,
  '@nestjs/cache-manager': 3,
  '@nestjs/config': 4,
  '@nestjs/graphql': 13,
  '@nestjs/mercurius': 13,
  '@nestjs/schedule': 6,
  '@nestjs/throttler': 6,
};

/** What the modules for GraphQL and caches build on: of the former there must be one, whose classes they compare. */
const THEIR_OWN = [
  '@apollo/server',
  '@as-integrations/express5',
  '@as-integrations/fastify',
  'cache-manager',
  'graphql',
  'keyv',
  'mercurius',
];

const FOLDER = join(__dirname, 'node_modules/');

describe('the suites of this run', () => {
  it.each(Object.keys(dependencies).filter((name) => !THEIR_OWN.includes(name)))(
    'are given %s of Nest 11',
    (name) => {
      const manifest = require.resolve(`${name}/package.json`);
      expect(manifest.startsWith(FOLDER)).toBe(true);
      const major = OWN_COUNT[name] ?? 11;
      expect(JSON.parse(readFileSync(manifest, 'utf8')).version).toMatch(new RegExp(`^${major}\\.`));
    },
  );

  it('run the library on it, too', () => {
    expect(require.resolve('@nestjs/common').startsWith(FOLDER)).toBe(true);
    expect(TenancyError.prototype).toBeInstanceOf(HttpException);
  });

  it('share everything else with `npm test`', () => {
    for (const name of ['typeorm', 'pg', 'rxjs', 'reflect-metadata', 'class-validator']) {
      expect(require.resolve(name).startsWith(FOLDER)).toBe(false);
    }
  });
});
