/**
 * Whole frames as they pass, for `sluice record`: the agent has the dataplane record them as long as we are connected, and tells who
 * is who; the frames are read out of the pinned file (policy-maps/recording-map.ts). Rows of numbers choose in the dataplane, the
 * filters themselves here.
 *
 * With `beforeDropMs` nothing is written until something is dropped: then what its two ends said to each other before, and the drop
 * itself. What the filters say of verdict, type and reason is then said of the drop alone.
 */
import { DaemonApi } from '../../api/daemon-api.ts';
import { Decoder } from '../../hubble/decode/decoder.ts';
import { type DirectoryDelta, readDelta } from '../../hubble/decode/directory-delta.ts';
import { DirectoryMirror } from '../../hubble/decode/directory-mirror.ts';
import { compileFilters } from '../../hubble/filter/filter.ts';
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import type { ObserveFilters } from '../../hubble/filter/observe-filter.ts';
import type { Flow } from '../../hubble/flow.ts';
import { PINNED_RECORDING } from '../../policy-maps/pinned.ts';
import type { RecordedFrame, RecordingMap } from '../../policy-maps/recording-map.ts';
import { decodeEvent, PAYLOAD_OFFSET } from '../../wire/event.ts';
import { openFile } from '../maps/pinned-maps.ts';
import type { Settings } from '../terminal/settings.ts';
import type { CapturedFrame, FrameFile } from './frame-file.ts';
import { KeptFrames } from './kept-frames.ts';

/** Between two looks, when there was nothing. */
const LOOK_MS = 5;
/** Memory for frames that may lead to a drop. */
const KEPT_BYTES = 64 << 20;
const VERDICT_FIELDS = ['verdict', 'event_type', 'drop_reason_desc'] as const;

export interface LiveOptions {
  readonly filters: ObserveFilters;
  /** Of frames that nobody has read yet: a power of two. */
  readonly bufferBytes: number;
  readonly snapBytes: number;
  readonly beforeDropMs: number | undefined;
  /** Called once frames are recorded. */
  readonly onBegun: () => void;
}

export interface LiveResult {
  /** Frames that were chosen and found no room. */
  readonly lost: number;
  /** Frames that were not kept as long as they might have led to a drop. */
  readonly givenUp: number;
}

/**
 * Records until the signal.
 * @throws Failure, ApiError when it cannot begin, or the agent goes; what came until then is in the file
 */
export async function recordLive(
  settings: Settings,
  options: LiveOptions,
  file: FrameFile,
  signal: AbortSignal,
): Promise<LiveResult> {
  const chosen = options.beforeDropMs === undefined ? options.filters : withoutVerdicts(options.filters);
  const { bufferBytes, snapBytes } = options;
  const live = new LiveFrames(options, chosen, file);
  try {
    await new DaemonApi(settings).recording({ ...chosen, bufferBytes, snapBytes }, signal, (line) => {
      const { recording, directory } = line as { recording?: object; directory?: DirectoryDelta };
      // Opened while the agent has it; read once it has been said who is who.
      if (recording !== undefined) live.open(openFile(settings, PINNED_RECORDING, PINNED_RECORDING.file, true));
      if (directory === undefined) return;
      live.learn(directory);
      if (live.begin()) options.onBegun();
    });
  } finally {
    live.end();
  }
  return live.result;
}

class LiveFrames {
  readonly #directory = new DirectoryMirror();
  readonly #decoder = new Decoder({ directory: this.#directory, nodeName: '' });
  readonly #file: FrameFile;
  readonly #kept: KeptFrames | undefined;
  readonly #isChosen: ReturnType<typeof compileFilters>;
  readonly #isWanted: ReturnType<typeof compileFilters>;
  #map: RecordingMap | undefined;
  #reader: ReturnType<RecordingMap['reader']> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasBegun = false;

  constructor({ filters, beforeDropMs }: LiveOptions, chosen: ObserveFilters, file: FrameFile) {
    this.#file = file;
    this.#kept = beforeDropMs === undefined ? undefined : new KeptFrames(beforeDropMs, KEPT_BYTES);
    this.#isChosen = compileFilters(chosen.allow, chosen.deny);
    this.#isWanted = compileFilters(filters.allow, filters.deny);
  }

  get result(): LiveResult {
    return { lost: this.#map?.lost ?? 0, givenUp: this.#kept?.givenUp ?? 0 };
  }

  open(map: RecordingMap): void {
    this.#map = map;
    this.#reader = map.reader();
  }

  learn(delta: DirectoryDelta): void {
    this.#directory.learn(readDelta(delta));
  }

  /** @returns whether that is new */
  begin(): boolean {
    if (this.#hasBegun) return false;
    this.#hasBegun = true;
    this.#look();
    return true;
  }

  /** Takes what is there still. */
  end(): void {
    clearTimeout(this.#timer);
    if (this.#hasBegun) this.#reader?.read((frame) => this.#take(frame), Number.POSITIVE_INFINITY);
  }

  #look(): void {
    this.#reader!.read((frame) => this.#take(frame));
    this.#timer = setTimeout(() => this.#look(), this.#reader!.isDry ? LOOK_MS : 0);
  }

  #take({ bytes, at, frameBytes, lost }: RecordedFrame): void {
    const event = decodeEvent(bytes, at);
    const payload = bytes.slice(at + PAYLOAD_OFFSET, at + PAYLOAD_OFFSET + frameBytes);
    const flow = this.#decoder.decode({ ...event, payload });
    if (flow === undefined || !this.#isChosen({ flow, time: flow.time })) return;
    const { originalBytes, timeMs } = event;
    this.#sort(flow, { bytes: payload, originalBytes, timeMs, isL3: false }, lost);
  }

  #sort(flow: Flow, frame: CapturedFrame, lost: number): void {
    const notes = lost === 0 ? [] : [`${lost} frames lost before this one`];
    const isWanted = this.#isWanted({ flow, time: flow.time });
    if (this.#kept === undefined) {
      if (isWanted) this.#file.write(flow, frame, notes);
      return;
    }
    if (flow.verdict !== 'DROPPED' || !isWanted) {
      this.#kept.keep({ ...frame, flow });
      return;
    }
    for (const before of this.#kept.takeBefore(flow, frame.timeMs)) {
      const seconds = ((frame.timeMs - before.timeMs) / 1000).toFixed(3);
      this.#file.write(before.flow, before, [`${seconds} s before a drop`]);
    }
    this.#file.write(flow, frame, notes);
  }
}

/** The filters but for what became of a frame; one that says nothing else is of everything. */
function withoutVerdicts({ allow, deny }: ObserveFilters): ObserveFilters {
  const isKept = (name: string): boolean => !VERDICT_FIELDS.some((field) => field === name);
  const rest = allow.map((filter): FlowFilter => pick(filter, isKept));
  const saysAnything = (filter: FlowFilter): boolean => Object.keys(filter).length > 0;
  return {
    allow: rest.every(saysAnything) ? rest : [],
    deny: deny.filter((filter) => VERDICT_FIELDS.every((field) => !filter[field]?.length)),
  };
}

function pick(filter: FlowFilter, isKept: (name: string) => boolean): FlowFilter {
  return Object.fromEntries(Object.entries(filter).filter(([name]) => isKept(name)));
}
