/** The incremental compiler against a fresh one, down to empty tables; and what a change touches. */
import { EGRESS, INGRESS } from '../wire/direction.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { PolicyMap } from '../policy-maps/policy-map.ts';
import { memoryMapper } from '../policy-maps/table/memory-mapper.ts';
import {
  Draw,
  NAMES,
  type Json,
  randomObject,
  documentOf,
  Told,
  Published,
  CONFIGS,
} from '../test/policy/random-world.ts';
import { Cluster } from './cluster.ts';
import type { Document } from './document/document.ts';
import { LabelSet } from './rule/labels.ts';
import { holds } from './rule/peer.ts';
import type { Element, PortSpec, Rule } from './rule/rule.ts';
import { type LabelSelector, selects } from './rule/selector.ts';

t.test('flush() after any changes publishes what a fresh cluster would', (t) => {
  const seed = Number(process.env['SEED'] ?? 20260731);
  const rounds = Number(process.env['ROUNDS'] ?? 16);
  t.comment(`seed ${seed}`);
  for (let round = 0; round < rounds; round++) {
    const draw = new Draw(seed + round * 7919);
    const config = CONFIGS[round % CONFIGS.length];
    const cluster = new Cluster(config);
    const told = new Told();
    const published = new Published();
    for (let step = 0; step < 60; step++) {
      const known = [...told.documents.keys()];
      if (draw.chance(8)) {
        const name = draw.of(NAMES);
        const ips = draw.chance(70) ? draw.some(['10.1.2.3', '203.0.113.5', '2001:db8::9'], 2) : [];
        told.names.set(name, ips);
        cluster.setName(name, ips);
      } else if (known.length > 0 && draw.chance(25)) {
        const key = draw.of(known);
        cluster.remove(told.documents.get(key) as Document);
        told.documents.delete(key);
      } else {
        const document = documentOf(randomObject(draw));
        if (document === undefined) continue;
        told.documents.set(`${document.kind}/${document.namespace}/${document.name}`, document);
        cluster.apply(document, told.endpointId(document));
      }
      if (!draw.chance(40)) continue;
      const found = published.take(cluster).describe();
      const wanted = new Published().take(told.tell(new Cluster(config))).describe();
      if (JSON.stringify(found) === JSON.stringify(wanted)) continue;
      t.same(found, wanted, `seed ${seed} round ${round} step ${step}`);
      t.end();
      return;
    }
    for (const document of told.documents.values()) cluster.remove(document);
    for (const name of told.names.keys()) cluster.setName(name, []);
    published.take(cluster);
    const left = {
      endpoints: published.endpoints.size,
      ipcache: [...published.ipcache.keys()].filter(
        (prefix) => config['dual-stack'] !== true || !prefix.endsWith('/0'),
      ),
      identities: [...published.identities.keys()].filter((id) => id > 10),
      ruleSets: published.ruleSets.size,
      policies: cluster.compiler.size,
      peers: cluster.compiler.selectors.size.peers,
      cookies: cluster.compiler.cookies.size,
      allRuleSets: cluster.compiler.ruleSets.size,
      names: cluster.names.patterns(),
      prefixes: cluster.addresses.prefixes.size - (config['dual-stack'] === true ? 2 : 0),
      pods: cluster.pods.size,
    };
    t.same(
      left,
      {
        endpoints: 0,
        ipcache: [],
        identities: [],
        ruleSets: 0,
        policies: 0,
        peers: 0,
        cookies: 0,
        allRuleSets: 0,
        names: [],
        prefixes: 0,
        pods: 0,
      },
      `round ${round}: nothing is left`,
    );
  }
  t.end();
});

/** A packet judged rule by rule, element by element, without filters, drafts or maps. */
class Naive {
  readonly #cluster: Cluster;
  readonly #direction: 'ingress' | 'egress';
  readonly #rules: readonly Rule[];
  readonly #required: { allow: LabelSelector; deny: LabelSelector };
  readonly #ports: ReadonlyMap<string, number>;

