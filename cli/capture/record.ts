/**
 * `sluice record`: the frames of chosen flows as pcapng, with verdict, identities and rules as comments.
 *
 * The agent chooses the flows, as for `sluice observe`; the uuid of each says where its record lies in the event rings, and the record
 * has the head of the frame. With --drops it is the ring of drops that is read, from its oldest record on, without the agent: what
 * that would know of names is then missing unless it answers. A record that was overwritten before it was read is counted, and so is a
 * flow without a frame (a request). A record has PAYLOAD_BYTES of its frame at most, which the file tells as its snap length.
 */
import { DaemonApi } from '../../api/daemon-api.ts';
import { Decoder } from '../../hubble/decode/decoder.ts';
import { type Directory, EMPTY_DIRECTORY } from '../../hubble/decode/directory.ts';
import { readEnvelope } from '../../hubble/decode/read-envelope.ts';
import { compileFilters } from '../../hubble/filter/filter.ts';
import { type ObserveFilters, observeFilters } from '../../hubble/filter/observe-filter.ts';
import type { Flow } from '../../hubble/flow.ts';
import { placeOfFlow } from '../../hubble/flow-id.ts';
import { EventReader } from '../../policy-maps/event-ring.ts';
import { EVENT_RINGS } from '../../policy-maps/pinned.ts';
import { decodeEvent, EVENT_BYTES, EVENT_L7, type EventRecord, FLAG_L3, PAYLOAD_BYTES } from '../../wire/event.ts';
import { timeOf } from '../../wire/pcap.ts';
import { interfaceDescription, sectionHeader } from '../../wire/pcapng.ts';
import { loadCookieOrigins } from '../maps/cookie-origins.ts';
import { loadIdentityNames } from '../maps/identity-names.ts';
import { openPinned } from '../maps/pinned-maps.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';
import { commentOf } from './flow-comment.ts';
import { PcapngWriter } from './pcapng-writer.ts';

export interface RecordFlags {
  /** Path, or `-`. */
  readonly write: string;
  /** Frames. */
  readonly count?: number;
  /** Milliseconds. */
  readonly duration?: number;
  /** Begin with so many flows that the agent holds. */
  readonly last?: number;
  readonly drops?: boolean;
}

export interface RecordResult {
  readonly frames: number;
  /** Flows whose record was overwritten. */
  readonly gone: number;
  /** Flows that have no frame. */
  readonly frameless: number;
}

const LINKTYPE_RAW_IP = 101;
/** Interfaces that a file tells apart. */
const MOST_INTERFACES = 1024;

/**
 * Records until the signal, the count or the duration; of drops what there is.
 * @param given filter flags in the order of the command line, see observeFilters()
 * @throws Failure (usage) when flags make no sense; else when rings or agent cannot be read, or the file not be written
 */
