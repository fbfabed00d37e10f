import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Arena } from '../../dataplane/port/arena.ts';
import { Dataplane } from '../../dataplane/assemble.ts';
import { mapFile, Poller, unmapFile } from '../../dataplane/native/index.ts';
import { NO_REDIRECT } from '../../dataplane/redirect.ts';
import { eachMap, policyFile } from '../../policy-maps/pinned.ts';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import { MemoryPort } from '../../test/port/memory.ts';
import { Conditions } from './conditions.ts';
import { ForwardingPorts } from './ports.ts';

/** Mappings of policy files that this process has. */
function policyMappings(): number {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes('/policy_')).length;
}

t.test('pods that come and go leave no mapping behind, though the event loop never runs', (test) => {
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
