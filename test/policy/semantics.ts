/** A small world, and packets asked of the real policy maps that a policy makes in it: for tests of what policies mean. */
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import { type Changes, Cluster, type EndpointChange } from '../../policy/cluster.ts';
import { readDocuments } from '../../policy/document/document.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import { formatProblem, hasErrors } from '../../policy/rule/problems.ts';
import { policyName } from '../../policy/rule/rule.ts';

const folder = mkdtempSync(join(tmpdir(), 'policy-semantics-'));
t.teardown(() => rmSync(folder, { recursive: true }));
let maps = 0;

const PODS = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: red}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: other, labels: {team: blue}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, status: {podIP: 10.0.0.1},
 spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: client, namespace: shop, labels: {app: client, tier: front}}, status: {podIP: 10.0.0.2},
 spec: {serviceAccountName: buyer, containers: [{name: c, ports: [{name: http, containerPort: 9000}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: stranger, namespace: other, labels: {app: client}}, status: {podIP: 10.0.0.3}}
---
{apiVersion: v1, kind: Node, metadata: {name: localhost, labels: {zone: a}}, status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: far, labels: {zone: b}}, status: {addresses: [{type: InternalIP, address: 192.0.2.2}]}}
`;

/** Who can be at the other end of a packet, by the name the tests use. */
export type Remote = string;

export class World {
  readonly cluster: Cluster;
  changes: Changes;
  readonly #endpoints = new Map<number, EndpointChange>();
  readonly #ids = new Map<string, number>();

  constructor(policies: string, config: PolicyConfig = {}) {
    this.cluster = new Cluster(config);
    const { documents, problems } = readDocuments(`${PODS}\n---\n${policies}`, 'world.yaml', config);
    if (hasErrors(problems)) throw new Error(problems.map(formatProblem).join('\n'));
    for (const document of documents) {
      if (document.kind === 'Pod') this.#ids.set(`${document.namespace}/${document.name}`, this.#ids.size + 1);
      this.cluster.apply(document, this.#ids.get(`${document.namespace}/${document.name}`) ?? 0);
    }
    this.cluster.setHostEndpoint(1000, { zone: 'a' });
    this.changes = this.flush();
  }

  apply(text: string): void {
    const { documents, problems } = readDocuments(text, 'more.yaml', this.cluster.options);
    if (hasErrors(problems)) throw new Error(problems.map(formatProblem).join('\n'));
    for (const document of documents) this.cluster.apply(document);
    this.flush();
  }

  flush(): Changes {
    this.changes = this.cluster.flush();
    for (const [id, change] of this.changes.endpoints) this.#endpoints.set(id, change);
    for (const id of this.changes.removedEndpoints) this.#endpoints.delete(id);
    return this.changes;
  }

  endpoint(pod: string): EndpointChange {
    const change = this.#endpoints.get({ host: 1000, init: 1001 }[pod] ?? this.#ids.get(pod) ?? 0);
    if (change === undefined) throw new Error(`no endpoint ${pod}`);
    return change;
  }

  identity(remote: Remote): number {
    if (remote === 'host') return 1;
    if (remote === 'world') return this.cluster.addresses.lookup('198.51.100.77');
    if (remote === 'kube-apiserver') return 7;
    if (remote === 'health') return 4;
    const [namespace, name] = remote.split('/');
    return this.cluster.podIdentity(namespace, name ?? '') ?? this.cluster.addresses.lookup(remote);
  }

  /** 'allow', 'deny' (181), 'none' (133), 'auth' (189), or the rules of the redirect. */
  ask(pod: string, direction: 'ingress' | 'egress', remote: Remote, packet: string, shadow = false): string {
    const { entries, shadow: shadowed } = this.endpoint(pod);
    const list = shadow ? (shadowed ?? []) : entries;
    const map = PolicyMap.create(
      join(folder, `policy_${++maps}`),
      { capacity: Math.max(1, list.length) },
      memoryMapper(),
    );
    map.publish(list);
    const { protocol, port } = parsePacket(packet);
    const verdict = map.lookup(this.identity(remote), direction === 'egress' ? EGRESS : INGRESS, protocol, port);
    this.cookie = map.cookie;
    map.close();
    if (verdict === -133) return 'none';
    if (verdict === -181) return 'deny';
    if (verdict === -189) return 'auth';
    return verdict === 0 ? 'allow' : this.#redirect(verdict, this.identity(remote));
  }

  cookie = 0;

  #redirect(id: number, remote: number): string {
    const ruleSet = this.cluster.compiler.ruleSets.ruleSet(id);
    const rules = (ruleSet?.rules ?? []).filter(({ remotes }) => remotes === null || remotes.includes(remote));
    const texts = rules.map((rule) => {
      const list = rule.http ?? rule.dns ?? rule.kafka ?? (rule.serverNames as readonly object[] | undefined) ?? null;
      return list === null ? 'everything' : JSON.stringify(list);
    });
    return `${ruleSet?.parser} ${texts.sort().join(' | ')}`;
  }

  deciders(): string[] {
    return this.cluster.origins(this.cookie).map((origin) => `${policyName(origin)} ${origin.path}`);
  }
}

const PROTOCOLS: Record<string, number> = { TCP: 6, UDP: 17, SCTP: 132, ICMP: 1, ICMPv6: 58 };

function parsePacket(text: string): { protocol: number; port: number } {
  const [protocol, port] = text.split('/');
  return { protocol: PROTOCOLS[protocol] ?? Number(protocol), port: Number(port) };
}

/** A CiliumNetworkPolicy about pod web in namespace shop. */
export function cnp(spec: string, name = 'test'): string {
  return `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: ${name}, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: web}}
${spec.replace(/^/gm, '  ')}
`;
}

export function ccnp(spec: string, name = 'wide', subject = 'endpointSelector: {matchLabels: {app: web}}'): string {
  return `
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: ${name}}
spec:
  ${subject}
${spec.replace(/^/gm, '  ')}
`;
}

export function knp(spec: string, name = 'plain'): string {
  return `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${name}, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
${spec.replace(/^/gm, '  ')}
`;
}

/** `ingress shop/client TCP/80`: wanted. */
export type Expectations = Record<string, string>;

export interface Case {
  readonly name: string;
  readonly policy: string;
  readonly config?: PolicyConfig;
  readonly expect: Expectations;
}

export function run(title: string, cases: readonly Case[]): void {
  t.test(title, (t) => {
    for (const { name, policy, config, expect } of cases) {
      const world = new World(policy, config);
      const found = Object.fromEntries(
        Object.keys(expect).map((key) => {
          const [direction, remote, packet, pod = 'shop/web'] = key.split(' ');
          return [key, world.ask(pod, direction as 'ingress', remote, packet)];
        }),
      );
      t.same(found, expect, name);
    }
    t.end();
  });
}

export const GET = 'rules: {http: [{method: GET}]}';
export const PUT = 'rules: {http: [{method: PUT}]}';
export const http = (port: string, rules: string, peers = ''): string =>
  `ingress: [{${peers}toPorts: [{ports: [{port: "${port}", protocol: TCP}], ${rules}}]}]`;
export const CLIENT = 'fromEndpoints: [{matchLabels: {app: client}}], ';
