/** What a path may mean, and which rules allow it: the same on the wire and offline. */
import t from 'tap';
import type { HttpRule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { HttpWire, rulesOf } from '../../test/stream/http-wire.ts';
import { REQUEST } from '../parser.ts';
import { httpOffline } from './offline.ts';
import { isPlain, viewPath } from './path.ts';

t.test('viewPath()', async (t) => {
  const cases: [string, (string | null)[]][] = [
    ['/a/b?x=%2e', ['/a/b?x=%2e']],
    ['/%61', ['/a']],
    ['/%2561', ['/%2561']],
    ['/a%2fb%2Fc', ['/a%2fb%2Fc']],
    ['/a/../b', ['/a/../b', '/b']],
    ['/a/%2e%2e/b', ['/a/../b', '/b']],
    ['/../../a', ['/../../a', '/a']],
    ['/a/..', ['/a/..', '/']],
    ['/a/.', ['/a/.', '/a/']],
    ['/a;x=1/b', ['/a;x=1/b', '/a/b']],
    ['//a///b', ['//a///b', '/a/b']],
    ['/a;x//b', ['/a;x//b', '/a//b', '/a;x/b', '/a/b']],
    ['/;x/b', ['/;x/b', '//b', '/b']],
    ['/a\\b', ['/a\\b', '/a/b']],
    ['/caf%C3%A9', ['/caf%C3%A9']],
    ['/caf\xc3\xa9', ['/café']],
    ['/caf\xe9', ['/caf\xe9']],
    ['/a%00.png', ['/a%00.png', null]],
    ['/a/..;/b', ['/a/..;/b', null]],
    ['/a/..%2fb', ['/a/..%2fb', null]],
    ['/a/%252e%252e/b', ['/a/%252e%252e/b', null]],
    ['/a//../b', ['/a//../b', null]],
    ['/%c0%af', ['/%c0%af', null]],
    ['/\xc0\xaf', ['/\xc0\xaf', null]],
    ['/%f0%80%80%ae', ['/%f0%80%80%ae', null]],
    ['/%uFF0Ea', ['/%uFF0Ea', null]],
    ['/%u0041', ['/%u0041']],
    [`/${'%41'.repeat(3000)}`, [null]],
  ];
  for (const [path, wanted] of cases) t.strictSame(viewPath(path).readings, wanted, path.slice(0, 40));
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
    const { readings } = viewPath(path);
    if (isPlain(bytes, 0, bytes.length)) t.strictSame(readings, [path]);
    if (readings.length > MAX_READINGS) t.fail(`${path} has ${readings.length} readings`);
  }
});

