/**
 * Room for the pinned maps. Their files are sparse and grow as tables fill; a table that finds no room to grow takes nothing
 * new, and goes on with what it has. So the agent does not start where there is hardly any room, and says so when it gets
 * scarce.
 */
import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 2 ** 20;
const SECTOR = 512; // bytes, the unit of `blocks`
/** Without so much the dataplane cannot even begin: the indexes of all tables, and some rows. */
const LEAST_FREE = 64 * MIB;
/** What the state of an agent may grow by while it starts, its tables being there. */
const LEAST_LEFT = 8 * MIB;
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

/**
 * Called before anything is touched: an agent that finds out in the middle of its start has published half.
 * @throws Error when there is no room for the maps to begin with; or for the state of an agent that takes over those there are
 */
export function requireSpace(runDir: string, free = freeBytes(runDir)): void {
  const hasMaps = existsSync(join(runDir, 'maps'));
  const least = hasMaps ? LEAST_LEFT : LEAST_FREE;
  if (free >= least) return;
  const use = hasMaps ? 'its state' : 'its tables';
  const found = `${Math.floor(free / MIB)} MiB free, wanted at least ${least / MIB} MiB for ${use}`;
  throw new Error(`use run directory ${runDir}: found ${found}: free some on its file system, or set runDir`);
}

/** What is wrong when room is scarce, or somebody has removed the maps, one sentence; '' while nothing is. */
export function spaceProblem(maps: string): string {
  try {
    return scarcity(maps, freeBytes(maps), unfilledBytes(maps));
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const found = code === 'ENOENT' ? 'found nothing there' : message;
    return (
      `look at ${maps}: ${found}, wanted the tables in use: traffic goes on until the dataplane ends: ` +
      'end sluiced by SIGTERM, which removes what it made, and start it again'
    );
  }
}

/** @returns '' while room is not scarce, or cannot run out */
export function scarcity(maps: string, free: number, unfilled: number): string {
  if (free >= SCARCE || free >= unfilled) return '';
  return (
    `${maps}: ${Math.floor(free / MIB)} MiB left on its file system, and the tables may grow by ` +
    `${Math.ceil(unfilled / MIB)} MiB: free some, or they take nothing new when there is none`
  );
}
