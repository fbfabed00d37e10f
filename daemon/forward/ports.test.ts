import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Arena } from '../../dataplane/port/arena.ts';
import { Dataplane } from '../../dataplane/assemble.ts';
import { mapFile, openSocket, Poller, unmapFile } from '../../dataplane/native/index.ts';
import { NO_REDIRECT } from '../../dataplane/redirect.ts';
import { CONFIG_OUTSIDE_BY_HOST } from '../../policy-maps/config-map.ts';
import { eachMap, policyFile } from '../../policy-maps/pinned.ts';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import { PortMap } from '../../policy-maps/port-map.ts';
import { HEADER_BYTES } from '../../policy-maps/table/map-header.ts';
import { MemoryPort } from '../../test/port/memory.ts';
import { addressWords } from '../../wire/address.ts';
import { Conditions } from './conditions.ts';
import type { PacketSocket } from '../supervise/control.ts';
import { ForwardingPorts } from './ports.ts';

const RING_BYTES = 256 * 1024;
const PORT_ROW_WORDS = PortMap.layout.valueBytes / 4;

/** Mappings of policy files that this process has. */
function policyMappings(): number {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes('/policy_')).length;
}

/** As the agent would hand it over. */
async function loopbackSocket(): Promise<PacketSocket> {
  return { fd: await openSocket('lo', 1, RING_BYTES), ringBytes: RING_BYTES };
}

/** Forwarding ports over maps of the test's own. */
function forwarding(test: Test) {
  const directory = mkdtempSync('/dev/shm/sluice-test-');
  test.teardown(() => rmSync(directory, { recursive: true }));
  const maps = eachMap(({ file, map }) =>
    map.create(join(directory, file), { capacity: map.layout.capacity }, mapFile),
  );
  const arena = new Arena();
  const { ports: table, uplinks } = new Dataplane(maps, arena, () => NO_REDIRECT);
  const poller = new Poller();
  test.teardown(() => poller.close());
  const ports = new ForwardingPorts({
    ...{ directory, portMap: maps.ports, config: maps.config, table, uplinks, arena, poller },
    conditions: new Conditions(maps.conditions, table, arena),
    openPcap: (options) => new MemoryPort(arena, options),
    onProblem: (text) => test.fail(text),
  });
  return { directory, maps, ports, table, uplinks };
}

t.test('pods that come and go leave no mapping behind, though the event loop never runs', (test) => {
  const { directory, maps, ports, table } = forwarding(test);
  const identity = { ifindex: 0, mac: { high: 2, low: 1 }, secId: 1, mtu: 1500, flags: 0 };
  for (let pod = 1; pod <= 50; pod++) {
    const path = join(directory, policyFile(pod, false));
    const policy = PolicyMap.create(path, { capacity: 64 }, mapFile);
    policy.publish([]);
    policy.close(unmapFile);
    maps.ports.set(3, { kind: 'pcap', ifname: `pod${pod}`, endpointId: pod, ...identity });
    ports.refresh(pod);
    test.equal(table.policy[3]?.count, 0);
    test.equal(policyMappings(), 1, 'its policy is mapped once');
    maps.ports.clear(3);
    rmSync(path);
    ports.refresh(pod);
    test.equal(table.policy[3], null);
  }
  test.equal(policyMappings(), 0);
  test.end();
});

t.test('a trial that begins or ends while the port is open is followed, and the port stays open', (test) => {
  const { directory, maps, ports, table } = forwarding(test);
  const publish = (isTrial: boolean): void => {
    const policy = PolicyMap.create(join(directory, policyFile(1, isTrial)), { capacity: 64 }, mapFile);
    policy.publish([]);
    policy.close(unmapFile);
  };
  publish(false);
  const identity = { ifindex: 0, mac: { high: 2, low: 1 }, secId: 1, mtu: 1500, flags: 0 };
  maps.ports.set(3, { kind: 'pcap', ifname: 'pod1', endpointId: 1, ...identity });
  ports.refresh(1);
  const port = table.port[3];
  test.ok(port);
  test.equal(table.trial[3], null);
  publish(true);
  ports.refresh(2);
  test.equal(table.trial[3], null, 'nobody has said so yet');
  maps.ports.touch();
  ports.refresh(3);
  test.equal(table.trial[3]?.count, 0);
  rmSync(join(directory, policyFile(1, true)));
  maps.ports.touch();
  ports.refresh(4);
  test.equal(table.trial[3], null);
  test.equal(table.port[3], port, 'it is the same port');
  ports.closeAll();
  test.equal(policyMappings(), 0);
  test.end();
});

