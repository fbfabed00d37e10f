/**
 * HTTP/2 without TLS, by prior knowledge, between real clients and real servers.
 *
 *   <name>-shop-client ── Sluice (policy below) ┬─ <name>-shop-node   http2-server.ts (nghttp2 in Node)
 *     curl, nghttp, h2load,                     ├─ <name>-shop-nginx
 *     Node, Python's gRPC                       ├─ <name>-shop-nghttpd
 *                                               ├─ <name>-shop-grpc   grpc-peer.py (gRPC C core)
 *                                               ├─ <name>-shop-old    examples/server.mjs, which speaks HTTP/1
 *                                               └─ <name>-shop-rpc    connect-peer.ts, the same
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, must, PATIENCE_SEC, run, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const PORT = 8080;
const NODE = '10.244.0.11';
const NGINX = '10.244.0.12';
const NGHTTPD = '10.244.0.13';
const GRPC = '10.244.0.14';
const OLD = '10.244.0.15';
const RPC = '10.244.0.16';
const RPC_PEER = join(import.meta.dirname, 'connect-peer.js');
const SERVERS = { node: NODE, nginx: NGINX, nghttpd: NGHTTPD };
const PYTHON = '/usr/bin/python3';
const GRPC_PEER = join(import.meta.dirname, '../../../test/netns/grpc-peer.py');

const cleanup = new Cleanup();
const name = `slg${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
mkdirSync(join(dir, 'htdocs/public'), { recursive: true });
writeFileSync(join(dir, 'htdocs/public/a'), 'a'.repeat(1000));
writeFileSync(join(dir, 'htdocs/public/large'), 'l'.repeat(3_000_000));
writeFileSync(join(dir, 'htdocs/secret'), 'secret');
writeFileSync(
  join(dir, 'nginx.conf'),
  `user root; daemon off; pid ${dir}/nginx.pid; error_log stderr crit;
events { }
http {
  access_log off; client_body_temp_path ${dir}/body;
  keepalive_requests 1000000; server { listen ${PORT} http2; root ${dir}/htdocs; }
}
`,
);

function pod(app: string, address: string, command: readonly string[]): string {
  return `apiVersion: v1
kind: Pod
metadata: { name: ${app}, namespace: shop, labels: { app: ${app}, tier: web } }
spec:
  containers:
    - name: server
      image: example/server
      command: ${JSON.stringify(command)}
      ports: [{ containerPort: ${PORT} }]
status: { podIPs: [{ ip: ${address} }] }
---
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
---
${pod('node', NODE, [process.execPath, join(import.meta.dirname, 'http2-server.js'), String(PORT)])}${pod('nginx', NGINX, ['/usr/sbin/nginx', '-c', join(dir, 'nginx.conf')])}${pod('nghttpd', NGHTTPD, ['nghttpd', '--no-tls', '-d', join(dir, 'htdocs'), String(PORT)])}${pod('grpc', GRPC, [PYTHON, GRPC_PEER, 'server', String(PORT)])}${pod('old', OLD, ['node', 'examples/server.mjs', String(PORT)])}${pod('rpc', RPC, [process.execPath, RPC_PEER, 'server', String(PORT)])}apiVersion: cilium.io/v2
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
              - { method: "GET|HEAD", path: "/public/.*" }
              - { method: "PUT|POST", path: /public/upload }
              - { method: GET, path: /metrics }
              - { method: POST, path: "/shop[.]Open/.*" }
              - { method: GET, path: "/shop[.]Open/Find[?].*" }
              - { method: POST, path: "/grpc[.]health[.]v1[.]Health/.*" }
`,
);
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());

const client = instance.netnsOf('shop/client');
const inClient = (...argv: string[]) => run(inNetns(client, argv));
const curl = (...args: string[]) =>
  inClient('curl', '-sS', '-m', String(PATIENCE_SEC), '--http2-prior-knowledge', '--path-as-is', ...args);
const url = (address: string, path: string) => `http://${address}:${PORT}${path}`;

t.test('curl gets what is allowed, and a 403 for the rest, from each server', async (t) => {
  for (const [server, address] of Object.entries(SERVERS)) {
    const path = server === 'node' ? '/public/bytes/3000000' : '/public/large';
    const { stdout } = await curl(
      '-o',
      '/dev/null',
      '-w',
      '%{http_code} %{size_download} %{http_version}',
      url(address, path),
    );
    t.equal(stdout, '200 3000000 2', server);
    const denied = await curl('-w', '%{http_code} %{http_version}', url(address, '/secret'));
    t.equal(denied.stdout, 'Access denied\r\n403 2', server);
    const several = await inClient(
      'nghttp',
      '-v',
      url(address, '/secret'),
      url(address, path),
      url(address, '/public/../secret'),
    );
    t.equal(several.stdout.split('Connected').length, 2, `${server}: one connection`);
    t.equal(several.stdout.split(':status: 403').length, 3);
    t.equal(several.stdout.split(':status: 200').length, 2);
  }
});

t.test('uploads, with and without a length, allowed and not', async (t) => {
  const file = join(dir, 'upload');
  writeFileSync(file, 'u'.repeat(2_000_000));
  const put = await curl('-T', file, url(NODE, '/public/upload'));
  t.match(put.stdout, '"received":2000000');
  const chunked = await run(
    inNetns(client, ['curl', '-sS', '--http2-prior-knowledge', '-T', '-', url(NODE, '/public/upload')]),
    { input: 'x'.repeat(500_000) },
  );
  t.match(chunked.stdout, '"received":500000');
  // curl 7.88 tells no status of an upload that is answered early, whoever answers.
  const denied = await inClient('nghttp', '-v', '-d', file, url(NODE, '/secret'));
  t.match(denied.stdout, ':status: 403');
});

t.test('h2load: streams side by side, with every one answered', async (t) => {
  for (const [server, address] of Object.entries(SERVERS)) {
    const path = server === 'node' ? '/public/bytes/1000' : '/public/a';
    const uris = [url(address, path), url(address, '/secret')];
    const { stdout } = await inClient('h2load', '-n', '4000', '-c', '4', '-m', '32', ...uris);
    t.equal(/status codes: .*/.exec(stdout)?.[0], 'status codes: 2000 2xx, 0 3xx, 2000 4xx, 0 5xx', server);
    t.match(stdout, '0 errored, 0 timeout');
    t.comment(/finished in .*/.exec(stdout)?.[0]);
  }
  const { stdout } = await curl(url(NODE, '/metrics'));
  t.ok(Number(stdout) > 2000 && Number(stdout) < 2100, `the server has seen ${stdout} requests`);
});

