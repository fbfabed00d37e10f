/**
 * Messages of HTTP/2 by the section of RFC 9113 (or RFC 8441) that they are about, 8.1 to 10.5: what becomes of each, at the client and at
 * the server; and what too much of something leads to.
 */
import t from 'tap';
import { block, data, type Field, frame, headers, Http2Wire, request, word } from '../../test/stream/http2-wire.ts';
import {
  OK,
  OPEN,
  POST,
  type Shape,
  shape,
  THREE,
  times,
  unwanted,
  withFields,
  without,
} from '../../test/stream/http2-shapes.ts';
import * as frames from './frames.ts';

const { CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PRIORITY, RST_STREAM } = frames;

const SHAPES: readonly Shape[] = [
  // --- 8.1: the shape of a message
  shape('8.1', 'trailers', headers(1, [['x-sum', '1']]), 'passes', OPEN + data(1, 'abc')),
  shape('8.1', 'trailers that do not end the stream', headers(1, [['x-sum', '1']], 0), 'stream 1', OPEN),
  shape('8.1', 'trailers with a pseudo-header', headers(1, [[':path', '/no']]), 'stream 1', OPEN),
  shape('8.1', 'trailers with a content-length', headers(1, [['content-length', '0']]), 'stream 1', OPEN),
  shape('8.1', 'trailers with a host', headers(1, [['host', 'b']]), 'stream 1', OPEN),
  shape('8.1', 'trailers with transfer-encoding', headers(1, [['transfer-encoding', 'chunked']]), 'stream 1', OPEN),
  shape('8.1', 'trailers that are another request', headers(1, request('/ok')), 'stream 1', OPEN),
  shape('8.1.1', 'content as long as it said', data(1, 'abc', END_STREAM), 'passes', THREE),
  shape('8.1.1', 'more content than it said', data(1, 'abcd'), 'stream 1', THREE),
  shape('8.1.1', 'less content than it said', data(1, 'ab', END_STREAM), 'stream 1', THREE),
  shape('8.1.1', 'less content than it said, ended by trailers', headers(1, [['x', 'y']]), 'stream 1', THREE),
  shape(
    '8.1.1',
    'content in padding does not count',
    frame(DATA, PADDED | END_STREAM, 1, '\x02abc\0\0'),
    'passes',
    THREE,
  ),
  shape(
    '8.1.1',
    'no content though it said so',
    headers(1, request('/ok', [['content-length', '3']], 'POST')),
    'stream 1',
  ),
  shape(
    '8.1.1',
    'a content-length of nothing',
    headers(1, request('/ok', [['content-length', '0']], 'POST')),
    'passes',
  ),
  shape(
    '8.1.1',
    'two lengths',
    headers(
      1,
      request(
        '/ok',
        [
          ['content-length', '3'],
          ['content-length', '3'],
        ],
        'POST',
      ),
      0,
    ),
    'stream 1',
  ),
  shape('8.1.1', 'a length with a sign', headers(1, request('/ok', [['content-length', '+3']], 'POST'), 0), 'stream 1'),
  shape('8.1.1', 'a list of lengths', headers(1, request('/ok', [['content-length', '3, 3']], 'POST'), 0), 'stream 1'),
  // --- 8.2: fields
  shape('8.2', 'an upper-case name', headers(1, withFields(['X-Up', 'a'])), 'stream 1'),
  shape('8.2.1', 'an empty name', headers(1, withFields(['', 'a'])), 'stream 1'),
  shape('8.2.1', 'a name with a space', headers(1, withFields(['x y', 'a'])), 'stream 1'),
  shape('8.2.1', 'a name with a colon', headers(1, withFields(['x:y', 'a'])), 'stream 1'),
  shape('8.2.1', 'a name with a line end', headers(1, withFields(['x\r\ny', 'a'])), 'stream 1'),
  shape('8.2.1', 'a name beyond ASCII', headers(1, withFields(['x\xe4', 'a'])), 'stream 1'),
  shape('8.2.1', 'a value with CR LF and a header in it', headers(1, withFields(['x', 'a\r\nhost: b'])), 'stream 1'),
  shape('8.2.1', 'a value with CR', headers(1, withFields(['x', 'a\rb'])), 'stream 1'),
  shape('8.2.1', 'a value with LF', headers(1, withFields(['x', 'a\nb'])), 'stream 1'),
  shape('8.2.1', 'a value with NUL', headers(1, withFields(['x', 'a\0b'])), 'stream 1'),
  shape('8.2.1', 'a value with a space in front', headers(1, withFields(['x', ' a'])), 'stream 1'),
  shape('8.2.1', 'a value with a tab behind', headers(1, withFields(['x', 'a\t'])), 'stream 1'),
  shape('8.2.1', 'a value of nothing', headers(1, withFields(['x', ''])), 'passes'),
  shape('8.2.1', 'a value beyond ASCII', headers(1, withFields(['x', '\xe4'])), 'passes'),
  shape('8.2.2', 'connection', headers(1, withFields(['connection', 'x-a'])), 'stream 1'),
  shape('8.2.2', 'connection: close', headers(1, withFields(['connection', 'close'])), 'stream 1'),
  shape('8.2.2', 'keep-alive', headers(1, withFields(['keep-alive', '5'])), 'stream 1'),
  shape('8.2.2', 'proxy-connection', headers(1, withFields(['proxy-connection', 'close'])), 'stream 1'),
  shape(
    '8.2.2',
    'transfer-encoding: chunked',
    headers(1, request('/ok', [['transfer-encoding', 'chunked']], 'POST'), 0),
    'stream 1',
  ),
  shape('8.2.2', 'upgrade: h2c', headers(1, withFields(['upgrade', 'h2c'])), 'stream 1'),
  shape('8.2.2', 'upgrade: websocket', headers(1, withFields(['upgrade', 'websocket'])), 'stream 1'),
  shape('8.2.2', 'http2-settings', headers(1, withFields(['http2-settings', 'AAMAAABk'])), 'stream 1'),
  shape('8.2.2', 'te: trailers', headers(1, withFields(['te', 'trailers'])), 'passes'),
  shape('8.2.2', 'te: gzip', headers(1, withFields(['te', 'gzip'])), 'stream 1'),
  shape('8.2.2', 'te: trailers, chunked', headers(1, withFields(['te', 'trailers, chunked'])), 'stream 1'),
  shape('8.2.3', 'cookies in crumbs', headers(1, withFields(['cookie', 'a=1'], ['cookie', 'b=2'])), 'passes'),
  // --- 8.3: pseudo-headers
  shape('8.3', 'an unknown one', headers(1, [...OK, [':up', 'a']]), 'stream 1'),
  shape('8.3', 'one of answers', headers(1, [...OK, [':status', '200']]), 'stream 1'),
  shape('8.3', 'one behind a field', headers(1, [...without(':path'), ['x', 'y'], [':path', '/ok']]), 'stream 1'),
  shape('8.3', 'an upper-case one', headers(1, [...without(':path'), [':Path', '/ok']]), 'stream 1'),
  shape('8.3', 'an empty one', headers(1, [...OK, [':', 'a']]), 'stream 1'),
  shape('8.3.1', 'no :method', headers(1, without(':method')), 'stream 1'),
  shape('8.3.1', 'no :scheme', headers(1, without(':scheme')), 'stream 1'),
  shape('8.3.1', 'no :path', headers(1, without(':path')), 'stream 1'),
  shape('8.3.1', 'no :authority and no host', headers(1, without(':authority')), 'stream 1'),
  shape('8.3.1', 'host instead of :authority', headers(1, [...without(':authority'), ['host', 'a']]), 'passes'),
  shape('8.3.1', 'host beside :authority, the same', headers(1, withFields(['host', 'A'])), 'passes'),
  shape('8.3.1', 'host beside :authority, another', headers(1, withFields(['host', 'b'])), 'stream 1'),
  shape('8.3.1', 'two hosts', headers(1, withFields(['host', 'a'], ['host', 'a'])), 'stream 1'),
  shape('8.3.1', 'an empty :authority', headers(1, [...without(':authority'), [':authority', '']]), 'stream 1'),
  shape('8.3.1', ':authority with a user', headers(1, [...without(':authority'), [':authority', 'u@a']]), 'stream 1'),
  shape('8.3.1', ':authority with a path', headers(1, [...without(':authority'), [':authority', 'a/ok']]), 'stream 1'),
  shape('8.3.1', 'two :method', headers(1, [[':method', 'GET'], ...OK]), 'stream 1'),
  shape('8.3.1', 'two :path', headers(1, [...OK, [':path', '/ok']]), 'stream 1'),
  shape('8.3.1', 'two :scheme', headers(1, [[':scheme', 'http'], ...OK]), 'stream 1'),
  shape('8.3.1', 'two :authority', headers(1, [...OK, [':authority', 'a']]), 'stream 1'),
  shape('8.3.1', 'an empty :path', headers(1, request('')), 'stream 1'),
  shape('8.3.1', 'a :path without a slash', headers(1, request('ok')), 'stream 1'),
  shape('8.3.1', 'an absolute :path', headers(1, request('http://a/ok')), 'stream 1'),
  shape('8.3.1', 'a :path with a space', headers(1, request('/ok HTTP/1.1')), 'stream 1'),
  shape(
    '8.3.1',
    'a :path with a request in it',
    headers(1, request('/ok HTTP/1.1\r\nHost: a\r\n\r\nGET /no')),
    'stream 1',
  ),
  shape('8.3.1', 'a :path with a fragment', headers(1, request('/ok#/no')), 'stream 1'),
  shape('8.3.1', 'a :path with NUL', headers(1, request('/ok\0')), 'stream 1'),
  shape('8.3.1', '* that is not OPTIONS', headers(1, request('*')), 'stream 1'),
  shape('8.3.1', '* of OPTIONS', headers(1, request('*', [], 'OPTIONS')), 'status 403'),
  shape('8.3.1', 'an evasive :path', headers(1, request('/ok/..%2fno')), 'status 403'),
  shape('8.3.1', 'a :method with a space', headers(1, request('/ok', [], 'GET /no')), 'stream 1'),
  shape('8.3.1', 'an empty :method', headers(1, request('/ok', [], '')), 'stream 1'),
  shape('8.3.1', 'a :method in lower case', headers(1, request('/ok', [], 'get')), 'status 403'),
  shape('8.3.1', 'another :scheme', headers(1, [...without(':scheme'), [':scheme', 'ftp']]), 'stream 1'),
  shape('8.3.1', ':scheme https', headers(1, [...without(':scheme'), [':scheme', 'https']]), 'passes'),
  shape(
    '8.3.1',
    ':scheme with a host in it',
    headers(1, [...without(':scheme'), [':scheme', 'http://b/no?']]),
    'stream 1',
  ),
  // --- 8.5 and RFC 8441: CONNECT
  shape(
    '8.5',
    'CONNECT',
    headers(
      1,
      [
        [':method', 'CONNECT'],
        [':authority', 'db:1'],
      ],
      0,
    ),
    'passes',
  ),
  shape('8.5', 'CONNECT with a path', headers(1, request('/ok', [], 'CONNECT'), 0), 'stream 1'),
  shape(
    '8.5',
    'CONNECT with a scheme',
    headers(
      1,
      [
        [':method', 'CONNECT'],
        [':scheme', 'http'],
        [':authority', 'db:1'],
      ],
      0,
    ),
    'stream 1',
  ),
  shape(
    '8.5',
    'CONNECT without an authority',
    headers(
      1,
      [
        [':method', 'CONNECT'],
        ['host', 'db:1'],
      ],
      0,
    ),
    'stream 1',
  ),
  shape(
    '8.5',
    'CONNECT without a port',
    headers(
      1,
      [
        [':method', 'CONNECT'],
        [':authority', 'db'],
      ],
      0,
    ),
    'stream 1',
  ),
  shape(
    '8.5',
    'CONNECT that no rule names',
    headers(
      1,
      [
        [':method', 'CONNECT'],
        [':authority', 'db:2'],
      ],
      0,
    ),
    'status 403',
  ),
  shape(
    '8.5',
    'CONNECT with a length',
    headers(
      1,
      [
        [':method', 'CONNECT'],
        [':authority', 'db:1'],
        ['content-length', '5'],
      ],
      0,
    ),
    'stream 1',
  ),
  shape(
    'RFC 8441 4',
    'a websocket that the server does not take',
    headers(1, [...request('/ok', [], 'CONNECT'), [':protocol', 'websocket']], 0),
    'stream 1',
  ),
  shape('RFC 8441 4', ':protocol of a GET', headers(1, [...OK, [':protocol', 'websocket']]), 'stream 1'),
  // --- 10.5, 10.5.1: too much of something
  shape(
    '10.5.1',
    '101 fields',
    headers(1, withFields(...Array.from({ length: 101 }, (_, i): Field => [`x${i}`, '']))),
    'status 431',
  ),
  shape(
    '10.5.1',
    'a head of 61 KiB',
    frame(HEADERS, END_STREAM, 1, block(OK)) +
      times(3, (i) => frame(CONTINUATION, 0, 1, block([[`x${i}`, 'y'.repeat(16370)]]))) +
      frame(CONTINUATION, END_HEADERS, 1, block([['z', 'y'.repeat(14000)]])),
    'status 431',
  ),
  shape(
    '10.5',
    'what one table entry becomes',
    headers(1, `${block([['x', 'y'.repeat(4000)]], 0x40)}${'\xbe'.repeat(100)}`),
    'connection 11',
  ),
  shape(
    '10.5',
    'blocks that say one table entry ten times, a thousand of them',
    headers(4003, `${block(OK)}${'\xbe'.repeat(10)}`),
    'connection 11',
    headers(1, block([['x', 'y'.repeat(1000)]], 0x40)) +
      times(1000, (i) => headers(2 * i + 3, `${block(request('/no'))}${'\xbe'.repeat(10)}`)),
  ),
  shape(
    '10.5',
    'blocks that say all of a table once, as many as anybody likes',
    headers(4003, `${block(OK)}\xbe`),
    'passes',
    headers(1, block([['x', 'y'.repeat(4000)]], 0x40)) +
      times(1500, (i) => headers(2 * i + 3, `${block(request('/no'))}\xbe`)),
  ),
  shape('10.5', 'empty DATA, a thousand times', data(1, ''), 'connection 11', OPEN + times(1000, () => data(1, ''))),
  shape(
    '10.5',
    'empty DATA, some',
    times(10, () => data(1, '')),
    'passes',
    OPEN,
  ),
  shape(
    '10.5',
    'padding instead of DATA, a thousand times',
    frame(DATA, PADDED, 1, '\0'),
    'connection 11',
    OPEN + times(1000, () => frame(DATA, PADDED, 1, '\0')),
  ),
  shape(
    '10.5',
    'unknown frames, a thousand times',
    frame(0x42, 0, 0),
    'connection 11',
    times(1000, () => frame(0x42, 0, 0)),
  ),
  shape(
    '10.5',
    'PRIORITY, a thousand times',
    frame(PRIORITY, 0, 1, `${word(0)}\x10`),
    'connection 11',
    times(1000, () => frame(PRIORITY, 0, 1, `${word(0)}\x10`)),
  ),
  shape(
    '10.5',
    'streams that are given up at once, a thousand times',
    headers(2001, OK) + frame(RST_STREAM, 0, 2001, word(8)),
    'connection 11',
    times(1000, (i) => headers(2 * i + 1, OK) + frame(RST_STREAM, 0, 2 * i + 1, word(8))),
  ),
];

