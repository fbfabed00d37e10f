/** The compiled side: the incremental compiler, and what it hands out in a real ipcache and real policy maps. */
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Changes, Cluster, type EndpointChange } from '../../policy/cluster.ts';
import { readDocuments } from '../../policy/document/document.ts';
import { formatProblem, hasErrors } from '../../policy/rule/problems.ts';
import { noEdits } from '../../l7proxy/http/judgement.ts';
import { plainPath, RemoteRules, viewOf } from '../../l7proxy/http/rules.ts';
import { Head } from '../../l7proxy/http1/head.ts';
import { parseRequest } from '../../l7proxy/http1/start-line.ts';
import { Ipcache } from '../../policy-maps/ipcache.ts';
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import type { PolicyEntry } from '../../policy-maps/policy-entry.ts';
import { PolicyMap } from '../../policy-maps/policy-map.ts';
import { parseIp } from '../../wire/address.ts';
import { parseExactPrefix } from '../../wire/prefix.ts';
import type { Direction, Packet, Side } from '../oracle.ts';
import { type Change, keyOf } from '../oracle-worlds.ts';
import { isV6 } from './addresses.ts';
import { addressesOf, type Document, nodeAddresses, type Options } from './parties.ts';
import { dnsMatches, kafkaAllows, type Requests, serverNameMatches } from './requests.ts';
import { NEWCOMER } from './traffic.ts';

const HOST_ENDPOINT = 1;
const NEWCOMER_ENDPOINT = 2;
const RESERVED = 255; // identities up to here are always there
const WORLD = { single: 2, ipv4: 9, ipv6: 10 };

interface Endpoint {
  readonly change: EndpointChange;
  readonly map: PolicyMap;
  readonly trial: PolicyMap;
}

let files = 0;

export class Compiled {
  readonly cluster: Cluster;
  readonly #options: Options;
  readonly #folder: string;
  readonly #mapper = memoryMapper();
  readonly #ipcache: Ipcache;
  readonly #endpoints = new Map<number, Endpoint>();
  readonly #ruleSets = new Map<number, L7RuleSet>();
  readonly #identities = new Set<number>();
  readonly #cookies = new Set<number>();
  /** Endpoint numbers by address; addresses and numbers by object. */
  readonly #byAddress = new Map<string, number>();
  readonly #addresses = new Map<string, readonly string[]>();
  readonly #numbers = new Map<string, number>();
  readonly #texts = new Map<Document, ReturnType<typeof readDocuments>['documents']>();

  constructor(options: Options, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.cluster = new Cluster(options);
    this.#ipcache = Ipcache.create(this.#file('ipcache'), { capacity: 1024 }, this.#mapper);
  }

  #file(name: string): string {
    return join(this.#folder, `${name}_${++files}`);
  }

  apply({ set, removed, names = {}, apiServers, newcomer }: Change): void {
    for (const document of set) this.#set(document);
    for (const document of removed) this.#remove(document);
    for (const [name, ips] of Object.entries(names)) this.cluster.setName(name, ips);
    if (apiServers !== undefined) this.cluster.setApiServers(apiServers);
    if (newcomer === true) this.cluster.setInitEndpoint(NEWCOMER_ENDPOINT, [NEWCOMER]);
    if (newcomer === false) this.cluster.removeEndpoint(NEWCOMER_ENDPOINT);
    if (newcomer === true) this.#byAddress.set(NEWCOMER, NEWCOMER_ENDPOINT);
    if (newcomer === false) this.#byAddress.delete(NEWCOMER);
  }

  #set(document: Document): void {
    const isHere = document.kind === 'Pod' && document.spec.nodeName === 'here';
    for (const one of this.#read(document)) this.cluster.apply(one, isHere ? this.#numberOf(document) : 0);
    if (document.kind === 'Pod') this.#forget(keyOf(document));
    if (isHere) this.#remember(keyOf(document), this.#numberOf(document), addressesOf(document));
    if (document.kind === 'Node' && document.metadata.name === 'here') {
      this.cluster.setHostEndpoint(HOST_ENDPOINT, document.metadata.labels);
      this.#remember(keyOf(document), HOST_ENDPOINT, nodeAddresses(document));
    }
  }