/** On the wire and offline. */
function allows(ruleSet: L7RuleSet, path: string): boolean {
  const request = `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const isPassed = new HttpWire(ruleSet).request(request).out[REQUEST] === request;
  const text = Buffer.from(path, 'latin1').toString('utf8');
  if (text.includes('\ufffd')) return isPassed; // bytes that no query can say
  const isAllowed = httpOffline(ruleSet, 1)({ path: text, host: 'a' }) >= 0;
  if (isPassed !== isAllowed) throw new Error(`${path}: ${String(isPassed)} on the wire, ${String(isAllowed)} offline`);
  return isAllowed;
}

const MAX_READINGS = 4;

const rule = (path: string): HttpRule => ({ method: 'GET', path });

/** A pattern, and paths that who wrote it means. */
const MEANT: [string, ...string[]][] = [
  // The path as it is, whatever is in it.
  ['/caf%C3%A9', '/caf%C3%A9'],
  ['/files/a%20b', '/files/a%20b'],
  ['/app;v=1', '/app;v=1'],
  ['/@scope%2fpkg', '/@scope%2fpkg'],
  ['/@scope%2Fpkg', '/@scope%2Fpkg'],
  ['/api//v1', '/api//v1'],
  ['/a%2541', '/a%2541'],
  ['/100%25', '/100%25'],
  ['/a\\\\b', '/a\\b'],
  ['/a%5Cb', '/a%5Cb'],
  ['/x/../y', '/x/../y'],
  ['/x/%2e%2e/y', '/x/%2e%2e/y', '/x/../y'],
  ['/v1\\.2/%2e%2e%2fy', '/v1.2/%2e%2e%2fy'],
  ['/nul%00', '/nul%00'],
  ['/q\\?a=1;b=//', '/q?a=1;b=//'],
  // The query as it is, and what its escapes say.
  ['/\\?x=%2e', '/?x=%2e', '/?x=.'],
  ['/%2e%2e/a\\?x=%2e', '/../a?x=%2e', '/%2e%2e/a?x=%2e'],
  ['/a/..%2fb\\?x=%41', '/a/..%2fb?x=%41'],
  ['/a%2fb[?]x=%41', '/a%2fb?x=A', '/a%2fb?x=%41'],
  ['/q\\?a=%2E[0-9]+', '/q?a=%2E1', '/q?a=.1'],
  ['/(a\\?x=%7E|%62.*)', '/a?x=%7E', '/a?x=~', '/b?%7E', '/%62c'],
  // Escapes that are no other character than they say.
  ['/~user', '/~user', '/%7Euser', '/%7euser'],
  ['/%7Euser', '/~user', '/%7euser'],
  ['/%70ublic/.*', '/public/x', '/%70ublic/x'],
  ['/public/.*', '/%70ublic/x', '/public/%78', '/public/a%20b', '/public/caf%C3%A9', '/public/caf\xe9'],
  ['/a%2eb', '/a.b', '/a%2Eb'],
  [
    '/files/.*',
    '/files/a%2Fb',
    '/files/%3Fq',
    '/files/%23',
    '/files/100%25',
    '/files/%25zz',
    '/files/a%',
    '/files/%E4%BD%A0',
  ],
  ['/projects/[^/]+', '/projects/a%2Fb', '/projects/group%2Fsub%2Fname', '/projects/a.b', '/projects/..a'],
  ['/projects/[^/]+/issues', '/projects/a%2Fb/issues'],
  ['/t/[a-z%0-9A-F]+', '/t/a%2Fb', '/t/a%C3%A9'],
  ['/café', '/caf\xc3\xa9'],
  // Parameters and empty segments that the pattern names.
  ['/app;v=[0-9]+', '/app;v=12'],
  ['/app;jsessionid=[^/]*/.*', '/app;jsessionid=1A/x', '/app;jsessionid=1A/x/y'],
  ['.*;v=1', '/app;v=1'],
  ['/api//.*', '/api//v1'],
  ['/http://.*', '/http://a/b'],
  ['(/matrix);a=1(;b=2)?/x', '/matrix;a=1;b=2/x'],
  // Those that it does not name, but allows either way.
  ['/app.*', '/app;v=1', '/app/;v=1', '/app//x', '/app/a;b=1//c'],
  ['/public/.*', '/public//x', '/public/a;v=1', '/public/a\\b', '/public/a/../b', '/public/./a', '/public/a/..'],
  ['/a(;|%3B)b=1', '/a;b=1', '/a%3Bb=1'],
  ['/win/.*', '/win/a\\b\\c'],
  // No path in particular.
  ['.*', '/x/..%2f', '//', '/%00', '/%c0%af'],
  ['/.*', '/x/..%2f..%2f', '/a/../b', '/;/', `/${'%2f'.repeat(2000)}`],
  ['/ok', '/ok', '/%6f%6b', '/o%6B'],
  ['/s(\\?.*)?', '/s?q=%2e%2e/;//', '/s?../..', '/s'],
  ['/search\\?q=.*', '/search?q=a;b//c', '/search?q=%2F..'],
];

/** Rules that allow a part of a server, and paths that lead out of it, on some server. */
const EVASIONS: [string, ...string[]][] = [
  [
    '/public/.*',
    '/public/../secret',
    '/public/%2e%2e/secret',
    '/public/.%2e/secret',
    '/public/..%2fsecret',
    '/public/..%2Fsecret',
    '/public/%2e%2e%2fsecret',
    '/public/%252e%252e/secret',
    '/public/%252e%252e%252fsecret',
    '/public/..;/secret',
    '/public/..;x=1/secret',
    '/public/..%3b/secret',
    '/public/..\\secret',
    '/public\\..\\secret',
    '/public/..%5csecret',
    '/public/..%255csecret',
    '/public/%c0%ae%c0%ae/secret',
    '/public/..%c0%afsecret',
    '/public/..%e0%80%afsecret',
    '/public/%u002e%u002e/secret',
    '/public/..%u002fsecret',
    '/public/..%uff0fsecret',
    '/public/..\xc0\xafsecret',
    '/public/a%2fb/../../secret',
    '/public/a//../../secret',
    '/public//../secret',
    '/public/;/../secret',
    '/public/x/../../secret',
    '/public/%2525252e%2525252e/secret',
    '/public/%%32%65%%32%65/secret',
    '/public/..%00/secret',
    '/public/a%00/../../b',
    '/public/..%3f',
    '/public/..%23',
    '/public/..',
    '/public/.%u002e/',
    '/public/%2e%2e',
    '/secret/../public/a',
    '/./public/../x',
    `/public/${'%252f;a//./\\'.repeat(310)}`,
    `/public/%${'25'.repeat(600)}2e%2e/x`,
    `/public/${'a;b/'.repeat(1100)}`,
  ],
  ['/[^/]+', '/a\\secret', '/..', '/%2e%2e', '/;x', '//', '/a%00b', '/a%c0%afsecret', '/a%u002fsecret'],
  ['/[^/]+/status', '//status', '/;a/status', '/../status', '/%2e/status', '/a\\b/status'],
  ['.*\\.css', '/secret;a.css', '/secret;/a.css/..', '/secret%00.css', '/secret\\..\\..\\a.css'],
  ['/a/[^/]*/b', '/a//b', '/a/;/b', '/a/../b', '/a/./b'],
  ['/a//.*', '/a//../x', '/a//..%2fx', '/a//%2e%2e/x'],
  ['/app;v=.*', '/app;v=/../x', '/app;v=//x', '/app;v=1/..%2fx', '/app;v=\\..\\x'],
  ['/%20/.*', '/%20/../x', '/%20/%2e%2e/x', '/%20/..%2fx'],
  ['/x/../y', '/x/..//y', '/x/%2e%2e%2fy', '/a/../y'],
  ['/caf%C3%A9', '/caf%c3%a9', '/caf%25C3%25A9', '/caf%C3%A9/', '/caf\xc3\xa9'],
  ['/[^A]*', '/%41', '/A'],
  ['/@scope%2fpkg', '/@scope/pkg', '/@scope%252fpkg', '/@scope//pkg'],
];

t.test('a rule allows what its author wrote', async (t) => {
  let pairs = 0;
  for (const [pattern, ...paths] of MEANT) {
    for (const path of paths) {
      pairs++;
      t.ok(allows(rulesOf(rule(pattern)), path), `${pattern} allows ${path.slice(0, 60)}`);
    }
  }
  t.ok(pairs >= 60, `${pairs} pairs`);
});

t.test('no reading of a path leads around a rule', async (t) => {
  for (const [pattern, ...paths] of EVASIONS) {
    for (const path of paths)
      t.notOk(allows(rulesOf(rule(pattern)), path), `${pattern} does not allow ${path.slice(0, 60)}`);
  }
  const both = rulesOf(rule('/a\\.x'), rule('/a/.*'), rule('/a;v=[0-9]'));
  t.ok(allows(both, '/a;v=1'));
  t.notOk(allows(both, '/b;v=1'));
  t.ok(allows(rulesOf(rule('/a/;x'), rule('/a/')), '/a/;x'), 'each reading by another rule');
  t.ok(allows(rulesOf({ method: 'GET' }), '/x/..%2f'), 'a rule without a path is about none');
});

t.test('with isPathRaw a pattern sees the path as it came, and nothing else', async (t) => {
  const raw = (pattern: string): L7RuleSet => rulesOf({ ...rule(pattern), isPathRaw: true });
  for (const [pattern, path, isAllowed] of [
    ['/public/.*', '/public/../secret', true],
    ['/public/.*', '/public/..%2fsecret', true],
    ['/public/.*', '/%70ublic/x', false],
    ['/%70ublic/.*', '/%70ublic/x', true],
    ['/%70ublic/.*', '/public/x', false],
    ['/[^A]*', '/%41', true],
    ['/app;v=1', '/app;v=1', true],
    ['/a/b', '/a//b', false],
  ] as const) {
    t.equal(allows(raw(pattern), path), isAllowed, `${pattern} and ${path}`);
  }
  const mixed = rulesOf({ ...rule('/raw/.*'), isPathRaw: true }, rule('/strict/.*'));
  t.ok(allows(mixed, '/raw/..%2fx'));
  t.notOk(allows(mixed, '/strict/..%2fx'), 'a raw rule beside it is no reason to read it so');
});

t.test('the work for a path is bounded', async (t) => {
  // The longest that is looked at: each of its readings is found in one pass, and a pass is counted, not timed.
  const worst = `/public/${'%252f;a//./\\'.repeat(310)}`;
  t.strictSame(viewPath(worst).readings.length, 2);
  const readings = viewPath(`/public${'/a;b//c'.repeat(500)}`).readings;
  t.equal(readings.length, MAX_READINGS);
  t.ok(readings.every((reading) => (reading?.length ?? 0) <= 4096));
});
