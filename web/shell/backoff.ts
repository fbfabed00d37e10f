/** How long to wait before the next try to reach the agent: 0.5 s doubled to 15 s, of which a random part up to a half is taken off. */
const FIRST_MS = 500;
const MOST_MS = 15_000;

/** @param failures tries that failed one after another, at least 1; @param random from 0 to 1 */
export function backoffMs(failures: number, random: number): number {
  const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 10));
  return Math.round(most * (1 - random / 2));
}