  #remember(key: string, endpoint: number, addresses: readonly string[]): void {
    this.#addresses.set(key, addresses);
    for (const ip of addresses) this.#byAddress.set(ip, endpoint);
  }

  #forget(key: string): void {
    for (const ip of this.#addresses.get(key) ?? []) this.#byAddress.delete(ip);
    this.#addresses.delete(key);
  }

  #read(document: Document): ReturnType<typeof readDocuments>['documents'] {
    const known = this.#texts.get(document);
    if (known !== undefined) return known;
    const { documents, problems } = readDocuments(JSON.stringify(document), `${keyOf(document)}.yaml`, this.#options);
    if (hasErrors(problems) || documents.length === 0)
      throw new InvalidDocument(problems.map(formatProblem).join('\n'));
    this.#texts.set(document, documents);
    return documents;
  }

  #numberOf(pod: Document): number {
    const key = keyOf(pod);
    const number = this.#numbers.get(key) ?? this.#numbers.size + NEWCOMER_ENDPOINT + 1;
    this.#numbers.set(key, number);
    return number;
  }

  #remove(document: Document): void {
    const { namespace = '', name } = document.metadata;
    this.cluster.remove({ kind: document.kind, namespace, name });
    if (document.kind === 'Node' && name === 'here') this.cluster.removeEndpoint(HOST_ENDPOINT);
    this.#forget(keyOf(document));
  }

  flush(): Changes {
    const changes = this.cluster.flush();
    for (const [id, ruleSet] of changes.ruleSets.put) this.#ruleSets.set(id, ruleSet);
    for (const { id } of changes.identities.added) this.#identities.add(id);
    for (const cookie of changes.cookies.keys()) this.#cookies.add(cookie);
    for (const [id, change] of changes.endpoints) this.#publish(id, change);
    for (const id of changes.removedEndpoints) this.#close(id);
    for (const prefix of changes.ipcache.remove) this.#ipcache.remove(...addressOf(prefix));
    for (const { prefix, identity } of changes.ipcache.upsert) this.#ipcache.upsert(...addressOf(prefix), { identity });
    for (const id of changes.ruleSets.remove) this.#ruleSets.delete(id);
    for (const id of changes.identities.removed) this.#identities.delete(id);
    for (const cookie of changes.removedCookies) this.#cookies.delete(cookie);
    return changes;
  }

  #publish(id: number, change: EndpointChange): void {
    const { map, trial } = this.#endpoints.get(id) ?? { map: this.#policyMap(), trial: this.#policyMap() };
    map.publish(change.entries);
    trial.publish(change.shadow ?? change.entries);
    this.#endpoints.set(id, { change, map, trial });
  }

  #policyMap(): PolicyMap {
    return PolicyMap.create(this.#file('policy'), { capacity: 8192 }, this.#mapper);
  }

  #close(id: number): void {
    this.#endpoints.get(id)?.map.close();
    this.#endpoints.get(id)?.trial.close();
    this.#endpoints.delete(id);
  }

  /** Gives the files back. */
  end(): void {
    for (const id of [...this.#endpoints.keys()]) this.#close(id);
    this.#ipcache.close();
    rmSync(this.#folder, { recursive: true });
  }

  // --- questions

  isLocal(ip: string): boolean {
    return this.#byAddress.has(ip);
  }

  #endpoint(ip: string): Endpoint {
    const number = this.#byAddress.get(ip) ?? 0;
    const endpoint = this.#endpoints.get(number);
    if (endpoint === undefined) throw new Error(`endpoint ${number} of ${ip}: was never published`);
    return endpoint;
  }

  isOnTrial(ip: string): boolean {
    return this.#endpoint(ip).change.shadow !== undefined;
  }

  /** The entries that a lookup chooses from. */
  entries(ip: string): readonly PolicyEntry[] {
    return this.#endpoint(ip).change.entries;
  }

  identityOf(ip: string): number {
    const words = new Int32Array(4);
    parseIp(ip, words);
    const [a, b, c, d] = words;
    const world = !this.#options['dual-stack'] ? WORLD.single : isV6(ip) ? WORLD.ipv6 : WORLD.ipv4;
    return this.#ipcache.lookup(a, b, c, d) || world;
  }

  judge(packet: Packet, direction: Direction, withTrial = false): Side {
    const isEgress = direction === 'egress';
    const { change, map, trial } = this.#endpoint(isEgress ? packet.from : packet.to);
    const remote = this.identityOf(isEgress ? packet.to : packet.from);
    const verdict = (withTrial ? trial : map).lookup(remote, isEgress ? EGRESS : INGRESS, packet.protocol, packet.port);
    const { enforced } = change[direction];
    if (verdict <= 0) return { reason: -verdict as Side['reason'], enforced, parser: undefined, request: 'none' };
    const ruleSet = this.#ruleSets.get(verdict);
    if (ruleSet === undefined) throw new Error(`rule set ${verdict}: is named by an entry, but was never put`);
    const isAllowed = ruleSetAllows(ruleSet, remote, packet.requests);
    return { reason: 0, enforced, parser: ruleSet.parser, request: isAllowed ? 'allowed' : 'denied' };
  }

  /** Whether drops of the endpoint pass as AUDIT. */
  isAudited(ip: string): boolean {
    return this.#endpoint(ip).change.audit;
  }

  /** What is left; nothing when everything has been removed. */
  leftovers(): Record<string, number> {
    const { compiler, addresses } = this.cluster;
    const always = this.#options['dual-stack'] ? 2 : 0; // 0.0.0.0/0 and ::/0 are always told apart
    const counts = {
      endpoints: this.#endpoints.size,
      identities: [...this.#identities].filter((id) => id > RESERVED).length,
      ipcache: this.#ipcache.count - always,
      prefixes: addresses.prefixes.size - always,
      ruleSets: this.#ruleSets.size,
      policies: compiler.size,
      peers: compiler.selectors.size.peers,
      cookies: compiler.cookies.size,
    };
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
  }
}

/** A document that the generator should not have made, or that the reader should not have refused. */
class InvalidDocument extends Error {}

function addressOf(prefix: string): [[number, number, number, number], number] {
  const { words, bits } = parseExactPrefix(prefix);
  return [[...words], bits];
}

/** As the L7 engine reads a rule set: of the rules for the remote, one must allow the request. */
function ruleSetAllows(ruleSet: L7RuleSet, remote: number, requests: Requests): boolean {
  const { parser, rules } = ruleSet;
  const own = rules.filter(({ remotes }) => remotes === null || remotes.includes(remote));
  switch (parser) {
    case 'http':
      return httpRulesAllow(ruleSet, remote, requests.http);
    case 'dns':
      return own.some(({ dns }) => dns == null || dns.some((rule) => dnsMatches(rule, requests.dns)));
    case 'kafka':
      return (
        own.some(({ kafka }) => kafka == null) ||
        kafkaAllows(
          own.flatMap(({ kafka }) => kafka ?? []),
          requests.kafka,
        )
      );
    case 'tls': {
      const { serverName } = requests;
      const fits = (names: readonly string[]): boolean =>
        serverName !== undefined && names.some((pattern) => serverNameMatches(pattern, serverName));
      return own.some(({ serverNames }) => serverNames === undefined || fits(serverNames));
    }
  }
}

/** The judge of the L7 engine itself, with the request as it would be on the wire. */
function httpRulesAllow(
  ruleSet: L7RuleSet,
  remote: number,
  { method, path, host, headers }: Requests['http'],
): boolean {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const bytes = Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields.join('')}\r\n`);
  const head = new Head();
  if (parseRequest(head, bytes, 0, bytes.length) !== bytes.length)
    throw new Error(`parse request: ${bytes.toString()}`);
  const view = { ...viewOf(bytes, head), path: plainPath(path) }; // the oracle knows no other readings
  return new RemoteRules(ruleSet, remote).judge(view, bytes, head, noEdits()) >= 0;
}
