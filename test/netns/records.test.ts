/**
 * Every request and response is told: as many flows as requests were made, at the full rate of a client, and none is lost.
 *
 *   <name>-shop-client ── Sluice (policy below) ┬─ <name>-shop-plain   nginx, HTTP/1
 *     h2load                                    └─ <name>-shop-two     nghttpd, HTTP/2
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, must, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

const PORT = 8080;
const PLAIN = '10.244.0.11';
const TWO = '10.244.0.12';
/** Of each kind: with their answers, the flows of both fit into the memory of the agent. */
const REQUESTS = 8000;

const cleanup = new Cleanup();
const name = `slr${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
mkdirSync(join(dir, 'htdocs/public'), { recursive: true });
writeFileSync(join(dir, 'htdocs/public/a'), 'a'.repeat(100));
writeFileSync(
  join(dir, 'nginx.conf'),
  `user root; daemon off; pid ${dir}/nginx.pid; error_log stderr crit;
events { }
http { access_log off; keepalive_requests 1000000; server { listen ${PORT}; root ${dir}/htdocs; } }
`,
);

function pod(app: string, address: string, command: readonly string[]): string {
  return `apiVersion: v1
kind: Pod
metadata: { name: ${app}, namespace: shop, labels: { app: ${app}, tier: web } }
spec: { containers: [{ name: server, image: example/server, command: ${JSON.stringify(command)}, ports: [{ containerPort: ${PORT} }] }] }
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
${pod('plain', PLAIN, ['/usr/sbin/nginx', '-c', join(dir, 'nginx.conf')])}${pod('two', TWO, ['nghttpd', '--no-tls', '-d', join(dir, 'htdocs'), String(PORT)])}apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  endpointSelector: { matchLabels: { tier: web } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts:
        - ports: [{ port: "${PORT}", protocol: TCP }]
          rules: { http: [{ method: GET, path: "/public/.*" }] }
`,
);
const instance = await SluiceInstance.withRig(
  name,
  cleanup,
  join(dir, 'rig.yaml'),
  'hubble: { event-buffer-capacity: 65535 }',
);
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());

/** How many L7 flows of a pod are kept, by what they are. */
async function told(podName: string): Promise<Record<string, number>> {
  const { stdout } = await instance.cli(
    'observe',
    '--last',
    '65535',
    '-t',
    'l7',
    '--pod',
    `shop/${podName}`,
    '-o',
    'compact',
  );
  const counts: Record<string, number> = {};
  for (const line of stdout.split('\n')) {
    const [, kind] = /(http-\w+ (?:FORWARDED|DROPPED))/.exec(line) ?? [];
    if (kind !== undefined) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

for (const [version, podName, address, ...args] of [
  ['HTTP/1', 'plain', PLAIN, '--h1', '-c', '16'],
  ['HTTP/2', 'two', TWO, '-c', '4', '-m', '32'],
]) {
  t.test(`${version}: every request and every answer of ${REQUESTS}, half of them denied, is told`, async (t) => {
    const urls = ['/public/a', '/secret'].map((path) => `http://${address}:${PORT}${path}`);
    const client = instance.netnsOf('shop/client');
    const out = await must(inNetns(client, ['h2load', '-n', String(REQUESTS), ...args, ...urls]));
    t.match(out, `${REQUESTS / 2} 2xx, 0 3xx, ${REQUESTS / 2} 4xx`);
    t.comment(/finished in .*/.exec(out)?.[0]);
    const wanted = {
      'http-request FORWARDED': REQUESTS / 2,
      'http-request DROPPED': REQUESTS / 2,
      'http-response FORWARDED': REQUESTS / 2,
    };
    let found = {};
    await waitFor('the last to be read', async () => {
      found = await told(podName);
      return JSON.stringify(found).length > 0 && (found as typeof wanted)['http-response FORWARDED'] >= REQUESTS / 2;
    });
    t.same(found, wanted);
  });
}

t.test('none was left out, and none was lost on the way', async (t) => {
  const { stdout } = await instance.cli('bpf', 'metrics', 'list', '-o', 'json');
  t.notMatch(stdout, 'l7_records_skipped');
  const observed = await instance.cli('observe', '--last', '65535', '-o', 'json');
  t.notMatch(observed.stdout, 'lost_events');
});
