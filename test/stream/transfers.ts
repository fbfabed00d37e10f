/** Transfers through HTTP rules, for tests of what a lossy way or a death makes of them: what the client and the server say. */
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';

/** Rules that allow /ok and what begins so, to identity 100. */
export const OK_RULES: L7RuleSet = {
  parser: 'http',
  endpoint: 1,
  ingress: true,
  port: 80,
  rules: [{ remotes: [100], cookie: 7, http: [{ path: '/ok.*' }] }],
};

/** Payload of each, bytes. */
const BYTES = 128_000;
const CHUNK = 8000;
const CHUNKS = `${`${CHUNK.toString(16)}\r\n${'c'.repeat(CHUNK)}\r\n`.repeat(BYTES / CHUNK)}0\r\n\r\n`;
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';
const GET = 'GET /ok HTTP/1.1\r\nHost: a\r\n\r\n';

/** A request that is refused: positions differ on both ways from then on. */
export const REFUSED = 'GET /no HTTP/1.1\r\nHost: a\r\n\r\n';

export const TRANSFERS = {
  upload: [`POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: ${BYTES}\r\n\r\n${'u'.repeat(BYTES)}`, ANSWER],
  'chunked upload': [`POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`, ANSWER],
  download: [GET, `HTTP/1.1 200 OK\r\nContent-Length: ${BYTES}\r\n\r\n${'d'.repeat(BYTES)}`],
  'chunked download': [GET, `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`],
} as const satisfies Record<string, readonly [string, string]>;
