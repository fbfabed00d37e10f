/** What every check of a Cilium policy goes by. */
import type { Reader } from '../document/reader.ts';
import type { PolicyOptions } from '../rule/options.ts';

/** What a check may look at. */
export interface Check {
  readonly reader: Reader;
  readonly options: PolicyOptions;
  readonly isClusterwide: boolean;
  readonly namespace: string;
}
