/**
 * What rules inside a connection cost beside rules about ports: ports of one server, each under other rules, so that nothing else
 * differs. Requests through none, two and a thousand HTTP rules; bodies of 1 GiB; Kafka.
 */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cleanup, inNetns, isListening, must, start, waitFor } from '../test/command.ts';
import { joinLoopbacks, KAFKA_LOADS, startBroker, TOPIC, writeOne } from './kafka.ts';
import { type Load, wrk } from './load.ts';
import type { Results } from './series.ts';
import { raiseSluice } from './sluice.ts';
import { CLIENT, makeNamespaces, SERVER, WEB_PORT } from './subject.ts';
import { inTurn } from './turns.ts';

const PLAIN_PORT = 8083;
const MANY_PORT = 8084;
const RULES = 1000;
const BODY_BYTES = 2 ** 30;
const BODY_FILE = '/tmp/slb-body';
const PATHS_FILE = '/tmp/slb-paths.lua';
const BODY_TIMEOUT_MS = 180_000;

/** The rule that counts is the last one. */
const manyRules = [
  ...Array.from({ length: RULES - 1 }, (_, index) => `{ method: GET, path: "/shop/${index}/items(/.*)?" }`),
  '{ method: GET, path: "/public(/.*)?" }',
].join(', ');

const open = (...ports: number[]) => ports.map((port) => `{ port: "${port}", protocol: TCP }`).join(', ');

/** @param ruled Kafka port under rules @param plain one without */
const policies = (ruled: number, plain: number) => `---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: ways-server, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: server } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts:
        - ports: [${open(PLAIN_PORT, plain)}]
        - ports: [${open(MANY_PORT)}]
          rules: { http: [${manyRules}] }
        - ports: [${open(ruled)}]
          rules: { kafka: [{ role: produce, topic: ${TOPIC} }, { role: consume, topic: ${TOPIC} }] }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: ways-client, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: client } }
  egress:
    - toEndpoints: [{ matchLabels: { app: server } }]
      toPorts: [{ ports: [${open(PLAIN_PORT, MANY_PORT, ruled, plain)}] }]
`;

async function serve(cleanup: Cleanup): Promise<void> {
  const dir = mkdtempSync('/tmp/slb-ways-');
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(BODY_FILE, '');
  truncateSync(BODY_FILE, BODY_BYTES);
  writeFileSync(PATHS_FILE, NEW_PATHS);
  for (const file of [BODY_FILE, PATHS_FILE]) cleanup.add(() => rmSync(file, { force: true }));
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/error.log warn;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; client_max_body_size 0;
  server {
    listen ${WEB_PORT}; listen ${PLAIN_PORT}; listen ${MANY_PORT};
    keepalive_requests 100000000;
    location / { return 200 "hello\\n"; }
    location = /public/body { alias ${BODY_FILE}; }
  }
}
`,
  );
  const nginx = start(inNetns(SERVER, ['nginx', '-c', join(dir, 'nginx.conf')]));
  cleanup.add(() => nginx.child.kill());
  await waitFor('nginx to listen', () => isListening(SERVER, MANY_PORT));
}

/** @param more options of wrk */
const requests = (metric: string, ...more: string[]): Load => ({
  name: metric,
  perUnit: 'request',
  run: async (address, seconds) => {
    const { requestsPerSec } = await wrk(`http://${address}/public`, seconds, 64, ...more);
    return [{ metric, value: requestsPerSec / 1000, unit: 'k req/s' }];
  },
});

/** No path twice: nothing that was judged before helps. */
const NEW_PATHS = 'local n = 0; request = function() n = n + 1; return wrk.format("GET", "/public/" .. n) end\n';

const REQUESTS = [requests('http, by rules'), requests('http, new paths, by rules', '-s', PATHS_FILE)];

/** Of one body, however long it takes. */
const body = (metric: string, path: string, figure: string, ...more: string[]): Load => ({
  name: metric,
  perUnit: 'frame',
  run: async (address) => {
    const what = ['-s', '-o', '/dev/null', '-w', `%{http_code} %{size_${figure}} %{speed_${figure}}`, ...more];
    const argv = ['curl', ...what, `http://${address}${path}`];
    const [status, bytes, speed] = (await must(inNetns(CLIENT, argv), { timeoutMs: BODY_TIMEOUT_MS })).split(' ');
    if (status !== '200' || Number(bytes) !== BODY_BYTES)
      throw new Error(`${metric}: status ${status}, ${bytes} bytes`);
    return [{ metric, value: Number(speed) / 2 ** 20, unit: 'MiB/s' }];
  },
});

const BODIES = [
  body('response of 1 GiB', '/public/body', 'download'),
  body('request of 1 GiB', '/version', 'upload', '-T', BODY_FILE),
];

/** @throws Error unless the rules are in force */
async function check(address: string, ruled: number, plain: number): Promise<void> {
  const argv = ['curl', '-s', '-m', '5', '-o', '/dev/null', '-w', '%{http_code} '];
  const urls = [PLAIN_PORT, MANY_PORT].map((port) => `http://${address}:${port}/private`);
  const http = await Promise.all(urls.map((url) => must(inNetns(CLIENT, [...argv, url]))));
  const kafka = [await writeOne(ruled, TOPIC), await writeOne(plain, TOPIC), await writeOne(ruled, 'other')];
  const found = [...http, ...kafka].join('');
  const wanted = '200 403 writtenwrittenTOPIC_AUTHORIZATION_FAILED';
  if (found !== wanted) throw new Error(`l7 rules: wanted ${wanted}, found ${found}`);
}

async function takeTurn(cleanup: Cleanup, seconds: number, results: Results): Promise<void> {
  await makeNamespaces(cleanup, CLIENT, SERVER);
  const [ruled, plain] = [await startBroker(cleanup), await startBroker(cleanup)];
  const { instance, address } = await raiseSluice(
    { attach: 'default', rules: 'http', bystanders: 0, more: policies(ruled, plain) },
    cleanup,
  );
  await serve(cleanup);
  await joinLoopbacks(address, [ruled, plain]);
  await check(address, ruled, plain);
  const pids = () => instance.pids();
  const way = (name: string, where: string) => ({ name: `sluice ${name}`, address: where, pids });
  const l4 = way('L4 rule', `${address}:${PLAIN_PORT}`);
  const few = way('HTTP rules', `${address}:${WEB_PORT}`);
  const many = way(`${RULES} HTTP rules`, `${address}:${MANY_PORT}`);
  await inTurn([l4, few, many], REQUESTS, seconds, results);
  await inTurn([l4, few], BODIES, seconds, results);
  await inTurn([way('L4 rule', String(plain)), way('Kafka rules', String(ruled))], KAFKA_LOADS, seconds, results);
}

/** Each round with a rig of its own. */
export async function measureL7Rules(rounds: number, seconds: number, results: Results): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    console.error(`rules inside connections, round ${round} of ${rounds}`);
    const cleanup = new Cleanup();
    try {
      await takeTurn(cleanup, seconds, results);
    } finally {
      cleanup.finish();
    }
  }
}
