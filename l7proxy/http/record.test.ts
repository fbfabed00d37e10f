/** What access-log records say of requests, answers and tunnels, and that what is remembered for them is given back. */
import t from 'tap';
import { BAD, CONNECT, GET, HttpWire, OK, rulesOf, SWITCHED, UPGRADE } from '../../test/stream/http-wire.ts';
import { data, headers, Http2Wire, request } from '../../test/stream/http2-wire.ts';
import { OWNER } from '../../test/stream/parser-wire.ts';
import { ToldLog } from '../../test/told.ts';
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { END_STREAM } from '../http2/frames.ts';
import { REQUEST, RESPONSE } from '../parser.ts';
import { HttpRecords } from './record.ts';

function world(ruleSet?: L7RuleSet) {
  const log = new ToldLog();
  const records = new HttpRecords(log);
  const wire = new HttpWire(ruleSet, undefined, records);
  return { log, wire, held: () => records.tickets.shares.used, another: () => new HttpWire(ruleSet, wire, records) };
}

t.test('the URL is host and path; of CONNECT it is the host that is asked for, once', (t) => {
  const log = new ToldLog();
  for (const request of [GET, CONNECT, 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n']) {
    new HttpWire(undefined, undefined, new HttpRecords(log)).request(request);
  }
  t.strictSame(
    log.logs.map(({ HTTP }) => HTTP?.URL),
    ['http://a/ok', 'http://db:1', 'http://a/*'],
  );
  t.end();
});

t.test('each of many requests at a time, and each answer, with what it answers', (t) => {
  const { log, wire, held } = world();
  wire.request(`${GET}${BAD}${GET.replace('/ok', '/in/2')}`);
  t.equal(held(), 2, 'a denied one is not remembered');
  log.nowMs += 5.5;
  wire.response(`HTTP/1.1 100 Continue\r\n\r\n${OK}${OK.replace('200 OK', '404 No')}`);
  t.strictSame(
    log.told.map(({ cookie, log: { Type, Verdict, LatencyNs, HTTP } }) => [
      Type,
      Verdict,
      HTTP?.URL,
      HTTP?.Code,
      LatencyNs,
      cookie,
    ]),
    [
      ['Request', 'Forwarded', 'http://a/ok', undefined, undefined, 7],
      ['Request', 'Denied', 'http://a/no', 403, undefined, 7],
      ['Request', 'Forwarded', 'http://a/in/2', undefined, undefined, 7],
      ['Response', 'Forwarded', 'http://a/ok', 100, 5_500_000, 7],
      ['Response', 'Forwarded', 'http://a/ok', 200, 5_500_000, 7],
      ['Response', 'Forwarded', 'http://a/in/2', 404, 5_500_000, 7],
    ],
  );
  t.equal(held(), 0);
  t.end();
});

t.test('a head that was judged before is told as it was then', (t) => {
  const head =
    'GET /ok?a=1 HTTP/1.0\r\nHost: a:80\r\nx-a: 1\r\nX-A: 2\r\nTraceparent: 00-1\r\nConnection: keep-alive\r\n\r\n';
  for (const [one, hits] of [
    [head, 2],
    [head.replace('/ok', '/no'), 2],
    [head.replace('x-a: 1', `x-a: ${'y'.repeat(1000)}`), 0],
  ] as const) {
    const { log, wire } = world(rulesOf({ path: '/ok.*' }));
    wire.request(one).request(one).request(one);
    const [first, second, third] = log.told;
    t.same([second, third], [first, first]);
    t.equal(wire.shared.memoHits, hits);
  }
  t.end();
});

t.test('what a rule misses in a head is told of every request, and the memo says so too', (t) => {
  const logged = { path: '/ok', headerMatches: [{ name: 'X-Who', value: 'me', mismatch: 'LOG' as const }] };
  const { log, wire } = world(rulesOf(logged));
  wire.request(GET).request(GET).request(GET.replace('\r\n\r\n', '\r\nX-Who: me\r\n\r\n'));
  t.same(
    log.logs.map(({ HTTP }) => HTTP?.MissingHeaders),
    [{ 'X-Who': ['me'] }, { 'X-Who': ['me'] }, undefined],
  );
  const replaced = { path: '/ok', headerMatches: [{ name: 'X-Who', value: 'me', mismatch: 'REPLACE' as const }] };
  const edited = world(rulesOf(replaced));
  edited.wire.request(GET.replace('\r\n\r\n', '\r\nX-Who: you\r\n\r\n'));
  t.match(edited.log.logs, [{ HTTP: { MissingHeaders: { 'X-Who': ['me'] }, RejectedHeaders: { 'X-Who': ['you'] } } }]);
  t.end();
});

t.test('a header that is compared with a secret is told without its value, whoever sends it', (t) => {
  const rules = rulesOf(
    { path: '/ok', headerMatches: [{ name: 'X-Token', value: 'right', isSecret: true, mismatch: 'REPLACE' }] },
    { path: '/no', headerMatches: [{ name: 'X-Token', value: 'right', isSecret: true }] },
  );
  const { log, wire } = world(rules);
  for (const path of ['/ok', '/no']) {
    for (const value of ['right', 'right', 'wrong']) {
      wire.request(`GET ${path} HTTP/1.1\r\nHost: a\r\nx-tOKEN: ${value}\r\nX-Other: o\r\n\r\n`);
    }
  }
  t.equal(wire.shared.memoHits, 2, 'from the memo too');
  t.strictSame(
    log.logs.map(({ Verdict }) => Verdict),
    ['Forwarded', 'Forwarded', 'Forwarded', 'Forwarded', 'Forwarded', 'Denied'],
  );
  for (const { HTTP } of log.logs) t.match(HTTP?.Headers, { 'X-Token': ['[redacted]'], 'X-Other': ['o'] });
  t.match(log.logs[2].HTTP, {
    MissingHeaders: { 'X-Token': ['[redacted]'] },
    RejectedHeaders: { 'X-Token': ['[redacted]'] },
  });
  t.notMatch(JSON.stringify(log.logs), /right|wrong/);
  t.end();
});

t.test('a head of any length is told as far as there is room, and takes no more', (t) => {
  const long = (path: string, ...lines: string[]) =>
    ['GET ', path, ' HTTP/1.1\r\nHost: a\r\n', ...lines, '\r\n'].join('');
  for (const [text, told] of [
    [long(`/ok?${'q'.repeat(3000)}`), { url: 2048 + 'http://a'.length, headers: 0 }],
    [long('/ok', `X-A: ${'v'.repeat(2000)}\r\n`), { url: 11, headers: 1 }],
    [long('/ok', ...Array.from({ length: 60 }, (_, i) => `X-${i}: ${'v'.repeat(900)}\r\n`)), { url: 11, headers: 4 }],
  ] as const) {
    const { log, wire } = world(rulesOf({ path: '/ok.*' }));
    wire.request(text).response(OK);
    const [asked, answer] = log.logs;
    t.ok(asked.IsCut);
    t.equal(asked.HTTP?.URL.length, told.url);
    t.equal(Object.keys(asked.HTTP?.Headers ?? {}).length, told.headers);
    t.equal(answer.IsCut === true, told.url > 600, 'an answer has no headers to cut');
  }
  t.end();
});

t.test('what is remembered of requests is given back, however they end', (t) => {
  const { wire, held, another } = world();
  wire.request(GET + GET);
  t.equal(held(), 2);
  wire.parser.end();
  t.equal(held(), 0, 'the connection ended');
  another().request(GET).response('nonsense\r\n\r\n').parser.end();
  t.equal(held(), 0, 'an answer that is none');
  another().request(`${GET}nonsense\r\n\r\n`).parser.end();
  t.equal(held(), 0, 'a request that is none');
  another().request('POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n').parser.end();
  t.equal(held(), 0, 'a request that was cut off');
  another().request(GET + GET);
  another();
  t.equal(held(), 0, 'another connection begins');
  t.end();
});

t.test('with too many requests unanswered, answers are told all the same', (t) => {
  const log = new ToldLog();
  const records = new HttpRecords(log);
  const { tickets } = records;
  const asked = { bytes: new Uint8Array(600), start: 0, urlEnd: 600, version: 0x11 };
  const taken: number[] = [];
  for (let ticket = 1; ticket !== 0; ) {
    ticket = tickets.take(OWNER, 0, true, 7, asked);
    taken.push(ticket);
  }
  t.equal(taken.length - 1, 8192, 'one endpoint has half of what there is');
  t.not(tickets.take({ ...OWNER, srcEndpoint: 9 }, 0, true, 7, asked), 0, 'another has the next');
  new HttpWire(undefined, undefined, records).request(GET).response(OK);
  t.match(log.told[1], {
    isIngress: true,
    log: { Type: 'Response', HTTP: { Code: 200, URL: '', Protocol: 'HTTP/1.1' } },
  });
  for (const ticket of taken) records.release(ticket);
  t.equal(tickets.shares.used, 1);
  t.end();
});

t.test('a websocket and a CONNECT have a record at their end', (t) => {
  for (const [asks, answer, code] of [
    [UPGRADE, SWITCHED, 101],
    [CONNECT, 'HTTP/1.1 200 OK\r\n\r\n', 200],
  ] as const) {
    for (const isOrderly of [true, false]) {
      const { log, wire, held } = world();
      wire.request(asks);
      log.nowMs += 10;
      wire.response(`${answer}hello`).request('abc');
      t.equal(wire.out[REQUEST], `${asks}abc`);
      t.equal(wire.out[RESPONSE], `${answer}hello`);
      log.nowMs += 2000;
      wire.request('defg');
      if (isOrderly) {
        wire.send(RESPONSE, 'x', true);
        t.equal(log.logs.length, 2, 'one way has ended');
        wire.send(REQUEST, '', true);
      }
      log.nowMs += 5000;
      wire.parser.end();
      const [, opened, end, ...more] = log.logs;
      t.match(opened, { Type: 'Response', LatencyNs: 10_000_000, HTTP: { Code: code } });
      t.match(end, {
        Type: 'Sample',
        Verdict: 'Forwarded',
        LatencyNs: 2_000_000_000,
        Carried: { FromClient: 7, ToClient: isOrderly ? 6 : 5 },
        HTTP: { Method: asks === CONNECT ? 'CONNECT' : 'GET', Protocol: 'HTTP/1.1' },
      });
      t.strictSame(more, []);
      t.equal(held(), 0);
    }
  }
  t.end();
});

t.test('so has a tunnel of HTTP/2, beside other streams of its connection', (t) => {
  const wire = new Http2Wire(undefined, true).begin();
  const connect = headers(
    1,
    [
      [':method', 'CONNECT'],
      [':authority', 'db:1'],
    ],
    0,
  );
  wire.client(connect + headers(3, request('/ok'), 0));
  wire.server(headers(1, [[':status', '200']], 0) + data(1, 'hello'));
  wire.client(data(1, 'abc') + data(3, 'not counted', END_STREAM));
  wire.server(headers(3, [[':status', '204']]));
  wire.log.nowMs += 3;
  wire.server(data(1, 'more', END_STREAM));
  wire.client(data(1, '', END_STREAM));
  const samples = wire.records.filter(({ Type }) => Type === 'Sample');
  t.match(samples, [{ LatencyNs: 3_000_000, Carried: { FromClient: 3, ToClient: 9 }, HTTP: { URL: 'http://db:1' } }]);
  t.end();
});

t.test('every answer of HTTP/2 is told: also one of whose head nothing can be read', (t) => {
  const wire = new Http2Wire(undefined, true).begin();
  wire.client(headers(1, request('/ok')) + headers(3, request('/ok')) + headers(5, request('/ok')));
  const unreadable = '\xbe'; // refers to a table that is empty
  wire.server(
    headers(1, unreadable) + headers(3, unreadable, 0) + data(3, 'x', END_STREAM) + headers(5, [[':status', '418']]),
  );
  t.same(
    wire.records.slice(3).map(({ Type, HTTP }) => [Type, HTTP?.Code, HTTP?.URL]),
    [
      ['Response', undefined, 'http://a/ok'],
      ['Response', undefined, 'http://a/ok'],
      ['Response', 418, 'http://a/ok'],
    ],
  );
  t.end();
});
