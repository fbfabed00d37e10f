/**
 * `POST /v1/recording`: somebody records whole frames, as long as the connection stands. The agent makes the place where the
 * dataplane puts them (policy-maps/recording-map.ts), says which frames are meant, and tells who is who in lines of JSON; the
 * frames themselves are read by root, out of the file.
 *
 *     request -> file, rows -> CONFIG_RECORDING -> the dataplane takes it up -> answer begins -> ... -> connection closed -> all gone
 *
 * One recording at a time. Every second its end is put off, and the rows are made anew: pods come and go. Bounds: what a reader
 * has not taken of the lines, and 24 hours. A dataplane that does not take the recording up is of an earlier version, or not there.
 */
import type { ServerResponse } from 'node:http';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { mapFile, monotonicMs, unmapFile } from '../../dataplane/native/index.ts';
import type { DirectoryDelta } from '../../hubble/decode/directory-delta.ts';
import { compileFilters } from '../../hubble/filter/filter.ts';
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import { frameRows, type PlacedPod } from '../../hubble/filter/frame-rows.ts';
import { CONFIG_RECORDING, type ConfigMap } from '../../policy-maps/config-map.ts';
import {
  MAX_RECORDING_BYTES,
  MAX_SNAP_BYTES,
  MIN_RECORDING_BYTES,
  RECORDING_FILE,
  RecordingMap,
} from '../../policy-maps/recording-map.ts';
import { emitFrameRow, FRAME_ROW_WORDS, MAX_FRAME_ROWS } from '../../wire/frame-filter.ts';
import { ApiError } from './router.ts';

const RENEW_MS = 1000;
const LEASE_MS = 3000;
const TAKE_UP_MS = 1500;
const MAX_RECORDING_MS = 24 * 3_600_000;
const MAX_RECORDING_FILTERS = 64;
/** What a reader may leave unread of the lines: a snapshot of a large cluster, and more. */
const MAX_UNREAD_BYTES = 64 << 20;

/** What the recordings need of the agent. */
export interface RecordingParts {
  readonly config: ConfigMap;
  /** Of the maps. */
  readonly mapDirectory: string;
  readonly directory: {
    snapshot(): DirectoryDelta;
    /** @returns ends it */
    listen(onDelta: (delta: DirectoryDelta) => void): () => void;
  };
}

interface RecordingRequest {
  readonly allow: readonly FlowFilter[];
  readonly deny: readonly FlowFilter[];
  readonly bufferBytes: number;
  readonly snapBytes: number;
}

export class Recordings {
  readonly #parts: RecordingParts;
  readonly #path: string;
  #number = 0;
  #isBusy = false;

  /** Knows of no recording: what another agent had under way is over. */
  constructor(parts: RecordingParts) {
    this.#parts = parts;
    this.#path = join(parts.mapDirectory, RECORDING_FILE);
    this.#number = parts.config.load(CONFIG_RECORDING) & 0xffff;
    this.#clear();
  }

