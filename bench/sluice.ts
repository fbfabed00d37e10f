/** Sluice: the daemon with its own instance name, both pods selected in both directions by the policies below. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cleanup } from '../test/command.ts';
import { SluiceInstance } from '../test/rig.ts';
import { CLIENT, IPERF_PORT, type Raised, type RuleSet, SERVER, type Subject, WEB_PORT } from './subject.ts';

const ADDRESS = '10.98.0.3';
const CLIENT_ADDRESS = '10.98.0.2';

const pod = (name: string, netns: string, address: string, attach: string) => `---
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: bench
  labels: { app: ${name} }
  annotations: { sluice.io/netns: ${netns}${attach === 'default' ? '' : `, sluice.io/attach: ${attach}`} }
status: { podIP: ${address} }
`;

function policies(rules: RuleSet): string {
  const web = `{ port: "${WEB_PORT}", protocol: TCP }`;
  const open = rules === 'l4' ? `{ port: "${IPERF_PORT}", protocol: ANY }, ${web}` : web;
  const http =
    rules === 'http'
      ? 'rules: { http: [{ method: GET, path: "/public(/.*)?" }, { method: PUT, path: "/version" }] }'
      : '';
  return `---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: server, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: server } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts:
        - ports: [${open}]
          ${http}
    - fromEndpoints: [{ matchLabels: { app: client } }]
      icmps: [{ fields: [{ type: 8, family: IPv4 }] }]
  egress: [{}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: client, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: client } }
  ingress: [{}]
  egress:
    - toEndpoints: [{ matchLabels: { app: server } }]
      toPorts:
        - ports: [${open}]
    - toEndpoints: [{ matchLabels: { app: server } }]
      icmps: [{ fields: [{ type: 8, family: IPv4 }] }]
`;
}

/** The manifests of this bench's rig. */
const manifests = (rules: RuleSet, attach: string): string =>
  `apiVersion: v1
kind: Namespace
metadata: { name: bench }
${pod('client', CLIENT, CLIENT_ADDRESS, attach)}${pod('server', SERVER, ADDRESS, attach)}${policies(rules)}`;

async function up(attach: string, rules: RuleSet, cleanup: Cleanup): Promise<Raised> {
  const dir = mkdtempSync('/tmp/slb-sluice-');
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'rig.yaml');
  writeFileSync(file, manifests(rules, attach));
  const instance = await SluiceInstance.start({ name: 'slb', podCIDR4: '10.98.0.0/24', cleanup });
  await instance.apply(file);
  await instance.untilReady(['bench/client', 'bench/server']);
  return { address: ADDRESS, pids: () => instance.pids() };
}

/** Attached by veth pairs (AF_PACKET) or by TAP devices. */
export const sluice = (attach: 'veth' | 'tap' | 'default'): Subject => ({
  name: attach === 'default' ? 'sluice' : `sluice ${attach}`,
  ruleSets: ['l4', 'http'],
  up: (rules, cleanup) => up(attach, rules, cleanup),
});
