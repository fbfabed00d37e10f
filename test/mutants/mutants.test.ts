// The cheap half of the mutants: that each could be tried. Trying them is for the long tests (mutants.long.test.ts).
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MUTANTS } from './list.ts';
import { mutate, ROOT } from './tree.ts';

t.test('every mutant still applies to its source, and its tests exist', async (t) => {
  for (const mutant of MUTANTS) {
    const mutated = mutate(mutant, readFileSync(join(ROOT, mutant.file), 'utf8'));
    t.ok(mutated.includes(mutant.is), mutant.name);
    t.not(mutant.was, mutant.is, `${mutant.name} changes something`);
    t.ok(mutant.killedBy.length > 0, `${mutant.name} names a test`);
    for (const file of mutant.killedBy) t.ok(existsSync(join(ROOT, file)), `${mutant.name}: ${file} exists`);
  }
  const names = MUTANTS.map(({ name }) => name);
  t.strictSame([...new Set(names)], names, 'no name is there twice');
});

t.test('mutate() refuses a text that has moved, and one that is there twice', async (t) => {
  const mutant = { name: 'm', fault: '', file: 'a.ts', was: 'x > 1', is: '$& x', killedBy: [] };
  t.equal(mutate(mutant, 'if (x > 1) y;'), 'if ($& x) y;', 'the new text is taken as it is');
  t.throws(() => mutate(mutant, 'if (x > 2) y;'), /mutant m: found its old text 0 times in a.ts, wanted it once/);
  t.throws(() => mutate(mutant, 'x > 1; x > 1'), /found its old text 2 times/);
});
