/**
 * Corners of HTTP/1 between raw bytes and real servers: what each answers, and how many requests it saw. One more than was sent would
 * be a request that nobody judged.
 *
 *   <name>-shop-client ── Sluice (policy below) ─┬─ <name>-shop-node    node examples/server.mjs
 *                                                └─ <name>-shop-nginx
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, must, PATIENCE_MS, PATIENCE_SEC } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const PORT = 8080;
const SERVERS = { node: '10.244.0.11', nginx: '10.244.0.12' };
const RAW_CLIENT = join(import.meta.dirname, 'raw-client.js');

const cleanup = new Cleanup();
const name = `slhx${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(
  join(dir, 'nginx.conf'),
  `user root; daemon off; pid ${dir}/nginx.pid; error_log stderr crit;
events { }
http {
  access_log off; client_body_temp_path ${dir}/body;
  server { listen ${PORT}; location / { return 200 "ok\\n"; } location = /metrics { stub_status; } }
}
`,
);

function pod(app: string, address: string, command: readonly string[]): string {
  return `---
apiVersion: v1
kind: Pod
metadata: { name: ${app}, namespace: shop, labels: { app: ${app}, tier: web } }
spec:
  containers:
    - name: server
      image: example/server
      command: ${JSON.stringify(command)}
      ports: [{ containerPort: ${PORT} }]
status: { podIPs: [{ ip: ${address} }] }
`;
}

writeFileSync(
  join(dir, 'rig.yaml'),
  `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop, labels: { app: client } }
spec: { containers: [{ name: shell, image: example/shell }] }
status: { podIPs: [{ ip: 10.244.0.10 }] }
${pod('node', SERVERS.node, ['node', 'examples/server.mjs', String(PORT)])}${pod('nginx', SERVERS.nginx, ['/usr/sbin/nginx', '-c', join(dir, 'nginx.conf')])}---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  endpointSelector: { matchLabels: { tier: web } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts:
        - ports: [{ port: "${PORT}", protocol: TCP }]
          rules:
            http:
              - { path: "/public(/.*)?" }
              - { path: /metrics }
              - { path: / }
              - { path: /keyed, headerMatches: [{ name: X-Key, value: k, mismatch: REPLACE }] }
`,
);
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());
const client = instance.netnsOf('shop/client');

/** Requests that a server has seen, this one not counted. */
async function seenBy(address: string): Promise<number> {
  const text = await must(
    inNetns(client, ['curl', '-sS', '-m', String(PATIENCE_SEC), `http://${address}:${PORT}/metrics`]),
  );
  const found = /requests_total (\d+)/.exec(text) ?? /\n \d+ \d+ (\d+)/.exec(text);
  return Number(found?.[1]) - 1;
}

async function raw(address: string, pieces: readonly string[]): Promise<{ statuses: string; end: string }> {
  const input = JSON.stringify({ pieces: pieces.map((piece) => Buffer.from(piece, 'latin1').toString('base64')) });
  const argv = [process.execPath, RAW_CLIENT, address, String(PORT), String(PATIENCE_MS / 8)];
  const { answer, end } = JSON.parse(await must(inNetns(client, argv), { input })) as { answer: string; end: string };
  return { statuses: [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status).join(' '), end };
}

const H = 'Host: web\r\n';
const LAST = `GET /public/last HTTP/1.1\r\n${H}Connection: close\r\n\r\n`;
/** In content, where a server that loses its place would take it for a request. */
const HIDDEN = `GET /hidden HTTP/1.1\r\n${H}\r\n`;
const post = (path: string, lines: string, content: string) =>
  `POST ${path} HTTP/1.1\r\n${H}Content-Length: ${content.length}\r\n${lines}\r\n${content}`;
const chunked = (path: string, trailer = '') =>
  `POST ${path} HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n${HIDDEN.length.toString(16)};a="b\\"c"\r\n${HIDDEN}\r\n0\r\n${trailer}\r\n`;

