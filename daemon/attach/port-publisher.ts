/**
 * Rows of the `ports` and `endpoints` maps: which interface leads to whom. A pod's rows are there while it is attached and
 * has a published policy; a row that has not changed is not written again, so that the dataplane keeps its port open.
 */
import type { NetworkInterface } from '../../hubble/flow.ts';
import { POD_INTERFACE } from '../../linux/attachment.ts';
import { ENDPOINT_HOST, type EndpointValue, type MacWords } from '../../policy-maps/endpoint-map.ts';
import { NO_CONDITIONS, type PortConditions } from '../../policy-maps/condition-map.ts';
import type { AddressWords } from '../../policy-maps/ipcache.ts';
import {
  type Port,
  PORT_FLAG_AUDIT,
  PORT_FLAG_EXTERNAL,
  PORT_FLAG_UPPER,
  readInterface,
} from '../../policy-maps/port-map.ts';
import { addressWords, macWords } from '../../wire/address.ts';
import { PORT_KINDS, ROLE_POD } from '../../wire/port-kinds.ts';
import type { PinnedMaps } from '../publish/pinned-maps.ts';
import type { LocalPod } from './pod-reconciler.ts';

const NO_MAC: MacWords = { high: 0, low: 0 };

/** One port as it should be, with the addresses behind it. */
export interface WantedPort {
  readonly index: number;
  readonly port: Port;
  readonly addresses: readonly string[];
  readonly isHost: boolean;
  readonly conditions: PortConditions;
}

export class PortPublisher {
  readonly #maps: PinnedMaps;
  readonly #routerMac: MacWords;
  readonly #written = new Map<number, string>();
  readonly #addresses = new Map<string, string>();
  readonly #conditions = new Map<number, string>();
  /** Generation of the map since which each row is as it is. */
  readonly #since = new Map<number, number>();

  constructor(maps: PinnedMaps, routerMac: string) {
    this.#maps = maps;
    this.#routerMac = macWords(routerMac);
    for (const { index } of maps.ports.entries()) this.#written.set(index, '');
    for (const { address } of maps.endpoints.entries()) this.#addresses.set(address.join(), '');
  }

  /** Makes the maps say this and nothing else. @returns whether anything changed */
  publish(wanted: readonly WantedPort[]): boolean {
    const before = this.#changes;
    const indexes = new Set(wanted.map(({ index }) => index));
    const addresses = new Set(wanted.flatMap((one) => one.addresses.map((text) => addressWords(text).join())));
    for (const one of wanted) {
      for (const address of one.addresses) this.#writeAddress(addressWords(address), one);
      this.#writeConditions(one.index, one.conditions);
      this.#writePort(one);
    }
    for (const key of [...this.#addresses.keys()]) if (!addresses.has(key)) this.#clearAddress(key);
    for (const index of [...this.#written.keys()]) if (!indexes.has(index)) this.#clearPort(index);
    return this.#changes !== before;
  }

  /** Generation of the map since which a row is as it is; undefined when there is no row. */
  since(index: number): number | undefined {
    return this.#since.get(index);
  }

  #changes = 0;

  #writePort({ index, port }: WantedPort): void {
    const row = JSON.stringify(port);
    if (this.#written.get(index) === row) return;
    this.#maps.ports.set(index, port);
    this.#written.set(index, row);
    this.#since.set(index, this.#maps.ports.generation);
    this.#changes++;
  }

  #writeConditions(index: number, conditions: PortConditions): void {
    const row = JSON.stringify(conditions);
    if ((this.#conditions.get(index) ?? JSON.stringify(this.#maps.conditions.get(index))) !== row)
      this.#maps.conditions.set(index, conditions);
    this.#conditions.set(index, row);
  }

  #writeAddress(words: AddressWords, { index, port, isHost }: WantedPort): void {
    const value: EndpointValue = {
      ifindex: port.ifindex,
      lxcId: port.endpointId,
      flags: isHost ? ENDPOINT_HOST : 0,
      mac: port.kind === 'uplink' ? (port.gatewayMac ?? NO_MAC) : port.mac,
      nodeMac: this.#routerMac,
      secId: port.secId,
      portIndex: index,
    };
    const row = JSON.stringify(value);
    if (this.#addresses.get(words.join()) === row) return;
    this.#maps.endpoints.upsert(words, value);
    this.#addresses.set(words.join(), row);
    this.#changes++;
  }

  #clearPort(index: number): void {
    this.#maps.ports.clear(index);
    this.#writeConditions(index, NO_CONDITIONS);
    this.#written.delete(index);
    this.#since.delete(index);
    this.#changes++;
  }

  #clearAddress(key: string): void {
    const [a0, a1, a2, a3] = key.split(',').map(Number);
    this.#maps.endpoints.remove([a0, a1, a2, a3]);
    this.#addresses.delete(key);
    this.#changes++;
  }
}

/** The row of a pod that is attached. */
export function podPort(pod: LocalPod, identity: number, isAudited: boolean, conditions: PortConditions): WantedPort {
  const { spec, numbers, attachment, plan } = pod;
  const mac = macWords(spec.mac === '' ? (attachment?.foundMac ?? '') : spec.mac);
  const common = { ifname: spec.hostInterface, ifindex: attachment?.ifindex ?? 0, mtu: spec.mtu };
  const isExternal = plan.place === 'external';
  const port: Port = isExternal
    ? { ...common, kind: 'uplink', mac: NO_MAC, gatewayMac: mac, endpointId: 0, secId: 0, flags: PORT_FLAG_EXTERNAL }
    : {
        ...common,
        kind: spec.mode === 'existing' ? 'veth' : spec.mode,
        mac,
        endpointId: numbers.endpointId,
        secId: identity,
        flags: (isAudited ? PORT_FLAG_AUDIT : 0) | (spec.hasUpper === true ? PORT_FLAG_UPPER : 0),
      };
  const addresses = numbers.addresses.map(({ text }) => text);
  return { index: numbers.port, port, addresses, isHost: false, conditions };
}

/** The addresses of all pods, whatever the kind of their port: those that the host has routes to. */
export function addressesOfPods(ports: readonly WantedPort[]): string[] {
  return ports.flatMap(({ port, addresses }) => (PORT_KINDS[port.kind].role === ROLE_POD ? addresses : []));
}

/** The interface of a port, as the kernel has it. A TAP is known by the name that it has in the pod. */
export function interfaceOf({ kind, ifname, ifindex }: Port): NetworkInterface {
  if (ifindex !== 0) return { index: ifindex, name: ifname };
  return { name: kind === 'tap' ? POD_INTERFACE : ifname };
}

/** The ports that have a packet socket, and the interface that it reads. */
export function socketInterfaces(wanted: readonly WantedPort[]): Map<number, string> {
  const some = wanted.filter(({ port }) => PORT_KINDS[port.kind].hasSocket);
  return new Map(some.map(({ index, port }) => [index, readInterface(port)]));
}
