import { Test } from '@nestjs/testing';
import { ADMIN_OPTIONS } from './admin.options';
import { MasterKeyGuard } from './master-key.guard';

/** What starting with this key throws; nothing when it starts. */
function start(options: unknown): Promise<unknown> {
  const providers = [MasterKeyGuard, { provide: ADMIN_OPTIONS, useValue: options }];
  return Test.createTestingModule({ providers })
    .compile()
    .then(
      () => undefined,
      (error: unknown) => error,
    );
}

describe('the master key of the admin API', () => {
  it.each([32, 64, 10_000])('of %d characters starts', async (length) => {
    await expect(start({ masterKey: 'k'.repeat(length) })).resolves.toBeUndefined();
  });

  it('may have spaces within', async () => {
    await expect(start({ masterKey: 'correct horse battery staple, and a donkey' })).resolves.toBeUndefined();
  });

  it.each([
    ['no options', undefined, 'got none'],
    ['no key', {}, 'got none'],
    ['undefined', { masterKey: undefined }, 'got none'],
    ['null', { masterKey: null }, 'got none'],
    ['a number', { masterKey: 42 }, 'got none'],
    ['an empty key', { masterKey: '' }, 'got one of 0'],
    ['31 characters', { masterKey: 'k'.repeat(31) }, 'got one of 31'],
    ['a line feed at its end', { masterKey: `${'k'.repeat(32)}\n` }, 'a line feed at its end'],
    ['a space at its beginning', { masterKey: ` ${'k'.repeat(32)}` }, 'white space around it'],
    ['letters that no header carries', { masterKey: 'ключ'.repeat(8) }, 'not ASCII'],
    ['NUL', { masterKey: `k\0${'k'.repeat(32)}` }, 'not ASCII'],
  ])('stops the start with the remedy when it is or has %s', async (_case, options, why) => {
    const error = await start(options);
    expect(error).toMatchObject({ code: 'MASTER_KEY_MISSING' });
    expect(String(error)).toContain(why);
    expect(String(error)).toContain('openssl rand -hex 32');
  });

  it('is not shown by the error that refuses it', async () => {
    const masterKey = `${'secret'.repeat(10)}\n`;
    expect(String(await start({ masterKey }))).not.toContain('secret');
  });
});
