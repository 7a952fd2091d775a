import { networkInterfaces } from 'node:os';
import { CallableAddresses, isAddressRange } from './callable-addresses';

const addresses = new CallableAddresses({ allowed: [], refused: [] });

it.each(['93.184.215.14', '1.1.1.1', '2606:4700::1111', '::ffff:93.184.215.14', '64:ff9b::5db8:d70e'])(
  'lets %s be called, which is public',
  (address) => expect(addresses.has(address)).toBe(true),
);

it.each([
  ['this network', '0.0.0.0', '0.1.2.3', '::'],
  ['loopback', '127.0.0.1', '127.255.255.254', '::1'],
  ['private', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fc00::1', 'fd12:3456::1'],
  ['link-local', '169.254.1.1', 'fe80::1', 'febf::1'],
  ['metadata', '169.254.169.254', 'fd00:ec2::254', '100.100.100.200', '192.0.0.192', '168.63.129.16'],
  ['carrier-grade NAT', '100.64.0.1', '100.127.255.255'],
  [
    'special',
    '192.0.0.1',
    '198.18.0.1',
    '192.88.99.1',
    '240.0.0.1',
    '255.255.255.255',
    '224.0.0.1',
    'ff02::1',
  ],
  ['for documents', '192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
  ['IPv4 in IPv6', '::ffff:127.0.0.1', '::ffff:a00:1', '::ffff:0:127.0.0.1', '::127.0.0.1', '::7f00:1'],
  ['by NAT64', '64:ff9b::127.0.0.1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::7f00:1'],
  ['by 6to4 and Teredo', '2002:7f00:1::', '2002:a9fe:a9fe::1', '2001::1', '2001:0:7f00:1::'],
  ['not routed', 'fec0::1', '100::1', '4000::1', '5f00::1', 'e000::1'],
  ['no addresses', '', 'localhost', '127.1.', '1.2.3.4.5', 'fe80::1%lo', '1.1.1.1 '],
])('refuses what is %s', (_what, ...refused) => {
  expect(refused.filter((address) => addresses.has(address))).toEqual([]);
});

it('refuses every address of this machine, also public ones', () => {
  const own = Object.values(networkInterfaces()).flatMap((each) =>
    (each ?? []).map(({ address }) => address),
  );
  expect(own).not.toEqual([]);
  expect(own.filter((address) => addresses.has(address))).toEqual([]);
});

it('lets ranges be called that the application allows, however they are written, and nothing beside', () => {
  const closed = new CallableAddresses({ allowed: ['10.20.0.0/16', '127.0.0.1', 'fd00::/8'], refused: [] });
  const allowed = ['10.20.255.255', '::ffff:10.20.0.1', '127.0.0.1', 'fd12::1', '64:ff9b::10.20.0.1'];
  expect(allowed.filter((address) => closed.has(address))).toEqual(allowed);
  expect(['10.21.0.0', '127.0.0.2', 'fc00::1', '::1'].filter((address) => closed.has(address))).toEqual([]);
});

it('refuses public ranges that are the application’s own', () => {
  const house = new CallableAddresses({ allowed: [], refused: ['93.184.215.0/24', '2606:4700::/32'] });
  expect(house.has('93.184.215.14')).toBe(false);
  expect(house.has('::ffff:93.184.215.14')).toBe(false);
  expect(house.has('2606:4700::1111')).toBe(false);
  expect(house.has('93.184.216.14')).toBe(true);
});

it('knows ranges that mean one thing', () => {
  expect(['10.0.0.0/8', '::/0', '127.0.0.1', 'fd00::/8'].filter((each) => !isAddressRange(each))).toEqual([]);
  const unclear = [
    '10/8',
    '0x7f.0.0.1',
    '2130706433',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0.256',
    'all',
    '',
    5,
  ];
  expect(unclear.filter((each) => isAddressRange(each))).toEqual([]);
});
