/**
 * Rules changed on living connections of HTTP/1 and HTTP/2 take hold at their next request: they refuse, they allow, and
 * when they are lifted, all passes until they come back. Kafka and DNS: l7proxy/kafka/kafka.test.ts, l7proxy/dns/stream.test.ts. TLS is judged by its hello alone.
 *
 *   <name>-shop-client ── Sluice ─┬─ <name>-shop-web      node examples/server.mjs
 *                                 └─ <name>-shop-second   http2-server.ts
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup } from '../command.ts';
import { SluiceInstance } from '../rig.ts';
import { Asker } from './asker.ts';

const PORT = 8080;
const WEB = '10.244.0.11';
const SECOND = '10.244.0.12';

const cleanup = new Cleanup();
const name = `slhr${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));

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

/** @param rules of HTTP; null = a plain allow */
function policy(rules: string | null): string {
  const l7 = rules === null ? '' : `, rules: { http: ${rules} }`;
  return `---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  endpointSelector: { matchLabels: { tier: web } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts: [{ ports: [{ port: "${PORT}", protocol: TCP }]${l7} }]
`;
}

const FIRST_RULES = '[{ path: "/first(/.*)?" }]';
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
${pod('web', WEB, ['node', 'examples/server.mjs', String(PORT)])}${pod('second', SECOND, [process.execPath, join(import.meta.dirname, 'http2-server.js'), String(PORT)])}${policy(FIRST_RULES)}`,
);
const instance = await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml'));
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());

async function put(rules: string | null): Promise<void> {
  writeFileSync(join(dir, 'policy.yaml'), policy(rules));
  await instance.apply(join(dir, 'policy.yaml'));
}

for (const [version, address] of [
  [1, WEB],
  [2, SECOND],
] as const) {
  t.test(`HTTP/${version}: changed, lifted and restored rules, on one connection`, async (t) => {
    await put(FIRST_RULES);
    const asker = new Asker(instance.netnsOf('shop/client'), cleanup, address, PORT, version);
    const asked = async () => [await asker.ask('/first'), await asker.ask('/second')].join(' ');
    t.equal(await asked(), '200 403');
    const { port } = asker;
    await put('[{ path: /second }]');
    t.equal(await asked(), '403 200', 'others');
    await put(null);
    t.equal(await asked(), '200 200', 'none');
    await put(FIRST_RULES);
    t.equal(await asked(), '200 403', 'the first again');
    t.equal(asker.port, port, 'all of it on one connection');
    await instance.delete(join(dir, 'policy.yaml'));
    t.equal(await asked(), '200 200', 'the policy is gone, and with it all that closed the pod');
    t.equal(asker.port, port);
    asker.end();
  });
}
