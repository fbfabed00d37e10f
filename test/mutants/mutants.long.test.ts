// Puts each fault of list.ts back into a copy of the tree and sees that the tests notice. MUTANT=NAME tries only those whose
// name, or the name of whose source, begins so (`scripts/test --mutants NAME`).
import t from 'tap';
import { MUTANTS } from './list.ts';
import { MutantTree } from './tree.ts';

t.setTimeout(3_600_000);
const wanted = process.env.MUTANT ?? '';
const chosen = MUTANTS.filter(({ name, file }) => name.startsWith(wanted) || file.startsWith(wanted));
if (chosen.length === 0) t.fail(`no mutant's name begins with '${wanted}'`);

const tree = await MutantTree.make();
t.teardown(() => tree.remove());

for (const mutant of chosen) {
  await t.test(mutant.name, { timeout: 1_800_000 }, async (t) => {
    for (const file of mutant.killedBy) {
      const { isGood, output } = await tree.baseline(file);
      if (!isGood) t.fail(`${file} is good without the mutant`, { output: output.slice(-2000) });
    }
    const outcomes = await tree.tryOut(mutant);
    for (const [index, file] of mutant.killedBy.entries()) {
      const { failures, output } = outcomes[index];
      if (failures.length === 0) t.fail(`survived ${file}: ${mutant.fault}`, { output: output.slice(-2000) });
      else t.pass(`killed by ${file}: ${failures.join('; ')}`);
    }
  });
}