t.test('a row that the agent stopped in the middle of closes no port, and keeps what was handed over', async (test) => {
  const { maps, ports, table } = forwarding(test);
  const row = { kind: 'uplink' as const, ifname: 'lo', ifindex: 1, mac: { high: 2, low: 1 } };
  const rest = { endpointId: 0, secId: 0, flags: 0, mtu: 1500 };
  maps.ports.set(1, { ...row, ...rest });
  ports.giveSocket(1, await loopbackSocket());
  ports.refresh(1);
  const port = table.port[1];
  test.not(port, null);
  // As an agent leaves it that is stopped or killed within `set`: the version of the row is odd.
  const rowWords = maps.ports.file.words(HEADER_BYTES, 2 * PORT_ROW_WORDS);
  rowWords[PORT_ROW_WORDS] |= 1;
  test.equal(maps.ports.get(1), undefined, 'the row cannot be read');
  maps.ports.set(2, { ...row, ...rest, kind: 'pcap', ifname: 'other' });
  ports.refresh(2);
  test.equal(table.port[1], port, 'the port forwards as before');
  test.ok(ports.sockets.has(1), 'and has its socket');
  maps.ports.set(1, { ...row, ...rest, mtu: 1400 });
  ports.refresh(1002);
  test.equal(table.mtu[1], 1400, 'the next agent writes it whole');
});

t.test('an uplink follows the MTU and the addresses of its interface without being opened anew', async (test) => {
  const { maps, ports, table, uplinks } = forwarding(test);
  const row = {
    kind: 'uplink' as const,
    ifname: 'lo',
    ifindex: 1,
    mac: { high: 2, low: 1 },
    endpointId: 0,
    secId: 0,
    flags: 0,
  };
  maps.ports.set(1, { ...row, mtu: 1500 });
  ports.giveSocket(1, await loopbackSocket());
  ports.refresh(1);
  const port = table.port[1];
  test.not(port, null);
  maps.ports.set(1, { ...row, mtu: 1300, address: addressWords('203.0.113.2'), address6: addressWords('fe80::7') });
  ports.refresh(2);
  test.equal(table.port[1], port, 'the port stays open');
  test.equal(table.mtu[1], 1300);
  test.ok(uplinks.isOwnAddress(1, ...addressWords('203.0.113.2')));
  test.ok(uplinks.isOwnAddress(1, ...addressWords('fe80::7')));
  maps.ports.clear(1);
  ports.refresh(3);
  test.notOk(uplinks.isOwnAddress(1, ...addressWords('203.0.113.2')), 'and forgets them with the port');
});

t.test('without an uplink what is outside goes nowhere, or to the host if that is wanted', async (test) => {
  const { maps, ports, table } = forwarding(test);
  const common = { ifname: 'lo', ifindex: 1, mac: { high: 2, low: 1 }, mtu: 1500, endpointId: 0, secId: 1, flags: 0 };
  ports.giveSocket(0, await loopbackSocket());
  maps.ports.set(0, { ...common, kind: 'host' });
  ports.refresh(1);
  test.equal(table.hostPort, 0);
  test.equal(table.defaultPort, -1);
  maps.config.store(CONFIG_OUTSIDE_BY_HOST, 1);
  ports.refresh(2);
  test.equal(table.defaultPort, 0);
  ports.giveSocket(1, await loopbackSocket());
  maps.ports.set(1, { ...common, kind: 'uplink' });
  ports.refresh(3);
  test.equal(table.defaultPort, 1, 'an uplink is the way out, whatever else is wanted');
  for (const port of [0, 1]) maps.ports.clear(port);
  ports.refresh(4);
});
