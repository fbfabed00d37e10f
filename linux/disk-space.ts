/**
 * Room for the pinned maps. Their files are sparse and grow as tables fill; a table that finds no room to grow takes nothing
 * new, and goes on with what it has. So the agent does not start where there is hardly any room, and says so when it gets
 * scarce.
 */
import { readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 2 ** 20;
const SECTOR = 512; // bytes, the unit of `blocks`
/** Without so much the dataplane cannot even begin: the indexes of all tables, and some rows. */
const LEAST_FREE = 48 * MIB;
/** From here on it is scarce. */
const SCARCE = 32 * MIB;

/** Bytes of the file system of a directory that are still to be had. */
function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** How many bytes the files of a directory would still take if they were filled. */
export function unfilledBytes(directory: string): number {
  const files = readdirSync(directory).map((name) => statSync(join(directory, name), { throwIfNoEntry: false }));
  return files.reduce((sum, file) => sum + (file === undefined ? 0 : Math.max(0, file.size - file.blocks * SECTOR)), 0);
}

/** @throws Error when there is no room for the maps to begin with */
export function requireSpace(runDir: string, free = freeBytes(runDir)): void {
  if (free >= LEAST_FREE) return;
  const found = `${Math.floor(free / MIB)} MiB free, wanted at least ${LEAST_FREE / MIB} MiB for its tables`;
  throw new Error(`use run directory ${runDir}: found ${found}: free some on its file system, or set runDir`);
}

/** What is wrong when room is scarce, one sentence; undefined while it is not, or cannot run out. */
export function spaceProblem(maps: string, free = freeBytes(maps), unfilled = unfilledBytes(maps)): string | undefined {
  if (free >= SCARCE || free >= unfilled) return undefined;
  return (
    `${maps}: ${Math.floor(free / MIB)} MiB left on its file system, and the tables may grow by ` +
    `${Math.ceil(unfilled / MIB)} MiB: free some, or they take nothing new when there is none`
  );
}
