/** Patterns of one label of a name, in which a star is any part of it, possibly nothing. */
const STAR = 42;

/**
 * Compares bytes[at, end). On a mismatch the last star takes one byte more, and nothing goes back further: no pattern makes a label
 * expensive.
 * @param pattern a run of stars as one
 */
export function matchesLabel(pattern: Uint8Array, bytes: Uint8Array, at: number, end: number): boolean {
  let p = 0;
  let star = -1;
  let starAt = 0;
  while (at < end) {
    if (p < pattern.length && pattern[p] === STAR) {
      star = p++;
      starAt = at;
    } else if (p < pattern.length && pattern[p] === bytes[at]) {
      p++;
      at++;
    } else {
      if (star < 0) return false;
      p = star + 1;
      at = ++starAt;
    }
  }
  while (p < pattern.length && pattern[p] === STAR) p++;
  return p === pattern.length;
}
