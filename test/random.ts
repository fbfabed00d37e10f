/** Draws that a seed repeats, for tests and fuzzing. */

/** The seed of this run: SEED=n repeats one. */
export const SEED = Number(process.env['SEED'] ?? 20240229);

/** mulberry32: 32 bits of state, 0 <= answer < below. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
