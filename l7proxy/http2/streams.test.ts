/** Each stream of an HTTP/2 connection by itself: what is allowed passes, what is denied is answered, and both ends stay in step. */
import t from 'tap';
import {
  block,
  data,
  frame,
  HELLO,
  headers,
  Http2Wire,
  PREFACE,
  request,
  rules,
  SETTINGS,
  SETTINGS_ACK,
  setting,
  word,
} from '../../test/stream/http2-wire.ts';
import * as frames from './frames.ts';

const { END_STREAM } = frames;

const DENIED = ':status=403 content-length=15 content-type=text/plain server=sluice';

t.test('an allowed request passes, a denied one is answered, and the next is allowed again', (t) => {
  const wire = new Http2Wire().begin();
  wire.client(headers(1, request('/ok1')) + headers(3, request('/no')) + headers(5, request('/ok2')));
  const said = ':method=GET :scheme=http';
  t.strictSame(wire.serverSaw(), [
    `HEADERS 1 end ${said} :path=/ok1 :authority=a`,
    `HEADERS 5 end ${said} :path=/ok2 :authority=a`,
  ]);
  t.strictSame(wire.clientSaw(), [`HEADERS 3 ${DENIED}`, 'DATA 3 15 end']);
  t.match(wire.wire.out[1], 'Access denied\r\n');
  wire.server(headers(1, [[':status', '200']], 0) + data(1, 'hi', END_STREAM));
  t.strictSame(wire.clientSaw(), ['HEADERS 1 :status=200', 'DATA 1 2 end']);
  t.strictSame(
    [wire.protocol.shared.forwarded, wire.protocol.shared.denied, wire.protocol.shared.responses],
    [2, 1, 1],
  );
  t.end();
});

t.test('settings that cannot be judged are written anew, once each way, and the others stay', (t) => {
  const wire = new Http2Wire();
  const mine = setting(1, 65536) + setting(2, 1) + setting(4, 1 << 20) + setting(0x1a2b, 7);
  wire.client(PREFACE + frame(frames.SETTINGS, 0, 0, mine));
  t.strictSame(wire.serverSaw(), ['SETTINGS 1=0 2=0 4=1048576']);
  wire.server(frame(frames.SETTINGS, 0, 0, setting(3, 4_000_000_000) + setting(5, 32768)) + SETTINGS_ACK);
  t.strictSame(wire.clientSaw(), ['SETTINGS 3=1024 5=32768 1=0', 'SETTINGS ack']);
  wire.client(SETTINGS_ACK + frame(frames.SETTINGS, 0, 0, setting(4, 5)));
  t.strictSame(wire.serverSaw(), ['SETTINGS ack', 'SETTINGS 4=5'], 'what the first said holds');
  const other = new Http2Wire();
  other.client(PREFACE + frame(frames.SETTINGS, 0, 0, setting(1, 0) + setting(2, 0)));
  t.strictSame(other.serverSaw(), ['SETTINGS 1=0 2=0']);
  t.end();
});

t.test('requests wait for the first words of the server, so that no answer of ours comes before them', (t) => {
  const wire = new Http2Wire();
  wire.client(HELLO + headers(1, request('/no')));
  t.strictSame(wire.clientSaw(), []);
  t.ok(wire.wire.parser.isWaiting(0));
  wire.server(SETTINGS);
  t.strictSame(wire.clientSaw(), ['SETTINGS 1=0 3=1024', `HEADERS 1 ${DENIED}`, 'DATA 1 15 end']);
  t.notOk(wire.wire.parser.isWaiting(0));
  t.end();
});

t.test('a server that may speak HTTP/1 gets nothing that it might take for a request', (t) => {
  const smuggled = '\r\n\r\nGET /no HTTP/1.1\r\nHost: a\r\n\r\n';
  const frame8 = (type: number) => frame(type, 0, 0, smuggled.slice(0, 8));
  const first = frame(frames.SETTINGS, 0, 0, setting(1, 0) + setting(2, 0));
  const rest: readonly string[] = [
    frame(frames.GOAWAY, 0, 0, word(0) + word(0) + smuggled),
    frame8(frames.PING),
    frame(frames.PRIORITY, 0, 1, `${word(0)}\n`),
    frame(frames.WINDOW_UPDATE, 0, 0, '\nGET'),
    frame(frames.SETTINGS, 0, 0, setting(6, 0x0a474554)),
  ];
  for (const text of [...rest, rest.join('')]) {
    const wire = new Http2Wire().client(PREFACE + first + text);
    t.equal(wire.wire.out[0], PREFACE + first, 'until it has said SETTINGS');
    wire.server(SETTINGS + SETTINGS_ACK);
    t.equal(wire.wire.out[0], PREFACE + first + text, 'then all goes on');
    const old = new Http2Wire().client(PREFACE + first + text).server('HTTP/1.1 505 No\r\n\r\n');
    t.equal(old.wire.out[0], PREFACE + first);
    t.strictSame(old.errors, ['bad-server-frame']);
  }
  t.end();
});

