/**
 * AddressHealth of endpoints: an ICMP or ICMPv6 echo from the host to each address of each pod, by package raw-socket.
 *
 * Rounds begin every `intervalSec`; within a round at most PER_SECOND requests go out a second, and an answer counts
 * that comes within TIMEOUT_MS; an address is unreachable when TRIES requests had none. The probe goes the way of all traffic (host port, dataplane, pod), so it says that an
 * endpoint is reached, not merely that it is configured; a policy that denies the host makes it unreachable. What comes
 * in on the raw sockets beside our answers is ignored. raw-socket works on the main thread only, and is loaded when the
 * first round begins: without it there is no health, and everything else works.
 */
import type { AddressHealth } from '../../api/shapes.ts';
import { isIP } from 'node:net';
import { monotonicMs } from '../../dataplane/native/index.ts';

const RAW_SOCKET: string = 'raw-socket'; // it has no types of its own
const PER_SECOND = 20;
const TIMEOUT_MS = 2000;
/** Requests without an answer until an address counts as unreachable: one may be lost. */
const TRIES = 3;
const PAYLOAD_BYTES = 24;

/** What is used of a raw socket. */
interface RawSocket {
  on(event: 'message', listener: (buffer: Buffer, source: string) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  send(
    buffer: Buffer,
    offset: number,
    length: number,
    address: string,
    done: (error: Error | null, bytes: number) => void,
  ): void;
  close(): void;
}

interface RawSocketModule {
  createSocket(options: { protocol: number; addressFamily: number }): RawSocket;
  writeChecksum(buffer: Buffer, offset: number, checksum: number): Buffer;
  createChecksum(buffer: Buffer): number;
  readonly Protocol: { readonly ICMP: number; readonly ICMPv6: number };
  readonly AddressFamily: { readonly IPv4: number; readonly IPv6: number };
}

export interface ProberOptions {
  /** Addresses to probe in the next round. */
  readonly targets: () => readonly string[];
  readonly intervalSec: number;
  /** Told once when probing is not possible. */
  readonly onFailure: (reason: string) => void;
  /** A request goes out. @param sequence of those with identifier `process.pid`, 16 bits of each */
  readonly onSend: (sequence: number, address: string) => void;
}

/** Probes the endpoints of one agent. */
export class Prober {
  readonly #options: ProberOptions;
  readonly #health = new Map<string, AddressHealth>();
  readonly #waiting = new Map<number, { address: string; sentMs: number; tries: number }>();
  readonly #queue: { address: string; tries: number }[] = [];
  readonly #sockets = new Map<4 | 6, RawSocket>();
  readonly #id = process.pid & 0xffff;
  #raw: RawSocketModule | undefined;
  #sequence = 0;
  #round: NodeJS.Timeout | undefined;
  #pace: NodeJS.Timeout | undefined;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Probes from one interval from now on; an interval of 0 = never. */
  start(intervalSec = this.#options.intervalSec): void {
    this.stop();
    if (intervalSec > 0) this.#round = setInterval(() => void this.#beginRound(), intervalSec * 1000);
  }

