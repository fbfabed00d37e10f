/** The documents of a world that an agent has told (api/told-world.ts). */
import type { Documents } from '../policy/document/document.ts';
import { type PlacedObject, readPlaced } from '../policy/document/placed.ts';
import type { PolicyConfig } from '../policy/rule/options.ts';

/** What is wrong with them is a fault of ours, or of two versions that disagree. */
export function readTold(told: {
  readonly options: PolicyConfig;
  readonly objects: readonly PlacedObject[];
}): Documents {
  const read = told.objects.map((one) => readPlaced(one, told.options));
  return {
    documents: read.flatMap(({ documents }) => documents),
    problems: read.flatMap(({ problems }) => problems),
  };
}
