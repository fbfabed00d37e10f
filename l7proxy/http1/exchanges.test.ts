/** Requests and responses in their turn: forwarded, denied, refused. */
import t from 'tap';
import { checkBegins, checkExchanges, type Exchange } from '../../test/stream/http-exchanges.ts';
import { GET, BAD, OK, DENIED, keep, close } from '../../test/stream/http-wire.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const post = (lines: string) => `POST /no HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n`;

const EXCHANGES: Exchange[] = [
  {
    name: 'a request and its answer',
    steps: [
      [0, GET],
      [1, OK],
    ],
    toServer: GET,
    toClient: OK,
  },
  {
    name: 'kept alive',
    steps: [
      [0, GET],
      [1, OK],
      [0, GET],
      [1, OK],
    ],
    toServer: GET + GET,
    toClient: OK + OK,
  },
  {
    name: 'pipelined',
    steps: [
      [0, GET + GET + GET],
      [1, OK + OK],
      [1, OK],
    ],
    toServer: GET + GET + GET,
    toClient: OK + OK + OK,
  },
  { name: 'denied', steps: [[0, BAD]], toServer: '', toClient: DENIED },
  {
    name: 'denied, then allowed',
    steps: [
      [0, BAD],
      [0, GET],
      [1, OK],
    ],
    toServer: GET,
    toClient: DENIED + OK,
  },
  {
    name: 'the 403 waits for its turn',
    steps: [
      [0, GET + BAD + GET],
      [1, OK],
      [1, OK],
    ],
    toServer: GET + GET,
    toClient: OK + DENIED + OK,
  },
  {
    name: 'the 403 waits for the end of content',
    steps: [
      [0, GET],
      [1, OK.slice(0, -1)],
      [0, BAD],
      [1, OK.slice(-1)],
    ],
    toServer: GET,
    toClient: OK + DENIED,
  },
  {
    name: 'several 403 in a row',
    steps: [
      [0, GET + BAD + BAD],
      [1, OK],
    ],
    toServer: GET,
    toClient: OK + DENIED + DENIED,
  },
  {
    name: 'the content of a denied request is not read as requests',
    steps: [
      [0, `POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: ${GET.length}\r\n\r\n${GET}`],
      [0, GET],
      [1, OK],
    ],
    toServer: GET,
    toClient: DENIED + OK,
  },
  {
    name: 'content of a length is not read',
    steps: [
      [0, `POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: ${BAD.length}\r\n\r\n${BAD}${GET}`],
      [1, OK + OK],
    ],
    toServer: `POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: ${BAD.length}\r\n\r\n${BAD}${GET}`,
    toClient: OK + OK,
  },
  {
    name: 'the answer to HEAD has a length and no content',
    steps: [
      [0, GET.replace('GET', 'HEAD') + BAD],
      [1, 'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n'],
    ],
    toServer: GET.replace('GET', 'HEAD'),
    toClient: `HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n${DENIED}`,
  },
  {
    name: 'a denied HEAD gets no body',
    steps: [[0, BAD.replace('GET', 'HEAD')]],
    toServer: '',
    toClient: DENIED.replace('Access denied\r\n', ''),
  },
  {
    name: '204, 304 and interim answers have none',
    steps: [
      [0, GET + GET + BAD],
      [1, 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n'],
      [1, 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n'],
    ],
    toServer: GET + GET,
    toClient: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n${DENIED}`,
  },
  {
    name: 'an answer until the end of the connection',
    steps: [
      [0, GET + BAD],
      [1, 'HTTP/1.0 200 OK\r\n\r\nabc'],
      [1, 'def'],
    ],
    toServer: GET,
    toClient: 'HTTP/1.0 200 OK\r\n\r\nabcdef',
  },
  {
    name: 'the last request ends the stream',
    steps: [
      [0, `${GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}${GET}`],
      [1, OK],
    ],
    toServer: GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
    toClient: OK,
  },
  {
    name: 'a denied last request',
    steps: [[0, BAD.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')]],
    toServer: '',
    toClient: close(DENIED),
    isClosed: true,
  },
  {
    name: 'a denied request of HTTP/1.0',
    steps: [[0, 'GET /no HTTP/1.0\r\n\r\n']],
    toServer: '',
    toClient: close(DENIED),
    isClosed: true,
  },
  {
    name: 'a denied request of HTTP/1.0 on a connection that stays is told so',
    steps: [
      [0, 'GET /no HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'],
      [0, 'HEAD /no HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'],
      [0, GET],
      [1, OK],
    ],
    toServer: GET,
    toClient: keep(DENIED) + keep(DENIED.replace('Access denied\r\n', '')) + OK,
  },
  {
    name: 'the 403 waits for the end of short content',
    steps: [
      [0, `${post('Content-Length: 5')}hell`],
      [0, `o${GET}`],
      [1, OK],
    ],
    toServer: GET,
    toClient: DENIED + OK,
  },
  {
    name: 'the 403 of short content that does not end is not sent',
    steps: [[0, `${post('Content-Length: 5')}hell`]],
    toServer: '',
    toClient: '',
  },
  {
    name: 'the 403 of long content is sent at once',
    steps: [[0, post('Content-Length: 1048577')]],
    toServer: '',
    toClient: DENIED,
  },
  {
    name: 'a denied request that asks for leave before short content gets it, and then its 403',
    steps: [
      [0, post('Expect: 100-continue\r\nContent-Length: 5')],
      [0, `hello${GET}`],
      [1, OK],
    ],
    toServer: GET,
    toClient: CONTINUE + DENIED + OK,
  },
  {
    name: 'leave waits for its turn',
    steps: [
      [0, GET + post('Content-Length: 5\r\nExpect: other')],
      [1, OK],
      [0, `hello${GET}`],
      [1, OK],
    ],
    toServer: GET + GET,
    toClient: OK + CONTINUE + DENIED + OK,
  },
  {
    name: 'what a client that did not wait sends behind a denied Expect is content',
    steps: [[0, `${post(`Expect: 100-continue\r\nContent-Length: ${GET.length}`)}${GET}`]],
    toServer: '',
    toClient: CONTINUE + DENIED,
  },
  {
    name: 'HTTP/1.0 has no Expect',
    steps: [
      [0, post('Connection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 5').replace('1.1', '1.0')],
      [0, 'hello'],
    ],
    toServer: '',
    toClient: keep(DENIED),
  },
  ...['Content-Length: 1048577', 'Transfer-Encoding: chunked'].map((framing) => ({
    name: `a denied request that asks for leave before content, ${framing}`,
    steps: [[0, post(`Expect: 100-continue\r\n${framing}`) + GET]] as const,
    toServer: '',
    toClient: close(DENIED),
    isClosed: true,
  })),
  {
    name: 'an error waits for its turn',
    steps: [
      [0, `${GET}nonsense\r\n\r\n`],
      [1, OK],
    ],
    toServer: GET,
    toClient: `${OK}HTTP/1.1 400 Bad Request`,
    isClosed: true,
  },
  { name: 'an answer to nothing', steps: [[1, OK]], toServer: '', toClient: '', isClosed: true },
  {
    name: 'an answer that is none',
    steps: [
      [0, GET],
      [1, 'SSH-2.0-x\r\n'],
    ],
    toServer: GET,
    toClient: 'HTTP/1.1 502 Bad Gateway',
    isClosed: true,
  },
  {
    name: 'an answer of two lengths',
    steps: [
      [0, GET],
      [1, 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ],
    toServer: GET,
    toClient: 'HTTP/1.1 502 Bad Gateway',
    isClosed: true,
  },
];

t.test('exchanges, whole and at every split', async (t) => checkExchanges(t, EXCHANGES));

t.test('begin() brings a parser back to the beginning from wherever they left it', async (t) =>
  checkBegins(t, EXCHANGES),
);
