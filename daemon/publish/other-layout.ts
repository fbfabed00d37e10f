/**
 * Tables that another version of Sluice left in the run directory. Their rows mean something else to this one, so they are
 * not read: the dataplane that works with them is ended, and all tables are made anew. Policies are published again from the
 * objects; connections begin again (docs/upgrade.md). A file that is no table of ours is left alone: the agent refuses it by name.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { dataplaneNote } from '../../linux/dataplane-process.ts';
import { kill } from '../../linux/process-end.ts';
import { PINNED_RECORDING, pinnedFileOf } from '../../policy-maps/pinned.ts';
import { isOfOtherLayout } from '../../policy-maps/table/map-header.ts';

/**
 * Removes the tables of a run directory when any of them has another layout than this version's.
 * @returns the files that had; none: nothing was touched
 */
export async function retireOtherLayout(runDir: string): Promise<string[]> {
  const directory = join(runDir, 'maps');
  const files = filesOf(directory).filter((file) => {
    const pinned = pinnedFileOf(file);
    if (pinned === PINNED_RECORDING) return false; // of an agent that was killed: nobody reads it any more
    return pinned !== undefined && isOfOtherLayout(join(directory, file), pinned.map.layout);
  });
  if (files.length === 0) return [];
  const dataplane = dataplaneNote(runDir).load(null);
  if (dataplane !== null) await kill(dataplane);
  rmSync(directory, { recursive: true, force: true });
  return files;
}

function filesOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // the first start
  }
}
