import t from 'tap';
import { randomFrom, SEED } from '../random.ts';
import { Proving } from './bad-documents.ts';

t.test(
  `a bad document costs nothing but itself: 1,000 mutants, more with --long (SEED=${SEED})`,
  { timeout: 600_000 },
  async (t) => {
    const proving = new Proving(randomFrom(SEED));
    t.teardown(() => proving.remove());
    let refused = 0;
    for (let i = 0; i < 1000; i++) {
      const { text, fault, isRefused } = await proving.next();
      if (fault !== '') t.fail(`${fault}\n${text}`);
      if (isRefused) refused++;
    }
    t.ok(refused > 333 && refused < 967, `${refused} were refused, the others taken`);
  },
);
