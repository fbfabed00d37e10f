/**
 * The agent's pen for all tables of services: one call a frontend, and what the dataplane reads is the old service or the new
 * one.
 *
 * Order of a publication: backends, block, reverse NAT, source ranges, filter, and last the row that makes them be found; then
 * what nothing leads to any more is freed. Ids of frontends and backends go round, so that the id of one that has gone is
 * given again as late as can be; those who keep an id keep its generation too.
 *
 * A writer that takes the maps over begins with what is in force. Services that it is not told of again stay, until `settle`
 * takes them out: so an agent that restarts never shows the dataplane a world without services. Afterwards raise the world
 * generation (ConfigMap), as for policy.
 */
import { formatIp } from '../../wire/address.ts';
import type { Maps } from '../pinned.ts';
import { MapFullError } from '../table/map-error.ts';
import { BACKEND_ACTIVE, BACKEND_TERMINATING, type BackendRow } from './backend-map.ts';
import { BlockAllocator } from './block-allocator.ts';
import { type Choice, MAGLEV_TABLE_SIZE, maglevTable, randomTable } from './maglev.ts';
import {
  type FrontendKey,
  SERVICE_MAGLEV,
  SERVICE_SOURCE_RANGE,
  type ServiceEntry,
  type ServiceRow,
} from './service-map.ts';
import { type Block, SlotMap } from './slot-map.ts';
import type { SourceRange } from './source-range-map.ts';

/** The maps that services are made of. */
export type ServiceMaps = Pick<
  Maps,
  'addressFilter' | 'services' | 'slots' | 'backends' | 'reverseNat' | 'sourceRanges'
>;

export interface Backend extends BackendRow {
  /** 0 to 65535; 0 takes no new connections. Cilium's default is 100. */
  readonly weight: number;
}

/** What is behind a frontend. */
export interface Service {
  /** SERVICE_* bits; SERVICE_SOURCE_RANGE is set by itself when there are any. */
  readonly flags: number;
  readonly affinitySec: number;
  readonly backends: readonly Backend[];
  readonly sourceRanges: readonly SourceRange[];
  /** Of MAGLEV_TABLE_SIZES, with SERVICE_MAGLEV. */
  readonly maglevTableSize?: number;
}

interface Published {
  readonly frontend: number;
  readonly block: number;
  readonly units: number;
  readonly members: readonly number[];
  readonly ranges: Map<string, SourceRange>;
  readonly key: FrontendKey;
  /** Of this writer, not of one before it. */
  readonly isOwn: boolean;
}

interface KnownBackend {
  readonly id: number;
  uses: number;
}

/** What a block is made from. */
interface NewBlock {
  readonly frontend: number;
  readonly members: readonly number[];
  readonly choices: readonly Choice[];
  readonly service: Service;
}

const NOTHING = { frontend: 0, block: 0, units: 0, members: [], ranges: new Map<string, SourceRange>() };

/** For tests until the agent publishes services. */
export class ServiceWriter {
  readonly #maps: ServiceMaps;
  readonly #blocks: BlockAllocator;
  readonly #published = new Map<string, Published>();
  readonly #backends = new Map<string, KnownBackend>();
  readonly #backendNames = new Map<number, string>();
  readonly #frontends = new Set<number>();
  #lastFrontend = 0;
  #lastBackend = 0;

  /** Takes over what the maps hold. */
  constructor(maps: ServiceMaps) {
    this.#maps = maps;
    this.#blocks = new BlockAllocator(maps.slots.capacity);
    const ranges = this.#readRanges();
    for (const entry of [...maps.services.entries()])
      this.#takeOver(entry, ranges.get(entry.frontend) ?? new Map<string, SourceRange>());
    maps.slots.unitsInUse = this.#blocks.unitsInUse;
  }

