/** Patches say what patch(1) does with them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { Draw } from '../test/policy/random-world.ts';
import { patchText } from './patch.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-patch-'));
t.teardown(() => rmSync(folder, { recursive: true }));

t.test('patch(1) makes the policy after out of the one before', async (t) => {
  const draw = new Draw(3);
  for (let i = 0; i < 60; i++) {
    const list = Array.from({ length: 1 + draw.int(20) }, () => draw.of(['a', 'b', 'c', 'd']));
    const after = list.flatMap((item) =>
      draw.chance(15) ? [] : draw.chance(20) ? [item, draw.of(['x', 'y'])] : [item],
    );
    const text = patchText({ name: 'Kind/a/b', place: 'f.yaml:1', before: { list }, after: { list: after } });
    const file = join(folder, 'policy.yaml');
    writeFileSync(file, stringify({ list }));
    if (JSON.stringify(list) === JSON.stringify(after)) continue;
    execFileSync('patch', ['-s', file], { input: text });
    t.equal(readFileSync(file, 'utf8'), stringify({ list: after }), text);
  }
});

t.test('a new policy is a patch too', async (t) => {
  const text = patchText({ name: 'Kind/a/b', place: '', before: undefined, after: { a: 1, b: 2 } });
  t.equal(text, '--- /dev/null\n+++ Kind/a/b\n@@ -0,0 +1,2 @@\n+a: 1\n+b: 2\n');
});
