import t from 'tap';
import { previousInterface, readPrevious } from './previous-result.ts';
import { CNI_VERSIONS } from './request.ts';
import { madeResult, passedResult } from './result.ts';

const MADE = {
  host: { name: 'sluice_3', mac: '02:00:00:00:00:01' },
  pod: { name: 'eth0', mac: '02:00:00:00:00:07', mtu: 1400, sandbox: '/run/netns/x' },
  addresses: ['10.9.0.7', 'fd00:9::7'],
  gateways: ['10.9.0.1', 'fd00:9::1'],
  dns: {},
};

t.test('the result has the shape of its version', async (t) => {
  const routes = [
    { dst: '0.0.0.0/0', gw: '10.9.0.1' },
    { dst: '::/0', gw: 'fd00:9::1' },
  ];
  const interfaces = [MADE.host, { name: 'eth0', mac: MADE.pod.mac, sandbox: '/run/netns/x' }];
  const ips = [
    { address: '10.9.0.7/32', gateway: '10.9.0.1', interface: 1 },
    { address: 'fd00:9::7/128', gateway: 'fd00:9::1', interface: 1 },
  ];
  const old = ips.map((one, i) => ({ ...one, version: ['4', '6'][i] }));
  for (const cniVersion of ['0.3.0', '0.3.1', '0.4.0'] as const)
    t.same(madeResult(cniVersion, MADE), { cniVersion, interfaces, ips: old, routes, dns: {} });
  t.same(madeResult('1.0.0', MADE), { cniVersion: '1.0.0', interfaces, ips, routes, dns: {} });
  const measured = interfaces.map((one) => ({ ...one, mtu: 1400 }));
  t.same(madeResult('1.1.0', MADE), { cniVersion: '1.1.0', interfaces: measured, ips, routes, dns: {} });
});

t.test('a pod on a TAP has the one interface, and a family without a router no gateway', async (t) => {
  const tap = { pod: MADE.pod, addresses: ['10.9.0.7'], gateways: [], dns: {} };
  t.match(madeResult('1.0.0', tap), {
    interfaces: [{ name: 'eth0' }],
    ips: [{ address: '10.9.0.7/32', interface: 0 }],
    routes: [{ dst: '0.0.0.0/0' }],
  });
});

const PTP = {
  cniVersion: '1.0.0',
  interfaces: [
    { name: 'veth1', mac: '02:00:00:00:00:aa' },
    { name: 'eth0', mac: '02:00:00:00:00:BB', sandbox: '/run/netns/x' },
  ],
  ips: [{ address: '10.1.2.3/24', gateway: '10.1.2.1', interface: 1, extra: true }],
  routes: [{ dst: '0.0.0.0/0' }],
  dns: { nameservers: ['10.1.2.1'] },
  future: { key: 1 },
};

t.test('a result of the plugins before is passed on as it came', async (t) => {
  for (const version of CNI_VERSIONS) t.same(passedResult(version, readPrevious(PTP)), { ...PTP, cniVersion: version });
});

t.test('previousInterface() finds the interface of the container', async (t) => {
  const previous = readPrevious(PTP);
  t.strictSame(previousInterface(previous, 'eth0', '/run/netns/x'), {
    mac: '02:00:00:00:00:bb',
    addresses: ['10.1.2.3'],
  });
  t.throws(() => previousInterface(previous, 'eth1', '/run/netns/x'), {
    code: 7,
    message: /found veth1 in the host, eth0/,
  });
  t.throws(() => previousInterface(previous, 'eth0', '/run/netns/y'), { code: 7 }, 'of another container');
  const addressless = readPrevious({ ...PTP, ips: [{ address: '10.1.2.3/24', interface: 0 }] });
  t.throws(() => previousInterface(addressless, 'eth0', '/run/netns/x'), { code: 7, message: /no address/ });
  const unsaid = readPrevious({ ...PTP, ips: [{ address: '10.1.2.3/24' }] });
  t.strictSame(previousInterface(unsaid, 'eth0', '/run/netns/x').addresses, ['10.1.2.3']);
});

t.test('readPrevious() refuses what is no result', async (t) => {
  const wrong = [{ ips: 'x' }, { ips: [1] }, { interfaces: {} }, { ips: [{}] }, { ips: [{ address: 'fe80::1%x/64' }] }];
  for (const raw of wrong) t.throws(() => readPrevious(raw), { code: 6 }, JSON.stringify(raw));
});
