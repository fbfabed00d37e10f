// The pinned maps between processes, over the real mapping: what creation costs, a reader hammering while the writer
// publishes, the one pen, and a writer killed in the middle of its work. SEED=n repeats a run.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { mapFile } from '../dataplane/native/index.ts';
import { ConfigMap } from '../policy-maps/config-map.ts';
import { ConntrackMap } from '../policy-maps/conntrack-map.ts';
import { Ipcache } from '../policy-maps/ipcache.ts';
import { L7RuleMap } from '../policy-maps/l7-rule-map.ts';
import type { MapError } from '../policy-maps/table/map-error.ts';
import { closePinnedMaps, eachMap } from '../policy-maps/pinned.ts';
import type { PolicyEntry } from '../policy-maps/policy-entry.ts';
import { PolicyMap } from '../policy-maps/policy-map.ts';
import { PortMap } from '../policy-maps/port-map.ts';
import { connection } from './pinned-maps.child.ts';

const SEED = Number(process.env['SEED'] ?? 20240229);
t.comment(`seed ${SEED}`);

// Pinned maps live on tmpfs; on a disk the blocks would be counted only once they are written back.
const folder = mkdtempSync('/dev/shm/sluice-pinned-maps-');
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

function usedBytes(path: string): number {
  return statSync(path).blocks * 512;
}

function totalBytes(): number {
  return readdirSync(folder).reduce((sum, name) => sum + usedBytes(join(folder, name)), 0);
}

function entry(identity: number, round: number): PolicyEntry {
  return {
    identity,
    egress: true,
    protocol: 6,
    port: 80,
    portPrefix: 16,
    deny: false,
    ruleSet: round,
    authType: 0,
    hasExplicitAuthType: false,
    precedence: 2,
    cookie: round,
  };
}

/** What the child expects of round n: 20 + (n mod 7) * 40 pods with entries of their own, all saying n. */
function roundPolicy(round: number): PolicyEntry[] {
  const size = 20 + (round % 7) * 40;
  return [entry(11, round), ...Array.from({ length: size }, (_, i) => ({ ...entry(1000 + i, round), precedence: 3 }))];
}

t.test('maps of default size cost their indexes until they are used', (t) => {
  const maps = eachMap(({ file, map, capacity = map.layout.capacity }) =>
    map.create(join(folder, file), { capacity }, mapFile),
  );
  t.ok(
    totalBytes() < 55 * 2 ** 20,
    `${totalBytes()} bytes for all maps, empty: an index is touched all over at once, and rings are there from the start`,
  );
  const before = totalBytes();
  for (let endpoint = 1; endpoint <= 100; endpoint++) {
    const policy = PolicyMap.create(join(folder, `policy_${endpoint}`), {}, mapFile);
    for (let round = 1; round <= 3; round++) policy.publish(roundPolicy(round).slice(0, 40));
    policy.close();
  }
  const each = (totalBytes() - before) / 100;
  t.ok(each <= 16 * 1024, `${each} bytes for a policy of 40 entries, both halves used`);
  closePinnedMaps(maps);
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  t.end();
});

interface Child {
  readonly process: ChildProcess;
  next(): Promise<Record<string, unknown>>;
}

function start(task: string): Child {
  const child = fork(join(import.meta.dirname, 'pinned-maps.child.js'), [task, folder], { stdio: 'inherit' });
  // Two messages may come in one turn: each is kept until it is asked for.
  const messages: Record<string, unknown>[] = [];
  child.on('message', (message) => messages.push(message as Record<string, unknown>));
  const next = async () => {
    while (messages.length === 0) await once(child, 'message');
    return messages.shift() as Record<string, unknown>;
  };
  return { process: child, next };
}

