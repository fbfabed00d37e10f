/**
 * Services into the pinned maps: what has changed of each is told to the pen that owns the tables
 * (policy-maps/service/service-writer.ts), frontend by frontend. A frontend that is as it was is not touched.
 *
 * An address of a service has a wildcard besides, so that its other ports are dropped and nobody else's: not an address of
 * this node, and not an externalIP, which may be a machine's. What finds a table full is tried again with each publication.
 */
import * as tables from '../../policy-maps/service/service-map.ts';
import { BACKEND_ACTIVE, BACKEND_TERMINATING } from '../../policy-maps/service/backend-map.ts';
import {
  type Backend,
  type Service,
  type ServiceMaps,
  ServiceWriter,
} from '../../policy-maps/service/service-writer.ts';
import type { SourceRange } from '../../policy-maps/service/source-range-map.ts';
import type { MapFullError } from '../../policy-maps/table/map-error.ts';
import { type Algorithm, serviceKey } from '../../policy/rule/service-spec.ts';
import { type Frontend, type FrontendKind, frontendKey } from '../../services/frontends.ts';
import type { ServiceChange, ServiceState } from '../../services/service-book.ts';
import { addressWords } from '../../wire/address.ts';
import { parsePrefix } from '../../wire/prefix.ts';

export interface ServiceOptions {
  readonly algorithm: Algorithm;
  readonly maglevTableSize: number;
}

/** A row of the service table as it is to be, and a text that differs when it does. */
interface Row {
  readonly key: tables.FrontendKey;
  readonly service: Service;
  readonly text: string;
  /** `namespace/name`. */
  readonly owner: string;
}

const KIND_FLAGS: Readonly<Record<FrontendKind, number>> = {
  ClusterIP: 0,
  ExternalIPs: tables.SERVICE_EXTERNAL_IP | tables.SERVICE_ROUTABLE,
  LoadBalancer: tables.SERVICE_LOAD_BALANCER | tables.SERVICE_ROUTABLE,
  NodePort: tables.SERVICE_NODE_PORT | tables.SERVICE_ROUTABLE,
};

/** What a service has in the maps. */
interface Published {
  readonly rows: ReadonlyMap<string, Row>;
  /** Addresses whose wildcard it wants. */
  readonly addresses: ReadonlySet<string>;
}

const NOTHING: Published = { rows: new Map(), addresses: new Set() };

export class ServicePublisher {
  readonly #writer: ServiceWriter;
  readonly #options: ServiceOptions;
  readonly #published = new Map<string, Published>();
  /** Services by the ids of their frontends. */
  readonly #byFrontend = new Map<number, string>();
  readonly #idOf = new Map<string, number>();
  /** Frontends whose service is another than at the last `takeTouched`. */
  #touched = new Set<number>();
  /** How many services want the wildcard of an address. */
  readonly #wildcards = new Map<string, number>();
  /** Found no room. */
  readonly #unplaced = new Map<string, Row>();
  /** Why something could not be published; '' when all was. */
  problem = '';

  constructor(maps: ServiceMaps, options: ServiceOptions) {
    this.#writer = new ServiceWriter(maps);
    this.#options = options;
  }

