/** The HTTP/1.x parser by byte arrays alone: what is forwarded, what is answered, what is refused, at every split. */
import t from 'tap';
import type { HttpRule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { HttpJudges, type RuleSetSource } from '../http/judge.ts';
import { HTTP_ERRORS, MAX_HEAD_BYTES, MAX_OUTSTANDING } from './syntax.ts';
import { Http1Parser } from './parser.ts';
import { Http1Shared, type HttpJudge, type HttpRecorder } from './shared.ts';
import { CLOSE, type Direction, DROP, INJECT, Operations, PASS, REQUEST, RESPONSE } from '../parser.ts';
import { isPlain, pathReadings } from '../http/path-readings.ts';

const silent: HttpRecorder = { isOn: false, request: () => undefined, response: () => {}, error: () => {} };

/** Rules that allow GET /ok and everything under /in/, HEAD and POST /ok, and any upgrade or CONNECT at /up. */
const RULES: L7RuleSet = {
  parser: 'http',
  endpoint: 1,
  ingress: true,
  port: 80,
  rules: [
    {
      remotes: null,
      cookie: 7,
      http: [
        { method: 'GET|HEAD|POST', path: '/ok' },
        { method: 'GET', path: '/in/.*' },
        { path: '/up' },
        { method: 'CONNECT', path: 'db:1' },
        { method: 'OPTIONS', path: '\\*' },
      ],
    },
  ],
};

function sourceOf(ruleSet: L7RuleSet): RuleSetSource {
  return { generation: 1, get: () => ({ generation: 1, ruleSet }) };
}

/** A parser with the world around it: applies operations to two streams of bytes, without TCP. */
class Wire {
  readonly shared = new Http1Shared(1, silent);
  readonly parser: Http1Parser;
  readonly out = ['', ''];
  isClosed = false;
  readonly #pending = [Buffer.alloc(0), Buffer.alloc(0)];
  readonly #pass = [0, 0];
  readonly #drop = [0, 0];
  readonly #deferred: string[][] = [[], []];
  readonly #operations = new Operations();

  readonly #judge: HttpJudge;

  /** @param used a parser of another connection, to begin anew */
  constructor(ruleSet: L7RuleSet = RULES, used?: Http1Parser) {
    const judges = new HttpJudges(sourceOf(ruleSet), 'all', () => false);
    const key = { egressRuleSet: 0, ingressRuleSet: 1, srcIdentity: 5, dstIdentity: 6 };
    this.#judge = judges.judgeOf(key);
    this.parser = used ?? new Http1Parser(this.shared, this.#judge, null);
    used?.begin(this.#judge, null);
  }

  /** Another connection with the parser of this one. */
  next(): Wire {
    return new Wire(RULES, this.parser);
  }

  send(direction: Direction, text: string, isEnd = false): this {
    this.#pending[direction] = Buffer.concat([this.#pending[direction], Buffer.from(text, 'latin1')]);
    this.#advance(direction, isEnd);
    const other: Direction = direction === REQUEST ? RESPONSE : REQUEST;
    if (this.parser.isReady(other)) this.#advance(other, false);
    return this;
  }

  request(text: string): this {
    return this.send(REQUEST, text);
  }

  response(text: string): this {
    return this.send(RESPONSE, text);
  }

  #advance(direction: Direction, isEnd: boolean): void {
    let wasAskedAtEnd = false;
    for (;;) {
      this.#move(direction);
      if (this.isClosed && direction === RESPONSE) return;
      const bytes = this.#pending[direction];
      if (this.#pass[direction] > 0 || this.#drop[direction] > 0) return;
      if (bytes.length === 0 && (!isEnd || wasAskedAtEnd)) return;
      wasAskedAtEnd = bytes.length === 0;
      this.#operations.clear();
      this.parser.onData(direction, bytes, 0, bytes.length, isEnd, this.#operations);
      if (this.#operations.count === 0) return;
      this.#apply(direction);
    }
  }

  #move(direction: Direction): void {
    const passed = Math.min(this.#pass[direction], this.#pending[direction].length);
    this.out[direction] += this.#pending[direction].toString('latin1', 0, passed);
    this.#pass[direction] -= passed;
    this.#pending[direction] = this.#pending[direction].subarray(passed);
    if (this.#pass[direction] === 0)
      for (const text of this.#deferred[direction].splice(0)) this.out[direction] += text;
    const dropped = Math.min(this.#drop[direction], this.#pending[direction].length);
    this.#drop[direction] -= dropped;
    this.#pending[direction] = this.#pending[direction].subarray(dropped);
  }

  #apply(direction: Direction): void {
    const { count, code, amount, payload } = this.#operations;
    for (let i = 0; i < count; i++) {
      if (code[i] === PASS) this.#pass[direction] = amount[i];
      else if (code[i] === DROP) this.#drop[direction] = amount[i];
      else if (code[i] === INJECT) {
        const target = this.#operations.direction[i];
        const text = Buffer.from(payload[i]).toString('latin1');
        if (this.#pass[target] > 0 && target !== direction) this.#deferred[target].push(text);
        else {
          this.#move(direction);
          if (this.#pass[target] > 0) this.#deferred[target].push(text);
          else this.out[target] += text;
        }
      } else if (code[i] === CLOSE) this.isClosed = true;
      this.#move(direction);
    }
  }

  get errors(): string[] {
    return HTTP_ERRORS.filter((_, index) => this.shared.errors[index] > 0).map((error) => error.name);
  }
}

const GET = 'GET /ok HTTP/1.1\r\nHost: a\r\n\r\n';
const BAD = 'GET /no HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';
const DENIED =
  'HTTP/1.1 403 Forbidden\r\ncontent-length: 15\r\ncontent-type: text/plain\r\nserver: sluice\r\n\r\nAccess denied\r\n';

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
    'asterisk for OPTIONS': 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
    'a hundred headers': `GET /ok HTTP/1.1\r\nHost: a\r\n${'X: 1\r\n'.repeat(99)}\r\n`,
    'a head of nearly 60 KiB': `GET /ok HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(MAX_HEAD_BYTES - 50)}\r\n\r\n`,
    'a length of nothing': 'POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
    'an IPv6 host': 'GET /ok HTTP/1.1\r\nHost: [::1]:80\r\n\r\n',
  };
  for (const [name, head] of Object.entries(heads)) {
    const wire = new Wire().request(head);
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
    ['an absolute target without path', 'GET http://a HTTP/1.1\r\nHost: a\r\n\r\n', 'bad-target'],
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
    const wire = new Wire().request(head).request(GET);
    t.same(wire.errors, [error], name);
    t.equal(wire.out[REQUEST], '', `${name}: nothing goes on`);
    const status = error === 'head-too-large' || error === 'too-many-headers' ? 431 : 400;
    t.match(wire.out[RESPONSE], new RegExp(`^HTTP/1\\.1 ${status} `), `${name}: ${status}`);
    t.ok(wire.isClosed, `${name}: closed`);
    if (head.length > 500) continue;
    const dripping = new Wire();
    for (const byte of head) dripping.request(byte);
    t.equal(dripping.out[REQUEST], '', `${name}: nothing goes on, byte by byte`);
    t.ok(dripping.isClosed, `${name}: closed, byte by byte`);
  }
});

type Assertions = Pick<typeof t, 'equal'>;

interface Exchange {
  readonly name: string;
  readonly steps: readonly (readonly [Direction, string])[];
  readonly toServer: string;
  readonly toClient: string;
  readonly isClosed?: boolean;
}

const CHUNKED = 'POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const CHUNKS = '5\r\nhello\r\na;x="y"\r\n0123456789\r\n0\r\nTrailer: z\r\n\r\n';
const UPGRADE = 'GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const H2C =
  'GET /ok HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, X-Hop, HTTP2-Settings\r\nUpgrade: h2c\r\n' +
  'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n';
const SWITCHED =
  'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n';
const CONNECT = 'CONNECT db:1 HTTP/1.1\r\nHost: db:1\r\n\r\n';
const keep = (text: string) => text.replace('text/plain\r\n', 'text/plain\r\nconnection: keep-alive\r\n');
const close = (text: string) => text.replace('text/plain\r\n', 'text/plain\r\nconnection: close\r\n');

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
    name: 'a chunked answer ends where its trailers do',
    steps: [
      [0, GET + BAD],
      [1, `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`],
    ],
    toServer: GET,
    toClient: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}${DENIED}`,
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
    name: 'a denied request that waits before its content',
    steps: [[0, 'POST /no HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n']],
    toServer: '',
    toClient: close(DENIED),
    isClosed: true,
  },
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

t.test('exchanges, whole and at every split', async (t) => {
  for (const exchange of EXCHANGES) {
    const wire = new Wire();
    for (const [direction, text] of exchange.steps) wire.send(direction, text);
    check(t, wire, exchange, exchange.name);
    const dripping = new Wire();
    for (const [direction, text] of exchange.steps) for (const byte of text) dripping.send(direction, byte);
    check(t, dripping, exchange, `${exchange.name}, byte by byte`);
    for (let split = 1; split < 60; split += 7) {
      const cut = new Wire();
      for (const [direction, text] of exchange.steps) {
        for (let at = 0; at < text.length; at += split) cut.send(direction, text.slice(at, at + split));
      }
      check(t, cut, exchange, `${exchange.name}, ${split} bytes at a time`);
    }
  }
});

function check(t: Assertions, wire: Wire, exchange: Exchange, name: string): void {
  t.equal(wire.out[REQUEST], exchange.toServer, `${name}: to the server`);
  const isPrefix = exchange.isClosed === true && exchange.toClient !== '';
  const toClient = isPrefix ? wire.out[RESPONSE].slice(0, exchange.toClient.length) : wire.out[RESPONSE];
  t.equal(toClient, exchange.toClient, `${name}: to the client`);
  t.equal(wire.isClosed, exchange.isClosed ?? false, `${name}: closed or not`);
}

t.test(
  'onData() holds requests back beyond the limit of unanswered ones, and lets them go as answers come',
  async (t) => {
    const wire = new Wire().request(GET.repeat(MAX_OUTSTANDING + 5));
    t.equal(wire.out[REQUEST], GET.repeat(MAX_OUTSTANDING));
    wire.response(OK);
    t.equal(wire.out[REQUEST], GET.repeat(MAX_OUTSTANDING + 1));
    wire.response(OK.repeat(MAX_OUTSTANDING));
    t.equal(wire.out[REQUEST], GET.repeat(MAX_OUTSTANDING + 5));
  },
);

t.test('onData() refuses a head cut off by the end of the stream', async (t) => {
  const wire = new Wire().send(REQUEST, GET.slice(0, -2), true);
  t.same([wire.out[REQUEST], wire.errors, wire.isClosed], ['', ['truncated'], true]);
});

t.test('onData() takes time in proportion to a head that drips', async (t) => {
  const wire = new Wire();
  const head = `GET /ok HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`;
  let parsed = 0;
  const operations = new Operations();
  const bytes = Buffer.from(head);
  const view = new Proxy(bytes, {
    get(target, key) {
      parsed++;
      const value = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  for (let end = 1; end <= bytes.length; end++) {
    operations.clear();
    wire.parser.onData(REQUEST, view, 0, end, false, operations);
  }
  t.equal(operations.count, 1);
  t.ok(parsed < bytes.length * 20, `${parsed} looks at ${bytes.length} bytes`);
});

/** What may pass by a rule set of these HTTP rules; `null` = a rule without a list. */
function rulesOf(...http: (HttpRule | null)[]): L7RuleSet {
  const rules = http.map((rule) => ({ remotes: null, cookie: 7, http: rule === null ? null : [rule] }));
  return { parser: 'http', endpoint: 1, ingress: true, port: 80, rules };
}

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
    const wire = new Wire(rules).request(head + BAD).response(isAllowed ? OK : '');
    t.equal(wire.out[REQUEST], isAllowed ? head + BAD : '', name);
    t.equal(wire.out[RESPONSE], isAllowed ? OK : close(DENIED), name);
    t.equal(wire.isClosed, !isAllowed, name);
  }
});

t.test('a host rule sees the authority of an absolute target as it is written', async (t) => {
  const rules = rulesOf({ host: 'good' });
  const get = (authority: string, host: string) => `GET http://${authority}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  t.equal(new Wire(rules).request(get('good', 'good')).out[REQUEST], get('good', 'good'));
  t.equal(new Wire(rules).request(get('Good', 'good')).out[REQUEST], '', 'the target');
  t.equal(new Wire(rules).request(get('good', 'Good')).out[REQUEST], '', 'Host');
});

t.test('begin() brings a parser back to the beginning from wherever it was left', async (t) => {
  const answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`;
  const chunked: Exchange['steps'] = [
    [0, CHUNKED + CHUNKS],
    [1, answer],
    [0, CHUNKED.replace('/ok', '/no') + CHUNKS],
  ];
  const later: Exchange['steps'] = [
    [0, CHUNKED + CHUNKS + BAD],
    [1, answer],
    [0, CONNECT],
    [1, OK],
    [0, BAD],
  ];
  const fresh = new Int32Array(1);
  t.ok(new Wire().parser.saveState(fresh, 0));
  const words = new Int32Array(1);
  let left = 0;
  /** The end of the streams makes half a message an error; without it they are left as a reset leaves them. */
  const leave = (steps: Exchange['steps'], bytes: number, isEnded: boolean) => {
    const wire = new Wire();
    let rest = bytes;
    for (const [direction, text] of steps) {
      if (rest > 0) wire.send(direction, text.slice(0, rest));
      rest -= text.length;
    }
    if (isEnded) wire.send(REQUEST, '', true).send(RESPONSE, '', true);
    const next = wire.next();
    const isFresh = next.parser.saveState(words, 0) && words[0] === fresh[0];
    for (const [direction, text] of later) next.send(direction, text);
    const isRight =
      next.out[REQUEST] === CHUNKED + CHUNKS + CONNECT + BAD && next.out[RESPONSE] === answer + DENIED + OK;
    if (!isFresh || !isRight) t.fail(`${bytes} bytes of ${JSON.stringify(steps)}, ended ${isEnded}`, { out: next.out });
    left++;
  };
  for (const steps of [chunked, ...EXCHANGES.map((exchange) => exchange.steps)]) {
    const length = steps.reduce((sum, [, text]) => sum + text.length, 0);
    for (let bytes = 1; bytes <= length; bytes += steps === chunked ? 1 : 11) {
      leave(steps, bytes, false);
      leave(steps, bytes, true);
    }
    leave(steps, length, false);
  }
  t.ok(left > 1000, `${left} states`);
});

t.test('saveState() and loadState() carry a parser over', async (t) => {
  const words = new Int32Array(8);
  const before = new Wire().request(GET + GET.replace('GET', 'HEAD'));
  t.ok(before.parser.saveState(words, 3));
  const after = new Wire();
  t.ok(after.parser.loadState(words, 3));
  after.response(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n`).request(BAD);
  t.equal(after.out[RESPONSE], `${OK}HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n${DENIED}`);
  t.notOk(new Wire().request(GET + BAD).parser.saveState(words, 0), 'not with a reply of ours in the queue');
  t.notOk(new Wire().request(GET.repeat(5)).parser.saveState(words, 0), 'not with five requests');
  words[0] = 5;
  t.notOk(after.parser.loadState(words, 0), 'not five entries');
});

t.test('pathReadings()', async (t) => {
  const cases: [string, string[]][] = [
    ['/a/b?x=%2e', ['/a/b?x=%2e']],
    ['/%61', ['/%61', '/a']],
    ['/%2561', ['/%2561', '/%61', '/a']],
    ['/a/../b', ['/a/../b', '/b']],
    ['/a/%2e%2e/b', ['/a/%2e%2e/b', '/a/../b', '/b']],
    ['/a;x=1/b', ['/a;x=1/b', '/a/b']],
    ['/a/..;/b', ['/a/..;/b', '/a/../b', '/b']],
    ['//a///b', ['//a///b', '/a/b']],
    ['/a\\..\\b', ['/a\\..\\b', '/a/../b', '/b']],
    ['/a%00.png', ['/a%00.png', '/a\0.png', '/a']],
    ['/a%3fb', ['/a%3fb', '/a?b']],
    ['/../../a', ['/../../a', '/a']],
    ['/a/..', ['/a/..', '/']],
    ['/a/.', ['/a/.', '/a/']],
    ['/%c0%af', ['/%c0%af', '/\xc0\xaf', '//', '/']],
    ['/caf%C3%A9', ['/caf%C3%A9', '/café']],
    ['/\xc0\xaf', ['/\xc0\xaf', '//', '/']],
    ['/%e0%80%af', ['/%e0%80%af', '/\xe0\x80\xaf', '//', '/']],
    ['/%f0%80%80%ae', ['/%f0%80%80%ae', '/\xf0\x80\x80\xae', '/.', '/']],
    ['/%u002fa', ['/%u002fa', '//a', '/a']],
    ['/%uFF0Ea', ['/%uFF0Ea', '/.a']],
  ];
  for (const [path, wanted] of cases) t.same(new Set(pathReadings(path)), new Set(wanted), path);
  t.equal(pathReadings(`/%${'25'.repeat(80)}2e`), undefined, 'no games');
  t.equal(pathReadings(`/${'%41'.repeat(3000)}`), undefined, 'nor long ones');
});

t.test('isPlain() never calls a path plain that has another reading', async (t) => {
  const alphabet = ['a', '/', '.', '..', '%2e', ';', '\\', '?', '%', '%00', '//', '/./', '\xc0\xae', '%u002e', '\xe9'];
  let seed = 12345;
  const next = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let i = 0; i < 3000; i++) {
    const path = `/${Array.from({ length: next(7) }, () => alphabet[next(alphabet.length)]).join('')}`;
    const bytes = Buffer.from(path, 'latin1');
    if (isPlain(bytes, 0, bytes.length)) t.same(pathReadings(path), [path]);
  }
});
