/**
 * Full compile and single changes of the policy compiler, for the world that the project promises figures for (1,000
 * endpoints, 200 namespaces, 2,000 policies, 5,000 identities) and for ten times that world at the same changes. A change
 * is timed from the call to the last affected endpoint's map published. Every change is about an endpoint that is here: a
 * policy that selects one, the label of one, the label of its namespace (25 pods, 5 of them here). Then one policy of 10,000
 * rules, each with its own prefix and port: how long the first time, and how long once more with a rule added.
 *
 *   node dist/policy/policy-compiler.bench.js [scale ...]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import { Cluster } from '../cluster.ts';
import { type Document, readDocuments } from '../document/document.ts';
import { hasErrors } from '../rule/problems.ts';

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

/** Namespaces and pods of a world, to be set again with other labels. */
function makers(scale: number) {
  const namespaces = 200 * scale;
  return {
    namespaces,
    identities: namespaces * APPS,
    namespace: (i: number, labels = {}) => ({ name: `ns${i}`, labels: { team: `t${i % (20 * scale)}`, ...labels } }),
    pod: (i: number, labels = {}) => {
      const place = Math.floor(i / namespaces);
      return {
        namespace: `ns${i % namespaces}`,
        name: `pod${i}`,
        labels: { app: `app${place % APPS}`, tier: `t${i % (50 * scale)}`, ...labels },
        endpointId: isLocal(i % namespaces, place) ? i + 1 : 0,
        ips: [`10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`],
      };
    },
    /** The number of a pod of the namespace that is here. */
    hereIn: (namespace: number): number => (namespace % 5) * namespaces + namespace,
  };
}

type Makers = ReturnType<typeof makers>;

function measure(scale: number, map: PolicyMap): void {
  const world = makers(scale);
  const began = performance.now();
  const { all, local } = readPolicies(scale);
  report(`policy read x${scale}`, performance.now() - began, 'ms');
  const start = performance.now();
  const cluster = new Cluster();
  for (let i = 0; i < world.namespaces; i++) cluster.setNamespace(world.namespace(i));
  for (let i = 0; i < world.identities; i++) cluster.setPod(world.pod(i));
  for (const policy of all) cluster.setPolicy(policy);
  cluster.flush();
  report(`policy full compile x${scale}`, performance.now() - start, 'ms');
  report(`policy resident x${scale}`, process.memoryUsage.rss() / 1e6, 'MB');
  // What loading left behind is not the changes' to clear away.
  globalThis.gc?.();
  for (const [name, change] of Object.entries(changesOf(cluster, world, local))) {
    timeChanges(`policy ${name} x${scale}`, change, () => {
      const { endpoints } = cluster.flush();
      for (const { entries } of endpoints.values()) map.publish(entries);
      return endpoints.size;
    });
  }
}

/** What is done in each round; a policy removed in one comes back in the same round of the next. */
function changesOf(
  cluster: Cluster,
  world: Makers,
  local: readonly Document[],
): Record<string, (round: number) => void> {
  const { namespaces, namespace, pod, hereIn } = world;
  return {
    'pod label': (round) => cluster.setPod(pod(hereIn(draw(namespaces)), { v: `v${round}` })),
    'new pod': (round) => cluster.setPod({ ...pod(hereIn(draw(namespaces))), name: `new${round}` }),
    removed: (round) => cluster.removePolicy(local[round % local.length]),
    added: (round) => cluster.setPolicy(local[round % local.length]),
    'namespace label': (round) => cluster.setNamespace(namespace(draw(namespaces), { v: `v${round}` })),
  };
}

/** @param publish @returns how many endpoints the change touched */
function timeChanges(metric: string, change: (round: number) => void, publish: () => number): void {
  const times: number[] = [];
  let touched = 0;
  for (let round = 0; round < CHANGES; round++) {
    const from = performance.now();
    change(round);
    touched += publish();
    times.push(performance.now() - from);
  }
  report(`${metric} p50`, percentile(times, 0.5), 'ms');
  report(`${metric} p99`, percentile(times, 0.99), 'ms');
  report(`${metric} endpoints touched`, touched / CHANGES, 'mean');
  const total = times.reduce((sum, time) => sum + time, 0);
  report(`${metric} per endpoint touched`, (total / Math.max(1, touched)) * 1000, 'us');
}

const RULES = 10_000;

/** @param more rules beyond `RULES` */
function largePolicy(more: number): string {
  const rule = (i: number): object => ({
    fromCIDR: [`172.${16 + (i >> 12)}.${(i >> 4) & 255}.${(i & 15) << 4}/28`],
    toPorts: [{ ports: [{ port: String(1000 + i), protocol: 'TCP' }] }],
  });
  return JSON.stringify({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name: 'large', namespace: 'ns0' },
    spec: { endpointSelector: {}, ingress: Array.from({ length: RULES + more }, (_, i) => rule(i)) },
  });
}

function measureLarge(map: PolicyMap): void {
  const { namespace, pod } = makers(1);
  const cluster = new Cluster();
  cluster.setNamespace(namespace(0));
  cluster.setPod(pod(0));
  cluster.flush();
  const timed = <T>(metric: string, work: () => T): T => {
    const from = performance.now();
    const result = work();
    report(`policy of ${RULES} prefixes and ports ${metric}`, performance.now() - from, 'ms');
    return result;
  };
  const publish = (): void => {
    for (const { entries } of cluster.flush().endpoints.values()) map.publish(entries);
  };
  const apply = (document: Document): void => {
    cluster.apply(document);
    publish();
  };
  const [first] = timed('read', () => readDocuments(largePolicy(0), 'large.yaml').documents);
  timed('compile', () => apply(first));
  const [second] = readDocuments(largePolicy(1), 'large.yaml').documents;
  timed('one rule more', () => apply(second));
  timed('new pod', () => {
    cluster.setPod({ ...pod(1), namespace: 'ns0', endpointId: 0 });
    publish();
  });
  timed('removed', () => {
    cluster.removePolicy({ kind: 'CiliumNetworkPolicy', namespace: 'ns0', name: 'large' });
    publish();
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
  measureLarge(map);
} finally {
  rmSync(folder, { recursive: true });
}
