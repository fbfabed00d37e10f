/** A parser of HTTP/1.x on a wire, with rules; and messages that tests of it use. */
import type { HttpRule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { httpJudges } from '../../l7proxy/http/judge.ts';
import type { HttpJudge } from '../../l7proxy/http/judgement.ts';
import { Http1Parser } from '../../l7proxy/http1/parser.ts';
import { Http1Shared, type HttpRecorder } from '../../l7proxy/http1/shared.ts';
import { HTTP_ERRORS } from '../../l7proxy/http1/syntax.ts';
import { HttpRecords } from '../../l7proxy/http/record.ts';
import { ToldLog } from '../told.ts';
import { OWNER, ParserWire } from './parser-wire.ts';

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

/** What may pass by a rule set of these HTTP rules; `null` = a rule without a list. */
export function rulesOf(...http: (HttpRule | null)[]): L7RuleSet {
  const rules = http.map((rule) => ({ remotes: null, cookie: 7, http: rule === null ? null : [rule] }));
  return { parser: 'http', endpoint: 1, ingress: true, port: 80, rules };
}

export class HttpWire extends ParserWire<HttpJudge, Http1Parser> {
  readonly shared: Http1Shared;

  /** @param used a wire whose parser is to begin anew @param recorder is told of requests and responses */
  constructor(
    ruleSet: L7RuleSet = RULES,
    used?: HttpWire,
    recorder: HttpRecorder = new HttpRecords(new ToldLog(false)),
  ) {
    const shared = used?.shared ?? new Http1Shared(1, recorder);
    const ruleSets = { generation: 1, get: () => ({ generation: 1, ruleSet }) };
    const log = new ToldLog(false);
    const judge = httpJudges({ name: 'http', ruleSets, log, seed: 1 }).judgeOf(OWNER);
    super(used?.parser ?? new Http1Parser(shared, judge), judge);
    this.shared = shared;
  }

  /** Another connection with the parser of this one. */
  next(): HttpWire {
    return new HttpWire(RULES, this);
  }

  get errors(): string[] {
    return HTTP_ERRORS.filter((_, index) => this.shared.errors[index] > 0).map((error) => error.name);
  }
}

export const GET = 'GET /ok HTTP/1.1\r\nHost: a\r\n\r\n';
export const BAD = 'GET /no HTTP/1.1\r\nHost: a\r\n\r\n';
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';
export const DENIED =
  'HTTP/1.1 403 Forbidden\r\ncontent-length: 15\r\ncontent-type: text/plain\r\nserver: sluice\r\n\r\nAccess denied\r\n';
export const CHUNKED = 'POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
export const CHUNKS = '5\r\nhello\r\na;x="y"\r\n0123456789\r\n0\r\nTrailer: z\r\n\r\n';
export const UPGRADE = 'GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
export const H2C =
  'GET /ok HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, X-Hop, HTTP2-Settings\r\nUpgrade: h2c\r\n' +
  'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n';
export const SWITCHED =
  'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n';
export const CONNECT = 'CONNECT db:1 HTTP/1.1\r\nHost: db:1\r\n\r\n';
export const keep = (text: string) => text.replace('text/plain\r\n', 'text/plain\r\nconnection: keep-alive\r\n');
export const close = (text: string) => text.replace('text/plain\r\n', 'text/plain\r\nconnection: close\r\n');
