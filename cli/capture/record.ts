/**
 * `sluice record`: frames of chosen flows as pcapng, with verdict, identities and rules as comments: whole ones as they pass
 * (live-frames.ts), or, with --drops, the heads of those that were dropped last (past-drops.ts). It ends by signal, by time, by
 * size or by count, and the file is whole then.
 */
import { compileFilters } from '../../hubble/filter/filter.ts';
import { type ObserveFilters, observeFilters } from '../../hubble/filter/observe-filter.ts';
import { PAYLOAD_BYTES } from '../../wire/event.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import { FrameFile } from './frame-file.ts';
import { type LiveResult, recordLive } from './live-frames.ts';
import { recordPastDrops } from './past-drops.ts';

export interface RecordFlags {
  /** Path, or `-`. */
  readonly write: string;
  /** Frames. */
  readonly count?: number;
  /** Milliseconds. */
  readonly duration: number;
  /** Bytes. */
  readonly maxSize: number;
  /** Bytes of a frame. */
  readonly snaplen: number;
  /** Bytes, a power of two. */
  readonly buffer: number;
  /** Milliseconds. */
  readonly beforeDrop?: number;
  readonly drops?: boolean;
}

export interface RecordResult extends LiveResult {
  readonly frames: number;
  /** Drops whose record was overwritten. */
  readonly gone: number;
  readonly ended: 'full' | 'count' | 'time' | 'signal';
}

/**
 * Records until the signal, the count, the size or the duration; of drops what there is.
 * @param given filter flags in the order of the command line, see observeFilters()
 * @param onBegun called once frames are recorded
 * @throws Failure (usage) when flags make no sense; else when maps or agent cannot be read, or the file not be written
 */
export async function recordFrames(
  settings: Settings,
  flags: RecordFlags,
  given: readonly (readonly [string, string])[],
  { signal, onBegun }: { readonly signal: AbortSignal; readonly onBegun: () => void },
): Promise<RecordResult> {
  const filters = filtersOf(given);
  const end = new AbortController();
  const isPast = flags.drops === true;
  const file = new FrameFile({
    path: flags.write,
    most: flags.count ?? Number.POSITIVE_INFINITY,
    mostBytes: flags.maxSize,
    snapBytes: isPast ? PAYLOAD_BYTES : flags.snaplen,
    onEnd: () => end.abort(),
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    end.abort();
  }, flags.duration);
  let [gone, live] = [0, { lost: 0, givenUp: 0 }];
  try {
    const options = { filters, bufferBytes: flags.buffer, snapBytes: flags.snaplen, beforeDropMs: flags.beforeDrop };
    if (isPast) gone = await recordPastDrops(settings, filters, file);
    else live = await recordLive(settings, { ...options, onBegun }, file, AbortSignal.any([signal, end.signal]));
  } finally {
    clearTimeout(timer);
    file.close();
  }
  if (file.problem !== undefined) throw file.problem;
  return { frames: file.frames, gone, ...live, ended: file.ended ?? (isLate ? 'time' : 'signal') };
}

function filtersOf(given: readonly (readonly [string, string])[]): ObserveFilters {
  try {
    const filters = observeFilters(given);
    compileFilters(filters.allow, filters.deny);
    return filters;
  } catch (error) {
    if (error instanceof SyntaxError) throw new Failure(error.message, EXIT.USAGE);
    throw error;
  }
}
