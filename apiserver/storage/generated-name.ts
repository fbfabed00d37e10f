/** Names for objects that have only the beginning of one (`generateName`). */
import { randomInt } from 'node:crypto';

/** No vowels: no words. As Kubernetes'. */
export const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
/** So that the name is a label's value. */
const BASE_LENGTH = 58;
const TRIES = 8;

/** @returns undefined when none was found that is not taken */
export function generatedName(base: string, isTaken: (name: string) => boolean): string | undefined {
  for (let tries = 0; tries < TRIES; tries++) {
    const letters = Array.from({ length: SUFFIX_LENGTH }, () => LETTERS[randomInt(LETTERS.length)]);
    const name = base.slice(0, BASE_LENGTH) + letters.join('');
    if (!isTaken(name)) return name;
  }
  return undefined;
}