  constructor(cluster: Cluster, labels: LabelSet, direction: 'ingress' | 'egress', ports: ReadonlyMap<string, number>) {
    this.#cluster = cluster;
    this.#direction = direction;
    this.#ports = ports;
    const selecting = [...cluster.policies].filter(({ audit }) => !audit).flatMap(({ rules }) => rules);
    this.#rules = selecting.filter((rule) => !rule.selectsNodes && selects(rule.subject, labels));
    const requiredBy = (deny: boolean): LabelSelector =>
      this.#rules.flatMap((rule) =>
        rule[direction].filter((one) => one.deny === deny).flatMap(({ requires }) => requires),
      );
    this.#required = { allow: requiredBy(false), deny: requiredBy(true) };
  }

  #holds(element: Element, identity: number): boolean {
    const labels = this.#cluster.identities.labels(identity) ?? new LabelSet([]);
    const required = element.deny ? this.#required.deny : this.#required.allow;
    const peers = element.peers.flatMap((peer) =>
      peer.service === undefined ? [peer] : this.#cluster.services.peersOf(peer.service),
    );
    return peers.some((peer) => holds(peer, labels) && (peer.isEndpoints !== true || selects(required, labels)));
  }

  #covers(port: PortSpec, identity: number, packet: { protocol: number; port: number }): boolean {
    if (port.protocol !== packet.protocol) return false;
    if (port.isIcmp) return port.port === packet.port;
    if (port.name !== undefined) {
      if (this.#direction === 'ingress') return this.#ports.get(`${port.protocol}/${port.name}`) === packet.port;
      return this.#cluster.compiler.portNames.portsOf(identity, port.protocol, port.name).includes(packet.port);
    }
    return port.port === 0 || (port.port <= packet.port && packet.port <= port.endPort);
  }

  judge(identity: number, packet: { protocol: number; port: number }): string {
    const { options } = this.#cluster;
    if (options['enable-policy'] === 'never') return 'allow';
    const elements = this.#rules
      .flatMap((rule) => rule[this.#direction])
      .filter((element) => this.#holds(element, identity));
    const matching = elements.flatMap((element): { element: Element; port: PortSpec | undefined }[] =>
      element.ports === null
        ? [{ element, port: undefined }]
        : element.ports.filter((port) => this.#covers(port, identity, packet)).map((port) => ({ element, port })),
    );
    if (matching.some(({ element }) => element.deny)) return 'deny';
    const isClosed =
      options['enable-policy'] === 'always' || this.#rules.some(({ defaultDeny }) => defaultDeny[this.#direction]);
    const isHost = identity === 1 && this.#direction === 'ingress' && options['allow-localhost'] !== 'policy';
    const parsers = ['http', 'kafka', 'dns'].filter((parser) =>
      matching.some(({ port }) => port?.l7?.parser === parser),
    );
    if (parsers.length > 0) {
      const lists = matching.flatMap(({ port }) => {
        if (port?.l7 !== undefined) return port.l7.parser === parsers[0] ? [JSON.stringify(port.l7.rules)] : [];
        // The DNS parser goes by its own port: what allows every port says nothing to it.
        const isBroad = port === undefined || (port.port === 0 && port.name === undefined);
        return parsers[0] === 'dns' && isBroad ? [] : ['everything'];
      });
      if (isHost || !isClosed) lists.push('everything');
      return `${parsers[0]} ${[...new Set(lists)].sort().join(' ')}`;
    }
    return matching.length > 0 || isHost || !isClosed ? 'allow' : 'none';
  }
}

t.test('entries decide as the rules say, one by one', (t) => {
  const seed = Number(process.env['SEED'] ?? 20260731);
  const rounds = Number(process.env['ROUNDS'] ?? 16);
  t.comment(`seed ${seed}`);
  const folder = mkdtempSync(join(tmpdir(), 'policy-cluster-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  let judged = 0;
  for (let round = 0; round < rounds; round++) {
    const draw = new Draw(seed + round * 104729);
    const cluster = new Cluster({
      ...CONFIGS[round % CONFIGS.length],
      'enable-policy': draw.of(['default', 'default', 'always', 'never']),
    });
    const told = new Told();
    for (let step = 0; step < 50; step++) {
      const document = documentOf(randomObject(draw));
      if (document !== undefined)
        told.documents.set(`${document.kind}/${document.namespace}/${document.name}`, document);
    }
    told.names.set('x.example', ['203.0.113.5']);
    const { endpoints, problems } = told.tell(cluster).flush();
    // A conflict takes a rule's say away, which rules looked at one by one do not show.
    if (problems.length > 0) continue;
    const identities = [...cluster.identities.entries()].map(({ id }) => id);
    for (const [id, change] of endpoints) {
      const map = PolicyMap.create(
        join(folder, `policy_${round}_${id}`),
        { capacity: Math.max(1, change.entries.length) },
        memoryMapper(),
      );
      map.publish(change.entries);
      const pod = [...cluster.pods].find(({ spec }) => spec.endpointId === id);
      const ports = new Map(
        (pod?.spec.namedPorts ?? []).map(({ protocol, name, port }) => [`${protocol}/${name}`, port]),
      );
      for (const direction of ['ingress', 'egress'] as const) {
        const naive = new Naive(cluster, new LabelSet(change.labels), direction, ports);
        for (let i = 0; i < 60; i++) {
          const identity = draw.of(identities);
          const packet = {
            protocol: draw.of([6, 6, 6, 17, 132, 1, 58]),
            port: draw.of([0, 8, 53, 70, 79, 80, 81, 85, 90, 99, 128, 443, 8080]),
          };
          const verdict = map.lookup(identity, direction === 'egress' ? EGRESS : INGRESS, packet.protocol, packet.port);
          const found =
            verdict === -133
              ? 'none'
              : verdict === -181
                ? 'deny'
                : verdict <= 0
                  ? 'allow'
                  : redirect(cluster, verdict, identity);
          const wanted = naive.judge(identity, packet);
          judged++;
          // Authentication drops what would be redirected or allowed.
          if (found === wanted || (verdict === -189 && wanted !== 'none' && wanted !== 'deny')) continue;
          t.same(
            found,
            wanted,
            `seed ${seed} round ${round} endpoint ${id} ${direction} identity ${identity} ${JSON.stringify(packet)}`,
          );
          t.end();
          return;
        }
      }
      map.close();
    }
  }
  t.ok(judged > 1000, `${judged} packets`);
  t.end();
});

function redirect(cluster: Cluster, id: number, remote: number): string {
  const ruleSet = cluster.compiler.ruleSets.ruleSet(id);
  const rules = (ruleSet?.rules ?? []).filter(({ remotes }) => remotes === null || remotes.includes(remote));
  const lists = rules.map((rule) => {
    const list = rule.http ?? rule.dns ?? rule.kafka ?? null;
    return list === null ? 'everything' : JSON.stringify(list);
  });
  return `${ruleSet?.parser} ${[...new Set(lists)].sort().join(' ')}`;
}

t.test('flush() touches only what a change touches', (t) => {
  const cluster = new Cluster();
  const apply = (object: Json, id = 0): void => cluster.apply(documentOf(object) as Document, id);
  const pod = (name: string, app: string, extra: Json = {}): Json => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'a', labels: { app, ...extra } },
    status: { podIP: `10.0.0.${name.slice(1)}` },
  });
  for (let i = 1; i <= 4; i++) apply(pod(`p${i}`, i <= 2 ? 'web' : 'db'), i);
  const policy = (name: string, app: string, peer: string): Json => ({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name, namespace: 'a' },
    spec: {
      endpointSelector: { matchLabels: { app } },
      ingress: [{ fromEndpoints: [{ matchLabels: { app: peer } }] }],
    },
  });
  apply(policy('web', 'web', 'db'));
  t.equal(cluster.flush().endpoints.size, 4);
  t.equal(cluster.flush().endpoints.size, 0, 'nothing twice');
  apply(policy('web', 'web', 'db'));
  t.equal(cluster.flush().endpoints.size, 0, 'the same policy again is no change');
  apply(policy('db', 'db', 'web'));
  t.same([...cluster.flush().endpoints.keys()], [3, 4]);
  apply(pod('p9', 'db', { extra: 'new' }));
  t.same([...cluster.flush().endpoints.keys()], [1, 2], 'a new identity reaches those whose peers hold it');
  apply(pod('p9', 'db', { extra: 'new' }));
  t.equal(cluster.flush().endpoints.size, 0);
  apply(pod('p8', 'other'));
  const { endpoints, identities, ipcache } = cluster.flush();
  t.equal(endpoints.size, 0);
  t.equal(identities.added.length, 1);
  t.same(
    ipcache.upsert.map(({ prefix }) => prefix),
    ['10.0.0.8/32'],
  );
  const before = cluster.compiler.size;
  t.ok(before <= 3, 'endpoints with the same rules share a policy');
  cluster.removePod('a', 'p1');
  t.same(cluster.flush().removedEndpoints, [1]);
  t.throws(() => cluster.setPolicy(documentOf(pod('p1', 'x')) as Document), TypeError);
  t.end();
});

t.test('rule sets keep their id while their content is the same, whatever else changes', (t) => {
  const cluster = new Cluster();
  const apply = (object: Json, id = 0): void => cluster.apply(documentOf(object) as Document, id);
  apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p1', labels: { app: 'web' } } }, 1);
  const policy = (name: string, port: string, rules: Json): Json => ({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name },
    spec: { endpointSelector: {}, ingress: [{ toPorts: [{ ports: [{ port, protocol: 'TCP' }], rules }] }] },
  });
  apply(policy('one', '80', { http: [{ method: 'GET' }] }));
  const [id] = cluster.flush().ruleSets.put.keys();
  apply(policy('two', '81', { http: [] }));
  const { ruleSets, endpoints } = cluster.flush();
  t.same([ruleSets.put.size, ruleSets.remove], [0, []]);
  t.ok(endpoints.get(1)?.entries.some(({ ruleSet }) => ruleSet === id));
  apply(policy('one', '80', { http: [{ method: 'PUT' }] }));
  const changed = cluster.flush().ruleSets;
  t.equal(changed.put.size, 1);
  t.same(changed.remove, [id], 'the old one goes in the same flush');
  t.end();
});
