/**
 * Rows of egress gateway policies into the pinned map.
 *
 * An address counts only once answers to it come to the dataplane (`setAnswered`): before, its row says that there is none,
 * and what is about it is dropped (204), since nothing could come back to it. Those that an earlier agent has published count
 * from the start. Rows that find no room are tried again with each publication; while there are any, pods of which no row
 * speaks do not leave either: one of the missing rows may be about them.
 */
import type { EgressChanges, EgressRow } from '../../policy/egress-table.ts';
import {
  EGRESS_ADDRESS,
  EGRESS_EXCLUDED,
  EGRESS_NO_GATEWAY,
  type EgressKey,
} from '../../policy-maps/service/egress-map.ts';
import { TranslationSettings } from '../../policy-maps/service/translation-settings.ts';
import type { Maps } from '../../policy-maps/pinned.ts';
import type { MapFullError } from '../../policy-maps/table/map-error.ts';
import { addressWords, formatIp } from '../../wire/address.ts';

const KINDS: Readonly<Record<EgressRow['kind'], number>> = {
  none: EGRESS_NO_GATEWAY,
  excluded: EGRESS_EXCLUDED,
  address: EGRESS_ADDRESS,
};
const NO_ADDRESS = [0, 0, 0, 0] as const;

export type EgressMaps = Pick<Maps, 'egress' | 'addressFilter' | 'config'>;

export class EgressPublisher {
  readonly #maps: EgressMaps;
  readonly #wanted = new Map<string, EgressRow>();
  readonly #unplaced = new Set<string>();
  /** Rows by address. */
  readonly #users = new Map<string, Set<string>>();
  #answered: ReadonlySet<string>;
  /** Why something could not be published; '' when all was. */
  problem = '';

  constructor(maps: EgressMaps) {
    this.#maps = maps;
    this.#answered = new Set([...maps.egress.entries()].map(({ address }) => formatIp(...address)));
  }

  /** Addresses that rows have. */
  get addresses(): readonly string[] {
    return [...this.#users.keys()];
  }

  /** Publishes what has changed; call ConfigMap.bumpWorldGeneration afterwards. */
  publish({ put, remove }: EgressChanges): void {
    for (const row of put) {
      const name = nameOf(row);
      this.#forget(name);
      this.#wanted.set(name, row);
      this.#use(name, row.address);
      this.#unplaced.add(name);
    }
    for (const row of remove) {
      const name = nameOf(row);
      this.#forget(name);
      this.#unplaced.delete(name);
      this.#maps.egress.remove(keyOf(row));
    }
    this.#placeAll();
  }

  /**
   * Takes the addresses that answers are taken for; undefined while that is not known.
   * @returns whether the map is another than before
   */
  setAnswered(addresses: ReadonlySet<string> | undefined): boolean {
    if (addresses === undefined) return false;
    const before = this.#answered;
    this.#answered = addresses;
    const changed = [...this.#users].filter(([address]) => before.has(address) !== addresses.has(address));
    for (const [, names] of changed) for (const name of names) this.#unplaced.add(name);
    if (changed.length > 0) this.#placeAll();
    return changed.length > 0;
  }

  /** Takes out what an earlier agent published and this one has not: once everything has been published. */
  retire(): void {
    const wanted = new Set([...this.#wanted.values()].map((row) => keyText(keyOf(row))));
    for (const entry of [...this.#maps.egress.entries()]) {
      if (!wanted.has(keyText(entry))) this.#maps.egress.remove(entry);
    }
  }

  #placeAll(): void {
    this.problem = '';
    for (const name of this.#unplaced) {
      try {
        this.#place(this.#wanted.get(name) as EgressRow);
        this.#unplaced.delete(name);
      } catch (error) {
        if ((error as MapFullError).code !== 'ERR_MAP_FULL') throw error;
        this.problem = `egress policies: pods that no row speaks of do not leave: ${(error as Error).message}`;
      }
    }
    const settings = new TranslationSettings(this.#maps.config);
    const isIncomplete = this.#unplaced.size > 0;
    if (settings.isEgressIncomplete !== isIncomplete) settings.isEgressIncomplete = isIncomplete;
  }

  #place(row: EgressRow): void {
    const isAnswered = row.address !== '' && this.#answered.has(row.address);
    const address = isAnswered ? addressWords(row.address) : NO_ADDRESS;
    this.#maps.egress.put({ ...keyOf(row), kind: KINDS[row.kind], address });
  }

  #use(name: string, address: string): void {
    if (address === '') return;
    const users = this.#users.get(address);
    if (users === undefined) this.#maps.addressFilter.add(addressWords(address));
    this.#users.set(address, (users ?? new Set()).add(name));
  }

  #forget(name: string): void {
    const address = this.#wanted.get(name)?.address ?? '';
    this.#wanted.delete(name);
    const users = this.#users.get(address);
    users?.delete(name);
    if (users?.size !== 0) return;
    this.#users.delete(address);
    this.#maps.addressFilter.remove(addressWords(address));
  }
}

function keyOf({ source, destination }: EgressRow): EgressKey {
  return { source: source.words, destination: destination.words, prefixLength: destination.bits };
}

function nameOf(row: EgressRow): string {
  return `${row.source.text} ${row.destination.text}`;
}

function keyText({ source, destination, prefixLength }: EgressKey): string {
  return [...source, ...destination, prefixLength].join();
}