t.test(
  'a reader in another process never sees a mix, under heavy updates of policy, ipcache and L7 rules',
  async (t) => {
    const policy = PolicyMap.create(join(folder, 'policy_1'), {}, mapFile);
    const ipcache = Ipcache.create(join(folder, 'ipcache'), { capacity: 2048 }, mapFile);
    const rules = L7RuleMap.create(join(folder, 'l7_rules'), { capacity: 4096 }, mapFile);
    const ports = PortMap.create(join(folder, 'ports'), { capacity: 16 }, mapFile);
    const config = ConfigMap.create(join(folder, 'runtime_config'), {}, mapFile);
    const publish = (round: number): void => {
      policy.publish(roundPolicy(round));
      for (let host = 0; host < 50; host++) {
        ipcache.upsert([0, 0, 0xffff, host], 128, { identity: round, tunnelEndpoint: [round, round, round, round] });
      }
      for (let host = 50; host < 100; host++) {
        if (round % 2 === 0) ipcache.upsert([0, 0, 0xffff, host], 128, { identity: round });
        else ipcache.remove([0, 0, 0xffff, host], 128);
      }
      const paths = Array.from({ length: 1 + (round % 5) }, () => ({ path: `/${round}` }));
      rules.put(1, {
        parser: 'http',
        endpoint: 1,
        ingress: true,
        port: round,
        rules: [{ remotes: null, http: paths, cookie: round }],
      });
      const mac = { high: round, low: round };
      ports.set(3, {
        kind: 'tap',
        ifname: `p${round}`,
        ifindex: round,
        mac,
        endpointId: round,
        secId: round,
        mtu: round,
        flags: round,
      });
      config.bumpWorldGeneration();
    };
    publish(1);
    const child = start('read');
    await child.next();
    // On a busy machine the child may have seen little by then: until it says that it has seen enough.
    let hasSeenEnough = false;
    const enough = child.next().then(() => {
      hasSeenEnough = true;
    });
    child.process.once('exit', () => {
      hasSeenEnough = true;
    });
    for (let round = 2; round < 1500 || !hasSeenEnough; round++) {
      publish(round);
      if (round % 50 === 0) await nextTurn();
    }
    await enough;
    const report = child.next();
    child.process.send('stop');
    config.store(200, 1); // the child is busy: it looks here
    const { lookups, rounds, faults } = (await report) as { lookups: number; rounds: number; faults: string[] };
    t.same(faults, []);
    t.comment(`${lookups} lookups over ${rounds} rounds`);
    await once(child.process, 'exit');
    for (const map of [policy, ipcache, rules, ports, config]) map.close();
  },
);

t.test('a map has one writer, whichever process it is in; a dead one does not count', async (t) => {
  const path = join(folder, 'ct_tcp');
  const child = start('insert');
  await child.next();
  const refused = caught(() => ConntrackMap.open(path, mapFile, { writable: true }));
  t.match(refused, { code: 'ERR_MAP_BUSY', path, found: `process ${child.process.pid}` });
  t.match(
    caught(() => ConntrackMap.create(path, {}, mapFile)),
    { code: 'ERR_MAP_BUSY' },
    'nor is it replaced',
  );
  t.doesNotThrow(() => ConntrackMap.open(path, mapFile), 'readers are welcome');
  child.process.kill('SIGKILL');
  await once(child.process, 'exit');
  const map = ConntrackMap.open(path, mapFile, { writable: true });
  t.ok(map.file.recovered);
  map.close();
  const again = ConntrackMap.open(path, mapFile, { writable: true });
  t.notOk(again.file.recovered, 'a pen laid down leaves the map in order');
  again.close();
  ConntrackMap.create(path, { capacity: 1000 }, mapFile).close();
  t.equal(ConntrackMap.open(path, mapFile).capacity, 1000, 'a map that nobody writes can be made anew');
  rmSync(path);
});

t.test('connections survive a dataplane killed in the middle of its work, again and again', async (t) => {
  const path = join(folder, 'ct_tcp');
  ConntrackMap.create(path, { capacity: 5000 }, mapFile).close();
  const kept = Array.from({ length: 200 }, (_, i) => connection(i));
  const first = ConntrackMap.open(path, mapFile, { writable: true });
  for (const f of kept) first.insert(f);
  first.close();
  for (let round = 0; round < 8; round++) {
    const child = start('churn');
    await child.next();
    await child.next(); // some hundred insertions and removals later, in the middle of the next ones
    child.process.kill('SIGKILL');
    await once(child.process, 'exit');
    const reader = ConntrackMap.open(path, mapFile);
    t.same(
      kept.filter((f) => reader.lookup(f) < 0),
      [],
      'a reader finds them before the table is repaired',
    );
    const map = ConntrackMap.open(path, mapFile, { writable: true });
    t.same(
      kept.filter((f) => map.lookup(f) < 0),
      [],
      'and the next writer after',
    );
    const live = [...map.entries()];
    t.equal(live.length, map.count);
    t.ok(map.count >= 200 && map.count <= 5000, `${map.count} connections`);
    map.close();
  }
});

function caught(action: () => unknown): MapError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return error as MapError;
  }
}
