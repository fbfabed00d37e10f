/**
 * What the ring of drops still has, for `sluice record --drops`: from its oldest record on, without the agent, whose names are then
 * missing. A record has PAYLOAD_BYTES of its frame at most.
 */
import { DaemonApi } from '../../api/daemon-api.ts';
import { Decoder } from '../../hubble/decode/decoder.ts';
import { type Directory, EMPTY_DIRECTORY } from '../../hubble/decode/directory.ts';
import { compileFilters } from '../../hubble/filter/filter.ts';
import type { ObserveFilters } from '../../hubble/filter/observe-filter.ts';
import { EventReader } from '../../policy-maps/event-ring.ts';
import { decodeEvent, EVENT_L7, FLAG_L3 } from '../../wire/event.ts';
import { loadCookieOrigins } from '../maps/cookie-origins.ts';
import { loadIdentityNames } from '../maps/identity-names.ts';
import { openPinned } from '../maps/pinned-maps.ts';
import type { Settings } from '../terminal/settings.ts';
import type { FrameFile } from './frame-file.ts';

/**
 * Writes the drops that match.
 * @returns how many were overwritten before they were read
 * @throws Failure when the ring cannot be read
 */
export async function recordPastDrops(
  settings: Settings,
  { allow, deny }: ObserveFilters,
  file: FrameFile,
): Promise<number> {
  const matches = compileFilters(allow, deny);
  const decoder = new Decoder({ directory: await knownDirectory(settings), nodeName: '' });
  const reader = new EventReader(openPinned(settings, 'dropEvents'), 'oldest');
  const { lost } = reader.read((bytes, at) => {
    const event = decodeEvent(bytes, at);
    const flow = event.type === EVENT_L7 ? undefined : decoder.decode(event);
    if (flow === undefined || event.payload.length === 0 || !matches({ flow, time: flow.time })) return;
    const { payload, originalBytes, timeMs, flags } = event;
    file.write(flow, { bytes: payload, originalBytes, timeMs, isL3: (flags & FLAG_L3) !== 0 });
  }, reader.pending);
  return lost;
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
