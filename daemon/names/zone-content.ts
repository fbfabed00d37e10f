/**
 * What the name server is told of services and pods, kept as the lines of its file, so that a change costs the services and pods
 * that it is about and the writing.
 *
 * A line that the name server would not take makes it refuse the whole file: what cannot be said is left out here, and told.
 */
import { isDomain } from '../../nameserver/record-reader.ts';
import {
  formatZoneHead,
  formatZoneLine,
  MAX_ENDPOINTS,
  MAX_PODS,
  MAX_SERVICES,
  MAX_ZONE_PORTS,
  type ZoneEndpoint,
  type ZoneHead,
  type ZonePort,
  type ZoneProtocol,
  type ZoneService,
} from '../../nameserver/zone-file.ts';
import { podKey } from '../../policy/rule/spec.ts';
import type { ServicePod } from '../../services/pod-index.ts';
import type { ServiceState } from '../../services/service-book.ts';
import { protocolName } from '../../wire/protocols.ts';

/** Of all services, and of one: endpoints and their ports are as many as somebody writes. Pods have the rest of the file. */
const MAX_SERVICE_BYTES = 24 << 20;
const MAX_LINE_BYTES = 4 << 20; // 10,000 endpoints with a port have 1.3 MB

type ZonePod = Pick<ServicePod, 'namespace' | 'name' | 'key' | 'ips'>;

export class ZoneContent {
  readonly #services = new Map<string, string>();
  #serviceBytes = 0;
  /** With a line an address; of pods without one nothing is kept. */
  readonly #pods = new Map<string, ZonePod>();
  readonly #problems = new Map<string, string>();
  #hasChanged = true;

  /** What could not be said, one sentence each. */
  get problems(): string[] {
    const most = { services: MAX_SERVICES, pods: MAX_PODS };
    const found = { services: this.#services.size, pods: this.#pods.size };
    const over = (['services', 'pods'] as const).filter((what) => found[what] > most[what]);
    return [
      ...this.#problems.values(),
      ...over.map((what) => `names: found ${found[what]} ${what}, wanted at most ${most[what]}: the others have none`),
      ...(this.#serviceBytes > MAX_SERVICE_BYTES
        ? [
            `names: found ${this.#serviceBytes} bytes of services, wanted at most ${MAX_SERVICE_BYTES}: the longest have none`,
          ]
        : []),
    ];
  }

  /** @param state undefined = it is gone */
  setService(key: string, state: ServiceState | undefined): void {
    const service = state && zoneService(state);
    const line = typeof service === 'object' ? formatZoneLine(service) : undefined;
    const isLong = line !== undefined && line.length > MAX_LINE_BYTES;
    const tooLong = isLong ? `found ${line.length} bytes of endpoints and ports, wanted at most ${MAX_LINE_BYTES}` : '';
    const problem = typeof service === 'string' ? service : tooLong;
    if (problem === '') this.#problems.delete(key);
    else this.#problems.set(key, `names of service ${key}: ${problem}`);
    this.#setService(key, isLong ? undefined : line);
  }

  setPod(pod: ZonePod): void {
    const key = podKey(pod);
    const before = this.#pods.get(key)?.ips ?? [];
    if (pod.ips.length === 0) this.#pods.delete(key);
    else this.#pods.set(key, pod);
    if (before.join() !== pod.ips.join()) this.#hasChanged = true;
  }

  removePod({ namespace, name }: { readonly namespace: string; readonly name: string }): void {
    if (this.#pods.delete(`${namespace}/${name}`)) this.#hasChanged = true;
  }

  /** Whether it is another than at the last call; a first time it is. */
  takeChange(): boolean {
    const hasChanged = this.#hasChanged;
    this.#hasChanged = false;
    return hasChanged;
  }

  /** The text of the file. */
  text(head: ZoneHead): string {
    const services = withoutLongest([...this.#services.values()].slice(0, MAX_SERVICES), this.#serviceBytes);
    const pods = linesOf(this.#pods.values()).slice(0, MAX_PODS);
    return [formatZoneHead(head, { services: services.length, pods: pods.length }), ...services, ...pods].join('');
  }

  #setService(key: string, line: string | undefined): void {
    const before = this.#services.get(key);
    if (before === line) return;
    this.#serviceBytes += (line?.length ?? 0) - (before?.length ?? 0);
    if (line === undefined) this.#services.delete(key);
    else this.#services.set(key, line);
    this.#hasChanged = true;
  }
}

function linesOf(pods: Iterable<ZonePod>): string[] {
  return [...pods].flatMap(({ namespace, ips }) => ips.map((address) => formatZoneLine({ namespace, address })));
}

/** Who has most goes without, so that the others are told. */
function withoutLongest(lines: readonly string[], bytes: number): readonly string[] {
  if (bytes <= MAX_SERVICE_BYTES) return lines;
  const leftOut = new Set<string>();
  let left = lines.reduce((sum, { length }) => sum + length, 0);
  for (const line of [...lines].sort((a, b) => b.length - a.length)) {
    if (left <= MAX_SERVICE_BYTES) break;
    leftOut.add(line);
    left -= line.length;
  }
  return lines.filter((line) => !leftOut.has(line));
}

/** @returns why there is nothing to say, where that is so */
function zoneService({ spec, assignment, endpoints }: ServiceState): ZoneService | string {
  const { namespace, name, type, isHeadless, externalName } = spec;
  if (type === 'ExternalName') {
    if (isDomain(externalName)) return { namespace, name, kind: 'ExternalName', externalName };
    return `found external name "${externalName}", wanted labels of at most 63 letters, digits, '-' and '_'`;
  }
  if (!isHeadless) {
    const ports = namedPorts(spec.ports);
    return { namespace, name, kind: 'ClusterIP', addresses: assignment.clusterIPs, ports };
  }
  const ready = endpoints.filter(({ isReady }) => isReady).slice(0, MAX_ENDPOINTS);
  const behind = ready.map(({ address, hostname, ports }): ZoneEndpoint => {
    return { address, ...(hostname !== '' && { hostname }), ports: namedPorts(ports) };
  });
  return { namespace, name, kind: 'headless', endpoints: behind };
}

/** Ports without a name have no records, nor has one that stands for every port. */
function namedPorts(ports: readonly { name: string; protocol: number; port: number }[]): ZonePort[] {
  const named = ports.filter(({ name, port }) => name !== '' && port !== 0).slice(0, MAX_ZONE_PORTS);
  return named.map(({ name, protocol, port }) => ({ name, protocol: protocolName(protocol) as ZoneProtocol, port }));
}
