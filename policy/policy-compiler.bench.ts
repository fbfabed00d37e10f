/**
 * Full compile and single changes of the policy compiler, for the world that the project promises figures for (1,000
 * endpoints, 200 namespaces, 2,000 policies, 5,000 identities) and for ten times that world at the same changes. A change
 * is timed from the call to the last affected endpoint's map published. Every change is about an endpoint that is here: a
 * policy that selects one, the label of one, the label of its namespace (25 pods, 5 of them here).
 *
 *   node dist/policy/policy-compiler.bench.js [scale ...]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryMapper } from '../policy-maps/memory-mapper.ts';
import { PolicyMap } from '../policy-maps/policy-map.ts';
import { Cluster } from './cluster.ts';
import { type Document, readDocuments } from './document.ts';
import { hasErrors } from './problems.ts';

const CHANGES = 300;
const APPS = 25;

let state = 42;
function draw(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return (state >>> 8) % below;
}
const app = (): string => `app${draw(APPS)}`;

/** Every fifth pod of a namespace is here. */
const isLocal = (namespace: number, place: number): boolean => place % 5 === namespace % 5;

/**
 * A policy of the mix: 30 % NetworkPolicy, 60 % CiliumNetworkPolicy (a third with HTTP), 10 % clusterwide. A namespaced one
 * selects the one pod of the namespace that has the app.
 */
function policyText(i: number, scale: number, subject: { namespace: number; app: number }): string {
  const namespace = `ns${subject.namespace}`;
  const kind = i % 10;
  if (kind < 3) {
    return `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p${i}, namespace: ${namespace}}
spec:
  podSelector: {matchLabels: {app: app${subject.app}}}
  policyTypes: [Ingress${kind === 0 ? ', Egress' : ''}]
  ingress:
  - from:
    - podSelector: {matchLabels: {app: ${app()}}}
    - {namespaceSelector: {matchLabels: {team: t${draw(20 * scale)}}}, podSelector: {matchLabels: {app: ${app()}}}}
    ports: [{protocol: TCP, port: 80}, {protocol: TCP, port: 8080, endPort: 8090}]
`;
  }
  if (kind === 9) {
    return `apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: p${i}}
spec:
  endpointSelector: {matchLabels: {app: ${app()}, tier: t${draw(50 * scale)}}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: ${app()}, tier: t${draw(50 * scale)}}}]
`;
  }
  const http = kind < 5 ? `rules: {http: [{method: GET, path: "/v${draw(5)}/[^.]*"}]}` : '';
  const cidr = kind === 6 ? `  - fromCIDR: [172.${16 + draw(16)}.${draw(256)}.0/24]\n` : '';
  const deny = kind === 7 ? `  ingressDeny:\n  - fromEndpoints: [{matchLabels: {app: ${app()}}}]\n` : '';
  return `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: p${i}, namespace: ${namespace}}
spec:
  endpointSelector: {matchLabels: {app: app${subject.app}}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: ${app()}}}]
    toPorts:
    - ports: [{port: "80", protocol: TCP}]
      ${http}
${cidr}${deny}  egress:
  - toEntities: [cluster]
    toPorts: [{ports: [{port: "53", protocol: ANY}]}]
`;
}

/** @returns all, and those that select a pod that is here */
function readPolicies(scale: number): { all: Document[]; local: Document[] } {
  const local: Document[] = [];
  const all = Array.from({ length: 2000 * scale }, (_, i) => {
    const subject = { namespace: draw(200 * scale), app: draw(APPS) };
    const { documents, problems } = readDocuments(policyText(i, scale, subject), `p${i}.yaml`);
    if (hasErrors(problems)) throw new Error(JSON.stringify(problems));
    if (i % 10 !== 9 && isLocal(subject.namespace, subject.app)) local.push(documents[0]);
    return documents[0];
  });
  return { all, local };
}

function report(metric: string, value: number, unit: string): void {
  console.log(JSON.stringify({ metric, value: Number(value.toFixed(2)), unit }));
}

function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
}

function measure(scale: number, map: PolicyMap): void {
  const [namespaces, identities] = [200 * scale, 5000 * scale];
  const namespace = (i: number, labels = {}) => ({
    name: `ns${i}`,
    labels: { team: `t${i % (20 * scale)}`, ...labels },
  });
  const pod = (i: number, labels = {}) => ({
    namespace: `ns${i % namespaces}`,
    name: `pod${i}`,
    labels: { app: `app${Math.floor(i / namespaces) % APPS}`, tier: `t${i % (50 * scale)}`, ...labels },
    endpointId: isLocal(i % namespaces, Math.floor(i / namespaces)) ? i + 1 : 0,
    ips: [`10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`],
  });
  const began = performance.now();
  const { all: policies, local } = readPolicies(scale);
  report(`policy read x${scale}`, performance.now() - began, 'ms');
  const start = performance.now();
  const cluster = new Cluster();
  for (let i = 0; i < namespaces; i++) cluster.setNamespace(namespace(i));
  for (let i = 0; i < identities; i++) cluster.setPod(pod(i));
  for (const policy of policies) cluster.setPolicy(policy);
  cluster.flush();
  report(`policy full compile x${scale}`, performance.now() - start, 'ms');
  report(`policy resident x${scale}`, process.memoryUsage.rss() / 1e6, 'MB');
  const timed = (metric: string, change: (round: number) => void): void => {
    const times: number[] = [];
    let touched = 0;
    for (let round = 0; round < CHANGES; round++) {
      const from = performance.now();
      change(round);
      const { endpoints } = cluster.flush();
      for (const { entries } of endpoints.values()) map.publish(entries);
      times.push(performance.now() - from);
      touched += endpoints.size;
    }
    report(`${metric} x${scale} p50`, percentile(times, 0.5), 'ms');
    report(`${metric} x${scale} p99`, percentile(times, 0.99), 'ms');
    report(`${metric} x${scale} endpoints touched`, touched / CHANGES, 'mean');
    const total = times.reduce((sum, time) => sum + time, 0);
    report(`${metric} x${scale} per endpoint touched`, (total / Math.max(1, touched)) * 1000, 'us');
  };
  const hereIn = (namespace: number): number => (namespace % 5) * namespaces + namespace;
  timed('policy pod label', (round) => cluster.setPod(pod(hereIn(draw(namespaces)), { v: `v${round}` })));
  timed('policy new pod', (round) => cluster.setPod({ ...pod(hereIn(draw(namespaces))), name: `new${round}` }));
  timed('policy removed', (round) => cluster.removePolicy(local[round % local.length]));
  timed('policy added', (round) => cluster.setPolicy(local[round % local.length]));
  timed('policy namespace label', (round) => {
    const i = draw(namespaces);
    cluster.setNamespace(namespace(i, { v: `v${round}` }));
  });
}

const scales = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), 'policy-bench-'));
try {
  const map = PolicyMap.create(join(folder, 'policy'), {}, memoryMapper());
  for (const scale of scales.length > 0 ? scales : [1, 10]) {
    measure(scale, map);
    globalThis.gc?.();
  }
} finally {
  rmSync(folder, { recursive: true });
}