  /**
   * Publishes a frontend, new or changed.
   * @returns its id, 0 for a wildcard
   * @throws {MapFullError} when a table has no room; what was in force stays in force
   */
  set(key: FrontendKey, service: Service): number {
    const name = nameOf(key);
    const before = this.#published.get(name) ?? { ...NOTHING, key, isOwn: false };
    const isWildcard = key.port === 0;
    const frontend = isWildcard ? 0 : before.frontend || this.#newFrontend();
    const ranges = new Map(service.sourceRanges.map((range) => [rangeName(range), range]));
    const members: number[] = [];
    let next: Published = { frontend, block: 0, units: 0, members, ranges, key, isOwn: true };
    if (!before.isOwn) this.#maps.addressFilter.add(key.address); // first: a row that the filter hides is none
    try {
      const choices = this.#use(service.backends, members);
      if (!isWildcard) next = { ...next, ...this.#writeBlock(before, { frontend, members, choices, service }) };
      if (!isWildcard) this.#maps.reverseNat.set(frontend, key);
      for (const [text, range] of ranges) if (!before.ranges.has(text)) this.#maps.sourceRanges.add(frontend, range);
      const flags = service.flags | (ranges.size > 0 ? SERVICE_SOURCE_RANGE : 0);
      const row = { frontend, block: next.block, flags, affinitySec: service.affinitySec };
      if (!this.#isThere(key, row)) this.#maps.services.upsert(key, row);
    } catch (error) {
      for (const [text, range] of ranges) if (!before.ranges.has(text)) this.#maps.sourceRanges.remove(frontend, range);
      this.#free({ ...next, members, block: next.block === before.block ? 0 : next.block });
      if (before.frontend === 0 && frontend !== 0) this.#freeFrontend(frontend);
      if (!before.isOwn) this.#maps.addressFilter.remove(key.address);
      throw error;
    }
    this.#published.set(name, next);
    for (const [text, range] of before.ranges) if (!ranges.has(text)) this.#maps.sourceRanges.remove(frontend, range);
    this.#free(next.block === before.block ? { ...before, block: 0 } : before);
    return frontend;
  }

  /** Takes a frontend out; false when there was none. */
  remove(key: FrontendKey): boolean {
    const published = this.#published.get(nameOf(key));
    if (published === undefined) return false;
    this.#published.delete(nameOf(key));
    this.#maps.services.remove(key);
    if (published.isOwn) this.#maps.addressFilter.remove(key.address);
    for (const range of published.ranges.values()) this.#maps.sourceRanges.remove(published.frontend, range);
    if (published.frontend !== 0) this.#freeFrontend(published.frontend);
    this.#free(published);
    return true;
  }

  /** Takes out what a former writer has left and this one has not published again. @returns how many frontends went */
  settle(): number {
    const left = [...this.#published.values()].filter(({ isOwn }) => !isOwn);
    for (const { key } of left) this.remove(key);
    this.#maps.addressFilter.settle();
    for (const { id } of [...this.#maps.backends.entries()])
      if (!this.#backendNames.has(id)) this.#maps.backends.clear(id);
    return left.length;
  }

  #takeOver(entry: ServiceEntry, ranges: Map<string, SourceRange>): void {
    const { address, port, protocol, scope, frontend, block } = entry;
    const found = frontend === 0 ? undefined : this.#maps.slots.read(block, frontend);
    const units = found === undefined ? 0 : SlotMap.unitsOf(found.members.length, found.table.length);
    const isKept = found !== undefined && this.#blocks.claim(block - 1, units);
    const members = isKept ? found.members : [];
    for (const id of members) this.#takeOverBackend(id);
    const key = { address, port, protocol, scope };
    const kept = { frontend, block: isKept ? block : 0, units, members, ranges, key, isOwn: false };
    this.#published.set(nameOf(key), kept);
    if (frontend !== 0) this.#frontends.add(frontend);
    this.#lastFrontend = Math.max(this.#lastFrontend, frontend);
  }

  #takeOverBackend(id: number): void {
    const row = this.#maps.backends.get(id);
    if (row === undefined) return;
    const known = this.#backends.get(backendName(row)) ?? { id, uses: 0 };
    known.uses++;
    this.#backends.set(backendName(row), known);
    this.#backendNames.set(id, backendName(row));
    this.#lastBackend = Math.max(this.#lastBackend, id);
  }

  #readRanges(): Map<number, Map<string, SourceRange>> {
    const all = new Map<number, Map<string, SourceRange>>();
    for (const { frontend, ...range } of this.#maps.sourceRanges.entries()) {
      const ranges = all.get(frontend) ?? new Map<string, SourceRange>();
      all.set(frontend, ranges.set(rangeName(range), range));
    }
    return all;
  }

  /** Writes the backends, fills in their ids. @returns those that new connections may get */
  #use(backends: readonly Backend[], members: number[]): Choice[] {
    const choices = backends.map((backend) => {
      const name = backendName(backend);
      const known = this.#backends.get(name) ?? { id: this.#newBackend(name), uses: 0 };
      this.#backends.set(name, known);
      if (!members.includes(known.id)) {
        known.uses++;
        members.push(known.id);
      }
      this.#maps.backends.set(known.id, backend);
      return { id: known.id, name, weight: backend.weight, state: backend.state };
    });
    members.sort((a, b) => a - b);
    const open = choices.filter(({ weight }) => weight > 0);
    const active = open.filter(({ state }) => state === BACKEND_ACTIVE);
    return active.length > 0 ? active : open.filter(({ state }) => state === BACKEND_TERMINATING);
  }

  /** The block that is there already when it says the same: a writer that takes over leaves what it finds as it is. */
  #writeBlock(
    before: Pick<Published, 'frontend' | 'block' | 'units'>,
    { frontend, members, choices, service }: NewBlock,
  ): Pick<Published, 'block' | 'units'> {
    const isMaglev = (service.flags & SERVICE_MAGLEV) !== 0;
    const table = isMaglev ? maglevTable(choices, service.maglevTableSize ?? MAGLEV_TABLE_SIZE) : randomTable(choices);
    const block: Block = { frontend, members, table };
    const there = before.block === 0 ? undefined : this.#maps.slots.read(before.block, frontend);
    if (there !== undefined && isSame(there.members, members) && isSame(there.table, table))
      return { block: before.block, units: before.units };
    const units = SlotMap.unitsOf(members.length, table.length);
    const unit = this.#blocks.take(units);
    if (unit < 0) throw this.#full('slots', `a block of ${units} units`);
    this.#maps.slots.write(unit + 1, block);
    this.#maps.slots.unitsInUse = this.#blocks.unitsInUse;
    return { block: unit + 1, units };
  }

  #isThere({ address, port, protocol, scope }: FrontendKey, row: ServiceRow): boolean {
    const { services } = this.#maps;
    services.setAddress(...address);
    if (!services.find(port, protocol, scope)) return false;
    const { frontend, block, flags, affinitySec } = services.found;
    return frontend === row.frontend && block === row.block && flags === row.flags && affinitySec === row.affinitySec;
  }

