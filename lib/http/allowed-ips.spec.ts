import { allowedIps, isIpRange } from './allowed-ips';

describe('an allow-list of addresses', () => {
  it.each([
    ['10.0.0.0/8', '10.255.1.2', '11.0.0.1'],
    ['192.0.2.7', '192.0.2.7', '192.0.2.8'],
    ['192.0.2.128/25', '192.0.2.200', '192.0.2.127'],
    ['0.0.0.0/0', '8.8.8.8', '2001:db8::1'],
    ['2001:db8::/32', '2001:db8:ffff::1', '2001:db9::1'],
    ['::1', '::1', '::2'],
    ['10.0.0.0/8', '::ffff:10.1.2.3', '::ffff:11.1.2.3'],
  ])('of %s has %s and not %s', (range, inside, outside) => {
    expect(isIpRange(range)).toBe(true);
    expect(allowedIps([range])(inside)).toBe(true);
    expect(allowedIps([range])(outside)).toBe(false);
  });

  it('of nothing has all, and of several has what one of them has', () => {
    expect(allowedIps([])(undefined)).toBe(true);
    expect(allowedIps(['::1', '10.0.0.0/8'])('10.0.0.1')).toBe(true);
  });

  it.each([undefined, '', 'localhost', '10.0.0.1:80', '/tmp/socket'])('never has %j', (address) => {
    expect(allowedIps(['0.0.0.0/0', '::/0'])(address)).toBe(false);
  });

  it.each([
    ...['', 'localhost', '10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/-1', '10.0.0/8', '10.0.0.0/8 ', '*'],
    ...[
      'fe80::1%eth0',
      '::ffff:10.0.0.0/104',
      '10.0.0.0/8,::1',
      '010.0.0.1',
      '１.1.1.1',
      '1.1.1.1\0',
      5,
      null,
    ],
  ])('cannot hold %j', (range) => expect(isIpRange(range)).toBe(false));
});
