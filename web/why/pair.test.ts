import t from 'tap';
import { readQuery } from '../../explain/query.ts';
import { formatRoute, parseRoute } from '../shell/route.ts';
import { EMPTY_PAIR, type Pair, pairOf, questionOf } from './pair.ts';

const pair = (changes: Partial<Pair>): Pair => ({
  ...EMPTY_PAIR,
  from: 'shop/web-0',
  to: 'shop/api-0',
  port: '80',
  ...changes,
});

t.test('questionOf() makes a query that the judge reads', (t) => {
  const cases: readonly [Partial<Pair>, object][] = [
    [{}, { from: { pod: 'shop/web-0' }, to: { pod: 'shop/api-0' }, port: 80, protocol: 6 }],
    [{ from: ' web ' }, { from: { pod: 'default/web' } }],
    [{ to: '10.0.0.1' }, { to: { ip: '10.0.0.1' } }],
    [{ to: 'fd00::1' }, { to: { ip: 'fd00::1' } }],
    [{ from: 'world' }, { from: { entity: 'world' } }],
    [{ from: 'app=web, k8s:tier=1' }, { from: { labels: ['k8s:app=web', 'k8s:tier=1'] } }],
    [{ from: 'shop/app=web' }, { from: { labels: ['k8s:app=web'], namespace: 'shop' } }],
    [
      { port: 'http', protocol: 'UDP' },
      { port: 'http', protocol: 17 },
    ],
    [
      { protocol: 'ICMP', port: '' },
      { protocol: 1, port: 8 },
    ],
    [{ path: '/x' }, { http: { method: 'GET', path: '/x' } }],
    [{ method: 'POST' }, { http: { method: 'POST', path: '/' } }],
  ];
  for (const [given, wanted] of cases) t.match(readQuery(questionOf(pair(given))), wanted, JSON.stringify(given));
  t.throws(() => questionOf(pair({ port: ' ' })), { message: /^Which port/ });
  t.throws(() => questionOf(pair({ to: '' })), { message: /^To whom/ });
  t.end();
});

t.test('a pair stands in the address', (t) => {
  const asked = pair({ path: '/a?b&c', from: '<b>\u202e' });
  const { params } = parseRoute(formatRoute({ view: 'why', params: new Map(Object.entries(asked)) }), ['why']);
  t.strictSame(pairOf(params), asked);
  t.equal(pairOf(new Map()), undefined);
  t.end();
});
