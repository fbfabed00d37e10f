/** Two million mutated messages: as in dns.test.ts, for longer. */
import t from 'tap';
import { mutateMessages } from '../../test/dns-mutation.ts';
import { randomFrom, SEED } from '../../test/random.ts';

t.test(
  '2,000,000 mutated messages: one outcome each, nothing thrown, nothing read outside, few steps',
  { timeout: 0 },
  async (t) => {
    t.comment(`seed ${SEED}`);
    t.ok(mutateMessages(randomFrom(SEED), 2_000_000).accepted > 50_000);
  },
);
