/** Secrets from files. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readSecretFiles } from './secret-files.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-secrets-'));
t.teardown(() => rmSync(dir, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(join(dir, path, '..'), { recursive: true });
  writeFileSync(join(dir, path), text);
}

const found = () => readSecretFiles(dir).secrets.map(({ namespace, name, values }) => [namespace, name, [...values]]);

t.test(
  'a file is a key, in a folder for the secret, in one for the namespace; a mounted Secret is read once',
  async (t) => {
    t.same(readSecretFiles(dir), { secrets: [], problems: [] });
    write('shop/token/..data_1/key', 'v\n');
    symlinkSync('..data_1', join(dir, 'shop/token/..data'));
    symlinkSync('..data/key', join(dir, 'shop/token/key'));
    write('else/two/b', '\u00e9');
    write('else/two/a', '');
    t.same(found(), [
      [
        'else',
        'two',
        [
          ['a', ''],
          ['b', '\u00c3\u00a9'],
        ],
      ],
      ['shop', 'token', [['key', 'v\n']]],
    ]);
    t.same(readSecretFiles(dir).problems, []);
  },
);

t.test('what cannot be read has no value, and is told without what is in it', async (t) => {
  write('stray', 'told?');
  write('shop/stray', 'told?');
  write('shop/large/key', 'told?'.repeat(20_000));
  mkdirSync(join(dir, 'shop/folder/key'), { recursive: true });
  symlinkSync('/nowhere', join(dir, 'shop/folder/gone'));
  const { secrets, problems } = readSecretFiles(dir);
  t.equal(problems.length, 5, problems.join());
  t.notMatch(problems.join(), /told\?/);
  const empty = secrets.filter(({ values }) => values.size === 0).map(({ name }) => name);
  t.same(empty, ['folder', 'large', 'stray'], 'they are there, without a value: no object of that name counts instead');
  t.throws(() => readSecretFiles(join(dir, 'none')), { code: 'ENOENT' });
});