interface Corner {
  readonly pieces: readonly string[];
  /** Of both servers, or of each. */
  readonly statuses: string | { node: string; nginx: string };
  /** Requests that reach the server; undefined = one at most. */
  readonly seen: number | undefined;
}

const CORNERS: Readonly<Record<string, Corner>> = {
  'h2c asked for, with content': {
    pieces: [
      post('/public', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n', HIDDEN) +
        LAST,
    ],
    statuses: '200 200',
    seen: 2,
  },
  'an upgrade to what nobody knows': {
    pieces: [`GET /public HTTP/1.1\r\n${H}Connection: Upgrade\r\nUpgrade: foo/1\r\n\r\n${LAST}`],
    statuses: '200 200',
    seen: 2,
  },
  'TE: trailers, and a trailer': {
    pieces: [
      `GET /public HTTP/1.1\r\n${H}TE: trailers\r\nConnection: TE\r\n\r\n${chunked('/public', 'X-Sum: 1\r\n')}${LAST}`,
    ],
    statuses: '200 200 200',
    seen: 3,
  },
  'leave asked for, and not waited for': {
    pieces: [post('/public', 'Expect: 100-continue\r\n', HIDDEN) + LAST],
    statuses: '100 200 200',
    seen: 2,
  },
  'an Expect that nobody knows': {
    pieces: [post('/public', 'Expect: y 100-continue\r\n', HIDDEN) + LAST],
    statuses: { node: '100 200 200', nginx: '200 200' },
    seen: 2,
  },
  'leave asked for what is denied, and not waited for': {
    pieces: [post('/hidden', 'Expect: 100-continue\r\n', HIDDEN) + LAST],
    statuses: '100 403 200',
    seen: 1,
  },
  'denied content that is a request': {
    pieces: [post('/hidden', '', HIDDEN) + chunked('/hidden') + LAST],
    statuses: '403 403 200',
    seen: 1,
  },
  'a GET with content that is a request': {
    pieces: [
      `${post('/public', '', HIDDEN).replace('POST', 'GET')}${chunked('/public').replace('POST', 'GET')}${LAST}`,
    ],
    statuses: '200 200 200',
    seen: 3,
  },
  'CONNECT that no rule names': {
    pieces: [`CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n${LAST}`],
    statuses: '403',
    seen: 0,
  },
  'an absolute target, with a path and without': {
    pieces: [`GET http://web/public HTTP/1.1\r\n${H}\r\nGET http://web HTTP/1.1\r\n${H}\r\n${LAST}`],
    statuses: '200 200 200',
    seen: 3,
  },
  'a header that is put in, and that Connection has taken away': {
    pieces: [
      `GET /keyed HTTP/1.1\r\n${H}Connection: X-Key\r\nX-Key: other\r\n\r\nGET /keyed HTTP/1.1\r\n${H}X-Key: other\r\n\r\n${LAST}`,
    ],
    statuses: '403 200 200',
    seen: 2,
  },
  'a trailer about a header that is judged': {
    pieces: [chunked('/public', 'X-Key: other\r\n') + LAST],
    statuses: '400',
    seen: undefined, // the reset may overtake the head
  },
};

const of = (value: Corner['statuses'], server: keyof typeof SERVERS): string =>
  typeof value === 'object' ? value[server] : value;

for (const [server, address] of Object.entries(SERVERS) as [keyof typeof SERVERS, string][]) {
  t.test(`${server} sees the requests that were judged, and no others`, async (t) => {
    for (const [corner, { pieces, statuses, seen }] of Object.entries(CORNERS)) {
      const before = await seenBy(address);
      const answer = await raw(address, pieces);
      t.equal(answer.statuses, of(statuses, server), corner);
      t.not(answer.end, 'open', `${corner}: the connection ends`);
      const found = (await seenBy(address)) - before - 1;
      if (seen === undefined) t.ok(found <= 1, `${corner}: ${found} requests seen`);
      else t.equal(found, seen, `${corner}: requests seen`);
    }
  });
}
