/** Heads of requests: which may go on, and which never do. */
import t from 'tap';
import { DENIED, GET, HttpWire, rulesOf } from '../../test/stream/http-wire.ts';
import { REQUEST, RESPONSE } from '../parser.ts';
import { MAX_HEAD_BYTES } from './syntax.ts';

t.test('heads that may go on', async (t) => {
  const heads: Record<string, string> = {
    'the least there is': GET,
    'a header without value': 'GET /ok HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n',
    'white space around values': 'GET /ok HTTP/1.1\r\nHost:\t a \t\r\nX: \t y\r\n\r\n',
    'any case of names': 'GET /ok HTTP/1.1\r\nhOST: a\r\ncOnNeCtIoN: Keep-Alive\r\n\r\n',
    'bytes beyond ASCII in a value': 'GET /ok HTTP/1.1\r\nHost: a\r\nX: \xe9\xff\r\n\r\n',
    'HTTP/1.0 without Host': 'GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
    'one empty line first': `\r\n${GET}`,
    'an absolute target with its Host': 'GET http://a:80/ok HTTP/1.1\r\nHost: A:80\r\n\r\n',
    'a hop header that no rule is about':
      'GET /ok HTTP/1.1\r\nHost: a\r\nConnection: X-Hop, TE\r\nX-Hop: 1\r\nTE: trailers\r\n\r\n',
    'an Expect that nobody knows': 'GET /ok HTTP/1.1\r\nHost: a\r\nExpect: y 100-continue\r\n\r\n',
    'asterisk for OPTIONS': 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
    'a hundred headers': `GET /ok HTTP/1.1\r\nHost: a\r\n${'X: 1\r\n'.repeat(99)}\r\n`,
    'a head of nearly 60 KiB': `GET /ok HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(MAX_HEAD_BYTES - 50)}\r\n\r\n`,
    'a length of nothing': 'POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
    'an IPv6 host': 'GET /ok HTTP/1.1\r\nHost: [::1]:80\r\n\r\n',
  };
  for (const [name, head] of Object.entries(heads)) {
    const wire = new HttpWire().request(head);
    t.equal(wire.out[REQUEST], head, name);
    t.same([wire.out[RESPONSE], wire.isClosed, wire.errors], ['', false, []], name);
  }
});

