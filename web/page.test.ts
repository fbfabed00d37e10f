// What scripts/setup built, as the agent will serve it.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';

const PAGE = join(import.meta.dirname, '../page');
const MAX_BYTES = 250_000;

const files = readdirSync(PAGE, { recursive: true, encoding: 'utf8' })
  .filter((name) => statSync(join(PAGE, name)).isFile() && name !== '.inputs')
  .sort();
const plain = files.filter((name) => !name.endsWith('.gz'));

t.test('the page is under 250 kB with gzip, and says how large', (t) => {
  const sizes = plain.map((name) => statSync(join(PAGE, `${name}.gz`)).size);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  t.comment(`${(bytes / 1000).toFixed(1)} kB in ${plain.length} files`);
  t.ok(plain.length > 3 && bytes > 10_000, 'the whole page was measured');
  t.ok(bytes < MAX_BYTES, `${bytes} < ${MAX_BYTES}`);
  t.end();
});

t.test('beside each file stands its gzip form', (t) => {
  for (const name of plain)
    t.ok(gunzipSync(readFileSync(join(PAGE, `${name}.gz`))).equals(readFileSync(join(PAGE, name))), name);
  t.equal(files.length, 2 * plain.length, 'and nothing else');
  t.end();
});

t.test('the document has no script or style of its own, and takes nothing from elsewhere', (t) => {
  const html = readFileSync(join(PAGE, 'index.html'), 'utf8');
  for (const [, attributes, text] of html.matchAll(/<script([^>]*)>([^<]*)/g)) {
    t.match(attributes, /src="\/assets\//);
    t.equal(text, '');
  }
  t.match(html, /<script/);
  t.notMatch(html, /<style|\sstyle=|\son[a-z]+=/);
  t.notMatch(html, /(?:src|href)="(?!\/(?!\/))/);
  t.end();
});
