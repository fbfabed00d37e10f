/** `sluice monitor`: the pinned event rings, read as they are written, in the lines of cilium-dbg. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Directory, EMPTY_DIRECTORY } from '../../hubble/decode/directory.ts';
import { Monitor, type MonitorFilter, monitorLost, monitorMatches } from '../../hubble/print/monitor.ts';
import { EVENT_TYPES } from '../../hubble/filter/observe-value.ts';
import { EventReader } from '../../policy-maps/event-ring.ts';
import type { PortEntry } from '../../policy-maps/port-map.ts';
import { decodeEvent } from '../../wire/event.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { type IdentityNames, loadIdentityNames } from './identity-names.ts';
import { openPinned } from './pinned-maps.ts';
import type { Settings } from '../terminal/settings.ts';

export interface MonitorFlags {
  readonly type?: readonly string[];
  readonly from?: readonly number[];
  readonly to?: readonly number[];
  readonly relatedTo?: readonly number[];
  readonly verbose?: boolean;
  readonly hex?: boolean;
  readonly json?: boolean;
  readonly numeric?: boolean;
  readonly oldest?: boolean;
  readonly once?: boolean;
}

/**
 * Drops and access-log records have rings of their own, so that forwarded packets never push them out. Drops come last: of events
 * of the same millisecond, the drop is the end.
 */
const RINGS = ['events', 'l7Events', 'dropEvents'] as const;
const POLL_MS = 20;

/** One event ring with what is needed to print it. */
interface Source {
  readonly reader: EventReader;
  readonly monitor: Monitor;
}

interface Printed {
  readonly timeMs: number;
  readonly text: string;
}

/** Prints events until the signal; with `once` until the rings are read. */
export async function monitor(settings: Settings, flags: MonitorFlags, signal: AbortSignal): Promise<void> {
  const filter = filterOf(flags);
  const form = flags.json === true ? 'json' : flags.verbose === true || flags.hex === true ? 'verbose' : 'line';
  const ports = new Map([...openPinned(settings, 'ports').entries()].map((port) => [port.index, port]));
  const directory = directoryOf(ports, await loadIdentityNames(settings));
  const options = { directory, form, numeric: flags.numeric === true, hex: flags.hex === true } as const;
  const sources = RINGS.map((name) => ({
    reader: new EventReader(openPinned(settings, name), flags.oldest === true ? 'oldest' : 'now'),
    monitor: new Monitor(options),
  }));
  if (flags.once !== true) settings.host.stderr.write('Listening for events... press Ctrl-C to quit\n');
  while (!signal.aborted) {
    const events = sources.flatMap((source) => readSource(settings, source, { filter, ports }));
    // The rings are read one after the other: put together what happened together.
    events.sort((a, b) => a.timeMs - b.timeMs);
    if (events.length > 0) settings.host.stdout.write(events.map(({ text }) => `${text}\n`).join(''));
    if (flags.once === true) return;
    await pause(POLL_MS);
  }
}

interface Reading {
  readonly filter: MonitorFilter;
  readonly ports: ReadonlyMap<number, PortEntry>;
}

function readSource(settings: Settings, { reader, monitor }: Source, { filter, ports }: Reading): Printed[] {
  const events: Printed[] = [];
  const onRecord = (bytes: Uint8Array, offset: number) => {
    const raw = decodeEvent(bytes, offset);
    // Records name the port they came in by; people know interfaces by the kernel's numbers.
    const record = { ...raw, ifindex: ports.get(raw.ifindex)?.ifindex ?? raw.ifindex };
    const whole = monitor.take(record);
    if (whole === undefined || !monitorMatches(whole, filter)) return;
    const text = monitor.text(whole);
    if (text !== undefined) events.push({ timeMs: whole.timeMs, text });
  };
  const { lost } = reader.read(onRecord, Number.POSITIVE_INFINITY, () => monitor.gap());
  if (lost > 0) settings.host.stderr.write(`${monitorLost(lost)}\n`);
  return events;
}

function filterOf(flags: MonitorFlags): MonitorFilter {
  const types = (flags.type ?? []).map((name) => {
    const number = EVENT_TYPES[name];
    if (number === undefined) {
      throw new Failure(`found event type '${name}', wanted one of ${Object.keys(EVENT_TYPES).join(', ')}`, EXIT.USAGE);
    }
    return number;
  });
  return { types, from: flags.from ?? [], to: flags.to ?? [], related: flags.relatedTo ?? [] };
}

/** Labels from wherever they can be had, interface names from the pinned ports. */
function directoryOf(ports: ReadonlyMap<number, PortEntry>, names: IdentityNames): Directory {
  const interfaces = new Map([...ports.values()].map(({ ifindex, ifname }) => [ifindex, ifname]));
  return {
    ...EMPTY_DIRECTORY,
    identityLabels: (identity) => names.labels(identity),
    interface: (index) => {
      const name = interfaces.get(index);
      return name === undefined ? undefined : { index, name };
    },
  };
}
