/** How full each pinned map is, as `sluice map list` shows it. */
import { statSync } from 'node:fs';
import { pinnedFileOf } from '../../policy-maps/pinned.ts';
import { printListing } from '../terminal/output.ts';
import { mapFolder, mapNames, openFile } from './pinned-maps.ts';
import type { Settings } from '../terminal/settings.ts';

const BLOCK_BYTES = 512; // of st_blocks, whatever the file system's own (stat(2))

export async function listMaps(settings: Settings): Promise<void> {
  const rows = mapNames(settings).map((name) => {
    const { blocks } = statSync(`${mapFolder(settings)}/${name}`);
    const memoryKb = (blocks * BLOCK_BYTES) / 1024;
    const pinned = pinnedFileOf(name);
    const isCounted = pinned?.isCounted === true;
    if (pinned === undefined) return { name, memoryKb, isCounted, problem: undefined, counters: undefined };
    try {
      const { counters } = openFile(settings, pinned, name).file;
      return { name, memoryKb, isCounted, problem: undefined, counters };
    } catch (error) {
      return { name, memoryKb, isCounted, problem: (error as Error).message, counters: undefined };
    }
  });
  const { paint } = settings;
  await printListing(settings, {
    rows,
    nameOf: ({ name }) => `map/${name}`,
    columns: [
      { header: 'NAME', cell: (one) => one.name },
      { header: 'NUM ENTRIES', cell: (one) => (one.isCounted ? one.counters?.count : '') },
      { header: 'CAPACITY', cell: (one) => one.counters?.capacity },
      {
        header: 'NUM ERRORS',
        cell: (one) => errorsOf(one.counters),
        paint: (text) => (/^0?$/.test(text) ? undefined : paint.red),
      },
      { header: 'MEMORY KB', cell: (one) => one.memoryKb },
      { header: 'UPDATES', cell: (one) => one.counters?.updates, isWide: true },
      { header: 'REMOVALS', cell: (one) => one.counters?.removals, isWide: true },
      { header: 'FULL', cell: (one) => one.counters?.full, isWide: true },
      { header: 'EVICTIONS', cell: (one) => one.counters?.evictions, isWide: true },
      { header: 'PROBLEM', cell: (one) => one.problem, paint: () => paint.red },
    ],
  });
}

function errorsOf(counters: { full: number; probeFailures: number } | undefined): number | undefined {
  return counters === undefined ? undefined : counters.full + counters.probeFailures;
}
