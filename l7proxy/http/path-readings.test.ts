/** How many ways a path can be read. */
import t from 'tap';
import { isPlain, pathReadings } from './path-readings.ts';

t.test('pathReadings()', async (t) => {
  const cases: [string, string[]][] = [
    ['/a/b?x=%2e', ['/a/b?x=%2e']],
    ['/%61', ['/%61', '/a']],
    ['/%2561', ['/%2561', '/%61', '/a']],
    ['/a/../b', ['/a/../b', '/b']],
    ['/a/%2e%2e/b', ['/a/%2e%2e/b', '/a/../b', '/b']],
    ['/a;x=1/b', ['/a;x=1/b', '/a/b']],
    ['/a/..;/b', ['/a/..;/b', '/a/../b', '/b']],
    ['//a///b', ['//a///b', '/a/b']],
    ['/a\\..\\b', ['/a\\..\\b', '/a/../b', '/b']],
    ['/a%00.png', ['/a%00.png', '/a\0.png', '/a']],
    ['/a%3fb', ['/a%3fb', '/a?b']],
    ['/../../a', ['/../../a', '/a']],
    ['/a/..', ['/a/..', '/']],
    ['/a/.', ['/a/.', '/a/']],
    ['/%c0%af', ['/%c0%af', '/\xc0\xaf', '//', '/']],
    ['/caf%C3%A9', ['/caf%C3%A9', '/café']],
    ['/\xc0\xaf', ['/\xc0\xaf', '//', '/']],
    ['/%e0%80%af', ['/%e0%80%af', '/\xe0\x80\xaf', '//', '/']],
    ['/%f0%80%80%ae', ['/%f0%80%80%ae', '/\xf0\x80\x80\xae', '/.', '/']],
    ['/%u002fa', ['/%u002fa', '//a', '/a']],
    ['/%uFF0Ea', ['/%uFF0Ea', '/.a']],
  ];
  for (const [path, wanted] of cases) t.same(new Set(pathReadings(path)), new Set(wanted), path);
  t.equal(pathReadings(`/%${'25'.repeat(80)}2e`), undefined, 'no games');
  t.equal(pathReadings(`/${'%41'.repeat(3000)}`), undefined, 'nor long ones');
});

t.test('isPlain() never calls a path plain that has another reading', async (t) => {
  const alphabet = ['a', '/', '.', '..', '%2e', ';', '\\', '?', '%', '%00', '//', '/./', '\xc0\xae', '%u002e', '\xe9'];
  let seed = 12345;
  const next = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let i = 0; i < 3000; i++) {
    const path = `/${Array.from({ length: next(7) }, () => alphabet[next(alphabet.length)]).join('')}`;
    const bytes = Buffer.from(path, 'latin1');
    if (isPlain(bytes, 0, bytes.length)) t.same(pathReadings(path), [path]);
  }
});