  /** Gives back what a publication held: its block, and its use of backends. */
  #free({ block, units, members }: Pick<Published, 'block' | 'units' | 'members'>): void {
    if (block !== 0) this.#blocks.give(block - 1, units);
    this.#maps.slots.unitsInUse = this.#blocks.unitsInUse;
    for (const id of members) {
      const name = this.#backendNames.get(id);
      const known = name === undefined ? undefined : this.#backends.get(name);
      if (name === undefined || known === undefined || --known.uses > 0) continue;
      this.#maps.backends.clear(id);
      this.#backends.delete(name);
      this.#backendNames.delete(id);
    }
  }

  #newFrontend(): number {
    const id = nextFree(this.#lastFrontend, this.#maps.reverseNat.capacity, (n) => this.#frontends.has(n));
    if (id === 0) throw this.#full('reverseNat', 'a frontend id');
    this.#lastFrontend = id;
    this.#frontends.add(id);
    return id;
  }

  #freeFrontend(frontend: number): void {
    this.#maps.reverseNat.clear(frontend);
    this.#frontends.delete(frontend);
  }

  #newBackend(name: string): number {
    const id = nextFree(this.#lastBackend, this.#maps.backends.capacity, (n) => this.#backendNames.has(n));
    if (id === 0) throw this.#full('backends', 'a backend id');
    this.#lastBackend = id;
    this.#backendNames.set(id, name);
    return id;
  }

  #full(map: 'slots' | 'reverseNat' | 'backends', wanted: string): MapFullError {
    return new MapFullError('publish service', this.#maps[map].file.path, { what: 'room', found: 'none', wanted });
  }
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
}

/** The next id behind `last` that is not taken, going round; 0 when all are. */
function nextFree(last: number, capacity: number, isTaken: (id: number) => boolean): number {
  for (let step = 1; step < capacity; step++) {
    const id = ((last + step - 1) % (capacity - 1)) + 1;
    if (!isTaken(id)) return id;
  }
  return 0;
}

function nameOf({ address, port, protocol, scope }: FrontendKey): string {
  return `${address.join()}/${port}/${protocol}/${scope}`;
}

/** As Cilium names backends: 10.0.0.1:80/6, [fd00::1]:80/6. */
function backendName({ address, port, protocol }: Omit<BackendRow, 'state'>): string {
  const text = formatIp(...address);
  return `${text.includes(':') ? `[${text}]` : text}:${port}/${protocol}`;
}

function rangeName({ address, prefixLength }: SourceRange): string {
  return `${address.join()}/${prefixLength}`;
}
