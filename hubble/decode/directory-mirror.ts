/**
 * Who is who, as the observatory knows it: what the agent told it (directory-delta.ts), for the flow decoder.
 *
 * Flows are decoded when somebody looks, which may be long after the event. So who has gone is remembered for a while:
 * of each table the last DEPARTED, the ones asked for longest ago forgotten first. A number or address that is given out anew
 * means its new owner from then on. Not remembered are services by address and names: an address outlives what it stood for.
 */
import { LRUCache } from 'lru-cache';
import type { Directory, EndpointEntry, PodEntry } from './directory.ts';
import { compact, type NetworkInterface, type PolicyRef, type Service } from '../flow.ts';
import { share } from '../shared-part.ts';
import { type Direction, EGRESS } from '../../wire/direction.ts';
import {
  type DefaultDenies,
  type DirectoryDelta,
  type PolicyFacts,
  policyName,
  type RuleRef,
  placeOf,
  toldOf,
} from './directory-delta.ts';

const DEPARTED = 1024;

type Key = string | number;

const NONE: readonly never[] = [];

/** Values by key, and what the keys meant that have gone. */
class Table<K extends Key, V extends object> {
  readonly #present = new Map<K, V>();
  readonly #gone: LRUCache<K, V> | undefined;

  /** @param departed how many that have gone are remembered */
  constructor(departed = DEPARTED) {
    this.#gone = departed === 0 ? undefined : new LRUCache<K, V>({ max: departed });
  }

  get(key: K): V | undefined {
    const present = this.#present.get(key);
    return present === undefined && this.#gone !== undefined && this.#gone.size > 0 ? this.#gone.get(key) : present;
  }

  learn(changes: readonly (readonly [K, V | undefined])[] = []): void {
    for (const [key, value] of changes) {
      const before = this.#present.get(key);
      if (value !== undefined) this.#present.set(key, share(value));
      else if (before !== undefined) {
        this.#present.delete(key);
        this.#gone?.set(key, before);
      }
    }
  }
}

/** What a cookie stands for. */
interface CookieMeaning {
  readonly policies: readonly PolicyRef[];
  readonly log: readonly string[];
}

/** Values by address and a number, asked for without making a text of both. What has gone is forgotten. */
class NestedTable<V extends object> {
  readonly #values = new Map<string, Map<number, V>>();

  of(address: string): ReadonlyMap<number, V> | undefined {
    return this.#values.get(address);
  }

  get isEmpty(): boolean {
    return this.#values.size === 0;
  }

  /** @param keyOf takes a key of the delta apart */
  learn(changes: readonly (readonly [string, V | undefined])[] = [], keyOf: (key: string) => [string, number]): void {
    for (const [key, value] of changes) {
      const [address, number] = keyOf(key);
      const of = this.#values.get(address) ?? new Map<number, V>();
      if (value === undefined) of.delete(number);
      else of.set(number, share(value));
      if (of.size === 0) this.#values.delete(address);
      else this.#values.set(address, of);
    }
  }
}

export class DirectoryMirror implements Directory {
  readonly #identities = new Table<number, readonly string[]>();
  readonly #endpoints = new Table<number, EndpointEntry>();
  readonly #denies = new Table<number, DefaultDenies>();
  readonly #addresses = new Table<string, PodEntry>();
  /** By address, then by port. */
  readonly #places = new NestedTable<Service>();
  readonly #frontends = new Table<number, Service>();
  /** By address, then by endpoint. */
  readonly #names = new NestedTable<readonly string[]>();
  readonly #cookies = new Table<number, readonly RuleRef[]>();
  readonly #policies = new Table<string, PolicyFacts>();
  readonly #interfaces = new Table<number, NetworkInterface>();
  /** What cookies stand for, as it was asked for; at most DEPARTED. */
  readonly #asked = new Map<number, CookieMeaning>();
  #nodeLabels: readonly string[] = NONE;

  learn(delta: DirectoryDelta): void {
    this.#identities.learn(delta.identities);
    this.#endpoints.learn(delta.endpoints);
    this.#denies.learn(delta.denies);
    this.#addresses.learn(delta.addresses);
    this.#places.learn(delta.places, placeOf);
    this.#frontends.learn(delta.frontends);
    this.#names.learn(delta.names, toldOf);
    this.#cookies.learn(delta.cookies);
    this.#policies.learn(delta.policies);
    this.#interfaces.learn(delta.interfaces);
    if (delta.cookies !== undefined || delta.policies !== undefined) this.#asked.clear();
    this.#nodeLabels = delta.nodeLabels === undefined ? this.#nodeLabels : share(delta.nodeLabels);
  }

  identityLabels(identity: number): readonly string[] | undefined {
    return this.#identities.get(identity);
  }

  endpoint(id: number): EndpointEntry | undefined {
    return this.#endpoints.get(id);
  }

  pod(ip: string): PodEntry | undefined {
    return this.#addresses.get(ip);
  }

  names(ip: string, endpointId: number): readonly string[] {
    if (this.#names.isEmpty) return NONE;
    const told = this.#names.of(ip);
    if (told === undefined) return NONE;
    const own = told.get(endpointId) ?? NONE;
    const all = endpointId === 0 ? NONE : (told.get(0) ?? NONE);
    if (own.length === 0 || all.length === 0) return own.length === 0 ? all : own;
    return [...new Set([...own, ...all])];
  }

  service(ip: string, port: number): Service | undefined {
    return this.#places.isEmpty ? undefined : this.#places.of(ip)?.get(port);
  }

  frontend(id: number): Service | undefined {
    return this.#frontends.get(id);
  }

  interface(port: number): NetworkInterface | undefined {
    return this.#interfaces.get(port);
  }

  policies(cookie: number): readonly PolicyRef[] {
    return this.#meaningOf(cookie).policies;
  }

  policyLog(cookie: number): readonly string[] {
    return this.#meaningOf(cookie).log;
  }

  nodeLabels(): readonly string[] {
    return this.#nodeLabels;
  }

  defaultDeny(endpoint: number, direction: Direction): number {
    return this.#denies.get(endpoint)?.[direction === EGRESS ? 'egress' : 'ingress'] ?? 0;
  }

  #meaningOf(cookie: number): CookieMeaning {
    const asked = this.#asked.get(cookie);
    if (asked !== undefined) return asked;
    const rules = this.#cookies.get(cookie) ?? NONE;
    const log = rules.flatMap((rule) => (rule.log === undefined ? [] : [rule.log]));
    const meaning = { policies: share(this.#refsOf(rules)), log: share(log) };
    if (this.#asked.size === DEPARTED) this.#asked.clear();
    this.#asked.set(cookie, meaning);
    return meaning;
  }

  /** Each policy once, however many of its rules are there. */
  #refsOf(rules: readonly RuleRef[]): PolicyRef[] {
    const found = new Map(rules.map((rule) => [policyName(rule), rule]));
    return [...found].map(([key, { kind, namespace, name }]) => {
      const facts = this.#policies.get(key);
      return compact<PolicyRef>({
        name,
        namespace,
        labels: facts?.labels,
        revision: facts && String(facts.revision),
        kind,
      });
    });
  }
}
