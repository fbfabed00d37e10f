/**
 * Frames of HTTP/2 by the section of RFC 9113 that they are about, 3.4 to 6.10: what becomes of each, at the client and at the server;
 * and what servers must not do.
 */
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
  SETTINGS,
  SETTINGS_ACK,
  setting,
  word,
} from '../../test/stream/http2-wire.ts';
import {
  GIVEN_UP,
  inTwo,
  OK,
  OPEN,
  POST,
  settings,
  type Shape,
  shape,
  times,
  unwanted,
  withFields,
} from '../../test/stream/http2-shapes.ts';
import * as frames from './frames.ts';

const { ACK, CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HAS_PRIORITY, HEADERS, PADDED, PING, PRIORITY } = frames;
const { RST_STREAM, WINDOW_UPDATE, PUSH_PROMISE, DATA } = frames;

const SHAPES: readonly Shape[] = [
  // --- 4.1, 4.2, 4.3: frames and header blocks
  shape('4.1', 'a frame of an unknown type', frame(0x42, 0xff, 1, 'abc'), 'dropped', OPEN),
  shape('4.1', 'an unknown frame about the connection', frame(0xfa, 0, 0, 'abc'), 'dropped'),
  shape('4.1', 'PRIORITY_UPDATE', frame(0x10, 0, 0, `${word(1)}u=0`), 'dropped'),
  shape('4.1', 'undefined flags', frame(PING, 0xfe & ~ACK, 0, '12345678'), 'passes'),
  shape('4.1', 'the reserved bit of a stream id', frame(WINDOW_UPDATE, 0, 0x80000000, word(1)), 'passes'),
  shape('4.2', 'DATA of 16384 bytes', data(1, 'x'.repeat(16384)), 'passes', OPEN),
  shape('4.2', 'DATA of 16385 bytes', data(1, 'x'.repeat(16385)), 'connection 6', OPEN),
  shape('4.2', 'HEADERS of 16385 bytes', headers(1, withFields(['x', 'y'.repeat(16400)])), 'connection 6'),
  shape('4.2', 'SETTINGS of 16385 bytes', frame(frames.SETTINGS, 0, 0, 'x'.repeat(16385)), 'connection 6'),
  shape('4.3', 'a header block that no decoder can read', headers(1, '\x80'), 'connection 9'),
  shape('4.3', 'a header block that ends in a field', headers(1, block(OK).slice(0, -1)), 'connection 9'),
  shape('4.3', 'trailers that no decoder can read', headers(1, '\xff\xff\xff\xff\x7f'), 'connection 9', OPEN),
  shape('4.3', 'a denied request that no decoder can read', headers(3, '\xbe'), 'connection 9', OPEN),
  // --- 5.1: streams and their states
  shape('5.1', 'idle: DATA', data(1, 'x'), 'connection 1'),
  shape('5.1', 'idle: RST_STREAM', frame(RST_STREAM, 0, 1, word(8)), 'connection 1'),
  shape('5.1', 'idle: WINDOW_UPDATE', frame(WINDOW_UPDATE, 0, 1, word(1)), 'connection 1'),
  shape('5.1', 'idle: CONTINUATION', frame(CONTINUATION, END_HEADERS, 1, block(OK)), 'connection 1'),
  shape('5.1', 'idle: PRIORITY', frame(PRIORITY, 0, 1, `${word(0)}\x10`), 'passes'),
  shape('5.1', 'half closed: DATA', data(1, 'x'), 'connection 5', headers(1, OK)),
  shape('5.1', 'half closed: HEADERS', headers(1, OK), 'connection 5', headers(1, OK)),
  shape('5.1', 'half closed: trailers', headers(1, [['x', 'y']]), 'connection 5', headers(1, OK)),
  shape(
    '5.1',
    'half closed: CONTINUATION',
    frame(CONTINUATION, END_HEADERS, 1, block(OK)),
    'connection 1',
    headers(1, OK),
  ),
  shape('5.1', 'half closed: WINDOW_UPDATE', frame(WINDOW_UPDATE, 0, 1, word(1)), 'passes', headers(1, OK)),
  shape('5.1', 'half closed: RST_STREAM', frame(RST_STREAM, 0, 1, word(8)), 'passes', headers(1, OK)),
  shape('5.1', 'closed by the client: DATA under way', data(1, ''.padEnd(0), END_STREAM), 'dropped', GIVEN_UP),
  shape('5.1', 'closed by the client: trailers', headers(1, [['x', 'y']]), 'dropped', GIVEN_UP),
  shape('5.1', 'closed by the client: WINDOW_UPDATE', frame(WINDOW_UPDATE, 0, 1, word(1)), 'dropped', GIVEN_UP),
  shape('5.1', 'closed by the client: RST_STREAM again', frame(RST_STREAM, 0, 1, word(8)), 'dropped', GIVEN_UP),
  shape('5.1', 'closed: PRIORITY', frame(PRIORITY, 0, 1, `${word(0)}\x10`), 'passes', GIVEN_UP),
  shape('5.1.1', 'a request on an even stream', headers(2, OK), 'connection 1'),
  shape('5.1.1', 'a request on stream 0', headers(0, OK), 'connection 1'),
  shape('5.1.1', 'a request on a lower stream than the last', headers(3, OK), 'connection 5', headers(5, OK)),
  shape('5.1.1', 'a request on the same stream', headers(1, OK), 'stream 1', OPEN),
  shape('5.1.1', 'a request on a stream that was skipped', headers(1, OK), 'connection 5', headers(3, request('/no'))),
  shape('5.1.1', 'the last stream there is', headers(0x7fffffff, OK), 'passes'),
  shape('5.1.1', 'DATA on an even stream', data(2, 'x'), 'connection 1', OPEN),
  shape(
    '5.1.2',
    'the 1,025th stream',
    headers(2049, OK),
    'stream 7',
    times(1024, (i) => headers(i * 2 + 1, POST, 0)),
  ),
  shape(
    '5.1.2',
    'the 1,024th stream',
    headers(2047, OK),
    'passes',
    times(1023, (i) => headers(i * 2 + 1, POST, 0)),
  ),
  // --- 5.5: extensions
  shape(
    '5.5',
    'an unknown frame between HEADERS and CONTINUATION',
    frame(HEADERS, END_STREAM, 1, block(OK).slice(0, 9)) +
      frame(0x42, 0, 1) +
      frame(CONTINUATION, END_HEADERS, 1, block(OK).slice(9)),
    'connection 1',
  ),
  shape('5.5', 'an unknown setting', settings([0xabc, 1]), 'passes'),
  // --- 6.1: DATA
  shape('6.1', 'DATA on stream 0', data(0, 'x'), 'connection 1', OPEN),
  shape('6.1', 'padding', frame(DATA, PADDED, 1, '\x03abc\0\0\0'), 'passes', OPEN),
  shape('6.1', 'nothing but padding', frame(DATA, PADDED | END_STREAM, 1, '\x03\0\0\0'), 'passes', OPEN),
  shape('6.1', 'padding as long as the frame', frame(DATA, PADDED, 1, '\x04abc'), 'connection 1', OPEN),
  shape('6.1', 'padding longer than the frame', frame(DATA, PADDED, 1, '\xffabc'), 'connection 1', OPEN),
  shape('6.1', 'a pad length in a frame without bytes', frame(DATA, PADDED, 1, ''), 'connection 6', OPEN),
  shape('6.1', 'an empty end', data(1, '', END_STREAM), 'passes', OPEN),
  // --- 6.2: HEADERS
  shape(
    '6.2',
    'padding',
    frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, `\x08${block(OK)}${'\0'.repeat(8)}`),
    'passes',
  ),
  shape('6.2', 'padding as long as the frame', frame(HEADERS, END_HEADERS | PADDED, 1, '\x01'), 'connection 1'),
  shape(
    '6.2',
    'padding longer than the frame',
    frame(HEADERS, END_HEADERS | PADDED, 1, `\xff${block(OK)}`),
    'connection 1',
  ),
  shape('6.2', 'a priority that is cut off', frame(HEADERS, END_HEADERS | HAS_PRIORITY, 1, '\0\0\0'), 'connection 1'),
  shape(
    '6.2',
    'a priority',
    frame(HEADERS, END_STREAM | END_HEADERS | HAS_PRIORITY, 1, `${word(0)}\x10${block(OK)}`),
    'passes',
  ),
  shape('6.2', 'no block at all', frame(HEADERS, END_STREAM | END_HEADERS, 1, ''), 'stream 1'),
  shape(
    '6.2',
    'frames of another stream inside a block',
    frame(HEADERS, END_STREAM, 3, block(OK).slice(0, 9)) + data(1, 'x'),
    'connection 1',
    OPEN,
  ),
  shape(
    '6.2',
    'frames of the same stream inside a block',
    frame(HEADERS, END_STREAM, 1, block(OK)) + frame(WINDOW_UPDATE, 0, 1, word(1)),
    'connection 1',
  ),
  // --- 6.3: PRIORITY
  shape('6.3', 'on stream 0', frame(PRIORITY, 0, 0, `${word(1)}\x10`), 'connection 1'),
  shape('6.3', 'of four bytes', frame(PRIORITY, 0, 1, word(1)), 'connection 6', OPEN),
  shape('6.3', 'of six bytes', frame(PRIORITY, 0, 1, `${word(1)}\x10\0`), 'connection 6', OPEN),
  // --- 6.4: RST_STREAM
  shape('6.4', 'on stream 0', frame(RST_STREAM, 0, 0, word(8)), 'connection 1'),
  shape('6.4', 'of three bytes', frame(RST_STREAM, 0, 1, 'abc'), 'connection 6', OPEN),
  shape('6.4', 'of five bytes', frame(RST_STREAM, 0, 1, 'abcde'), 'connection 6', OPEN),
  shape('6.4', 'with an unknown code', frame(RST_STREAM, 0, 1, word(0xdeadbeef)), 'passes', OPEN),
  // --- 6.5: SETTINGS
  shape('6.5', 'an acknowledgement with bytes', frame(frames.SETTINGS, ACK, 0, setting(1, 1)), 'connection 6'),
  shape('6.5', 'an acknowledgement of nothing', SETTINGS_ACK, 'connection 1'),
  shape('6.5', 'on a stream', frame(frames.SETTINGS, 0, 1, ''), 'connection 1'),
  shape('6.5', 'of seven bytes', frame(frames.SETTINGS, 0, 0, `${setting(1, 1)}x`), 'connection 6'),
  shape('6.5', 'of three bytes', frame(frames.SETTINGS, 0, 0, 'abc'), 'connection 6'),
  shape('6.5.2', 'ENABLE_PUSH 2', settings([2, 2]), 'connection 1'),
  shape('6.5.2', 'INITIAL_WINDOW_SIZE of 2^31', settings([4, 0x80000000]), 'connection 3'),
  shape('6.5.2', 'INITIAL_WINDOW_SIZE of 2^31 - 1', settings([4, 0x7fffffff]), 'passes'),
  shape('6.5.2', 'MAX_FRAME_SIZE of 16383', settings([5, 16383]), 'connection 1'),
  shape('6.5.2', 'MAX_FRAME_SIZE of 2^24', settings([5, 1 << 24]), 'connection 1'),
  shape('6.5.2', 'MAX_FRAME_SIZE of 2^24 - 1', settings([5, 0xffffff]), 'passes'),
  shape('6.5.2', 'HEADER_TABLE_SIZE of 2^32 - 1', settings([1, 0xffffffff]), 'passes'),
  shape('6.5.3', 'a setting twice', settings([4, 1], [4, 70000]), 'passes'),
  shape(
    '6.5.3',
    'sixteen that nobody has acknowledged',
    times(16, () => SETTINGS),
    'passes',
  ),
  shape(
    '6.5.3',
    'seventeen that nobody has acknowledged',
    SETTINGS,
    'connection 11',
    times(16, () => SETTINGS),
  ),
  shape(
    '6.5',
    '65 settings in one',
    settings(...Array.from({ length: 65 }, (): [number, number] => [4, 9])),
    'connection 11',
  ),
  // --- 6.6: PUSH_PROMISE
  shape('6.6', 'of a client', frame(PUSH_PROMISE, END_HEADERS, 1, word(2) + block(OK)), 'connection 1', OPEN),
  // --- 6.7: PING
  shape('6.7', 'on a stream', frame(PING, 0, 1, '12345678'), 'connection 1', OPEN),
  shape('6.7', 'of seven bytes', frame(PING, 0, 0, '1234567'), 'connection 6'),
  shape('6.7', 'of nine bytes', frame(PING, 0, 0, '123456789'), 'connection 6'),
  shape('6.7', 'an answer to nothing', frame(PING, ACK, 0, '12345678'), 'dropped'),
  shape(
    '6.7',
    '64 without an answer',
    times(64, () => frame(PING, 0, 0, '12345678')),
    'passes',
  ),
  shape(
    '6.7',
    '65 without an answer',
    frame(PING, 0, 0, '12345678'),
    'connection 11',
    times(64, () => frame(PING, 0, 0, '12345678')),
  ),
  // --- 6.8: GOAWAY
  shape('6.8', 'of a client', frame(GOAWAY, 0, 0, `${word(0)}${word(0)}bye`), 'passes'),
  shape('6.8', 'on a stream', frame(GOAWAY, 0, 1, word(0) + word(0)), 'connection 1', OPEN),
  shape('6.8', 'of seven bytes', frame(GOAWAY, 0, 0, 'abcdefg'), 'connection 6'),
  // --- 6.9: WINDOW_UPDATE
  shape('6.9', 'of the connection by 0', frame(WINDOW_UPDATE, 0, 0, word(0)), 'connection 1'),
  shape('6.9', 'of a stream by 0', frame(WINDOW_UPDATE, 0, 1, word(0)), 'connection 1', OPEN),
  shape('6.9', 'of three bytes', frame(WINDOW_UPDATE, 0, 0, 'abc'), 'connection 6'),
  shape('6.9', 'of five bytes', frame(WINDOW_UPDATE, 0, 0, 'abcde'), 'connection 6'),
  shape('6.9.1', 'of the connection beyond 2^31 - 1', frame(WINDOW_UPDATE, 0, 0, word(0x7fffffff)), 'connection 3'),
  shape('6.9.1', 'of the connection up to 2^31 - 1', frame(WINDOW_UPDATE, 0, 0, word(0x7fffffff - 65535)), 'passes'),
  // --- 6.10: CONTINUATION
  shape('6.10', 'one', inTwo(block(OK), 9), 'passes'),
  shape(
    '6.10',
    'several, some empty',
    frame(HEADERS, END_STREAM, 1, '') +
      frame(CONTINUATION, 0, 1, '') +
      frame(CONTINUATION, 0, 1, block(OK)) +
      frame(CONTINUATION, END_HEADERS, 1, ''),
    'passes',
  ),
  shape(
    '6.10',
    'in the middle of a name',
    times(block(OK).length, (i) => (i === 0 ? frame(HEADERS, END_STREAM, 1, block(OK).slice(0, 40)) : '')) +
      frame(CONTINUATION, 0, 1, block(OK)[40]) +
      frame(CONTINUATION, END_HEADERS, 1, block(OK).slice(41)),
    'passes',
  ),
  shape(
    '6.10',
    'behind a padded HEADERS',
    frame(HEADERS, END_STREAM | PADDED, 1, `\x02${block(OK).slice(0, 9)}\0\0`) +
      frame(CONTINUATION, END_HEADERS, 1, block(OK).slice(9)),
    'passes',
  ),
  shape(
    '6.10',
    'on stream 0',
    frame(HEADERS, END_STREAM, 1, block(OK)) + frame(CONTINUATION, END_HEADERS, 0, ''),
    'connection 1',
  ),
  shape(
    '6.10',
    'on another stream',
    frame(HEADERS, END_STREAM, 1, block(OK)) + frame(CONTINUATION, END_HEADERS, 3, ''),
    'connection 1',
  ),
  shape(
    '6.10',
    'behind a block that had ended',
    headers(1, POST, 0) + frame(CONTINUATION, END_HEADERS, 1, ''),
    'connection 1',
  ),
  shape('6.10', 'behind DATA', frame(CONTINUATION, END_HEADERS, 1, ''), 'connection 1', OPEN + data(1, 'x')),
  shape('6.10', 'a denied request in two', inTwo(block(request('/no')), 9), 'status 403'),
  shape(
    '6.10',
    '33 of them',
    frame(HEADERS, END_STREAM, 1, block(OK)) + times(33, () => frame(CONTINUATION, 0, 1, '')),
    'connection 11',
  ),
  shape(
    '6.10',
    'a block beyond 64 KiB',
    frame(HEADERS, END_STREAM, 1, block(OK)) + times(5, () => frame(CONTINUATION, 0, 1, 'x'.repeat(16384))),
    'connection 11',
  ),
];