export async function recordFlows(
  settings: Settings,
  flags: RecordFlags,
  given: readonly (readonly [string, string])[],
  signal: AbortSignal,
): Promise<RecordResult> {
  const filters = filtersOf(given);
  const end = new AbortController();
  let problem: Error | undefined;
  const file = new PcapngWriter(flags.write, (error) => {
    problem ??= error;
    end.abort();
  });
  const recorder = new Recorder(file, flags.count ?? Number.POSITIVE_INFINITY, end);
  const timer = flags.duration === undefined ? undefined : setTimeout(() => end.abort(), flags.duration);
  try {
    const until = AbortSignal.any([signal, end.signal]);
    if (flags.drops === true) await recordDrops(settings, filters, recorder, until);
    else await recordFollowed(settings, filters, { recorder, last: flags.last ?? 0, signal: until });
  } finally {
    clearTimeout(timer);
    file.close();
  }
  if (problem !== undefined) throw problem;
  return { frames: file.frames, gone: recorder.gone, frameless: recorder.frameless };
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

interface Following {
  readonly recorder: Recorder;
  readonly last: number;
  readonly signal: AbortSignal;
}

async function recordFollowed(
  settings: Settings,
  { allow, deny }: ObserveFilters,
  { recorder, last, signal }: Following,
): Promise<void> {
  const readers = EVENT_RINGS.map((name) => new EventReader(openPinned(settings, name), 'now'));
  const record = new Uint8Array(EVENT_BYTES);
  const query = {
    ...{ follow: 1, last },
    ...(allow.length > 0 && { filter: JSON.stringify(allow) }),
    ...(deny.length > 0 && { deny: JSON.stringify(deny) }),
  };
  await new DaemonApi(settings).flows(query, signal, (line) => {
    const flow = readEnvelope(line)?.flow;
    if (flow === undefined) return;
    const place = placeOfFlow(flow.uuid ?? '');
    const reader = place === undefined ? undefined : readers[place.ring];
    if (place === undefined || reader === undefined || flow.Type === 'L7') recorder.frameless++;
    else if (!reader.readAt(place.position, record)) recorder.gone++;
    else {
      const event = decodeEvent(record, 0);
      // The ring may be that of a later dataplane, which has begun anew.
      if (Math.floor(event.timeMs) === place.timeMs) recorder.take(flow, event);
      else recorder.gone++;
    }
  });
}

async function recordDrops(
  settings: Settings,
  { allow, deny }: ObserveFilters,
  recorder: Recorder,
  signal: AbortSignal,
): Promise<void> {
  const matches = compileFilters(allow, deny);
  const decoder = new Decoder({ directory: await knownDirectory(settings), nodeName: '' });
  const reader = new EventReader(openPinned(settings, 'dropEvents'), 'oldest');
  const { lost } = reader.read((bytes, at) => {
    if (signal.aborted) return;
    const event = decodeEvent(bytes, at);
    const flow = event.type === EVENT_L7 ? undefined : decoder.decode(event);
    if (flow !== undefined && matches({ flow, time: flow.time })) recorder.take(flow, event);
  }, reader.pending);
  recorder.gone += lost;
}

/** What of the names behind numbers can be had now. */
async function knownDirectory(settings: Settings): Promise<Directory> {
  const names = await loadIdentityNames(settings);
  const origins = await loadCookieOrigins(settings);
  const endpoints = origins === undefined ? [] : await new DaemonApi(settings).endpoints().catch(() => []);
  const byId = new Map(
    endpoints.map(({ id, namespace, pod, labels, identity }) => [id, { namespace, podName: pod, labels, identity }]),
  );
  const ports = new Map([...openPinned(settings, 'ports').entries()].map((port) => [port.index, port]));
  return {
    ...EMPTY_DIRECTORY,
    identityLabels: (identity) => names.labels(identity),
    endpoint: (id) => byId.get(id),
    policies: (cookie) => origins?.get(cookie) ?? [],
    interface: (index) => {
      const port = ports.get(index);
      return port === undefined ? undefined : { index: port.ifindex, name: port.ifname };
    },
  };
}

/** Writes frames with what is known of them; an interface of the file for each that frames came by. */
class Recorder {
  gone = 0;
  frameless = 0;
  readonly #file: PcapngWriter;
  readonly #most: number;
  readonly #end: AbortController;
  readonly #interfaces = new Map<string, number>();

  constructor(file: PcapngWriter, most: number, end: AbortController) {
    this.#file = file;
    this.#most = most;
    this.#end = end;
    file.append(sectionHeader('sluice record'));
  }

  take(flow: Flow, { payload, originalBytes, timeMs, flags }: EventRecord): void {
    if (this.#file.frames >= this.#most) return;
    if (payload.length === 0) {
      this.frameless++;
      return;
    }
    const linkType = (flags & FLAG_L3) === 0 ? undefined : LINKTYPE_RAW_IP;
    this.#file.packet({
      ...timeOf(timeMs),
      bytes: payload,
      originalLength: Math.max(originalBytes, payload.length),
      interface: this.#interfaceOf(flow.interface?.name ?? 'unknown', linkType),
      comment: commentOf(flow),
    });
    if (this.#file.frames >= this.#most) this.#end.abort();
  }

  #interfaceOf(name: string, linkType: number | undefined): number {
    const key = `${linkType ?? ''} ${this.#interfaces.size < MOST_INTERFACES ? name : 'others'}`;
    const known = this.#interfaces.get(`${linkType ?? ''} ${name}`) ?? this.#interfaces.get(key);
    if (known !== undefined) return known;
    this.#file.append(interfaceDescription(key.slice(key.indexOf(' ') + 1), linkType, PAYLOAD_BYTES));
    this.#interfaces.set(key, this.#interfaces.size);
    return this.#interfaces.size - 1;
  }
}
