/**
 * HTTP rules against a real server, a real TCP and clients good and bad. The server counts the requests it sees, so that
 * "never forwarded" is measured where it matters.
 *
 *   <name>-shop-client ── Sluice (policy below) ┬─ <name>-shop-web        node examples/server.mjs
 *                                               ├─ <name>-shop-plain      the same, by a port without offloads (pcap)
 *                                               └─ <name>-shop-answering  answering-server.ts, which takes CONNECT for any request
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, must, PATIENCE_MS, PATIENCE_SEC, run, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';
import type { Offload } from './hidden-client.ts';

const WEB = '10.244.0.11';
const PORT = 8080;
const PLAIN = ['10.244.0.12', 'fd00:10:244::12'];
const HIDDEN_CLIENT = join(import.meta.dirname, 'hidden-client.js');
const ANSWERING = '10.244.0.13';
const ANSWERING_SERVER = join(import.meta.dirname, 'answering-server.js');
const RAW_CLIENT = join(import.meta.dirname, 'raw-client.js');

const MANIFESTS = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop, labels: { app: client } }
spec: { containers: [{ name: shell, image: example/shell }] }
status: { podIPs: [{ ip: 10.244.0.10 }, { ip: "fd00:10:244::10" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec:
  containers:
    - name: server
      image: example/server
      command: [node, examples/server.mjs, "${PORT}"]
      ports: [{ containerPort: ${PORT} }]
status: { podIPs: [{ ip: ${WEB} }, { ip: "fd00:10:244::11" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: plain, namespace: shop, labels: { app: web }, annotations: { sluice.io/attach: pcap } }
spec:
  containers:
    - name: server
      image: example/server
      command: [node, examples/server.mjs, "${PORT}"]
      ports: [{ containerPort: ${PORT} }]
status: { podIPs: [{ ip: ${PLAIN[0]} }, { ip: "${PLAIN[1]}" }] }
---
apiVersion: v1
kind: Pod
metadata: { name: answering, namespace: shop, labels: { app: answering } }
spec:
  containers:
    - name: server
      image: example/server
      command: [node, "${ANSWERING_SERVER}", "${PORT}"]
      ports: [{ containerPort: ${PORT} }]
status: { podIPs: [{ ip: ${ANSWERING} }, { ip: "fd00:10:244::13" }] }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: answering, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: answering } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts:
        - ports: [{ port: "${PORT}", protocol: TCP }]
          rules:
            http:
              - { host: "good[.]example(:80)?" }
              - { headers: ["X-Key: s"] }
              - { method: CONNECT, host: "tunnel[.]example:80" }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: web } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts:
        - ports: [{ port: "${PORT}", protocol: TCP }]
          rules:
            http:
              - { method: GET, path: "/public(/.*)?" }
              - { method: GET, path: "/bytes/[0-9]+" }
              - { method: GET, path: /metrics }
              - { method: "PUT|POST", path: /upload }
`;

const cleanup = new Cleanup();
const name = `slh${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(join(dir, 'rig.yaml'), MANIFESTS);
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());

const client = instance.netnsOf('shop/client');
const url = (path: string) => `http://${WEB}:${PORT}${path}`;
const curl = (...args: string[]) =>
  run(inNetns(client, ['curl', '-sS', '-m', String(PATIENCE_SEC), '--path-as-is', ...args]));

/** Requests that the server has seen, this one not counted. */
async function requestsSeen(): Promise<number> {
  const { stdout } = await curl(url('/metrics'));
  return Number(/requests_total (\d+)/.exec(stdout)?.[1]) - 1;
}

interface RawAnswer {
  end: string;
  answer: string;
}

/** The last request of a connection that stays in use: when it has been answered, so has all before it. */
const LAST = 'GET /public/last HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n';

/** Sends the pieces over one connection, and gives all that came back until it ended. */
function raw(...pieces: (string | Buffer)[]): Promise<RawAnswer> {
  return rawTo(WEB, ...pieces);
}