  stop(): void {
    clearInterval(this.#round);
    this.#endRound();
  }

  /** The health of an address; undefined before it has been probed. */
  health(address: string): AddressHealth | undefined {
    return this.#health.get(address);
  }

  /** Probes all targets now. */
  async #beginRound(): Promise<void> {
    const targets = this.#options.targets();
    const known = new Set(targets);
    for (const address of this.#health.keys()) if (!known.has(address)) this.#health.delete(address);
    if (!(await this.#load()) || this.#pace !== undefined) return;
    this.#queue.push(...targets.map((address) => ({ address, tries: 1 })));
    this.#pace = setInterval(() => this.#step(), 1000 / PER_SECOND);
  }

  async #load(): Promise<boolean> {
    if (this.#raw !== undefined) return true;
    try {
      const loaded = (await import(RAW_SOCKET)) as { default: RawSocketModule };
      this.#raw = loaded.default;
      return true;
    } catch (error) {
      this.#options.onFailure(`health probes are off: raw-socket: ${(error as Error).message}`);
      clearInterval(this.#round);
      return false;
    }
  }

  /** One request a step; requests that were not answered in time end on the way. */
  #step(): void {
    const now = monotonicMs();
    for (const [sequence, { sentMs }] of this.#waiting) if (now - sentMs > TIMEOUT_MS) this.#fail(sequence);
    const next = this.#queue.shift();
    if (next !== undefined) this.#send(next, now);
    if (next === undefined && this.#waiting.size === 0) this.#endRound();
  }

  #endRound(): void {
    clearInterval(this.#pace);
    this.#pace = undefined;
    this.#queue.length = 0;
    // A raw socket gets every ICMP message of the host: it is open only while answers are waited for.
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #send({ address, tries }: { address: string; tries: number }, now: number): void {
    const raw = this.#raw as RawSocketModule;
    const family = isIP(address) as 4 | 6;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const sequence = this.#sequence;
    this.#waiting.set(sequence, { address, sentMs: now, tries });
    this.#options.onSend(sequence, address);
    const request = echoRequest(family, this.#id, sequence);
    // The kernel fills in the checksum of ICMPv6 (RFC 3542 3.1), not that of ICMP.
    if (family === 4) raw.writeChecksum(request, 2, raw.createChecksum(request));
    this.#socket(family).send(request, 0, request.length, address, (error) => {
      if (error !== null) this.#fail(sequence);
    });
  }

  #socket(family: 4 | 6): RawSocket {
    const open = this.#sockets.get(family);
    if (open !== undefined) return open;
    const raw = this.#raw as RawSocketModule;
    const protocol = family === 4 ? raw.Protocol.ICMP : raw.Protocol.ICMPv6;
    const addressFamily = family === 4 ? raw.AddressFamily.IPv4 : raw.AddressFamily.IPv6;
    const socket = raw.createSocket({ protocol, addressFamily });
    socket.on('message', (buffer) => this.#answer(buffer, family));
    socket.on('error', () => {});
    this.#sockets.set(family, socket);
    return socket;
  }

  #answer(packet: Buffer, family: 4 | 6): void {
    const sequence = echoReplySequence(packet, family, this.#id);
    const asked = this.#waiting.get(sequence);
    if (asked === undefined) return;
    const now = monotonicMs();
    const rttMs = Math.round((now - asked.sentMs) * 100) / 100;
    this.#conclude(sequence, { isReachable: true, rttMs, probedAt: moment() });
  }

  /** Asked once more, or found unreachable. */
  #fail(sequence: number): void {
    const asked = this.#waiting.get(sequence);
    if (asked === undefined) return;
    if (asked.tries >= TRIES) this.#conclude(sequence, { isReachable: false, probedAt: moment() });
    else {
      this.#waiting.delete(sequence);
      this.#queue.push({ address: asked.address, tries: asked.tries + 1 });
    }
  }

  #conclude(sequence: number, health: AddressHealth): void {
    const asked = this.#waiting.get(sequence);
    if (asked === undefined) return;
    this.#waiting.delete(sequence);
    this.#health.set(asked.address, health);
  }
}

function moment(): string {
  return new Date().toISOString();
}

/** ICMP (RFC 792) or ICMPv6 (RFC 4443) echo request: type, code, checksum, identifier, sequence number, payload. */
export function echoRequest(family: 4 | 6, id: number, sequence: number): Buffer {
  const request = Buffer.alloc(8 + PAYLOAD_BYTES);
  request.writeUInt8(family === 4 ? 8 : 128, 0);
  request.writeUInt16BE(id, 4);
  request.writeUInt16BE(sequence, 6);
  return request;
}

/**
 * The sequence number of an echo reply to `id`, -1 when the packet is anything else.
 * @param packet as a raw socket gives it: with the IPv4 header, without the IPv6 header
 */
export function echoReplySequence(packet: Buffer, family: 4 | 6, id: number): number {
  const at = family === 4 && packet.length > 0 ? (packet.readUInt8(0) & 15) * 4 : 0;
  if (packet.length < at + 8 || packet.readUInt8(at) !== (family === 4 ? 0 : 129)) return -1;
  return packet.readUInt16BE(at + 4) === id ? packet.readUInt16BE(at + 6) : -1;
}