t.test('heads that never go on: the reply, and the end of the connection', async (t) => {
  const h = 'Host: a\r\n';
  const C = 'Transfer-Encoding: chunked\r\n';
  const heads: [string, string, string][] = [
    [
      'two lengths',
      `POST /ok HTTP/1.1\r\n${h}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`,
      'duplicate-content-length',
    ],
    [
      'the same length twice',
      `POST /ok HTTP/1.1\r\n${h}Content-Length: 5\r\nContent-Length: 5\r\n\r\n`,
      'duplicate-content-length',
    ],
    ['a list of lengths', `POST /ok HTTP/1.1\r\n${h}Content-Length: 5, 5\r\n\r\n`, 'bad-content-length'],
    ['a signed length', `POST /ok HTTP/1.1\r\n${h}Content-Length: +5\r\n\r\n`, 'bad-content-length'],
    ['a negative length', `POST /ok HTTP/1.1\r\n${h}Content-Length: -5\r\n\r\n`, 'bad-content-length'],
    ['a hexadecimal length', `POST /ok HTTP/1.1\r\n${h}Content-Length: 0x5\r\n\r\n`, 'bad-content-length'],
    [
      'a length beyond all bounds',
      `POST /ok HTTP/1.1\r\n${h}Content-Length: ${'9'.repeat(16)}\r\n\r\n`,
      'bad-content-length',
    ],
    ['an empty length', `POST /ok HTTP/1.1\r\n${h}Content-Length:\r\n\r\n`, 'bad-content-length'],
    [
      'length, then chunked',
      `POST /ok HTTP/1.1\r\n${h}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`,
      'length-with-chunked',
    ],
    [
      'chunked, then length',
      `POST /ok HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`,
      'length-with-chunked',
    ],
    [
      'chunked twice',
      `POST /ok HTTP/1.1\r\n${h}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`,
      'bad-transfer-encoding',
    ],
    [
      'a list with chunked',
      `POST /ok HTTP/1.1\r\n${h}Transfer-Encoding: gzip, chunked\r\n\r\n`,
      'bad-transfer-encoding',
    ],
    [
      'chunked, identity',
      `POST /ok HTTP/1.1\r\n${h}Transfer-Encoding: chunked, identity\r\n\r\n`,
      'bad-transfer-encoding',
    ],
    ['xchunked', `POST /ok HTTP/1.1\r\n${h}Transfer-Encoding: xchunked\r\n\r\n`, 'bad-transfer-encoding'],
    ['quoted chunked', `POST /ok HTTP/1.1\r\n${h}Transfer-Encoding: "chunked"\r\n\r\n`, 'bad-transfer-encoding'],
    ['chunked in HTTP/1.0', `POST /ok HTTP/1.0\r\n${h}Transfer-Encoding: chunked\r\n\r\n`, 'bad-transfer-encoding'],
    [
      'a vertical tab in the encoding',
      `POST /ok HTTP/1.1\r\n${h}Transfer-Encoding: \x0bchunked\r\n\r\n`,
      'control-character',
    ],
    ['space before the colon', `POST /ok HTTP/1.1\r\n${h}Transfer-Encoding : chunked\r\n\r\n`, 'space-before-colon'],
    ['tab before the colon', `POST /ok HTTP/1.1\r\n${h}Content-Length\t: 5\r\n\r\n`, 'space-before-colon'],
    [
      'a control character in a name',
      `POST /ok HTTP/1.1\r\n${h}Transfer\x01-Encoding: chunked\r\n\r\n`,
      'control-character',
    ],
    ['a folded line', `GET /ok HTTP/1.1\r\n${h}X: a\r\n b\r\n\r\n`, 'obs-fold'],
    ['a folded first header', 'GET /ok HTTP/1.1\r\n Host: a\r\n\r\n', 'obs-fold'],
    ['a bare CR in a value', `GET /ok HTTP/1.1\r\n${h}X: a\rb\r\n\r\n`, 'bare-cr'],
    ['a bare CR in the request line', 'GET /ok\rX HTTP/1.1\r\nHost: a\r\n\r\n', 'bare-cr'],
    ['a bare LF behind a header', 'GET /ok HTTP/1.1\r\nHost: a\n\r\n', 'bare-lf'],
    ['a bare LF behind the request line', 'GET /ok HTTP/1.1\nHost: a\r\n\r\n', 'bare-lf'],
    ['a bare LF as the empty line', 'GET /ok HTTP/1.1\r\nHost: a\r\n\n', 'bare-lf'],
    ['NUL in a value', `GET /ok HTTP/1.1\r\n${h}X: a\0b\r\n\r\n`, 'nul'],
    ['NUL in a name', `GET /ok HTTP/1.1\r\n${h}X\0: a\r\n\r\n`, 'nul'],
    ['NUL in the target', 'GET /ok\0 HTTP/1.1\r\nHost: a\r\n\r\n', 'nul'],
    ['HTTP/0.9', 'GET /ok\r\n\r\n', 'http-0.9'],
    ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http2-preface'],
    ['another version', 'GET /ok HTTP/1.2\r\nHost: a\r\n\r\n', 'bad-version'],
    ['a version of many digits', 'GET /ok HTTP/1.10\r\nHost: a\r\n\r\n', 'bad-request-line'],
    ['a version in lower case', 'GET /ok http/1.1\r\nHost: a\r\n\r\n', 'bad-request-line'],
    ['two spaces before the target', 'GET  /ok HTTP/1.1\r\nHost: a\r\n\r\n', 'bad-target'],
    ['two spaces before the version', 'GET /ok  HTTP/1.1\r\nHost: a\r\n\r\n', 'bad-request-line'],
    ['a tab for a space', 'GET\t/ok HTTP/1.1\r\nHost: a\r\n\r\n', 'control-character'],
    ['a space in the target', 'GET /o k HTTP/1.1\r\nHost: a\r\n\r\n', 'bad-request-line'],
    ['a space behind the version', 'GET /ok HTTP/1.1 \r\nHost: a\r\n\r\n', 'bad-request-line'],
    ['a fragment', 'GET /ok#x HTTP/1.1\r\nHost: a\r\n\r\n', 'bad-target'],
    ['DEL in the target', 'GET /ok\x7f HTTP/1.1\r\nHost: a\r\n\r\n', 'control-character'],
    ['no Host', 'GET /ok HTTP/1.1\r\n\r\n', 'missing-host'],
    ['an empty Host', 'GET /ok HTTP/1.1\r\nHost:\r\n\r\n', 'missing-host'],
    ['two Hosts', `GET /ok HTTP/1.1\r\n${h}${h}\r\n`, 'duplicate-host'],
    ['a Host with a path', 'GET /ok HTTP/1.1\r\nHost: a/b\r\n\r\n', 'bad-host'],
    ['a Host with a user', 'GET /ok HTTP/1.1\r\nHost: b@a\r\n\r\n', 'bad-host'],
    ['a Host of two', 'GET /ok HTTP/1.1\r\nHost: a, b\r\n\r\n', 'bad-host'],
    ['an absolute target for another Host', 'GET http://b/ok HTTP/1.1\r\nHost: a\r\n\r\n', 'host-mismatch'],
    ['an absolute target with a user', 'GET http://x@a/ok HTTP/1.1\r\nHost: a\r\n\r\n', 'bad-target'],
    ['an absolute target without Host in 1.0', 'GET http://a/ok HTTP/1.0\r\n\r\n', 'missing-host'],
    ['an absolute target with a query alone', 'GET http://a?/ok HTTP/1.1\r\nHost: a\r\n\r\n', 'bad-target'],
    ['an absolute target without path of OPTIONS', 'OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n', 'bad-target'],
    ['another scheme', 'GET ftp://a/ok HTTP/1.1\r\nHost: a\r\n\r\n', 'bad-target'],
    ['asterisk for GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 'bad-target'],
    ['a relative target', 'GET ok HTTP/1.1\r\nHost: a\r\n\r\n', 'bad-target'],
    ['CONNECT with content', 'CONNECT db:1 HTTP/1.1\r\nHost: db:1\r\nContent-Length: 3\r\n\r\n', 'bad-content-length'],
    ['CONNECT with chunks', `CONNECT db:1 HTTP/1.1\r\nHost: db:1\r\n${C}\r\n`, 'bad-content-length'],
    ...[
      '/',
      '/ok',
      '*',
      'db',
      'db:',
      ':1',
      'db:0',
      'db:01',
      'db:65536',
      'db:1x',
      'db:-1',
      'db:1:1',
      'a%2e:1',
      'a;b:1',
    ].map((target): [string, string, string] => [
      `CONNECT ${target}`,
      `CONNECT ${target} HTTP/1.1\r\nHost: db:1\r\n\r\n`,
      'bad-target',
    ]),
    ...['[::1]', '[]:1', '[::1:1', '[g::]:1', '[::1]x:1', '::1:1', 'http://db:1/', 'u@db:1'].map(
      (target): [string, string, string] => [
        `CONNECT ${target}`,
        `CONNECT ${target} HTTP/1.1\r\nHost: db:1\r\n\r\n`,
        'bad-target',
      ],
    ),
    ['CONNECT for another host', 'CONNECT evil:1 HTTP/1.1\r\nHost: db:1\r\n\r\n', 'host-mismatch'],
    ['CONNECT for another port', 'CONNECT db:1 HTTP/1.1\r\nHost: db:2\r\n\r\n', 'host-mismatch'],
    ['CONNECT for a longer host', 'CONNECT db:1 HTTP/1.1\r\nHost: db.a\r\n\r\n', 'host-mismatch'],
    ['CONNECT without Host', 'CONNECT db:1 HTTP/1.1\r\n\r\n', 'missing-host'],
    ['CONNECT in 1.0', 'CONNECT db:1 HTTP/1.0\r\nHost: db:1\r\n\r\n', 'bad-version'],
    ['CONNECT in 1.0 without Host', 'CONNECT db:1 HTTP/1.0\r\n\r\n', 'bad-version'],
    ['a line without colon', `GET /ok HTTP/1.1\r\n${h}nonsense\r\n\r\n`, 'bare-cr'],
    ['a nameless header', `GET /ok HTTP/1.1\r\n${h}: x\r\n\r\n`, 'bad-header-name'],
    ['a quoted name', `GET /ok HTTP/1.1\r\n${h}"X": x\r\n\r\n`, 'bad-header-name'],
    [
      'a framing header for the next hop only',
      `GET /ok HTTP/1.1\r\n${h}Connection: close, Content-Length\r\n\r\n`,
      'bad-connection',
    ],
    ['a method of 33 bytes', `${'A'.repeat(33)} /ok HTTP/1.1\r\n${h}\r\n`, 'bad-method'],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'control-character'],
    ['two empty lines first', `\r\n\r\n${GET}`, 'bare-cr'],
    ['101 headers', `GET /ok HTTP/1.1\r\n${h}${'X: 1\r\n'.repeat(100)}\r\n`, 'too-many-headers'],
    ['a head over 60 KiB', `GET /ok HTTP/1.1\r\n${h}X: ${'x'.repeat(MAX_HEAD_BYTES)}\r\n\r\n`, 'head-too-large'],
    ['a head that never ends', `GET /ok HTTP/1.1\r\n${h}X: ${'x'.repeat(MAX_HEAD_BYTES)}`, 'head-too-large'],
  ];
  for (const [name, head, error] of heads) {
    const wire = new HttpWire().request(head).request(GET);
    t.same(wire.errors, [error], name);
    t.equal(wire.out[REQUEST], '', `${name}: nothing goes on`);
    const status = error === 'head-too-large' || error === 'too-many-headers' ? 431 : 400;
    t.match(wire.out[RESPONSE], new RegExp(`^HTTP/1\\.1 ${status} `), `${name}: ${status}`);
    t.ok(wire.isClosed, `${name}: closed`);
    if (head.length > 500) continue;
    const dripping = new HttpWire();
    for (const byte of head) dripping.request(byte);
    t.equal(dripping.out[REQUEST], '', `${name}: nothing goes on, byte by byte`);
    t.ok(dripping.isClosed, `${name}: closed, byte by byte`);
  }
});