  /** Answers a request; the answer ends with the recording. @throws ApiError for one that makes no sense, or while another records */
  begin(body: string, response: ServerResponse): void {
    const wanted = requestOf(body);
    if (this.#isBusy) throw new ApiError(409, 'record frames: somebody else records already: one at a time');
    const rows = this.#rowsOf(wanted);
    const map = this.#create(wanted);
    this.#isBusy = true;
    this.#run({ map, wanted, rows, response }).catch((error: unknown) => {
      if (response.headersSent) response.destroy(error as Error);
      else {
        response.writeHead(error instanceof ApiError ? error.status : 500, { 'content-type': 'application/json' });
        response.end(`${JSON.stringify({ error: (error as Error).message, problems: [] })}\n`);
      }
    });
  }

  async #run({ map, wanted, rows, response }: Running): Promise<void> {
    const closed = new AbortController();
    response.on('close', () => closed.abort());
    let renewal: NodeJS.Timeout | undefined;
    let unlisten = (): void => undefined;
    try {
      publishRows(map, rows);
      map.extend(monotonicMs() + LEASE_MS);
      this.#parts.config.store(CONFIG_RECORDING, map.number);
      await takenUp(map, closed.signal);
      const send = (line: unknown): void => {
        response.write(`${JSON.stringify(line)}\n`);
        if (response.writableLength > MAX_UNREAD_BYTES) closed.abort();
      };
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      send({ recording: { file: RECORDING_FILE, number: map.number } });
      send({ directory: this.#parts.directory.snapshot() });
      let isStale = false;
      unlisten = this.#parts.directory.listen((directory) => {
        isStale ||= directory.endpoints !== undefined || directory.addresses !== undefined;
        send({ directory });
      });
      renewal = setInterval(() => {
        map.extend(monotonicMs() + LEASE_MS);
        if (isStale) publishRows(map, this.#rowsOf(wanted));
        isStale = false;
      }, RENEW_MS);
      await pause(MAX_RECORDING_MS, undefined, { signal: closed.signal }).catch(() => undefined);
    } finally {
      clearInterval(renewal);
      unlisten();
      this.#clear();
      map.close(unmapFile);
      this.#isBusy = false;
      if (response.headersSent) response.end();
    }
  }

  #clear(): void {
    this.#parts.config.store(CONFIG_RECORDING, 0);
    rmSync(this.#path, { force: true });
  }

  #create({ bufferBytes, snapBytes }: RecordingRequest): RecordingMap {
    const map = RecordingMap.create(this.#path, { capacity: bufferBytes }, mapFile);
    this.#number = (this.#number % 0xffff) + 1;
    map.begin(this.#number, snapBytes);
    return map;
  }

  #rowsOf({ allow }: RecordingRequest): Int32Array {
    try {
      const rows = frameRows(allow, placedPods(this.#parts.directory.snapshot()));
      const words = new Int32Array(rows.length * FRAME_ROW_WORDS);
      rows.forEach((row, index) => emitFrameRow(words, index, row));
      return words;
    } catch (error) {
      throw new ApiError(400, (error as Error).message);
    }
  }
}

interface Running {
  readonly map: RecordingMap;
  readonly wanted: RecordingRequest;
  readonly rows: Int32Array;
  readonly response: ServerResponse;
}

function publishRows(map: RecordingMap, rows: Int32Array): void {
  map.setRows(rows, Math.min(rows.length / FRAME_ROW_WORDS, MAX_FRAME_ROWS));
}

async function takenUp(map: RecordingMap, closed: AbortSignal): Promise<void> {
  const untilMs = monotonicMs() + TAKE_UP_MS;
  while (map.takenUp !== map.number) {
    await pause(10);
    if (closed.aborted) throw new ApiError(499, 'record frames: whoever asked has gone');
    if (monotonicMs() < untilMs) continue;
    throw new ApiError(
      503,
      'record frames: the dataplane does not take it up: it is not running, or of an earlier version: restart it',
    );
  }
}

/** Local pods by endpoint and address, others by address. */
function* placedPods({ endpoints = [], addresses = [] }: DirectoryDelta): Generator<PlacedPod> {
  for (const [endpoint, pod] of endpoints) {
    if (pod !== undefined) yield { namespace: pod.namespace, name: pod.podName, endpoint, addresses: [] };
  }
  for (const [address, pod] of addresses) {
    if (pod !== undefined) yield { namespace: pod.namespace, name: pod.podName, endpoint: 0, addresses: [address] };
  }
}

function requestOf(body: string): RecordingRequest {
  let given: Partial<RecordingRequest> | null;
  try {
    given = JSON.parse(body) as Partial<RecordingRequest> | null;
  } catch {
    throw new ApiError(
      400,
      'read body: found text that is not JSON, wanted {"allow","deny","bufferBytes","snapBytes"}',
    );
  }
  const { allow = [], deny = [], bufferBytes = RecordingMap.layout.capacity, snapBytes = MAX_SNAP_BYTES } = given ?? {};
  if (!isNumberIn(bufferBytes, MIN_RECORDING_BYTES, MAX_RECORDING_BYTES) || (bufferBytes & (bufferBytes - 1)) !== 0) {
    const wanted = `a power of two from ${MIN_RECORDING_BYTES} to ${MAX_RECORDING_BYTES}`;
    throw new ApiError(400, `bufferBytes: found ${JSON.stringify(bufferBytes)}, wanted ${wanted}`);
  }
  if (!isNumberIn(snapBytes, 1, MAX_SNAP_BYTES)) {
    throw new ApiError(400, `snapBytes: found ${JSON.stringify(snapBytes)}, wanted 1 to ${MAX_SNAP_BYTES}`);
  }
  if (!Array.isArray(allow) || !Array.isArray(deny) || allow.length + deny.length > MAX_RECORDING_FILTERS) {
    throw new ApiError(400, `filters: wanted two lists, of at most ${MAX_RECORDING_FILTERS} filters`);
  }
  try {
    compileFilters(allow, deny);
  } catch (error) {
    throw new ApiError(400, (error as Error).message);
  }
  return { allow, deny, bufferBytes, snapBytes };
}

function isNumberIn(value: unknown, from: number, to: number): value is number {
  return Number.isInteger(value) && (value as number) >= from && (value as number) <= to;
}
