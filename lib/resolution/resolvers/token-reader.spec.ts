import fc from 'fast-check';
import { fakeRequest } from '../../../test/support/fake-request';
import { toTenantRequest } from '../http/tenant-request';
import { tokenReader } from './token-reader';

function tokenIn(values: string | readonly string[], scheme = 'Bearer') {
  const headers = [values].flat().flatMap((value) => ['Authorization', value]);
  return tokenReader('authorization', scheme)(toTenantRequest(fakeRequest('/', headers)));
}

describe('a token', () => {
  it.each(['Bearer a.b.c', 'bearer a.b.c', 'BEARER   a.b.c', 'Bearer\ta.b.c'])('is read from %j', (value) => {
    expect(tokenIn(value)).toBe('a.b.c');
  });

  it.each([[[]], [''], ['Basic YTpi'], ['Bearera.b.c'], ['a.b.c'], ['Basic Bearer'], ['XBearer a.b.c']])(
    'is not there in %j',
    (values) => {
      expect(tokenIn(values)).toBeUndefined();
    },
  );

  it.each([
    ['Bearer', ''],
    ['Bearer a b', 'a b'],
    [['Bearer a', 'Bearer b'], 'a, Bearer b'],
    [['Basic a', 'Bearer b'], 'Basic a, Bearer b'],
  ])('comes out of %j as what is no token: %j', (values, token) => {
    expect(tokenIn(values)).toBe(token);
  });

  it('stands alone where there is no scheme', () => {
    expect(tokenIn('a.b.c', '')).toBe('a.b.c');
    expect(tokenIn('', '')).toBe('');
    expect(tokenIn([], '')).toBeUndefined();
  });

  it.each(['a+b', 'a.b', 'x|y', '$', '*'])('follows the scheme %s to the letter', (scheme) => {
    expect(tokenIn(`${scheme} a.b.c`, scheme)).toBe('a.b.c');
    expect(tokenIn('Bearer a.b.c', scheme)).toBeUndefined();
  });

  it('is read from 100,000 headers without a crash, and is never one that was not there', () => {
    const piece = fc.constantFrom(
      'Bearer',
      'bearer',
      'Basic',
      ' ',
      ' ',
      '\t',
      ',',
      'a.b.c',
      '=',
      '"',
      'é',
      '\0',
      '.',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 2 })), { maxLength: 8 }), (pieces) => {
        const value = pieces.join('');
        const token = tokenIn(value);
        if (token === undefined) return true;
        return /(?:^|,)\s*bearer(?:\s|$)/i.test(value) && value.endsWith(token);
      }),
      { numRuns: 100_000 },
    );
  });
});
