/** A hundred thousand mutated messages; mutation.long.test.ts has a million. */
import t from 'tap';
import { mutateForServer } from '../test/dns-server-mutation.ts';
import { randomFrom, SEED } from '../test/random.ts';

t.test('100,000 mutated messages: one outcome each, nothing thrown', async (t) => {
  t.comment(`seed ${SEED}`);
  const outcomes = mutateForServer(randomFrom(SEED), 100_000);
  t.comment(JSON.stringify(outcomes));
  t.ok(outcomes.dropped > 1_000 && outcomes.atOnce > 10_000 && outcomes.later > 1_000);
});
