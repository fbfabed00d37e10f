/**
 * Tables that a backend is chosen from.
 *
 * Maglev (Eisenbud et al., NSDI 2016, section 3.4): every backend has a permutation of the table's places, made from its name
 * alone, and the backends take turns at their next free place. So a connection's place leads to the same backend on every
 * node that knows the same backends, and a backend that goes moves few others. Sizes, seed and hash are Cilium's. A weight
 * changes how often a backend has its turn, as in Cilium and Envoy.
 *
 * Random: the ids, each as often as its weight says in the least whole numbers.
 */
import { murmur3 } from './murmur3.ts';

/** Sizes that a Maglev table may have: primes (bpf-lb-maglev-table-size). */
export const MAGLEV_TABLE_SIZES: readonly number[] = [251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071];
export const MAGLEV_TABLE_SIZE = 16381;

/** The first four bytes of Cilium's default bpf-lb-maglev-hash-seed, JLfvgnHc2kaSUFaI. */
const SEED = Buffer.from('JLfvgnHc2kaSUFaI', 'base64').readUInt32BE(0);
/** Places of a weighted random table at most. */
const MAX_RANDOM_PLACES = 1024;

export interface Choice {
  readonly id: number;
  /** Orders the backends, and makes the permutation: the same on every node. */
  readonly name: string;
  /** 1 to 65535. */
  readonly weight: number;
}

/**
 * @param size of MAGLEV_TABLE_SIZES
 * @throws {RangeError} for another size
 */
export function maglevTable(choices: readonly Choice[], size: number): number[] {
  if (!MAGLEV_TABLE_SIZES.includes(size))
    throw new RangeError(`Maglev table size: found ${size}, wanted one of ${MAGLEV_TABLE_SIZES.join(', ')}`);
  if (choices.length === 0) return [];
  const table = new Array<number>(size).fill(0);
  const sorted = [...choices].sort((a, b) => (a.name < b.name ? -1 : 1));
  const starts = sorted.map(({ name }) => startOf(name, size));
  const next = starts.map(({ offset }) => offset);
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  const isWeighted = sorted.some(({ weight }) => weight !== sorted[0].weight);
  const owed = sorted.map(({ weight }) => weight / sorted.length);
  for (let filled = 0, round = 1; ; round++) {
    for (const [i, { id, weight }] of sorted.entries()) {
      if (isWeighted && round * weight < owed[i]) continue;
      owed[i] += total;
      while (table[next[i]] !== 0) next[i] = (next[i] + starts[i].skip) % size;
      table[next[i]] = id;
      if (++filled === size) return table;
    }
  }
}

/** @param choices with weights above 0 */
export function randomTable(choices: readonly Choice[]): number[] {
  const heaviest = Math.max(0, ...choices.map(({ weight }) => weight));
  const divisor = choices.reduce((sum, { weight }) => gcd(sum, weight), 0);
  const places = choices.reduce((sum, { weight }) => sum + weight / divisor, 0);
  if (places <= Math.max(MAX_RANDOM_PLACES, choices.length))
    return choices.flatMap(({ id, weight }) => repeated(id, weight / divisor));
  const most = Math.max(1, Math.floor((MAX_RANDOM_PLACES * heaviest) / (places * divisor)));
  return choices.flatMap(({ id, weight }) => repeated(id, Math.max(1, Math.round((most * weight) / heaviest))));
}

function startOf(name: string, size: number): { offset: number; skip: number } {
  const [h1, h2] = murmur3(name, SEED);
  return { offset: Number(h1 % BigInt(size)), skip: Number(h2 % BigInt(size - 1)) + 1 };
}

function repeated(id: number, times: number): number[] {
  return new Array<number>(times).fill(id);
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
