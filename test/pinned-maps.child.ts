// The other process of pinned-maps.test.ts. Tasks: `read` checks without pause that nothing is mixed; `insert` opens
// conntrack and keeps the pen; `churn` inserts and removes connections until it is killed.
import { EGRESS } from '../wire/direction.ts';
import { join } from 'node:path';
import { mapFile } from '../dataplane/native/index.ts';
import { ConfigMap } from '../policy-maps/config-map.ts';
import { ConntrackMap, type TupleFields } from '../policy-maps/conntrack-map.ts';
import { Ipcache } from '../policy-maps/ipcache.ts';
import { L7RuleMap } from '../policy-maps/l7-rule-map.ts';
import { PolicyMap } from '../policy-maps/policy-map.ts';
import { type PortEntry, PortMap } from '../policy-maps/port-map.ts';

/** Connection number i of the test. */
export function connection(i: number): TupleFields {
  return {
    src0: 0,
    src1: 0,
    src2: 0xffff,
    src3: 0x0a000000 + (i >> 8),
    dst0: 0,
    dst1: 0,
    dst2: 0xffff,
    dst3: 0x0a600001,
    srcPort: 1024 + (i & 255),
    dstPort: 80,
    protocol: 6,
  };
}

const [task, folder] = process.argv.slice(2);
if (process.send !== undefined && task === 'read') read();
if (process.send !== undefined && task === 'insert') insert();
if (process.send !== undefined && task === 'churn') churn();

function tell(message: object): void {
  process.send?.(message);
}

function read(): void {
  const policy = PolicyMap.open(join(folder, 'policy_1'), mapFile);
  const ipcache = Ipcache.open(join(folder, 'ipcache'), mapFile);
  const rules = L7RuleMap.open(join(folder, 'l7_rules'), mapFile);
  const ports = PortMap.open(join(folder, 'ports'), mapFile);
  const config = ConfigMap.open(join(folder, 'runtime_config'), mapFile);
  const faults: string[] = [];
  const rounds = new Set<number>();
  let lookups = 0;
  let newest = 0;
  let hasSeenEnough = false;
  const check = (isRight: boolean, what: () => string): void => {
    if (!isRight && faults.length < 5) faults.push(what());
  };
  tell({});
  while (config.load(200) === 0) {
    for (let identity = 1000; identity < 1300; identity++) {
      const verdict = policy.lookup(identity, EGRESS, 6, 80);
      const isOwn = identity - 1000 < 20 + (policy.cookie % 7) * 40;
      const isWhole =
        verdict === policy.cookie && policy.entryIdentity === (isOwn ? identity : 11) && policy.cookie >= newest;
      check(isWhole, () => `policy ${identity}: verdict ${verdict}, cookie ${policy.cookie}, after ${newest}`);
      newest = policy.cookie;
    }
    rounds.add(newest);
    for (let host = 0; host < 50; host++) {
      check(ipcache.lookup(0, 0, 0xffff, host) >= 1, () => `ipcache ${host}: gone`);
      const found = ipcache.match([0, 0, 0xffff, host]);
      check(
        found?.tunnelEndpoint.every((word) => word === found.identity) === true,
        () => `ipcache ${host}: ${JSON.stringify(found)}`,
      );
    }
    const rule = rules.get(1)?.ruleSet;
    const isWhole = rule?.rules[0].cookie === rule?.port && rule?.rules[0].http?.length === 1 + ((rule?.port ?? 0) % 5);
    check(rule !== undefined && isWhole, () => `rule set: ${JSON.stringify(rule)}`);
    const port = readPort(ports);
    check(port?.ifname === `p${port?.flags}` && port.mac.low === port.ifindex, () => `port: ${JSON.stringify(port)}`);
    lookups += 300;
    if (!hasSeenEnough && lookups > 1000 && rounds.size > 10) {
      hasSeenEnough = true;
      tell({});
    }
  }
  tell({ lookups, rounds: rounds.size, faults });
  process.disconnect();
}

/** A row that its writer has begun cannot be read, however long the kernel lets the writer wait: it is looked at until it can. */
function readPort(ports: PortMap): PortEntry | undefined {
  for (let attempt = 0; attempt < 100_000; attempt++) {
    const port = ports.get(3);
    if (port !== undefined) return port;
  }
  return undefined;
}

function insert(): void {
  const map = ConntrackMap.create(join(folder, 'ct_tcp'), { capacity: 1000 }, mapFile);
  for (let i = 0; i < 100; i++) map.insert(connection(i));
  tell({});
  process.on('message', () => undefined); // stay
}

function churn(): void {
  const map = ConntrackMap.open(join(folder, 'ct_tcp'), mapFile, { writable: true });
  tell({});
  for (let i = 0, told = false; ; i++) {
    const slot = map.insert(connection(1000 + ((i * 7919) % 3000)));
    if (i % 3 !== 0) map.remove(slot);
    if (i > 500 && !told) {
      told = true;
      tell({});
    }
  }
}