t.test('nghttp: priorities, padding, trailers', async (t) => {
  const { stdout } = await inClient(
    ...['nghttp', '-nv', '--padding=50', '--trailer', 'x-trailer: t', '-d', join(dir, 'htdocs/public/a')],
    ...['-H', ':method: POST', url(NODE, '/public/upload')],
  );
  t.match(stdout, ':status: 200');
  t.match(stdout, 'x-received: 1000');
  t.match(stdout, 'link: </x>');
});

t.test('gRPC: all four kinds of call, a status of the server, and one of ours', async (t) => {
  const call = (method: string, kind: string, count = 1) =>
    must(inNetns(client, [PYTHON, GRPC_PEER, 'client', `${GRPC}:${PORT}`, method, kind, String(count)]));
  t.equal(await call('/shop.Open/Unary', 'unary', 3), 'cbacbacba\ncbacbacba\ncbacbacba\n');
  t.equal(await call('/shop.Open/Numbers', 'server'), '100\n');
  t.equal(await call('/shop.Open/Total', 'client'), '4950\n');
  t.equal(await call('/shop.Open/Echo', 'both'), '4950\n');
  t.equal(await call('/shop.Open/Fails', 'unary'), 'NOT_FOUND nothing here\n');
  for (const kind of ['unary', 'server', 'client', 'both']) {
    t.equal(await call('/shop.Secret/Unary', kind), 'PERMISSION_DENIED Access denied\n', kind);
  }
  await waitFor('both to be told', async () => {
    await call('/shop.Open/Fails', 'unary');
    await call('/shop.Secret/Unary', 'unary');
    const { stdout } = await instance.cli('observe', '--last', '1000', '-t', 'l7');
    const ends = 'shop\\/client:\\d+ \\(ID:\\d+\\) -> shop\\/grpc:8080 \\(ID:\\d+\\)';
    const told = (verdict: string, path: string) =>
      new RegExp(`: ${ends} http-request ${verdict} \\(HTTP/2 POST http://[^/]+${path}\\)$`, 'm').test(stdout);
    return told('FORWARDED', '/shop.Open/Fails') && told('DROPPED', '/shop.Secret/Unary');
  });
  const { stdout } = await instance.cli('observe', '--last', '1000', '-t', 'l7', '-o', 'json');
  t.match(stdout, '"key":"Grpc-Status","value":"5"', 'the status of the trailers');
});