t.test(`each of ${SHAPES.length} shapes has its answer, whole and byte by byte`, (t) => {
  t.ok(SHAPES.length >= 90);
  t.strictSame(unwanted(SHAPES), []);
  t.end();
});

t.test('10.5: a client that makes us give streams up has given them up itself', (t) => {
  const mistakes: readonly ((stream: number) => string)[] = [
    (stream) => headers(stream, request('/ok', [['content-length', '1']], 'POST'), 0) + data(stream, 'xy'),
    (stream) => headers(stream, POST, 0) + headers(stream, [['x-sum', '1']], 0),
    (stream) => headers(stream, POST, 0) + frame(RST_STREAM, 0, stream, word(8)),
  ];
  for (const mistake of mistakes) {
    const wire = new Http2Wire().begin();
    for (let i = 0; i < 1000; i++) wire.client(mistake(2 * i + 1));
    t.notOk(wire.wire.isClosed);
    wire.client(mistake(2001));
    t.match(wire.clientSaw().at(-1), /^GOAWAY 2001 11$/);
    t.equal(wire.errors.at(-1), 'flood');
  }
  t.end();
});

t.test('10.5: a server that is made to give streams up is one that the client floods', (t) => {
  const wire = new Http2Wire().begin();
  for (let i = 0; i < 1000; i++) {
    wire.client(headers(2 * i + 1, OK));
    wire.server(frame(RST_STREAM, 0, 2 * i + 1, word(1)));
  }
  t.notOk(wire.wire.isClosed);
  wire.log.nowMs += 1000;
  for (let i = 1000; i < 1101; i++) {
    wire.client(headers(2 * i + 1, OK));
    wire.server(frame(RST_STREAM, 0, 2 * i + 1, word(1)));
  }
  t.ok(wire.wire.isClosed, 'a hundred more in a second, and no more');
  t.strictSame(wire.errors, ['server-flood']);
  t.match(wire.clientSaw().at(-1), /^GOAWAY 2201 11$/);
  const answered = new Http2Wire().begin();
  for (let i = 0; i < 3000; i++) {
    answered.client(headers(2 * i + 1, POST, 0));
    answered.server(headers(2 * i + 1, [[':status', '413']]) + frame(RST_STREAM, 0, 2 * i + 1, word(0)));
  }
  t.notOk(answered.wire.isClosed, 'one that has answered may');
  t.end();
});

t.test('5.2: nothing that a denied client sends can use up the window of the others', (t) => {
  const wire = new Http2Wire().begin().client(headers(1, POST, 0));
  let granted = 0;
  for (let i = 3; i < 203; i += 2) wire.client(headers(i, request('/no', [], 'POST'), 0) + data(i, 'x'.repeat(5000)));
  for (const said of wire.clientSaw()) granted += Number(/^WINDOW 0 (\d+)$/.exec(said)?.[1] ?? 0);
  t.equal(granted, 500_000);
  wire.client(data(1, 'y'.repeat(100)));
  t.strictSame(wire.serverSaw().at(-1), 'DATA 1 100');
  t.end();
});
