import t from 'tap';
import { flowIds } from './flow-id.ts';

t.test('flowIds: the same for the same record, another for any other, in order of time', async (t) => {
  const idOf = flowIds('node-1', 0);
  t.match(idOf(1704164645006.25, 7), /^018cc820-d88e-8000-[89ab][0-9a-f]{3}-[0-9a-f]{4}00000007$/);
  t.equal(idOf(1704164645006.25, 7), flowIds('node-1', 0)(1704164645006.25, 7));
  const others = [
    idOf(1704164645006.25, 8),
    idOf(1704164645007, 7),
    flowIds('node-1', 1)(1704164645006.25, 7),
    flowIds('node-2', 0)(1704164645006.25, 7),
  ];
  t.equal(new Set([idOf(1704164645006.25, 7), ...others]).size, 5);
  t.ok(idOf(1704164645006, 0xffffffff) < idOf(1704164645007, 0));
  for (const odd of [-1, Number.NaN, 2 ** 60]) t.match(idOf(odd, 0), /^[0-9a-f]{8}-[0-9a-f]{4}-8000-/);
});
