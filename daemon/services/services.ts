/**
 * Services on this node: documents and pods in, addresses and numbers given, tables of the dataplane out.
 *
 *     ServiceTable (of the compiler) --+
 *     pods (PodFeed) ------------------+--> ServiceBook --> ServicePublisher --> pinned maps
 *     addresses of the host -----------+        ^
 *                                      ServiceNumbering (cluster addresses, node ports; on disk first)
 *
 * Nothing is published before `open`: until everything that an earlier agent attached has been adopted no pod is ready, and
 * a service without backends would end the connections that it has. What the earlier agent published stays meanwhile.
 */
import type { Document } from '../../policy/document/document.ts';
import { serviceFromDocument } from '../../policy/document/service.ts';
import { serviceKey, type ServiceSpec } from '../../policy/rule/service-spec.ts';
import type { ServiceTable } from '../../policy/service-table.ts';
import type { ServiceMaps } from '../../policy-maps/service/service-writer.ts';
import type { Frontend } from '../../services/frontends.ts';
import { ServiceBook, type ServiceChange } from '../../services/service-book.ts';
import { addressWords } from '../../wire/address.ts';
import { type Config, loopbackAddresses } from '../config/config.ts';
import type { ServiceNames } from '../observe/directory-feed.ts';
import { serviceAt } from '../../hubble/decode/directory-delta.ts';
import { ServicePublisher } from '../publish/service-publisher.ts';
import { OuterPlaces } from './outer-places.ts';
import { ServiceNumbering, type ServiceProblem } from './service-numbering.ts';

interface ServicesOptions {
  readonly config: Config;
  readonly stateDir: string;
  readonly table: ServiceTable;
  readonly maps: ServiceMaps;
}

export class Services {
  readonly book: ServiceBook;
  readonly numbering: ServiceNumbering;
  readonly #table: ServiceTable;
  readonly #maps: ServiceMaps;
  readonly #publisher: ServicePublisher;
  readonly #loopback: readonly string[];
  readonly #outer = new OuterPlaces();
  #nodeAddresses: ReadonlySet<string> = new Set();
  /** What is wrong with each service. */
  readonly #sentences = new Map<string, readonly string[]>();
  /** Services that are others than at the last `takeChanged`. */
  #changed: string[] = [];
  /** Addresses and ports whose service may be another than at the last `takeNamed`. */
  #places = new Map<string, Frontend>();
  #isOpen = false;

