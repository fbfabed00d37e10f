/** A million mutated messages: as in mutation.test.ts, for longer. */
import t from 'tap';
import { mutateForServer } from '../test/dns-server-mutation.ts';
import { randomFrom, SEED } from '../test/random.ts';

t.test('1,000,000 mutated messages: one outcome each, nothing thrown', { timeout: 0 }, async (t) => {
  t.comment(`seed ${SEED + 1}`);
  const outcomes = mutateForServer(randomFrom(SEED + 1), 1_000_000);
  t.ok(outcomes.dropped > 10_000 && outcomes.atOnce > 100_000 && outcomes.later > 10_000);
});
