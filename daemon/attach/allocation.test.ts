import t from 'tap';
import { Ipam } from './ipam.ts';
import { NumberPool } from './number-pool.ts';
import { hostPrefix, parseAddress, parseRange } from './range.ts';

const SMALL = parseRange('10.9.0.0/29'); // .1 the router, .2 to .6 for pods
const WIDE = parseRange('fd00:9::/64');
const ROUTER = parseAddress('10.9.0.1');

const NO_HOST = () => [];

t.test('parseAddress() gives canonical text and refuses zones', async (t) => {
  t.equal(parseAddress('FD00:0:0::0005').text, 'fd00::5');
  t.throws(() => parseAddress('fe80::1%eth0'), /not an IPv4 or IPv6 address/);
  t.throws(() => parseAddress('10.0.0'), RangeError);
  t.equal(hostPrefix(parseAddress('fd00::5')), 'fd00::5/128');
});

t.test('allocate() draws every usable address once, then says that the range is used up', async (t) => {
  const ipam = new Ipam([SMALL, WIDE], [ROUTER], NO_HOST);
  const drawn = ['a', 'b', 'c', 'd', 'e'].map((owner) => ipam.allocate(owner, 4)?.text);
  t.strictSame(drawn, ['10.9.0.2', '10.9.0.3', '10.9.0.4', '10.9.0.5', '10.9.0.6']);
  t.throws(() => ipam.allocate('f', 4), /10\.9\.0\.0\/29 is used up/);
  t.equal(ipam.allocate('f', 6)?.text, 'fd00:9::1');
});

t.test('allocate() gives an owner the address it has, and undefined for a family without a range', async (t) => {
  const ipam = new Ipam([SMALL], [ROUTER], NO_HOST);
  t.equal(ipam.allocate('a', 4), ipam.allocate('a', 4));
  t.equal(ipam.allocate('a', 6), undefined);
});

t.test('allocate() gives a released address out again last', async (t) => {
  const ipam = new Ipam([SMALL], [ROUTER], NO_HOST);
  for (const owner of ['a', 'b']) ipam.allocate(owner, 4);
  ipam.release('a');
  const next = ['c', 'd', 'e', 'f'].map((owner) => ipam.allocate(owner, 4)?.text);
  t.strictSame(next, ['10.9.0.4', '10.9.0.5', '10.9.0.6', '10.9.0.2']);
});

t.test('claim() refuses what no pod can have', async (t) => {
  const ipam = new Ipam([SMALL, WIDE], [ROUTER], () => ['192.0.2.2', '2001:db8::2']);
  const never = ['0.1.2.3', '127.0.0.1', '224.0.0.1', '255.255.255.255', '::', '::1', '::10.9.0.2', '::ffff:10.9.0.2'];
  for (const text of [...never, 'fe80::1', 'ff02::1']) t.throws(() => ipam.claim('a', text), /can have/, text);
  t.throws(() => ipam.claim('a', '10.9.0.0'), /network address/);
  t.throws(() => ipam.claim('a', SMALL.text.endsWith('/29') ? '10.9.0.7' : '10.9.0.255'), /broadcast address/);
  for (const text of ['192.0.2.2', '2001:db8::2']) t.throws(() => ipam.claim('a', text), /address of this host/);
});

t.test('claim() refuses the address of another and of the router', async (t) => {
  const ipam = new Ipam([SMALL], [ROUTER], NO_HOST);
  ipam.claim('a', '10.9.0.2');
  ipam.claim('a', '10.9.0.2');
  t.throws(() => ipam.claim('b', '10.9.0.2'), /a has it/);
  t.throws(() => ipam.claim('b', '10.9.0.1'), /router/);
  ipam.claim('a', '192.0.2.7');
  t.equal(ipam.claim('b', '10.9.0.2').text, '10.9.0.2', 'what a gave up is free');
});

t.test('Ipam keeps addresses over a restart', async (t) => {
  const before = new Ipam([SMALL, WIDE], [ROUTER], NO_HOST);
  for (const owner of ['a', 'b', 'c']) for (const family of [4, 6] as const) before.allocate(owner, family);
  const after = new Ipam([SMALL, WIDE], [ROUTER], NO_HOST, JSON.parse(JSON.stringify(before.holdings())));
  t.strictSame(after.holdings(), before.holdings());
  t.equal(after.allocate('b', 4)?.text, '10.9.0.3');
  t.equal(after.ownerOf(parseAddress('10.9.0.4')), 'c');
});

t.test('allocate() finds the one free address of a crowded range', async (t) => {
  const range = parseRange('10.9.0.0/24');
  const ipam = new Ipam([range], [ROUTER], NO_HOST);
  for (let i = 2; i <= 254; i++) if (i !== 77) ipam.claim(`p${i}`, `10.9.0.${i}`);
  t.equal(ipam.allocate('last', 4)?.text, '10.9.0.77');
});

t.test('NumberPool lowest fills gaps, round goes on', async (t) => {
  const lowest = new NumberPool(1, 3, 'lowest');
  const round = new NumberPool(1, 3, 'round');
  for (const pool of [lowest, round]) {
    pool.allocate('a');
    pool.allocate('b');
    pool.release('a');
  }
  t.equal(lowest.allocate('c'), 1);
  t.equal(round.allocate('c'), 3);
  t.equal(round.allocate('d'), 1);
  t.throws(() => round.allocate('e'), /all 3 are taken/);
});

t.test('NumberPool keeps numbers over a restart and drops what no longer fits', async (t) => {
  const pool = new NumberPool(1, 10, 'round', { a: 4, b: 4, c: 99 });
  t.strictSame(pool.numbers(), { a: 4 });
  t.equal(pool.allocate('a'), 4);
  t.equal(pool.get('b'), undefined);
});