t.test('a server that speaks before the client waits for its preface', (t) => {
  const wire = new Http2Wire();
  wire.server(SETTINGS);
  t.strictSame(wire.clientSaw(), []);
  wire.client(HELLO.slice(0, 10));
  t.strictSame(wire.clientSaw(), []);
  wire.client(HELLO.slice(10));
  t.strictSame(wire.clientSaw(), ['SETTINGS 1=0 3=1024']);
  t.end();
});

t.test('the tables stay in step whatever is denied: no reference reaches the server', (t) => {
  const wire = new Http2Wire().begin();
  const inTable = (path: string) => block(request(path, [['x-long', 'v'.repeat(50)]]), 0x40);
  // Entries, newest first: x-long, :authority, :path, :scheme, :method.
  wire.client(headers(1, inTable('/no')));
  t.strictSame(wire.serverSaw(), []);
  wire.client(headers(3, '\xc2\xc1\xbf\xbe' + block([[':path', '/no']]).slice(0, 0) + '\xc0'.slice(0, 0)));
  t.strictSame(wire.errors, ['bad-pseudo-header'], 'a request without a path: the fields came from the table');
  wire.clientSaw();
  wire.client(headers(5, '\xc2\xc1\xbf\x04\x03/ok\xbe'));
  const want = ':method=GET :scheme=http :authority=a :path=/ok x-long=';
  t.strictSame(wire.serverSaw(), [`HEADERS 5 end ${want}${'v'.repeat(50)}`]);
  t.equal(wire.readers[0].decoder.table.maxBytes, 0, 'the server keeps no table');
  wire.client(headers(7, '\xc2\xc1\xbf\x44\x04/ok2'));
  t.match(wire.serverSaw()[0], ':path=/ok2');
  wire.client(headers(9, '\xc3\xc2\xc0\xbe'));
  t.strictSame(wire.serverSaw(), ['HEADERS 9 end :method=GET :scheme=http :authority=a :path=/ok2']);
  t.end();
});

t.test('a block that stands alone passes as it is, once the server has been told that it keeps no table', (t) => {
  const wire = new Http2Wire().begin();
  const padded = frame(frames.HEADERS, 0x0d, 1, `\x03${block(request('/ok'))}\0\0\0`);
  wire.client(padded);
  t.notMatch(wire.wire.out[0], padded, 'the first is written anew');
  t.equal(wire.readers[0].decoder.table.maxBytes, 4096);
  wire.serverSaw();
  t.equal(wire.readers[0].decoder.table.maxBytes, 0);
  const next = padded.replace('\0\0\0\x01', '\0\0\0\x03');
  wire.client(next);
  t.ok(wire.wire.out[0].endsWith(next));
  const first = new Http2Wire().begin();
  const tells = headers(1, ` ${block(request('/ok'))}`);
  first.client(tells);
  t.ok(first.wire.out[0].endsWith(tells), 'as does the first one, if the client says so itself');
  const grows = headers(3, `\x3f\xe1\x1f${block(request('/ok'))}`);
  first.client(grows);
  t.notOk(first.wire.out[0].endsWith(grows), 'but not one that would let the server keep one');
  first.serverSaw();
  t.equal(first.readers[0].decoder.table.maxBytes, 0);
  t.end();
});

t.test('blocks that stand alone are judged once', (t) => {
  const wire = new Http2Wire().begin();
  wire.client(headers(1, ` ${block(request('/ok'))}`));
  for (let i = 3; i < 23; i += 4) wire.client(headers(i, request('/ok')) + headers(i + 2, request('/no')));
  t.equal(wire.protocol.shared.memoHits, 8);
  t.strictSame([wire.protocol.shared.forwarded, wire.protocol.shared.denied], [6, 5]);
  wire.change(rules({ path: '/no' }));
  wire.client(headers(31, request('/ok')) + headers(33, request('/no')));
  t.strictSame([wire.protocol.shared.forwarded, wire.protocol.shared.denied], [7, 6], 'by the rules in force');
  t.end();
});

