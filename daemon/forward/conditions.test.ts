import { mkdtempSync, rmSync } from 'node:fs';
import t, { type Test } from 'tap';
import { mapFile } from '../../dataplane/native/index.ts';
import { Batch, Arena } from '../../dataplane/port/arena.ts';
import { PortTable } from '../../dataplane/port/table.ts';
import { ConditionMap, type Faults, NO_CONDITIONS } from '../../policy-maps/condition-map.ts';
import { MemoryPort } from '../../test/port/memory.ts';
import { Conditions } from './conditions.ts';

const NONE: Faults = { seed: 3, drop: 0, corrupt: 0, duplicate: 0, reorder: 0, delayMs: 0, jitterMs: 0 };

function rig(t: Test) {
  const folder = mkdtempSync('/dev/shm/sluice-test-');
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const map = ConditionMap.create(`${folder}/port_conditions`, { capacity: 16 }, mapFile);
  const arena = new Arena();
  const table = new PortTable();
  const conditions = new Conditions(map, table, arena);
  const port = new MemoryPort(arena, { index: 5, name: 'red' });
  const batch = new Batch(arena);
  /** Frames that come in at `nowMs`. */
  const receive = (nowMs: number): number => {
    batch.reset();
    batch.nowMs = nowMs;
    return table.port[5]?.receive(batch) ?? -1;
  };
  return { map, table, conditions, port, receive };
}

t.test('a row of the map reads as it was written', async (t) => {
  const { map } = rig(t);
  t.equal(map.get(5), NO_CONDITIONS, 'none to begin with');
  const faults = {
    seed: 0x7fffffff,
    drop: 0.01,
    corrupt: 0.000001,
    duplicate: 1,
    reorder: 0.5,
    delayMs: 5.001,
    jitterMs: 10_000,
  };
  const before = map.generation;
  map.set(5, { faults, isTraced: true });
  t.strictSame(map.get(5), { faults, isTraced: true });
  t.not(map.generation, before);
  map.set(5, NO_CONDITIONS);
  t.equal(map.get(5), NO_CONDITIONS);
});

t.test('a port without conditions has no wrapper, and gets and loses one while it is open', async (t) => {
  const { map, table, conditions, port } = rig(t);
  table.port[5] = conditions.wrap(5, port);
  t.equal(table.port[5], port);
  t.equal(conditions.hasFaults, false);
  map.set(5, { faults: { ...NONE, drop: 1 }, isTraced: false });
  t.equal(table.port[5], port, 'not before somebody looks');
  conditions.refresh(1000);
  const faulty = table.port[5];
  t.not(faulty, port);
  t.equal(conditions.hasFaults, true);
  map.set(6, { faults: { ...NONE, drop: 1 }, isTraced: false });
  conditions.refresh(1050);
  t.equal(table.port[5], faulty, 'what is asked of another port does not touch it');
  map.set(5, NO_CONDITIONS);
  conditions.refresh(1100);
  t.equal(table.port[5], port);
  t.equal(conditions.hasFaults, false);
});

t.test('drops are counted once, and so are frames held back by a port that goes', async (t) => {
  const { map, table, conditions, port, receive } = rig(t);
  map.set(5, { faults: { ...NONE, drop: 1 }, isTraced: false });
  table.port[5] = conditions.wrap(5, port);
  for (let i = 0; i < 3; i++) port.deliver(new Uint8Array(60));
  t.equal(receive(1000), 0);
  t.strictSame(conditions.takeDropped(), [[5, 3]]);
  t.strictSame(conditions.takeDropped(), []);
  map.set(5, { faults: { ...NONE, delayMs: 7 }, isTraced: false });
  conditions.refresh(1000);
  for (let i = 0; i < 2; i++) port.deliver(new Uint8Array(60));
  t.equal(receive(1000), 0, 'held back');
  t.equal(conditions.nextDueMs, 1007);
  t.strictSame([...conditions.due(1006)], []);
  t.strictSame([...conditions.due(1007)], [5]);
  conditions.forget(5);
  t.strictSame(conditions.takeDropped(), [[5, 2]]);
  t.equal(conditions.nextDueMs, Number.POSITIVE_INFINITY);
});

t.test('two ports with one seed lose different frames', async (t) => {
  const { map, table, conditions, port, receive } = rig(t);
  const lost = (index: number): string => {
    map.set(index, { faults: { ...NONE, drop: 0.5 }, isTraced: false });
    table.port[5] = conditions.wrap(index, port);
    return Array.from({ length: 32 }, () => {
      port.deliver(new Uint8Array(60));
      return receive(1000);
    }).join('');
  };
  const first = lost(5);
  t.equal(lost(5), first, 'the same again');
  t.not(lost(6), first);
});