t.test(`each of ${SHAPES.length} shapes has its answer, whole and byte by byte`, (t) => {
  t.ok(SHAPES.length >= 90);
  t.strictSame(unwanted(SHAPES), []);
  t.end();
});

// --- how a connection begins, and what servers may do

/** What the client gets when each end has sent this. */
function exchange(client: string, server: string): { wire: Http2Wire; said: string[] } {
  const wire = new Http2Wire();
  wire.client(client);
  wire.server(server);
  return { wire, said: wire.clientSaw() };
}

t.test('3.4: what either end must begin with', (t) => {
  t.strictSame(exchange(PREFACE + headers(1, OK), '').said, ['SETTINGS', 'GOAWAY 0 1'], 'the client: SETTINGS');
  t.strictSame(exchange(PREFACE + SETTINGS_ACK, '').said, ['SETTINGS', 'GOAWAY 0 1'], 'and no acknowledgement');
  const first = (server: string) => exchange(HELLO, server).said;
  t.strictSame(first(SETTINGS), ['SETTINGS 1=0 3=1024']);
  for (const [name, server] of Object.entries({
    'an acknowledgement': SETTINGS_ACK,
    PING: frame(PING, 0, 0, '12345678'),
    GOAWAY: frame(GOAWAY, 0, 0, word(0) + word(0)),
    'HTTP/1': 'HTTP/1.1 400 Bad Request\r\n\r\n',
    'SETTINGS on a stream': frame(frames.SETTINGS, 0, 1),
    'ENABLE_PUSH 1': settings([2, 1]),
  })) {
    t.match(first(server).at(-1), /^GOAWAY 0 2$/, `the server: no ${name}`);
  }
  t.end();
});

