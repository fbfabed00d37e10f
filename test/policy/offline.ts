/** The offline commands in a small world of manifests, run as a user would. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { run } from '../../cli/program.ts';
import { testHost } from '../cli-host.ts';

export const PODS = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { team: a } }
---
apiVersion: v1
kind: Pod
metadata: { name: web-0, namespace: shop, labels: { app: web } }
spec: { nodeName: n1, containers: [] }
status: { podIP: 10.1.0.1 }
---
apiVersion: v1
kind: Pod
metadata: { name: api-0, namespace: shop, labels: { app: api } }
spec:
  nodeName: n2
  containers:
    - { name: api, ports: [{ name: http, containerPort: 8080 }, { name: dns, containerPort: 53, protocol: UDP }] }
status: { podIP: 10.1.0.2 }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: job, namespace: batch }
spec: { replicas: 2, selector: {}, template: { metadata: { labels: { app: job } }, spec: { containers: [] } } }
---
apiVersion: v1
kind: Pod
metadata: { name: agent, namespace: batch, labels: { app: agent } }
spec: { nodeName: n2, hostNetwork: true, containers: [] }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: outside, annotations: { sluice.io/external: "true" } }
spec: { containers: [] }
status: { podIP: 203.0.113.9 }
---
apiVersion: v1
kind: Node
metadata: { name: n2 }
status: { addresses: [{ type: InternalIP, address: 192.168.0.2 }] }
`;
export const POLICIES = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: api, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: api } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: web } }]
      toPorts:
        - ports: [{ port: "8080", protocol: TCP }]
          rules: { http: [{ method: GET, path: "/offers(/.*)?" }, { path: "/admin(/.*)?", headers: ["X-Key: s"] }] }
    - fromEndpoints: [{ matchLabels: { app: job, "k8s:io.kubernetes.pod.namespace": batch } }]
      toPorts: [{ ports: [{ port: "9000", endPort: 9010, protocol: TCP }] }]
    - fromCIDR: [203.0.113.0/24]
    - icmps: [{ fields: [{ type: 8, family: IPv4 }] }]
  ingressDeny:
    - fromCIDR: [203.0.113.128/25]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  podSelector: { matchLabels: { app: web } }
  policyTypes: [Egress]
  egress:
    - to: [{ podSelector: { matchLabels: { app: api } } }]
      ports: [{ port: http }]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: names, namespace: batch }
spec:
  endpointSelector: { matchLabels: { app: job } }
  egress:
    - toEntities: [world]
      toPorts: [{ ports: [{ port: "53", protocol: UDP }], rules: { dns: [{ matchPattern: "*.a.example" }] } }]
    - toEntities: [world]
      toPorts: [{ ports: [{ port: "443", protocol: TCP }], serverNames: ["*.b.example", c.example] }]
    - toEntities: [world]
      toPorts:
        - ports: [{ port: "8082", protocol: TCP }]
          rules: { http: [{ host: "db:1" }, { method: ".*", host: "db:1" }, { method: CONNECT, host: "tunnel:1" }] }
`;

export const folder = mkdtempSync(join(tmpdir(), 'sluice-policy-test-'));
t.teardown(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'world', 'sub'), { recursive: true });
writeFileSync(join(folder, 'world', 'pods.yaml'), PODS);
writeFileSync(join(folder, 'world', 'sub', 'policies.yaml'), POLICIES);
export const world = join(folder, 'world');

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function policy(argv: readonly string[], stdin = '', columns?: number): Promise<Outcome> {
  const { host, stdout, stderr } = testHost(stdin, {}, columns);
  const code = await run(['policy', ...argv], host);
  return { code, stdout: stdout(), stderr: stderr() };
}

/** Answers to queries, one object each. */
export async function verdicts(queries: readonly unknown[], ...flags: string[]): Promise<any[]> {
  const lines = queries.map((query) => (typeof query === 'string' ? query : JSON.stringify(query)));
  const { stdout } = await policy(['verdict', '-m', world, '--queries', '-', ...flags], lines.join('\n'));
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

export const web = { pod: 'shop/web-0' };
export const api = { pod: 'shop/api-0' };
export const job = { pod: 'batch/job-1' };
