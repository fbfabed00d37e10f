/**
 * Tables on a file system that is full, a small tmpfs of their own: a store without room would kill this process (SIGBUS). A
 * table takes nothing new then, goes on with the rows it has, and grows again when there is room.
 */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { mapFile } from '../../dataplane/native/index.ts';
import { ConntrackMap } from '../../policy-maps/conntrack-map.ts';
import { L7RuleMap } from '../../policy-maps/l7-rule-map.ts';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import { PolicyStatsMap } from '../../policy-maps/policy-stats-map.ts';
import { entry } from '../dataplane-world.ts';
import { must } from '../command.ts';
import { connection } from '../pinned-maps.child.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-full-'));
const stuffing = join(folder, 'stuffing');

t.before(() => must(['mount', '-t', 'tmpfs', '-o', 'size=8m', 'sluice-full', folder]));
t.teardown(async () => {
  await must(['umount', '-l', folder]);
  rmSync(folder, { recursive: true });
});

/** Takes all that is left of the file system. */
function fill(): void {
  const fd = openSync(stuffing, 'a');
  const page = Buffer.alloc(4096, 1);
  try {
    for (;;) writeSync(fd, page);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
  closeSync(fd);
}

const free = () => statfsSync(folder).bavail;

t.test('tables on a full file system take nothing new, and kill nobody', async (t) => {
  const at = (name: string) => join(folder, name);
  const conntrack = ConntrackMap.create(at('ct'), { capacity: 65_536 }, mapFile);
  const stats = PolicyStatsMap.create(at('stats'), { capacity: 16_384 }, mapFile);
  const policy = PolicyMap.create(at('policy'), {}, mapFile);
  const rules = L7RuleMap.create(at('rules'), {}, mapFile);
  const entries = (count: number) => Array.from({ length: count }, (_, i) => entry({ identity: 1000 + i }));
  policy.publish(entries(3));
  fill();
  t.equal(free(), 0);

  const slots = Array.from({ length: 20_000 }, (_, i) => conntrack.insert(connection(i), 1 + (i & 1)));
  t.equal(slots.filter((slot) => slot < 0).length, 0, 'new connections are tracked, in the place of others');
  const atFirst = conntrack.count;
  t.ok(atFirst > 100 && atFirst < 1000, `${atFirst} rows had room`);
  t.equal(conntrack.lookup(connection(19_999)), slots[19_999] * 2);

  const counted = Array.from({ length: 20_000 }, (_, i) => stats.add(stats.slotFor(1, i, 0), 64));
  t.ok(counted.every(Boolean), 'and counted');
  const large = entries(10_000);
  t.throws(() => policy.publish(large), { code: 'ERR_MAP_FULL', message: /memory: found a full file system/ });
  t.equal(policy.count, 3, 'the policy before stays in force');
  policy.publish([]);
  t.equal(policy.count, 0, 'but an endpoint can always be closed');
  const path = 'x'.repeat(300_000);
  const ruleSet = {
    parser: 'http',
    endpoint: 1,
    ingress: true,
    port: 80,
    rules: [{ remotes: null, http: [{ path }], cookie: 1 }],
  } as const;
  t.throws(() => rules.put(1, ruleSet), { code: 'ERR_MAP_FULL' });
  truncateSync(stuffing, statSync(stuffing).size - 2 * 4096); // room for a header
  const create = () => ConntrackMap.create(at('another'), { capacity: 65_536 }, mapFile);
  t.throws(create, { code: 'ERR_MAP_FULL' });
  t.notOk(existsSync(at('another')), 'a table that cannot begin is not made');

  rmSync(stuffing);
  create().close();
  for (let i = 20_000; i < 30_000; i++) conntrack.insert(connection(i), 1);
  t.ok(conntrack.count > atFirst + 1000, `with room there are ${conntrack.count}`);
  policy.publish(large);
  t.equal(policy.count, large.length);
  rules.put(1, ruleSet);
  t.ok(rules.get(1));
});
