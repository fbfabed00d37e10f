/** By what a start understands the objects of an earlier one without reading their text. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Reviver } from '../../policy/document/kept-document.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import { VERSION } from '../../linux/version.ts';

export interface Keeping {
  readonly reviver: Reviver;
  /** Stands for the program and its configuration: what others kept may mean something else. */
  readonly stamp: string;
}

/**
 * Of this program, which is one file with all that it imports, under a configuration.
 * @param policy what the objects are read with
 * @param config everything else that decides what is read
 */
export function keepingOf(policy: PolicyConfig, config: object): Keeping {
  const program = readFileSync(fileURLToPath(import.meta.url));
  const told = JSON.stringify([VERSION, policy, config]);
  return { reviver: new Reviver(policy), stamp: createHash('sha256').update(program).update(told).digest('hex') };
}