t.test('an absolute target without a path is judged as the root, and goes on as it is', async (t) => {
  const head = 'GET http://a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n';
  t.equal(new HttpWire(rulesOf({ path: '/' })).request(head).out[REQUEST], head);
  t.equal(new HttpWire(rulesOf({ path: '/', host: 'a:80' })).request(head).out[REQUEST], head);
  for (const rule of [{ path: '/.+' }, { path: '', host: 'b' }, { path: 'http:.*' }, { path: '//a:80' }]) {
    const wire = new HttpWire(rulesOf(rule)).request(head);
    t.same([wire.out[REQUEST], wire.out[RESPONSE]], ['', DENIED], JSON.stringify(rule));
  }
});

t.test('a header that a rule is about must not be one that Connection has taken away', async (t) => {
  const ask = (connection: string) =>
    `GET /ok HTTP/1.1\r\nHost: a\r\nX-Key: k\r\nX-Other: o\r\n${connection === '' ? '' : `Connection: ${connection}\r\n`}\r\n`;
  const passes = (mismatch: '' | 'LOG' | 'REPLACE', connection: string) =>
    new HttpWire(rulesOf({ headerMatches: [{ name: 'X-Key', value: 'k', mismatch }] })).request(ask(connection)).out[
      REQUEST
    ] !== '';
  for (const mismatch of ['', 'REPLACE'] as const) {
    for (const connection of ['', 'keep-alive', 'X-Other', 'close, X-Keys'])
      t.ok(passes(mismatch, connection), connection);
    for (const connection of ['X-Key', 'keep-alive, x-kEY', 'close,x-key', 'X-Other\r\nConnection: X-Key']) {
      t.notOk(passes(mismatch, connection), connection);
    }
  }
  t.ok(passes('LOG', 'X-Key'), 'a condition that only logs refuses nothing');
});