const begun = (client = headers(1, OK)) => {
  const wire = new Http2Wire().begin();
  wire.client(client);
  wire.clientSaw();
  return wire;
};

t.test('what a server must not do ends the connection with INTERNAL_ERROR', (t) => {
  const cases: [string, string, string][] = [
    ['5.1', 'an answer on a stream that was not begun', headers(3, [[':status', '200']])],
    ['5.1', 'DATA on a stream that was not begun', data(3, 'x')],
    ['5.1', 'RST_STREAM of a stream that was not begun', frame(RST_STREAM, 0, 3, word(1))],
    ['5.1.1', 'an answer on an even stream', headers(2, [[':status', '200']])],
    ['6.1', 'DATA on stream 0', data(0, 'x')],
    ['6.2', 'padding longer than the frame', frame(HEADERS, END_HEADERS | PADDED, 1, '\x09abc')],
    ['6.4', 'RST_STREAM of three bytes', frame(RST_STREAM, 0, 1, 'abc')],
    ['6.5', 'an acknowledgement of nothing', SETTINGS_ACK],
    ['6.6', 'a push that was forbidden', frame(PUSH_PROMISE, END_HEADERS, 1, word(2) + block(OK))],
    ['6.7', 'PING of seven bytes', frame(PING, 0, 0, '1234567')],
    ['6.8', 'GOAWAY of seven bytes', frame(GOAWAY, 0, 0, '1234567')],
    ['6.10', 'CONTINUATION of nothing', frame(CONTINUATION, END_HEADERS, 1, '')],
    ['6.10', 'a frame inside a block', frame(HEADERS, 0, 1, '\x88') + frame(PING, 0, 0, '12345678')],
    ['4.2', 'DATA of 16385 bytes', data(1, 'x'.repeat(16385))],
  ];
  for (const [section, name, server] of cases) {
    const wire = begun();
    wire.server(server);
    t.match(wire.clientSaw().at(-1), 'GOAWAY 1 2', `${section}: ${name}`);
    t.ok(wire.wire.isClosed);
    t.strictSame(wire.errors, ['bad-server-frame']);
  }
  t.end();
});