t.test('what is denied may have content: it goes nowhere, and its window is granted again', (t) => {
  const wire = new Http2Wire().begin();
  wire.client(headers(1, request('/no', [], 'POST'), 0) + data(1, 'x'.repeat(1000)));
  t.strictSame(wire.clientSaw(), [`HEADERS 1 ${DENIED}`, 'DATA 1 15 end', 'RST 1 0', 'WINDOW 0 1000']);
  wire.client(data(1, 'y'.repeat(20)) + frame(frames.WINDOW_UPDATE, 0, 1, word(5)) + headers(1, [['x-sum', '1']]));
  wire.client(frame(frames.RST_STREAM, 0, 1, word(8)));
  t.strictSame(wire.clientSaw(), ['WINDOW 0 20']);
  t.strictSame(wire.serverSaw(), []);
  t.strictSame(wire.errors, []);
  t.end();
});

t.test('a gRPC call that is denied ends with a status of its own, in trailers alone', (t) => {
  const wire = new Http2Wire().begin();
  const call = (type: string) =>
    request(
      '/pkg.Service/No',
      [
        ['content-type', type],
        ['te', 'trailers'],
      ],
      'POST',
    );
  wire.client(headers(1, call('application/grpc'), 0));
  const status = 'content-type=application/grpc grpc-status=7 grpc-message=Access denied server=sluice';
  t.strictSame(wire.clientSaw(), [`HEADERS 1 end :status=200 ${status}`, 'RST 1 0']);
  wire.client(headers(3, call('application/grpc+proto'), END_STREAM));
  t.strictSame(wire.clientSaw(), [`HEADERS 3 end :status=200 ${status}`]);
  wire.client(headers(5, call('application/grpc-web'), END_STREAM));
  t.match(wire.clientSaw()[0], ':status=403');
  t.end();
});

t.test('HEAD is denied without a body, and so is what has no window for one', (t) => {
  const wire = new Http2Wire().begin();
  wire.client(headers(1, request('/no', [], 'HEAD')));
  t.strictSame(wire.clientSaw(), [`HEADERS 1 end ${DENIED}`]);
  const narrow = new Http2Wire().begin(frame(frames.SETTINGS, 0, 0, setting(4, 14)));
  narrow.client(headers(1, request('/no')));
  t.strictSame(narrow.clientSaw(), [`HEADERS 1 end ${DENIED.replace('15', '0')}`]);
  const pending = new Http2Wire().begin();
  pending.client(frame(frames.SETTINGS, 0, 0, setting(4, 0)) + headers(1, request('/no')));
  t.strictSame(pending.clientSaw(), [`HEADERS 1 end ${DENIED.replace('15', '0')}`], 'nor when it may be so already');
  t.end();
});

t.test('what our answers took of the connection window is kept of what the client grants', (t) => {
  const wire = new Http2Wire().begin();
  wire.client(headers(1, request('/ok')) + headers(3, request('/no')) + headers(5, request('/no')));
  wire.clientSaw();
  wire.serverSaw();
  wire.client(frame(frames.WINDOW_UPDATE, 0, 0, word(10)));
  t.strictSame(wire.serverSaw(), [], 'all of it');
  wire.client(frame(frames.WINDOW_UPDATE, 0, 0, word(100)));
  t.strictSame(wire.serverSaw(), ['WINDOW 0 80']);
  wire.client(frame(frames.WINDOW_UPDATE, 0, 0, word(7)) + frame(frames.WINDOW_UPDATE, 0, 1, word(9)));
  t.strictSame(wire.serverSaw(), ['WINDOW 0 7', 'WINDOW 1 9']);
  t.end();
});

t.test('the server never sends more than the client takes, though we have sent some of it', (t) => {
  const wire = new Http2Wire().begin();
  wire.client(headers(1, request('/ok')) + headers(3, request('/no')));
  for (let i = 0; i < 3; i++) wire.server(data(1, 'x'.repeat(16_384)));
  wire.clientSaw();
  const last = data(1, 'x'.repeat(16_383));
  wire.server(last.slice(0, 100));
  t.strictSame(wire.clientSaw(), []);
  wire.server(last.slice(100) + frame(frames.PING, 0, 0, '12345678'));
  t.strictSame(wire.clientSaw(), [], '15 bytes too many: it waits');
  wire.client(frame(frames.WINDOW_UPDATE, 0, 0, word(14)));
  t.strictSame(wire.clientSaw(), []);
  wire.client(frame(frames.WINDOW_UPDATE, 0, 0, word(1000)));
  t.strictSame(wire.clientSaw(), ['DATA 1 16383', 'PING 0']);
  t.strictSame(wire.serverSaw().slice(1), ['WINDOW 0 999']);
  t.end();
});

