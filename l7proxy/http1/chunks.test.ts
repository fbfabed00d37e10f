/** Chunked content, whichever way. */
import t from 'tap';
import { checkBegins, checkExchanges, type Exchange } from '../../test/stream/http-exchanges.ts';
import { GET, BAD, OK, DENIED, CHUNKED, CHUNKS, HttpWire, rulesOf } from '../../test/stream/http-wire.ts';
import { REQUEST } from '../parser.ts';

const EXCHANGES: Exchange[] = [
  {
    name: 'the chunks of a denied request go too',
    steps: [
      [0, CHUNKED.replace('/ok', '/no')],
      [0, CHUNKS],
      [0, GET],
      [1, OK],
    ],
    toServer: GET,
    toClient: DENIED + OK,
  },
  {
    name: 'chunks with extensions and trailers',
    steps: [
      [0, CHUNKED + CHUNKS + GET],
      [1, OK + OK],
    ],
    toServer: CHUNKED + CHUNKS + GET,
    toClient: OK + OK,
  },
  {
    name: 'a chunked answer ends where its trailers do',
    steps: [
      [0, GET + BAD],
      [1, `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`],
    ],
    toServer: GET,
    toClient: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}${DENIED}`,
  },
  {
    name: 'a bad chunk size',
    steps: [
      [0, CHUNKED],
      [0, 'xyz\r\n'],
    ],
    toServer: CHUNKED,
    toClient: 'HTTP/1.1 400 Bad Request',
    isClosed: true,
  },
  {
    name: 'a chunk size too large',
    steps: [
      [0, CHUNKED],
      [0, '1000000000000f\r\n'],
    ],
    toServer: CHUNKED,
    toClient: 'HTTP/1.1 400 Bad Request',
    isClosed: true,
  },
  {
    name: 'a chunk size with a sign',
    steps: [
      [0, CHUNKED],
      [0, '+5\r\nhello'],
    ],
    toServer: CHUNKED,
    toClient: 'HTTP/1.1 400 Bad Request',
    isClosed: true,
  },
  {
    name: 'a chunk size in C',
    steps: [
      [0, CHUNKED],
      [0, '0x5\r\nhello'],
    ],
    toServer: CHUNKED,
    toClient: 'HTTP/1.1 400 Bad Request',
    isClosed: true,
  },
  {
    name: 'space behind a chunk size',
    steps: [
      [0, CHUNKED],
      [0, '5 \r\nhello'],
    ],
    toServer: CHUNKED,
    toClient: 'HTTP/1.1 400 Bad Request',
    isClosed: true,
  },
  {
    name: 'a bare LF behind a chunk size',
    steps: [
      [0, CHUNKED],
      [0, '5\nhello'],
    ],
    toServer: CHUNKED,
    toClient: 'HTTP/1.1 400 Bad Request',
    isClosed: true,
  },
  {
    name: 'a bare LF in a chunk extension',
    steps: [
      [0, CHUNKED],
      [0, '5;a\nb\r\nhello'],
    ],
    toServer: CHUNKED,
    toClient: 'HTTP/1.1 400 Bad Request',
    isClosed: true,
  },
  {
    name: 'no CRLF behind chunk data',
    steps: [
      [0, CHUNKED],
      [0, '5\r\nhelloX'],
    ],
    toServer: `${CHUNKED}5\r\nhello`,
    toClient: 'HTTP/1.1 400 Bad Request',
    isClosed: true,
  },
  {
    name: 'a trailer that frames',
    steps: [
      [0, CHUNKED],
      [0, '0\r\nContent-Length: 5\r\n\r\n'],
    ],
    toServer: `${CHUNKED}0\r\n`,
    toClient: 'HTTP/1.1 400 Bad Request',
    isClosed: true,
  },
  {
    name: 'an endless chunk extension',
    steps: [
      [0, CHUNKED],
      [0, `5;${'x'.repeat(1100)}`],
    ],
    toServer: CHUNKED,
    toClient: 'HTTP/1.1 400 Bad Request',
    isClosed: true,
  },
];

t.test('chunks, whole and at every split', async (t) => checkExchanges(t, EXCHANGES));

t.test('begin() brings a parser back to the beginning from wherever they left it', async (t) =>
  checkBegins(t, EXCHANGES),
);

t.test('a trailer must not be about a header that is judged', async (t) => {
  const head = 'POST /ok HTTP/1.1\r\nHost: a\r\nX-User: me\r\nTransfer-Encoding: chunked\r\n\r\n';
  const body = (trailer: string) => `2\r\nhi\r\n0\r\n${trailer}: you\r\n\r\n`;
  const rules = rulesOf({ headers: ['X-User: me'] });
  for (const trailer of ['X-User', 'x-uSER', 'X_User']) {
    const wire = new HttpWire(rules).request(head + body(trailer));
    t.equal(wire.out[REQUEST], `${head}2\r\nhi\r\n0\r\n`, trailer);
    t.same(wire.errors, ['bad-trailer']);
    t.ok(wire.isClosed);
  }
  t.equal(new HttpWire(rules).request(head + body('X-Users')).out[REQUEST], head + body('X-Users'));
  const logs = rulesOf({ headerMatches: [{ name: 'X-User', value: 'me', mismatch: 'LOG' }] });
  t.equal(new HttpWire(logs).request(head + body('X-User')).out[REQUEST], head + body('X-User'));
});
