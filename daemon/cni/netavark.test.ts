import t from 'tap';
import { CniError } from './cni-error.ts';
import { fromNetavark, netavarkError, statusBlock } from './netavark.ts';
import { madeResult } from './result.ts';

const NETWORK = { name: 'net', id: '2f', driver: 'sluice', options: { podman: 'true', mtu: '1400' }, subnets: null };
const CONTAINER = {
  container_id: '75ff',
  container_name: 'a;K8S_POD_NAMESPACE=kube-system',
  port_mappings: [],
  network: NETWORK,
  network_options: {
    interface_name: 'eth3',
    static_ips: ['10.88.0.50'],
    static_mac: 'aa:bb:cc:dd:ee:00',
    aliases: ['x'],
  },
};

const asked = (command: string, config: unknown) =>
  fromNetavark([command, '/run/netns/x'], { environment: {}, config: JSON.stringify(config), outcomes: [] });

t.test('setup and teardown are ADD and DEL', async (t) => {
  const setup = asked('setup', CONTAINER);
  if (!('call' in setup)) throw new Error('no call');
  t.strictSame(setup.call.environment, {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: '75ff',
    CNI_NETNS: '/run/netns/x',
    CNI_IFNAME: 'eth3',
    CNI_ARGS: 'K8S_POD_NAME=aK8S_POD_NAMESPACE=kube-system', // no name makes itself another's namespace
  });
  t.match(JSON.parse(setup.call.config), {
    cniVersion: '1.1.0',
    name: 'net',
    mtu: 1400,
    podman: true,
    runtimeConfig: { mac: 'aa:bb:cc:dd:ee:00', ips: ['10.88.0.50'] },
  });
  t.match(asked('teardown', CONTAINER), { call: { environment: { CNI_COMMAND: 'DEL' } } });
});

t.test('a network is taken as it is, or refused', async (t) => {
  t.strictSame(asked('create', NETWORK), { network: NETWORK });
  for (const [wrong, message] of [
    [{ ...NETWORK, subnets: [{ subnet: '10.0.0.0/16' }] }, /^subnets: /],
    [{ ...NETWORK, options: { vlan: '1' } }, /^options: found vlan/],
  ] as const) {
    t.throws(() => asked('create', wrong), { code: 2, message });
    t.throws(() => asked('setup', { ...CONTAINER, network: wrong }), { code: 2, message });
  }
  t.throws(() => asked('setup', { ...CONTAINER, port_mappings: [{ host_port: 1 }] }), {
    code: 2,
    message: /port_mappings/,
  });
  t.throws(() => fromNetavark(['setup', ''], { environment: {}, config: '{', outcomes: [] }), { code: 6 });
});

t.test('a result becomes a status block, an error a sentence', async (t) => {
  const result = madeResult('1.1.0', {
    host: { name: 'sluice_1', mac: '02:00:00:00:00:01' },
    pod: { name: 'eth3', mac: '02:00:00:00:00:02', mtu: 1400, sandbox: '/run/netns/x' },
    addresses: ['10.9.0.7', 'fd00::7'],
    gateways: ['10.9.0.1'],
    dns: {},
  });
  t.strictSame(statusBlock(result), {
    dns_search_domains: [],
    dns_server_ips: [],
    interfaces: {
      eth3: {
        mac_address: '02:00:00:00:00:02',
        subnets: [{ ipnet: '10.9.0.7/32', gateway: '10.9.0.1' }, { ipnet: 'fd00::7/128' }],
      },
    },
  });
  t.equal(netavarkError(new CniError(7, 'a "b"', 'c')), '{"error":"a \\"b\\": c"}\n');
});
