/** HTTP rules, as the parser obeys them. */
import t from 'tap';
import { RE2JS } from 're2js';
import type { HttpRule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { draws } from '../../test/stream/tcp-rig.ts';
import { Head } from '../http1/head.ts';
import { parseRequest } from '../http1/start-line.ts';
import { noEdits } from './judgement.ts';
import { compilePattern } from './pattern.ts';
import { RemoteRules, viewOf } from './rules.ts';
import { BAD, close, DENIED, HttpWire, OK, rulesOf } from '../../test/stream/http-wire.ts';
import { REQUEST, RESPONSE } from '../parser.ts';

t.test('CONNECT passes where a rule names it, and is judged by its target and by Host', async (t) => {
  const connect = (target: string, host = target, extra = '') =>
    `CONNECT ${target} HTTP/1.1\r\nHost: ${host}\r\n${extra}\r\n`;
  const cases: [string, L7RuleSet, string, boolean][] = [
    ['a host alone', rulesOf({ host: 'good:80' }), connect('good:80'), false],
    ['a header alone', rulesOf({ headers: ['X: 1'] }), connect('good:80', 'good:80', 'X: 1\r\n'), false],
    ['anything', rulesOf({}), connect('good:80'), false],
    ['a path alone', rulesOf({ path: '.*' }), connect('good:80'), false],
    ...['.*', '[A-Z]+', 'C.*', '.{7}', 'GET|CONNECTED?', 'DISCONNECT|.*'].map(
      (method): [string, L7RuleSet, string, boolean] => [
        `method ${method}`,
        rulesOf({ method }),
        connect('a:1'),
        false,
      ],
    ),
    ...['CONNECT', 'GET|CONNECT', '(CONNECT|GET)', '^CONNECT$'].map((method): [string, L7RuleSet, string, boolean] => [
      `method ${method}`,
      rulesOf({ method }),
      connect('a:1'),
      true,
    ]),
    ['a word that does not match', rulesOf({ method: 'XCONNECT|CONNECT[0-9]' }), connect('a:1'), false],
    ['no list of rules', rulesOf({ method: 'GET' }, null), connect('a:1'), true],
    ['another rule names it', rulesOf({ host: 'a:1' }, { method: 'CONNECT', host: 'b:1' }), connect('a:1'), false],
    ['the host of both', rulesOf({ method: 'CONNECT', host: 'good:80' }), connect('good:80'), true],
    ['another host', rulesOf({ method: 'CONNECT', host: 'good:80' }), connect('evil:80'), false],
    ['a Host without port', rulesOf({ method: 'CONNECT', host: 'good(:80)?' }), connect('good:80', 'good'), true],
    ['the target only', rulesOf({ method: 'CONNECT', host: 'good:80' }), connect('good:80', 'good'), false],
    ['the Host only', rulesOf({ method: 'CONNECT', host: 'good' }), connect('good:80', 'good'), false],
    ['an IPv6 address', rulesOf({ method: 'CONNECT', host: '\\[::1\\]:80' }), connect('[::1]:80'), true],
  ];
  for (const [name, rules, head, isAllowed] of cases) {
    const wire = new HttpWire(rules).request(head + BAD).response(isAllowed ? OK : '');
    t.equal(wire.out[REQUEST], isAllowed ? head + BAD : '', name);
    t.equal(wire.out[RESPONSE], isAllowed ? OK : close(DENIED), name);
    t.equal(wire.isClosed, !isAllowed, name);
  }
});

t.test('a header that a rule is about has no lookalike', async (t) => {
  const about = (...conditions: string[]) => rulesOf({ headers: conditions });
  const get = (...headers: string[]) =>
    `GET / HTTP/1.1\r\nHost: a\r\n${headers.map((one) => `${one}\r\n`).join('')}\r\n`;
  const passes = (rules: L7RuleSet, head: string) => new HttpWire(rules).request(head).out[REQUEST] !== '';
  const rules = about('X-User: alice');
  t.ok(passes(rules, get('X-User: alice')));
  for (const other of ['X_User: bob', 'x_uSER: alice', 'X_User:'])
    for (const head of [get('X-User: alice', other), get(other, 'X-User: alice')]) t.notOk(passes(rules, head), head);
  t.notOk(passes(rules, get('X_User: alice')), 'in its place it is none');
  t.ok(
    passes(rules, get('X-User: alice', 'X_Users: bob', 'X_Use: c', 'Y_User: d', 'XUUser: e')),
    'other names are others',
  );
  t.notOk(passes(about('A_B-c'), get('A_B-c: 1', 'a-b_C: 2')), 'either way round');
  t.ok(
    passes(rulesOf({ headers: ['X-User: alice'] }, { path: '/' }), get('X-User: alice', 'X_User: bob')),
    'another rule allows it',
  );
  const matches = (mismatch: 'LOG' | 'ADD' | 'DELETE' | 'REPLACE') =>
    rulesOf({ headerMatches: [{ name: 'X-User', value: 'alice', mismatch }] });
  for (const mismatch of ['ADD', 'DELETE', 'REPLACE'] as const)
    t.notOk(passes(matches(mismatch), get('X_User: bob')), `${mismatch} cannot make good for it`);
  t.ok(passes(matches('LOG'), get('X_User: bob')), 'who only logs refuses nothing');
  t.ok(passes({ ...rules, underscores: 'allow' }, get('X-User: alice', 'X_User: bob')));
  const none: L7RuleSet = { ...rules, underscores: 'refuse' };
  t.notOk(passes(none, get('X-User: alice', 'Trace_Id: 1')));
  t.ok(passes(none, get('X-User: alice', 'Trace-Id: a_b')), 'values may have them');
  const open: L7RuleSet = { ...rulesOf({ method: 'GET' }, null), underscores: 'refuse' };
  t.notOk(passes(open, get('a_b: 1')), 'whatever a plain allow beside them says');
  t.ok(passes(open, get('a-b: 1')));
});

t.test('a host rule sees the authority of an absolute target as it is written', async (t) => {
  const rules = rulesOf({ host: 'good' });
  const get = (authority: string, host: string) => `GET http://${authority}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  t.equal(new HttpWire(rules).request(get('good', 'good')).out[REQUEST], get('good', 'good'));
  t.equal(new HttpWire(rules).request(get('Good', 'good')).out[REQUEST], '', 'the target');
  t.equal(new HttpWire(rules).request(get('good', 'Good')).out[REQUEST], '', 'Host');
});

t.test('among many rules the first that matches is found, as each finds it for itself', async (t) => {
  const draw = draws(11);
  const words = ['a', 'ab', 'shop', 'shop.v1', 'x%41', 'A', 'é', '..', ''];
  const tails = ['', '/', '.*', '/.*', '(/.*)?', '[0-9]+', '|/b', '?', ';v=1', '\\.json', '/(x|y)/z', '{2}', '*'];
  const word = () => words[draw(words.length)];
  const pattern = () =>
    `${draw(9) === 0 ? '^' : ''}/${word()}${draw(2) === 0 ? `/${word()}` : ''}${tails[draw(tails.length)]}`;
  const path = () =>
    `/${word()}${draw(2) === 0 ? `/${word()}` : ''}${['', '/', '7', '/x/z', ';v=1', '.json', '%0a', '\n'][draw(8)]}`;
  let allowed = 0;
  for (let round = 0; round < 60; round++) {
    const http: HttpRule[] = Array.from({ length: 40 }, () => ({
      ...(draw(3) === 0 ? { method: ['GET', 'POST', 'GET|PUT'][draw(3)] } : {}),
      ...(draw(12) === 0 ? { host: 'b' } : { path: pattern() }),
    }));
    const each = http.map((rule, cookie) => ({ remotes: null, cookie: cookie + 1, http: [rule] }));
    const rawPaths = draw(4) === 0;
    const set = { parser: 'http', endpoint: 1, ingress: true, port: 80, rawPaths } as const;
    const many = new RemoteRules({ ...set, rules: each }, 100);
    const ones = each.map((rule) => new RemoteRules({ ...set, rules: [rule] }, 100));
    for (let i = 0; i < 60; i++) {
      const bytes = Buffer.from(`GET ${path()} HTTP/1.1\r\nHost: a\r\n\r\n`, 'utf8');
      const head = new Head();
      if (parseRequest(head, bytes, 0, bytes.length) <= 0) continue;
      const view = viewOf(bytes, head);
      if (view.path.readings.length > 1) continue; // each of them may be another rule's
      const alone = ones.map((rules) => rules.judge(view, bytes, head, noEdits())).find((cookie) => cookie > 0);
      const found = many.judge(view, bytes, head, noEdits());
      if (found > 0) allowed++;
      if (found !== (alone ?? ~1)) t.equal(found, alone ?? ~1, `${view.path.target} under ${JSON.stringify(http)}`);
    }
  }
  t.ok(allowed > 500, `${allowed} were allowed`);
});

t.test('a pattern that is compared says what re2 says', async (t) => {
  const texts = ['', '/', '/a', '/a/', '/ab', '/a/b', '/a\n', '/a/\n', '/a\nb', 'a', '/A', '/a\u{1f600}', '\n'];
  for (const source of [
    '.*',
    '/.*',
    '/a.*',
    '/a(/.*)?',
    '(/.*)?',
    '/a',
    '(a|/a).*',
    '/a|/b',
    '^/a.*',
    '(?i)/a.*',
    '/a\\x2f.*',
    '/[a].*',
  ]) {
    const expression = RE2JS.compile(source);
    const pattern = compilePattern(source);
    for (const text of texts) {
      t.equal(pattern.matches(text), expression.testExact(text), JSON.stringify([source, text]));
      if (pattern.matches(text)) t.ok(text.startsWith(pattern.prefix), JSON.stringify([source, text, pattern.prefix]));
    }
  }
});