async function rawTo(address: string, ...pieces: (string | Buffer)[]): Promise<RawAnswer> {
  const input = JSON.stringify({
    pieces: pieces.map((piece) => Buffer.from(piece as string, 'latin1').toString('base64')),
  });
  const argv = [process.execPath, RAW_CLIENT, address, String(PORT), String(PATIENCE_MS / 2)];
  return JSON.parse(await must(inNetns(client, argv), { input }));
}

const statuses = (answer: string) => [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((match) => Number(match[1]));

t.test('a refused request is answered 403 and the server does not see it', async (t) => {
  const before = await requestsSeen();
  const { stdout } = await curl('-i', url('/private'));
  t.match(stdout, /^HTTP\/1\.1 403 /);
  t.match(stdout, /content-type: text\/plain/i);
  t.ok(stdout.endsWith('\r\n\r\nAccess denied\r\n'), JSON.stringify(stdout));
  t.equal((await requestsSeen()) - before, 1, 'only the count itself');
});

t.test('one connection carries many requests', async (t) => {
  const paths = Array.from({ length: 20 }, (_, index) => url(`/public/${index}`));
  const { stdout } = await curl('-w', '%{num_connects}\n', ...paths);
  const lines = stdout.trim().split('\n');
  t.equal(lines.filter((line) => line.startsWith('GET /public/')).length, 20);
  t.equal(lines.filter((line) => line === '1').length, 1, 'connected once');
});

t.test('pipelined requests are answered in order, the refused one in its turn', async (t) => {
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: web\r\n\r\n`;
  const { answer, end } = await raw(get('/public/a') + get('/public/b') + get('/private') + get('/public/c') + LAST);
  t.same(statuses(answer), [200, 200, 403, 200, 200]);
  t.equal(end, 'closed');
  t.ok(answer.indexOf('/public/a') < answer.indexOf('/public/b'));
  t.ok(answer.indexOf('/public/b') < answer.indexOf('Access denied'));
});

t.test('a head in single bytes is judged like one in a piece', async (t) => {
  const pieces = (text: string) => text.split('');
  const allowed = await raw(...pieces('GET /public/x HTTP/1.1\r\nHost: web\r\n\r\n'), LAST);
  t.same(statuses(allowed.answer), [200, 200]);
  const refused = await raw(...pieces('GET /private HTTP/1.1\r\nHost: web\r\n\r\n'), LAST);
  t.same(statuses(refused.answer), [403, 200]);
});

t.test('large bodies pass unharmed both ways', async (t) => {
  const size = 20_000_000;
  const body = Buffer.alloc(size);
  for (let at = 0, value = 1; at < size; at += 4, value = (Math.imul(value, 1664525) + 1013904223) | 0)
    body.writeInt32LE(value, at);
  writeFileSync(join(dir, 'body'), body);
  const wanted = `${size} ${createHash('sha256').update(body).digest('hex')}\n`;
  const up = await curl('-T', join(dir, 'body'), '-H', 'Expect:', url('/upload'));
  t.equal(up.stdout, wanted, 'with a length');
  const chunked = await curl(
    '-T',
    join(dir, 'body'),
    '-H',
    'Expect:',
    '-H',
    'Transfer-Encoding: chunked',
    url('/upload'),
  );
  t.equal(chunked.stdout, wanted, 'in chunks');
  const down = await curl('-o', '/dev/null', '-w', '%{size_download}', url(`/bytes/${size}`));
  t.equal(down.stdout, String(size));
});

t.test('a body with a request in it is a body', async (t) => {
  const inner = 'GET /private HTTP/1.1\r\nHost: web\r\n\r\n';
  const head = `POST /upload HTTP/1.1\r\nHost: web\r\nContent-Length: ${inner.length}\r\n\r\n`;
  const { answer } = await raw(head + inner + LAST);
  t.same(statuses(answer), [200, 200]);
  t.match(answer, new RegExp(`${inner.length} [0-9a-f]{64}`));
});

const PUBLIC = 'GET /public HTTP/1.1\r\nHost: web\r\n';
const UPLOAD = 'POST /upload HTTP/1.1\r\nHost: web\r\n';
const MALFORMED: Record<string, string> = {
  'two lengths that differ': `${UPLOAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
  'a length with chunked': `${UPLOAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'a length that is no number': `${UPLOAD}Content-Length: +5\r\n\r\nhello`,
  'an encoding that does not end in chunked': `${UPLOAD}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`,
  'a bad chunk size': `${UPLOAD}Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n`,
  'a folded header': `${PUBLIC}X-One: a\r\n b\r\n\r\n`,
  'a space before the colon': `${PUBLIC}X-One : a\r\n\r\n`,
  'a bare CR in a header': `${PUBLIC}X-One: a\rX-Two: b\r\n\r\n`,
  'a NUL in a header': `${PUBLIC}X-One: a\0b\r\n\r\n`,
  'HTTP/0.9': 'GET /public\r\n\r\n',
  'no host': 'GET /public HTTP/1.1\r\n\r\n',
  'no HTTP at all': '\x05\x01\x00\x01\x02\x00\x01\r\n\r\n',
  'an oversize head': `${PUBLIC}X-Fill: ${'a'.repeat(70_000)}\r\n\r\n`,
  'too many headers': `${PUBLIC}${Array.from({ length: 200 }, (_, index) => `X-${index}: a\r\n`).join('')}\r\n`,
};

for (const [shape, bytes] of Object.entries(MALFORMED)) {
  t.test(`refuses ${shape}`, async (t) => {
    const before = await requestsSeen();
    const { answer, end } = await raw(bytes);
    t.ok([400, 431].includes(statuses(answer)[0]), `400 or 431, found ${JSON.stringify(answer.slice(0, 80))}, ${end}`);
    t.not(end, 'open', 'the connection ends');
    // The head before a bad chunk may have been passed on already; what follows it never is.
    const seen = (await requestsSeen()) - before - 1;
    t.ok(seen === 0 || (shape === 'a bad chunk size' && seen === 1), `the server saw ${seen}`);
  });
}

const PATHS: Record<string, string> = {
  'dot segments': '/public/../private',
  'encoded dot segments': '/public/%2e%2e/private',
  'an encoded slash': '/public/..%2fprivate',
  'a parameter': '/public/..;/private',
};

for (const [shape, path] of Object.entries(PATHS)) {
  t.test(`refuses a path with ${shape} that leads elsewhere`, async (t) => {
    const { stdout } = await curl('-o', '/dev/null', '-w', '%{http_code}', url(path));
    t.equal(stdout, '403');
  });
}

const OFFLOADS: Offload[] = ['none', 'checksum', 'both', 'segments'];

for (const address of PLAIN) {
  for (const offload of OFFLOADS) {
    t.test(`bytes behind the IP packet are no part of the stream: to ${address}, offload ${offload}`, async (t) => {
      const input = JSON.stringify({
        offload,
        shown: 'GET /public/shown HTTP/1.1\r\nHost: web\r\n\r\n',
        hidden: 'GET /private/hide HTTP/1.1\r\nHost: web\r\n\r\n',
        after: 'GET /public/after HTTP/1.1\r\nHost: web\r\n\r\n',
        until: '\r\n\r\nGET /public/after',
      });
      const argv = [process.execPath, HIDDEN_CLIENT, address, String(PORT), String(PATIENCE_MS / 4)];
      const { answer, unsent } = JSON.parse(await must(inNetns(client, argv), { input }));
      t.equal(unsent, 0, 'the kernel took the frames');
      t.same(answer.match(/^GET .*$/gm), ['GET /public/shown', 'GET /public/after']);
    });
  }
}

t.test('a server that answers CONNECT and reads on gets no request unjudged', async (t) => {
  const hidden = 'GET /hidden HTTP/1.1\r\nHost: evil.example\r\n\r\n';
  const connect = (target: string, host: string, extra = '') =>
    `CONNECT ${target} HTTP/1.1\r\nHost: ${host}\r\n${extra}\r\n`;
  const shapes: [string, string, number][] = [
    ['the host of a rule', connect('good.example:80', 'good.example:80'), 403],
    ['the header of a rule', connect('evil.example:80', 'evil.example:80', 'X-Key: s\r\n'), 403],
    ['a path', connect('/', 'good.example'), 400],
    ['an asterisk', connect('*', 'good.example'), 400],
    ['two hosts', connect('evil.example:80', 'good.example'), 400],
    ['HTTP/1.0', 'CONNECT good.example:80 HTTP/1.0\r\nHost: good.example:80\r\n\r\n', 400],
  ];
  for (const [shape, head, status] of shapes) {
    const { answer, end } = await rawTo(ANSWERING, head, hidden);
    t.same([statuses(answer), end === 'open'], [[status], false], shape);
  }
  const upgrade = 'GET /up HTTP/1.1\r\nHost: good.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  const last = 'GET /seen HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\n\r\n';
  const h2c = upgrade.replace('websocket', 'h2c');
  const { answer, end } = await rawTo(ANSWERING, upgrade + hidden, h2c + hidden, last);
  t.same([statuses(answer), end], [[200, 403, 200, 403, 200], 'closed']);
  const seen = answer.slice(answer.lastIndexOf('\r\n\r\n') + 4);
  t.equal(seen, 'GET /up HTTP/1.1 @ good.example Upgrade: websocket\nGET /up HTTP/1.1 @ good.example\n');
  const named = await rawTo(ANSWERING, connect('tunnel.example:80', 'tunnel.example:80'), hidden, last);
  t.match(
    named.answer,
    /GET \/hidden HTTP\/1\.1 @ evil\.example/,
    'behind a CONNECT that a rule names anything passes',
  );
});

t.test('a client of HTTP/1.0 that keeps its connection is told that it may after a 403', async (t) => {
  const head = (path: string, connection: string) =>
    `GET ${path} HTTP/1.0\r\nHost: web\r\nConnection: ${connection}\r\n\r\n`;
  const { answer, end } = await raw(head('/private', 'keep-alive'), head('/public', 'close'));
  t.same([statuses(answer), end], [[403, 200], 'closed']);
  t.match(answer.slice(0, answer.indexOf('\r\n\r\n')), /^connection: keep-alive$/im);
});

t.test('a revoked policy ends what a connection may do', async (t) => {
  const { answer } = await raw(LAST);
  t.same(statuses(answer), [200]);
  const policy = MANIFESTS.slice(MANIFESTS.lastIndexOf('---')).replace(
    /method: GET, path: "\/public[^"]*"/,
    'method: GET, path: /nowhere',
  );
  writeFileSync(join(dir, 'policy.yaml'), policy);
  await instance.apply(join(dir, 'policy.yaml'));
  const { stdout } = await curl('-o', '/dev/null', '-w', '%{http_code}', url('/public'));
  t.equal(stdout, '403');
});

t.test('half a head that died with the dataplane ends in a reset, not in silence', async (t) => {
  const half = 'GET /public HTTP/1.1\r\nHost: a\r\nX-Half';
  const answer = raw(half);
  await waitFor('half a head to be acknowledged, and held', async () => {
    const { stdout } = await run(inNetns(client, ['ss', '-Htin', 'state', 'established', `dport = :${PORT}`]));
    return stdout.includes(`bytes_acked:${half.length + 1}`); // and the SYN
  });
  const [dataplane] = instance.dataplanePids();
  process.kill(dataplane, 'SIGKILL');
  t.equal((await answer).end, 'ECONNRESET');
});
