/** Upgrades and CONNECT: what nobody judges afterwards. */
import t from 'tap';
import { checkBegins, checkExchanges, type Exchange } from '../../test/stream/http-exchanges.ts';
import { GET, BAD, OK, DENIED, UPGRADE, H2C, SWITCHED, CONNECT, close } from '../../test/stream/http-wire.ts';

const EXCHANGES: Exchange[] = [
  {
    name: 'upgraded: anything passes, denied requests too',
    steps: [
      [0, UPGRADE],
      [1, `${SWITCHED}\x81\x02hi`],
      [0, BAD],
      [1, '\0'],
    ],
    toServer: UPGRADE + BAD,
    toClient: `${SWITCHED}\x81\x02hi\0`,
  },
  {
    name: 'bytes behind an upgrade wait for its answer',
    steps: [
      [0, `${UPGRADE}\x01\x02`],
      [1, SWITCHED],
    ],
    toServer: `${UPGRADE}\x01\x02`,
    toClient: SWITCHED,
  },
  {
    name: 'an upgrade that is not accepted',
    steps: [
      [0, UPGRADE + BAD],
      [1, OK],
      [0, GET],
      [1, OK],
    ],
    toServer: UPGRADE + GET,
    toClient: OK + DENIED + OK,
  },
  {
    name: 'an upgrade to h2c is taken out of the head, and the exchange stays what it was',
    steps: [
      [0, H2C + BAD],
      [1, OK],
    ],
    toServer: 'GET /ok HTTP/1.1\r\nHost: a\r\nConnection: X-Hop\r\n\r\n',
    toClient: OK + DENIED,
  },
  {
    name: 'a denied request with an upgrade',
    steps: [[0, H2C.replace('/ok', '/no') + UPGRADE.replace('/up', '/no')]],
    toServer: '',
    toClient: DENIED + DENIED,
  },
  ...['h2c', 'h2c, websocket', 'websocket, h2c', 'TLS/1.0', 'spdy/3.1', 'websocket/13', ''].map((token) => ({
    name: `an upgrade to ${JSON.stringify(token)} is not asked for`,
    steps: [
      [0, UPGRADE.replace('Upgrade: websocket', `Upgrade: ${token}`)],
      [0, BAD],
      [1, OK],
    ] as const,
    toServer: 'GET /up HTTP/1.1\r\nHost: a\r\n\r\n',
    toClient: OK + DENIED,
  })),
  {
    name: 'two upgrade headers are none',
    steps: [
      [0, UPGRADE.replace('websocket\r\n', 'websocket\r\nUpgrade: websocket\r\n')],
      [1, OK],
    ],
    toServer: 'GET /up HTTP/1.1\r\nHost: a\r\n\r\n',
    toClient: OK,
  },
  {
    name: 'a websocket is asked for without content, by GET, in 1.1, and not on a last request',
    steps: [
      [0, UPGRADE.replace('\r\n\r\n', `\r\nContent-Length: ${BAD.length}\r\n\r\n${BAD}`)],
      [0, UPGRADE.replace('GET', 'POST')],
      [0, UPGRADE.replace('HTTP/1.1', 'HTTP/1.0').replace('Upgrade\r\n', 'Upgrade, keep-alive\r\n')],
      [0, UPGRADE.replace('Connection: Upgrade', 'Connection: Upgrade, close')],
      [1, OK + OK + OK + OK],
    ],
    toServer:
      `GET /up HTTP/1.1\r\nHost: a\r\nContent-Length: ${BAD.length}\r\n\r\n${BAD}` +
      'POST /up HTTP/1.1\r\nHost: a\r\n\r\n' +
      'GET /up HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n' +
      'GET /up HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    toClient: OK + OK + OK + OK,
  },
  ...[
    SWITCHED.replace('websocket\r', 'h2c\r'),
    SWITCHED.replace('Upgrade: websocket\r\n', ''),
    SWITCHED.replace('Connection: Upgrade\r\n', ''),
    SWITCHED.replace(/Sec.*\r\n/, ''),
  ].map((answer) => ({
    name: `a websocket is not granted by ${JSON.stringify(answer)}`,
    steps: [
      [0, UPGRADE + BAD],
      [1, answer],
    ] as const,
    toServer: UPGRADE,
    toClient: 'HTTP/1.1 502 Bad Gateway',
    isClosed: true,
  })),
  {
    name: 'requests behind a CONNECT that is not accepted are judged',
    steps: [
      [0, CONNECT + BAD],
      [1, OK.replace('200 OK', '405 Method Not Allowed')],
      [0, GET],
      [1, OK],
    ],
    toServer: CONNECT + GET,
    toClient: OK.replace('200 OK', '405 Method Not Allowed') + DENIED + OK,
  },
  {
    name: 'bytes behind a CONNECT wait for its answer, also if it says to be the last',
    steps: [
      [0, `${CONNECT.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}\x01\x02`],
      [1, OK],
      [0, '\x03'],
    ],
    toServer: `${CONNECT.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}\x01\x02\x03`,
    toClient: OK,
  },
  {
    name: 'a 101 does not open a CONNECT',
    steps: [
      [0, CONNECT + BAD],
      [1, SWITCHED],
    ],
    toServer: CONNECT,
    toClient: 'HTTP/1.1 502 Bad Gateway',
    isClosed: true,
  },
  {
    name: 'CONNECT accepted',
    steps: [
      [0, 'CONNECT db:1 HTTP/1.1\r\nHost: db:1\r\n\r\n'],
      [1, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
      [0, '\0\x01'],
      [1, '\x02'],
    ],
    toServer: 'CONNECT db:1 HTTP/1.1\r\nHost: db:1\r\n\r\n\0\x01',
    toClient: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\x02',
  },
  {
    name: 'CONNECT denied ends the connection',
    steps: [[0, `CONNECT db:2 HTTP/1.1\r\nHost: db:2\r\n\r\n${GET}`]],
    toServer: '',
    toClient: close(DENIED),
    isClosed: true,
  },
  {
    name: 'an upgrade that nobody asked for',
    steps: [
      [0, GET],
      [1, 'HTTP/1.1 101 Switching\r\n\r\n'],
    ],
    toServer: GET,
    toClient: 'HTTP/1.1 502 Bad Gateway',
    isClosed: true,
  },
];

t.test('upgrades, whole and at every split', async (t) => checkExchanges(t, EXCHANGES));

t.test('begin() brings a parser back to the beginning from wherever they left it', async (t) =>
  checkBegins(t, EXCHANGES),
);