t.test('many denials have no body, rather than more of the window than can be paid back', (t) => {
  const wire = new Http2Wire().begin();
  for (let i = 1; i < 201; i += 2) wire.client(headers(i, request('/no')));
  const said = wire.clientSaw();
  t.equal(said.filter((one) => one.startsWith('DATA')).length, 64);
  t.equal(said.filter((one) => one.startsWith('HEADERS')).length, 100);
  t.end();
});

t.test('rules that change apply from the next request on, and open streams go on', (t) => {
  const wire = new Http2Wire().begin();
  wire.client(headers(1, request('/ok', [], 'POST'), 0));
  wire.change(rules({ path: '/other' }));
  wire.client(data(1, 'abc') + headers(3, request('/ok')) + headers(5, request('/other')));
  t.strictSame(
    wire.serverSaw().map((one) => one.replace(/ :.*/, '')),
    ['HEADERS 1', 'DATA 1 3', 'HEADERS 5 end'],
  );
  t.match(wire.clientSaw()[0], 'HEADERS 3 :status=403');
  wire.change(undefined);
  wire.client(headers(7, request('/other')));
  t.match(wire.clientSaw(), [/HEADERS 7 :status=403/, 'DATA 7 15 end', 'GOAWAY 7 0']);
  t.ok(wire.wire.isClosed, 'rules that are gone end the connection');
  t.end();
});

t.test('headers that rules ask for, take out and add', (t) => {
  const wire = new Http2Wire(
    rules({
      path: '/ok',
      headers: ['x-tenant: a'],
      headerMatches: [
        { name: 'x-add', value: 'new', mismatch: 'ADD' },
        { name: 'x-gone', value: 'right', mismatch: 'DELETE' },
      ],
    }),
    true,
  ).begin();
  wire.client(
    headers(
      1,
      request('/ok', [
        ['x-tenant', 'a'],
        ['x-gone', 'wrong'],
      ]),
    ) + headers(3, request('/ok')),
  );
  t.strictSame(wire.serverSaw(), [
    'HEADERS 1 end :method=GET :scheme=http :path=/ok :authority=a x-tenant=a x-add=new',
  ]);
  t.match(wire.clientSaw()[0], 'HEADERS 3 :status=403');
  t.match(wire.records[0].HTTP, { Protocol: 'HTTP/2', URL: 'http://a/ok', RejectedHeaders: { 'X-Gone': ['wrong'] } });
  const cookies = new Http2Wire(rules({ path: '/ok', headers: ['cookie: a=1; b=2'] })).begin();
  cookies.client(
    headers(
      1,
      request('/ok', [
        ['cookie', 'a=1'],
        ['cookie', 'b=2'],
      ]),
    ),
  );
  t.equal(cookies.serverSaw().length, 1, 'cookies in crumbs are one');
  cookies.client(
    headers(
      3,
      request('/ok', [
        ['cookie', 'a=1'],
        ['cookie', 'c=2'],
      ]),
    ),
  );
  t.strictSame(cookies.serverSaw(), []);
  t.end();
});

t.test('trailers, 1xx, and what is read of answers for records', (t) => {
  const wire = new Http2Wire(undefined, true).begin();
  wire.client(headers(1, request('/ok', [['content-type', 'application/grpc']], 'POST'), 0) + data(1, 'abc'));
  wire.client(headers(1, [['x-sum', '7']]));
  wire.server(headers(1, [[':status', '100']], 0) + headers(1, [[':status', '200']], 0) + data(1, 'def'));
  wire.server(
    headers(1, [
      ['grpc-status', '5'],
      ['grpc-message', 'not there'],
    ]),
  );
  t.strictSame(
    wire.serverSaw().map((one) => one.replace(/ :.*/, '')),
    ['HEADERS 1', 'DATA 1 3', 'HEADERS 1 end x-sum=7'],
  );
  t.equal(wire.clientSaw().length, 4);
  t.match(wire.records, [
    { Type: 'Request', HTTP: { Method: 'POST', URL: 'http://a/ok', Protocol: 'HTTP/2' } },
    { Type: 'Response', HTTP: { Code: 200, Headers: { 'Grpc-Status': ['5'], 'Grpc-Message': ['not there'] } } },
  ]);
  wire.client(headers(3, request('/ok')));
  wire.server(headers(3, [[':status', '103']], 0) + headers(3, [[':status', '404']]));
  t.equal(wire.records.at(-1)?.HTTP?.Code, 404);
  t.equal(wire.records.length, 4);
  t.end();
});