  /**
   * Publishes what has changed.
   * @param nodeAddresses addresses of this node, which have no wildcard
   * @returns whether the maps are others than before: then raise the world generation
   */
  publish(changes: readonly ServiceChange[], nodeAddresses: ReadonlySet<string>): boolean {
    const fresh = new Map<string, Row>();
    const gone = new Map<string, Row>();
    for (const { key, after } of changes) {
      const before = this.#published.get(key) ?? NOTHING;
      const now = after === undefined ? NOTHING : this.#wanted(after, nodeAddresses);
      for (const [name, row] of before.rows) if (!now.rows.has(name)) gone.set(name, row);
      for (const [name, row] of now.rows) if (before.rows.get(name)?.text !== row.text) fresh.set(name, row);
      for (const address of now.addresses) if (!before.addresses.has(address)) this.#count(address, 1);
      for (const address of before.addresses) if (!now.addresses.has(address)) this.#count(address, -1);
      if (now === NOTHING) this.#published.delete(key);
      else this.#published.set(key, now);
    }
    // A frontend may have gone from one service to another. The row of the outer scope names that of the inner one.
    for (const [name, { key }] of [...gone].sort(outerFirst)) {
      if (fresh.has(name)) continue;
      this.#forget(name, key);
    }
    const wanted = new Map([...this.#unplaced, ...fresh]);
    for (const [name, row] of [...wanted].sort(outerFirst).reverse()) this.#place(name, row);
    if (this.#unplaced.size === 0) this.problem = '';
    return gone.size + fresh.size > 0;
  }

  /** `namespace/name` of the service that a frontend is of. */
  ownerOf(frontend: number): string | undefined {
    return this.#byFrontend.get(frontend);
  }

  /** Ids of frontends. */
  ids(): Iterable<number> {
    return this.#byFrontend.keys();
  }

  /** Ids of frontends that came or went since the last call. */
  takeTouched(): Iterable<number> {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  /** Rows of services that are published, without wildcards. */
  get frontends(): number {
    let count = 0;
    for (const { rows } of this.#published.values()) count += rows.size;
    return count;
  }

  /** Takes out what an earlier agent published and this one has not: once everything has been published. */
  retire(): void {
    this.#writer.settle();
  }

  #wanted(state: ServiceState, nodeAddresses: ReadonlySet<string>): Published {
    const rows = new Map(state.frontends.map((one) => [frontendKey(one), this.#row(state, one)]));
    const own = state.frontends.filter(({ kind }) => kind === 'ClusterIP' || kind === 'LoadBalancer');
    const addresses = own.map(({ address }) => address).filter((address) => !nodeAddresses.has(address));
    return { rows, addresses: new Set(addresses) };
  }

  #count(address: string, more: 1 | -1): void {
    const count = (this.#wildcards.get(address) ?? 0) + more;
    const key = { address: addressWords(address), port: 0, protocol: 0, scope: tables.SCOPE_EXTERNAL };
    const name = `${address} wildcard`;
    if (count > 0) this.#wildcards.set(address, count);
    else this.#wildcards.delete(address);
    if (count === 1 && more === 1) this.#place(name, { key, service: NO_SERVICE, text: '', owner: '' });
    if (count > 0) return;
    this.#forget(name, key);
  }

  #forget(name: string, key: tables.FrontendKey): void {
    this.#unplaced.delete(name);
    this.#writer.remove(key);
    const id = this.#idOf.get(name) ?? 0;
    if (this.#byFrontend.delete(id)) this.#touched.add(id);
    this.#idOf.delete(name);
  }

  #place(name: string, row: Row): void {
    try {
      const id = this.#writer.set(row.key, row.service);
      this.#unplaced.delete(name);
      if (id === 0) return;
      this.#idOf.set(name, id);
      this.#byFrontend.set(id, row.owner);
      this.#touched.add(id);
    } catch (error) {
      if ((error as MapFullError).code !== 'ERR_MAP_FULL') throw error;
      this.problem = (error as Error).message;
      this.#unplaced.set(name, row);
    }
  }

  #row({ spec }: ServiceState, frontend: Frontend): Row {
    const { kind, hasTwoScopes, address, port, protocol, scope } = frontend;
    const isBalancer = kind === 'LoadBalancer';
    const { sourceRanges, deniesRanges } = spec.loadBalancer;
    const isMaglev = (spec.algorithm ?? this.#options.algorithm) === 'maglev';
    const flags =
      KIND_FLAGS[kind] |
      (spec.isExternalLocal ? tables.SERVICE_EXTERNAL_LOCAL : 0) |
      (spec.isInternalLocal ? tables.SERVICE_INTERNAL_LOCAL : 0) |
      (spec.affinitySec > 0 ? tables.SERVICE_AFFINITY : 0) |
      (hasTwoScopes ? tables.SERVICE_TWO_SCOPES : 0) |
      (isMaglev ? tables.SERVICE_MAGLEV : 0) |
      // Ranges of the other family alone leave nobody of this one.
      (isBalancer && sourceRanges.length > 0 ? tables.SERVICE_SOURCE_RANGE : 0) |
      (isBalancer && deniesRanges ? tables.SERVICE_SOURCE_RANGE_DENY : 0);
    const service: Service = {
      flags,
      affinitySec: spec.affinitySec,
      backends: frontend.backends.map(backendOf),
      sourceRanges: isBalancer ? rangesOf(sourceRanges, address) : [],
      ...(isMaglev && { maglevTableSize: this.#options.maglevTableSize }),
    };
    const number = scope === 'internal' ? tables.SCOPE_INTERNAL : tables.SCOPE_EXTERNAL;
    const key = { address: addressWords(address), port, protocol, scope: number };
    const owner = serviceKey(spec);
    return { key, service, text: JSON.stringify([owner, service]), owner };
  }
}

function outerFirst([, a]: [string, Row], [, b]: [string, Row]): number {
  return a.key.scope - b.key.scope;
}

const NO_SERVICE: Service = { flags: 0, affinitySec: 0, backends: [], sourceRanges: [] };

function backendOf({ address, port, protocol, isTerminating, weight }: Frontend['backends'][number]): Backend {
  const state = isTerminating ? BACKEND_TERMINATING : BACKEND_ACTIVE;
  return { address: addressWords(address), port, protocol, state, weight };
}

/** The ranges of the family of an address. */
function rangesOf(texts: readonly string[], address: string): SourceRange[] {
  const { family } = parsePrefix(address, 'host');
  const ranges = texts.map((text) => parsePrefix(text.trim())).filter((range) => range.family === family);
  return ranges.map(({ words, bits }) => ({ address: words, prefixLength: bits }));
}
