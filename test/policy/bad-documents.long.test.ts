import t from 'tap';
import { randomFrom, SEED } from '../random.ts';
import { Proving } from './bad-documents.ts';

const MUTANTS = Number(process.env['MUTANTS'] ?? 100_000);

t.test(
  `a bad document costs nothing but itself: ${MUTANTS} mutants (SEED=${SEED})`,
  { timeout: 3_500_000 },
  async (t) => {
    const proving = new Proving(randomFrom(SEED + 1));
    t.teardown(() => proving.remove());
    let refused = 0;
    for (let i = 0; i < MUTANTS; i++) {
      const { text, fault, isRefused } = await proving.next();
      if (fault !== '') t.fail(`${fault}\n${text}`);
      if (isRefused) refused++;
    }
    t.ok(refused > MUTANTS / 3, `${refused} were refused, the others taken`);
  },
);
