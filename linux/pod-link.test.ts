/** Whether a pod's interface is as it was made, by the tables of its namespace as the kernel writes them. */
import t from 'tap';
import { faultsIn, faultsText, mendScript, type NetnsTables } from './pod-link.ts';
import type { AttachmentSpec } from './attachment.ts';

const SPEC: AttachmentSpec = {
  owner: 'shop/web',
  port: 1,
  mode: 'veth',
  netns: 'shop-web',
  hostInterface: 'sluice_1',
  mac: '02:00:00:00:00:07',
  routerMac: '02:00:00:00:00:01',
  addresses: ['10.9.0.2', 'fd00:9::2'],
  gateways: ['10.9.0.1', 'fd00:9::1'],
  mtu: 1500,
};
const WELL = { isDown: false, hasOtherMac: false, addresses: [], routes: [] };
/** Of a pod as it is made. */
const TABLES: NetnsTables = {
  fibTrie: `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 10.9.0.1
        /32 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.9.0.2
        /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
`,
  route: `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100090A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0100090A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
`,
  inet6: `00000000000000000000000000000001 01 80 10 80       lo
fd000009000000000000000000000002 02 80 00 82     eth0
`,
  route6: `fd000009000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000400 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000009000000000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`,
};
const without = (table: keyof NetnsTables, pattern: RegExp): NetnsTables => ({
  ...TABLES,
  [table]: TABLES[table]?.replace(pattern, ''),
});

t.test('faultsIn() finds what is lacking, and nothing else', async (t) => {
  const cases: readonly (readonly [NetnsTables, object])[] = [
    [TABLES, {}],
    [without('fibTrie', / +\|-- 10\.9\.0\.2\n.*\n/), { addresses: ['10.9.0.2'] }],
    [without('fibTrie', /(?<=10\.9\.0\.2\n) +\/32 host LOCAL\n/), { addresses: ['10.9.0.2'] }],
    [without('inet6', /fd.*\n/), { addresses: ['fd00:9::2'] }],
    [{ ...TABLES, inet6: TABLES.inet6?.replace('eth0', 'foo0') }, { addresses: ['fd00:9::2'] }],
    [without('route', /eth0\t0{8}.*\n/), { routes: [4] }],
    [{ ...TABLES, route: TABLES.route?.replace('eth0', 'wan0') }, {}],
    [without('route6', /0{32} 00 0{32} 00 fd.*\n/), { routes: [6] }],
    [{ fibTrie: undefined, route: undefined, inet6: undefined, route6: undefined }, {}],
  ];
  for (const [tables, wanted] of cases) t.same(faultsIn(SPEC, tables), { addresses: [], routes: [], ...wanted });
  t.same(faultsIn({ addresses: ['10.9.0.2'] }, without('route6', /0{32} 00 0{32} 00 fd.*\n/)).routes, []);
  const longer = faultsIn(
    { addresses: ['10.9.0.2'] },
    { ...TABLES, fibTrie: TABLES.fibTrie?.replace('10.9.0.2', '10.9.0.22') },
  );
  t.same(longer.addresses, ['10.9.0.2'], 'an address that only begins so is another');
});

t.test('mendScript() puts back what is lacking and touches nothing else', async (t) => {
  const of = (faults: object) =>
    mendScript(SPEC, { ...WELL, ...faults })
      .split('\n')
      .slice(1, -2);
  t.same(of({ isDown: true }), ['link set eth0 up']);
  t.same(of({ addresses: ['10.9.0.2'] }), ['addr add 10.9.0.2/32 dev eth0']);
  t.same(of({ hasOtherMac: true, routes: [4] }), [
    'link set eth0 address 02:00:00:00:00:07',
    'route replace 10.9.0.1/32 dev eth0 scope link',
    'route replace 0.0.0.0/0 via 10.9.0.1 dev eth0',
  ]);
  t.match(
    mendScript(SPEC, { ...WELL, addresses: ['fd00:9::2'] }),
    /echo 0 > \S+disable_ipv6.*addr add fd00:9::2\/128/s,
  );
  t.equal(faultsText({ ...WELL, isDown: true, routes: [6] }), 'eth0 is down, has no default route of IPv6');
});