  constructor({ config, stateDir, table, maps }: ServicesOptions) {
    this.#table = table;
    this.#maps = maps;
    this.book = new ServiceBook(table, config.nodeName);
    this.numbering = new ServiceNumbering(stateDir, config);
    this.#loopback = loopbackAddresses(config);
    const { services } = config;
    this.#publisher = new ServicePublisher(maps, {
      algorithm: services['bpf-lb-algorithm'],
      maglevTableSize: services['bpf-lb-maglev-table-size'],
    });
  }

  /** Addresses of this node: node ports are served on them. */
  setNodeAddresses(addresses: readonly string[]): void {
    this.#nodeAddresses = new Set(addresses);
    this.book.setNodeAddresses(addresses);
  }

  /**
   * From services and pods to the maps; nothing before `open`.
   * @returns whether the maps are others than before
   */
  sync(): boolean {
    if (!this.#isOpen) return false;
    const touched = this.book.takeTouched();
    if (touched.length > 0) this.numbering.assign(new Map(touched.map((key) => [key, this.#table.get(key)])));
    const changes = this.book.flush((spec) => this.numbering.assignmentOf(serviceKey(spec)));
    for (const { key } of changes) this.#judge(key);
    this.#changed.push(...changes.map(({ key }) => key));
    this.#outer.note(changes);
    this.#touch(changes);
    return this.#publisher.publish(changes, this.#nodeAddresses);
  }

  /** Publishes for the first time, and takes away what an earlier agent has left. Call it once all pods have been adopted. */
  open(): void {
    this.#isOpen = true;
    this.numbering.keepOnly(new Set(this.#table.keys()));
    for (const address of this.#loopback) this.#maps.addressFilter.add(addressWords(address));
    this.sync();
    this.#publisher.retire();
  }

  /** Keys of services that are others than at the last call, or gone. */
  takeChanged(): readonly string[] {
    const changed = this.#changed;
    this.#changed = [];
    return changed;
  }

  /** What clients outside address, the same array while that does not change; undefined before `open`. */
  get outerPlaces(): OuterPlaces['all'] | undefined {
    return this.#isOpen ? this.#outer.all : undefined;
  }

  /** What flows are to call services: the addresses and frontends that are others than at the last call. */
  takeNamed(): ServiceNames {
    const places = this.#places.values();
    this.#places = new Map();
    return this.#named(places, this.#publisher.takeTouched());
  }

  /** The same of all. */
  named(): ServiceNames {
    const places = [...this.book.entries()].flatMap(([, { frontends }]) => frontends);
    return this.#named(places, this.#publisher.ids());
  }

  #named(places: Iterable<Frontend>, ids: Iterable<number>): ServiceNames {
    return {
      places: [...places].map(({ address, port }) => [serviceAt(address, port), this.#at(address, port)]),
      frontends: [...ids].map((id) => [id, this.#ofFrontend(id)]),
    };
  }

  #touch(changes: readonly ServiceChange[]): void {
    for (const { before, after } of changes) {
      for (const one of [...(before?.frontends ?? []), ...(after?.frontends ?? [])]) {
        this.#places.set(serviceAt(one.address, one.port), one);
      }
    }
  }

  /** The service of a frontend's id, as flows name it. */
  #ofFrontend(id: number): { name: string; namespace: string } | undefined {
    const [namespace, name] = this.#publisher.ownerOf(id)?.split('/') ?? [];
    return name === undefined ? undefined : { name, namespace };
  }

  /** The service of an address and port. */
  #at(ip: string, port: number): { name: string; namespace: string } | undefined {
    const spec = this.book.ownerOf(ip, port)?.spec;
    return spec === undefined ? undefined : { name: spec.name, namespace: spec.namespace };
  }

  /** What is wrong with services, one sentence each. */
  problems(): string[] {
    const { problem } = this.#publisher;
    const general = [this.numbering.problem ?? '', problem].filter((text) => text !== '');
    return [...general, ...[...this.#sentences.values()].flat()];
  }

  /** What is wrong with one service. */
  problemsOf(key: string): readonly string[] {
    return this.#sentences.get(key) ?? [];
  }

  #judge(key: string): void {
    const state = this.book.get(key);
    const given = (this.numbering.problems.get(key) ?? []).map(({ message }) => message);
    const all = state === undefined ? [] : [...given, ...state.problems];
    if (state === undefined || all.length === 0) this.#sentences.delete(key);
    else
      this.#sentences.set(
        key,
        all.map((message) => `service ${key}${placeOf(state.spec)}: ${message}`),
      );
  }

  /** How many services there are, and what they have. */
  counts(): { total: number; frontends: number; backends: number } {
    const backends = this.#maps.backends.file.counters.count;
    return { total: this.#table.size, frontends: this.#publisher.frontends, backends };
  }

  /** What a Service cannot have here, whoever else there is. */
  faultsOf(document: Document): ServiceProblem[] {
    return this.numbering.faultsOf(serviceFromDocument(document));
  }

  /** As faultsOf(), and what others have. */
  clashesOf(document: Document): ServiceProblem[] {
    const spec = serviceFromDocument(document);
    return this.numbering.problemsOf(serviceKey(spec), spec);
  }
}

function placeOf({ file, line }: ServiceSpec): string {
  return file === undefined ? '' : ` (${file}:${line})`;
}