t.test(
  'CONNECT needs a rule that names it; a websocket is the GET that asks for one, of a server that takes it',
  (t) => {
    const wire = new Http2Wire().begin();
    const tunnel = (host: string) =>
      headers(
        tunnel.next++ * 2 + 1,
        [
          [':method', 'CONNECT'],
          [':authority', host],
        ],
        0,
      );
    tunnel.next = 0;
    wire.client(tunnel('db:1') + data(1, 'anything') + tunnel('other:1'));
    t.strictSame(wire.serverSaw(), ['HEADERS 1 :method=CONNECT :authority=db:1', 'DATA 1 8']);
    t.match(wire.clientSaw()[0], 'HEADERS 3 :status=403');
    const websocket = (path: string) => request(path, [], 'CONNECT').concat([[':protocol', 'websocket']]);
    wire.client(headers(5, websocket('/ok'), 0));
    t.strictSame(wire.clientSaw(), ['RST 5 1']);
    const able = new Http2Wire().begin(SETTINGS, frame(frames.SETTINGS, 0, 0, setting(8, 1)));
    able.client(headers(1, websocket('/ok'), 0) + headers(3, websocket('/no'), 0));
    t.match(able.serverSaw(), [/^HEADERS 1 :method=CONNECT .*:protocol=websocket$/]);
    t.match(able.clientSaw()[0], 'HEADERS 3 :status=403');
    able.client(headers(5, request('/ok', [], 'CONNECT').concat([[':protocol', 'connect-udp']]), 0));
    t.strictSame(able.clientSaw(), ['RST 5 1']);
    t.end();
  },
);

t.test('the size of a table that a client announced is signalled by whoever speaks first', (t) => {
  const small = frame(frames.SETTINGS, 0, 0, setting(1, 100));
  const wire = new Http2Wire().begin(small);
  wire.client(headers(1, request('/no')) + headers(3, request('/no')));
  wire.clientSaw();
  t.equal(wire.readers[1].decoder.table.maxBytes, 100);
  const other = new Http2Wire().begin(small);
  other.client(headers(1, request('/ok')));
  other.server(headers(1, ` ${block([[':status', '200']])}`));
  other.client(headers(3, request('/no')));
  t.strictSame(other.clientSaw().length, 3);
  t.equal(other.readers[1].decoder.table.maxBytes, 0, 'the server did');
  t.end();
});

t.test('a stream that the server will not answer is not begun any more', (t) => {
  const wire = new Http2Wire().begin();
  wire.client(headers(1, request('/ok')));
  wire.server(frame(frames.GOAWAY, 0, 0, word(1) + word(0)));
  wire.client(headers(3, request('/ok', [], 'POST'), 0) + data(3, 'abc', END_STREAM));
  t.equal(wire.serverSaw().length, 1);
  t.strictSame(wire.clientSaw(), ['GOAWAY 1 0', 'WINDOW 0 3']);
  t.end();
});

t.test('TLS on a port with HTTP rules is reset, and counted', (t) => {
  const wire = new Http2Wire(undefined, true);
  wire.client('\x16\x03\x01\x02\x00\x01');
  t.ok(wire.wire.isReset);
  t.strictSame(wire.errors, ['tls']);
  t.match(wire.records, [{ Verdict: 'Error', Info: 'tls' }]);
  t.end();
});

t.test('HTTP/1 is read as before: h2c is taken out, and the preface of no version is refused', (t) => {
  const wire = new Http2Wire();
  wire.client(
    'GET /ok HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
  );
  t.equal(wire.wire.out[0], 'GET /ok HTTP/1.1\r\nHost: a\r\n\r\n');
  const almost = new Http2Wire();
  almost.client('PRI * HTTP/2.0\r\n\r\nSX');
  t.match(almost.wire.out[1], '400 Bad Request');
  t.strictSame(almost.errors, ['http2-preface']);
  const early = new Http2Wire();
  early.server('HTTP/1.1 200 OK\r\n\r\n');
  t.ok(early.wire.isClosed);
  t.end();
});

t.test('a trailer must not be about a header that is judged', (t) => {
  for (const [name, isTaken] of [
    ['x-user', false],
    ['x_user', false],
    ['x-users', true],
  ] as const) {
    const wire = new Http2Wire(rules({ headers: ['x-user: me'] })).begin();
    wire.client(headers(1, request('/ok', [['x-user', 'me']], 'POST'), 0) + headers(1, [[name, 'you']]));
    const saw = wire.serverSaw().map((one) => one.split(' ')[0]);
    t.strictSame(saw, ['HEADERS', isTaken ? 'HEADERS' : 'RST'], name);
  }
  t.end();
});
