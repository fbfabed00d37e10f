/** Services in a dataplane without a kernel: published as the agent would, and frames of their clients and backends. */
import type { Test } from 'tap';
import { BACKEND_ACTIVE } from '../policy-maps/service/backend-map.ts';
import * as service from '../policy-maps/service/service-map.ts';
import { type Service, ServiceWriter } from '../policy-maps/service/service-writer.ts';
import { TranslationSettings } from '../policy-maps/service/translation-settings.ts';
import type { Frame } from '../wire/frame.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import { finish, verify } from '../wire/offload.ts';
import { formatIp } from '../wire/address.ts';
import { parse } from '../dataplane/parse.ts';
import { ETH, parsed, type PodOptions, World, type WorldPod, words } from './dataplane-world.ts';

export const VIP = '10.96.0.1';
export const VIP6 = 'fd00:10:96::1';
export const LOOPBACK = '169.254.42.1';
export const LOOPBACK6 = 'fd00:42::1';

/** A backend as `10.0.0.3:8080`, `[fd00::3]:8080`, or with more to say of it. */
export type BackendText = string | { readonly at: string; readonly state?: number; readonly weight?: number };

export interface ServiceOptions extends Partial<Omit<Service, 'backends'>> {
  readonly vip?: string;
  readonly port?: number;
  readonly protocol?: number;
  readonly scope?: number;
  /** No wildcard for the rest of the address: a node's own, with a node port. */
  readonly isNodePort?: boolean;
}

export class ServiceWorld extends World {
  readonly writer = new ServiceWriter(this.maps);
  readonly settings = new TranslationSettings(this.maps.config);

  /** Publishes a service on port 80 of the virtual address unless told otherwise. */
  serve(backends: readonly BackendText[], options: ServiceOptions = {}): void {
    const { vip = VIP, port = 80, protocol = 6, scope = service.SCOPE_EXTERNAL, isNodePort = false } = options;
    const key = { address: words(vip), port, protocol, scope };
    const value = { flags: 0, affinitySec: 0, sourceRanges: [], ...options };
    const wildcard = { ...key, port: 0, protocol: 0, scope: service.SCOPE_EXTERNAL };
    if (!isNodePort) this.writer.set(wildcard, { flags: 0, affinitySec: 0, sourceRanges: [], backends: [] });
    this.writer.set(key, { ...value, backends: backends.map((text) => backendOf(text, protocol)) });
    this.maps.config.bumpWorldGeneration();
  }

  unserve(options: ServiceOptions = {}): void {
    const { vip = VIP, port = 80, protocol = 6, scope = service.SCOPE_EXTERNAL } = options;
    this.writer.remove({ address: words(vip), port, protocol, scope });
    this.maps.config.bumpWorldGeneration();
  }

  /** Pods reach themselves through services as these addresses. */
  loop(): void {
    for (const address of [LOOPBACK, LOOPBACK6]) {
      this.settings.setLoopback(words(address));
      this.maps.addressFilter.add(words(address));
    }
    this.dataplane.refreshSettings();
  }

  /** Pods leave as this address. */
  masquerade(address: string, first: number, last: number): void {
    this.settings.setMasquerade(address.includes(':') ? 6 : 4, words(address));
    this.settings.masqueradePorts = { first, last };
    this.maps.addressFilter.add(words(address));
    this.dataplane.refreshSettings();
  }

  /** What came out at a pod, its checksums done. */
  arrived(to: WorldPod): string {
    for (const whole of to.port.sent) finish(whole, 10, whole.length - 10);
    return this.received(to).map(endsOf).join();
  }

  /** Sends a frame, and says what came out at `to`: its ends, and what is wrong with it; or the reason of the drop. */
  pass(from: WorldPod, to: WorldPod, frame: Uint8Array, header?: Uint8Array): string {
    this.received(to);
    this.drops();
    this.send(from, frame, header);
    const [got] = this.received(to);
    return got === undefined ? `drop ${this.drops().join()}` : endsOf(got);
  }
}

/** A world of two clients and two servers, with policies that allow everything unless told otherwise. */
export interface Quartet {
  world: ServiceWorld;
  client: WorldPod;
  other: WorldPod;
  one: WorldPod;
  two: WorldPod;
}

export function quartet(t: Test, server: Partial<PodOptions> = {}, client: Partial<PodOptions> = {}): Quartet {
  const world = new ServiceWorld();
  t.teardown(() => world.close());
  world.loop();
  return {
    world,
    client: world.add({ addresses: ['10.0.0.2', 'fd00::2'], identity: 1001, ...client }),
    one: world.add({ addresses: ['10.0.0.3', 'fd00::3'], identity: 1002, ...server }),
    two: world.add({ addresses: ['10.0.0.4', 'fd00::4'], identity: 1002, ...server }),
    other: world.add({ addresses: ['10.0.0.5', 'fd00::5'], identity: 1003 }),
  };
}

/** `10.0.0.2:4000>10.0.0.3:8080`, and behind it what is wrong with its checksums. */
export function endsOf(bytes: Uint8Array): string {
  const f = parsed(bytes);
  const fault = parse(f) === 0 ? checksumFault(f) : 'not a frame';
  const src = formatIp(f.src0, f.src1, f.src2, f.src3);
  const dst = formatIp(f.dst0, f.dst1, f.dst2, f.dst3);
  return `${endText(src, f.srcPort)}>${endText(dst, f.dstPort)}${fault}`;
}

function checksumFault(f: Frame): string {
  const isHeaderRight = f.family === 6 || ipv4.verifyChecksum(f.bytes, f.l3Offset);
  return isHeaderRight && verify(f) ? '' : ' with a wrong checksum';
}

function endText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function backendOf(text: BackendText, protocol: number) {
  const { at, state = BACKEND_ACTIVE, weight = 100 } = typeof text === 'string' ? { at: text } : text;
  const [, address, port] = /^\[?(.*?)\]?:(\d+)$/.exec(at) ?? [];
  if (address === undefined) throw new TypeError(`backend: found "${at}", wanted address:port`);
  return { address: words(address), port: Number(port), protocol, state, weight };
}

/** The same addresses in both families. */
export const FAMILIES = [
  {
    client: '10.0.0.2',
    one: '10.0.0.3',
    two: '10.0.0.4',
    vip: VIP,
    at: (address: string, port: number) => `${address}:${port}`,
  },
  {
    client: 'fd00::2',
    one: 'fd00::3',
    two: 'fd00::4',
    vip: VIP6,
    at: (address: string, port: number) => `[${address}]:${port}`,
  },
] as const;

/** The packet that an error quotes, whose checksums must be right too. */
export function quotedOf(bytes: Uint8Array): Uint8Array {
  const f = parsed(bytes);
  if (parse(f) !== 0 || !verify(f)) throw new Error('the error is damaged');
  return f.bytes.subarray(f.payloadOffset, f.payloadOffset + f.payloadLength);
}

/** An IP packet as it was sent, with the hop count of the one that was received. */
export function withTtl(sent: Uint8Array, received: Uint8Array): Uint8Array {
  const packet = sent.slice();
  if (packet[ETH] >>> 4 === 4) {
    ipv4.setTtl(packet, ETH, ipv4.ttl(received, ETH));
    ipv4.fillChecksum(packet, ETH);
  } else {
    packet[ETH + 7] = received[ETH + 7];
  }
  return packet.subarray(ETH);
}
