/** Two million mutated hellos: no exception, and one outcome however they are cut. */
import t from 'tap';
import { mutate, SEEDS } from '../../test/tls/hello-maker.ts';
import { outcomeOf } from '../../test/tls/tls-world.ts';

t.test('two million mutated hellos', { timeout: 3_600_000 }, async (t) => {
  for (let seed = 1_000_000; seed < 3_000_000; seed++) {
    const { bytes, cut } = mutate(SEEDS, seed);
    if (outcomeOf(bytes, 0) !== outcomeOf(bytes, cut)) t.fail(`seed ${seed}: cut at ${cut} it is judged otherwise`);
  }
});
