/** Which addresses of services are announced, by whom they were given and what is configured. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { L2Map } from '../../policy-maps/service/l2-map.ts';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import { formatIp, formatMac } from '../../wire/address.ts';
import { parseConfig } from '../config/config.ts';
import { Announcements } from './announcements.ts';
import type { ServicePlace } from './return-table.ts';
import { WayOut, type WayOutOptions } from './way-out.ts';

const folder = mkdtempSync('/tmp/sldaa-');
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;
const place = (address: string, isAnnounceable = true): ServicePlace => ({
  address,
  port: 80,
  protocol: 'tcp',
  isAnnounceable,
});
const PLACES = [
  place('192.0.2.200'),
  place('192.0.2.200'),
  place('192.0.2.201', false),
  place('192.0.2.1'),
  place('198.51.100.7'),
  place('2001:db8::201'),
];

function announcements(announce: string, capacity = 64) {
  const map = L2Map.create(join(folder, `map_${files++}`), { capacity }, memoryMapper());
  const text = `announce: ${announce}\nloadBalancerCIDRs: { ipv4: 192.0.2.0/24, ipv6: '2001:db8::200/120' }\n`;
  return { map, all: new Announcements(parseConfig(text, 'sluice.yaml'), map) };
}

t.test('only addresses of configured ranges, unless all are asked for', (t) => {
  const own = new Set(['192.0.2.1']);
  t.same(announcements('pool').all.of(PLACES, own), ['192.0.2.200', '2001:db8::201']);
  t.same(announcements('all').all.of(PLACES, own), ['192.0.2.200', '198.51.100.7', '2001:db8::201']);
  t.same(announcements('none').all.of(PLACES, own), []);
  t.end();
});

t.test('each link says its own MAC; what finds no room is told', (t) => {
  const { map, all } = announcements('pool');
  const links = [
    { ifname: 'a0', address: '02:00:00:00:00:0a' },
    { ifname: 'b0', address: '02:00:00:00:00:0b' },
  ];
  const listed = () =>
    [...map.entries()].map(({ address, mac }) => `${formatIp(...address)} ${formatMac(mac.high, mac.low)}`).sort();
  all.set(['192.0.2.200', '192.0.2.201'], links);
  t.equal(all.problem, '');
  t.equal(listed().length, 4);
  all.set(['192.0.2.201'], links.slice(0, 1));
  t.same(listed(), ['192.0.2.201 02:00:00:00:00:0a']);
  const small = announcements('pool', 16);
  small.all.set(
    Array.from({ length: 20 }, (_, i) => `192.0.2.${i + 1}`),
    links.slice(0, 1),
  );
  t.match(small.all.problem, /announce: /);
  small.all.set([], []);
  t.equal(small.all.problem, '');
  t.equal([...small.map.entries()].length, 0);
  t.end();
});

t.test('what is announced is worked out when what it is of has changed, not with each change of a service', (t) => {
  const { map } = announcements('pool');
  const config = parseConfig(
    "uplink: { mode: none }\nloadBalancerCIDRs: { ipv4: 192.0.2.0/24, ipv6: '' }\n",
    'sluice.yaml',
  );
  const maps = { l2: map } as unknown as WayOutOptions['maps'];
  const wayOut = new WayOut({ config, routerMac: '', maps, tell: () => {}, onAnswered: () => {} });
  t.same(wayOut.announced, []);
  wayOut.setOuter(PLACES, []);
  const { announced } = wayOut;
  t.same(announced, ['192.0.2.200', '192.0.2.1']);
  wayOut.setOuter(PLACES, ['203.0.113.9']);
  t.equal(wayOut.announced, announced);
  wayOut.setOuter(PLACES.slice(1), []);
  t.not(wayOut.announced, announced);
  t.same(wayOut.announced, announced);
  wayOut.setOuter([], []);
  t.same(wayOut.announced, []);
  t.end();
});