t.test('gRPC-Web and Connect over HTTP/1 are HTTP: calls by the paths of their methods', async (t) => {
  const talk = ['curl', '-sS', '-w', ' %{http_code}'];
  const post = (type: string, method: string, ...more: string[]) => {
    const body = ['-H', `content-type: ${type}`, ...more, '--data-binary', '@-'];
    return run(inNetns(client, [...talk, ...body, url(OLD, method)]), { input: '\0\0\0\0\0' });
  };
  const get = (method: string) => inClient(...talk, url(OLD, method));
  const connect = ['-H', 'connect-protocol-version: 1'];
  for (const [type, ...more] of [
    ['application/grpc-web+proto'],
    ['application/proto', ...connect],
    ['application/json', ...connect],
  ]) {
    t.match(await post(type, '/shop.Open/Unary', ...more), { stdout: 'POST /shop.Open/Unary\n 200' }, type);
    t.match(await post(type, '/shop.Secret/Unary', ...more), { stdout: 'Access denied\r\n 403' }, type);
  }
  t.equal(
    await must(inNetns(client, [process.execPath, RPC_PEER, 'client', `${RPC}:${PORT}`])),
    'connect true 3 PermissionDenied PermissionDenied true\ngrpc-web true 3 PermissionDenied PermissionDenied true\n',
  );
  const question = '?connect=v1&encoding=json&message=%7B%7D'; // Connect asks what has no effects by GET
  t.match(await get(`/shop.Open/Find${question}`), { stdout: `GET /shop.Open/Find${question}\n 200` });
  t.match(await get(`/shop.Open/Unary${question}`), { stdout: 'Access denied\r\n 403' });
});

t.test('a websocket over HTTP/2 is the GET that asks for it, and opaque from then on', async (t) => {
  const script = join(import.meta.dirname, 'http2-websocket.js');
  const talk = (address: string) =>
    must(
      inNetns(client, [process.execPath, script, address, String(PORT), '/public/chat', '/secret', '/shop.Open/Chat']),
    );
  t.equal(await talk(NODE), 'offered true\n/public/chat 200 100024\n/secret 403 15\n/shop.Open/Chat 403 15\n');
  await waitFor('it to be told', async () => {
    const { stdout } = await instance.cli('observe', '--last', '1000', '-t', 'l7', '--to-ip', NODE);
    const told = (verdict: string, path: string) =>
      new RegExp(`http-request ${verdict} \\(HTTP/2 [A-Z]+ [^ ]*${path}`).test(stdout);
    return told('FORWARDED', '/public/chat') && told('DROPPED', '/secret');
  });
});

t.test('TLS on the port is refused, and said', async (t) => {
  const { stderr, code } = await inClient(
    'curl',
    '-skS',
    '-m',
    String(PATIENCE_SEC),
    `https://${NODE}:${PORT}/public/a`,
  );
  t.not(code, 0);
  t.match(stderr, /reset|SSL/);
  const { stdout: metrics } = await instance.cli('bpf', 'metrics', 'list');
  t.match(metrics, /http_errors.*tls/);
});
