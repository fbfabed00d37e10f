/** The documents of others, typed as they stand. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { kubectls } from '../kubectls.ts';
import { Lab, readTranscript } from './lab.ts';

const HERE = join(PACKAGE_ROOT, 'test/labs');
/** Debian's, the oldest: what it takes, later ones take too (test/netns/kubectl.test.ts). */
const [{ path: KUBECTL }] = kubectls();
const README = readFileSync(join(HERE, 'README.md'), 'utf8');
/** Each has a machine of its own, and waits for its pods longer than it computes. */
const LABS_AT_ONCE = 3;
const LABS = readdirSync(HERE, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []));

t.jobs = LABS_AT_ONCE;
for (const lab of LABS) {
  const steps = readTranscript(lab);
  t.test(`${lab}: what is typed instead of the document's commands stands in the README`, async (t) => {
    for (const { command, typed } of steps) {
      const [line] = command.split('\n');
      if (typed !== command) t.ok(README.includes(`| ${lab} | \`${line.replaceAll('|', '\\|')}\` |`), line);
    }
  });
  t.test(lab, { buffered: true }, async (t) => {
    const shell = await Lab.start(lab, KUBECTL);
    t.teardown(() => shell.stop());
    for (const step of steps) {
      const { problem } = await shell.run(step);
      t.equal(problem, '', `line ${step.line}: ${step.typed.split('\n')[0]}`);
    }
  });
}
