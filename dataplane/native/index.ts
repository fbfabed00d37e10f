/**
 * The typed door to the C addon: map files, TAP, AF_PACKET, bursts of frames, epoll, unix sockets that carry
 * descriptors, namespaces, clocks. Bursts belong in C, every decision belongs in TypeScript.
 *
 * Each failure of the system is an Error with `code` (errno name), `errno` (negative), `syscall`, and a message that says
 * what to do: `open /dev/net/tun: EACCES: run as root or grant CAP_NET_ADMIN`. A wrong argument is a TypeError, an offset
 * outside the arena a RangeError. All functions work in any thread; descriptors are close-on-exec and belong to the
 * caller, who closes them with `closeFd`.
 */
import { loadAddon } from './addon.ts';

/** Kind argument of receiveBatch() and sendBatch(). */
export const KIND_TAP = 0;
export const KIND_PACKET = 1;
/** Bytes a slot keeps free before its frame; a received frame has at most `stride - SLOT_HEADROOM_BYTES` bytes. */
export const SLOT_HEADROOM_BYTES = 64;
/** Most frames one receiveBatch() takes. */
export const MAX_BATCH_FRAMES = 64;
/** Default memory of a receive ring: 296 frames, some 3 ms of a flood of small ones. */
export const RING_BYTES = 512 * 1024;
/** The key under which Poller.wait() reports a wake(). */
export const WAKE_KEY = -1;

/** What every failure of the system is. */
export interface SystemError extends Error {
  /** Name of the errno: `EACCES`. */
  code: string;
  /** The errno, negative: -13. */
  errno: number;
  syscall: string;
}

export interface Tap {
  fd: number;
  /** The device's name: as asked for, or numbered by the kernel if it had a `%d`. */
  name: string;
  /** Whether UDP segmentation offload is on (Linux 6.2 and later). */
  hasUdpOffload: boolean;
}

export interface InterfaceInfo {
  index: number;
  /** Six bytes. */
  mac: Uint8Array;
  /** Bytes of L3 packet. */
  mtu: number;
  isUp: boolean;
  /** Its other end is up too. */
  hasCarrier: boolean;
}

export interface ResourceUsage {
  userUs: number;
  systemUs: number;
  /** Peak resident memory of the process, KiB. */
  maxRssKb: number;
}

export interface FdMessage {
  fds: number[];
  payload: Uint8Array;
  /** The peer has closed; nothing more will come. */
  isClosed: boolean;
}

interface Addon {
  mapFile: (path: string, bytes: number, writable: boolean) => ArrayBuffer;
  reserveFile: (buffer: ArrayBuffer, offset: number, bytes: number) => boolean;
  unmapFile: (buffer: ArrayBuffer) => void;
  openTap: (name: string, netns: string | undefined, persist: boolean) => Tap;
  openPacket: (
    name: string,
    index: number,
    netns: string | undefined,
    promiscuous: boolean,
    ringBytes: number,
  ) => number;
  openSocket: (
    name: string,
    index: number,
    netns: string | undefined,
    promiscuous: boolean,
    ringBytes: number,
  ) => Promise<number>;
  isTapThere: (fd: number) => boolean;
  mapRing: (fd: number, ringBytes: number, maxAgeMs: number) => number;
  boundIndex: (fd: number) => number;
  packetDrops: (fd: number) => number;
  sendBy: (fd: number, index: number) => void;
  interfaceInfo: (name: string, netns?: string) => InterfaceInfo;
  disableOffloads: (name: string, netns?: string) => void;
  netTable: (name: string, netns?: string) => string | undefined;
  receiveBatch: (
    fd: number,
    kind: number,
    arena: Uint8Array,
    firstOffset: number,
    stride: number,
    maxFrames: number,
    byteBudget: number,
    lengths: Int32Array,
    lengthsFrom: number,
  ) => number;
  sendBatch: (
    fd: number,
    kind: number,
    arena: Uint8Array,
    offsets: Int32Array,
    lengths: Int32Array,
    first: number,
    count: number,
    outcome: Int32Array,
  ) => number;
  truncatedFrames: () => number;
  pollerCreate: () => number;
  pollerAdd: (poller: number, fd: number, key: number) => void;
  pollerRemove: (poller: number, fd: number) => void;
  pollerWait: (poller: number, timeoutMs: number, readyKeys: Int32Array, spinUs: number) => number;
  eventfd: () => number;
  eventfdSignal: (fd: number) => void;
  eventfdDrain: (fd: number) => number;
  closeFd: (fd: number) => void;
  closeFdBeside: (fd: number) => void;
  openPipe: () => [number, number];
  unixListen: (path: string, backlog: number, stream: boolean) => number;
  unixAccept: (fd: number, timeoutMs: number) => number;
  unixConnect: (path: string, timeoutMs: number, stream: boolean) => number;
  sendFds: (socket: number, fds: readonly number[], payload: Uint8Array, timeoutMs: number) => void;
  tellUnix: (path: string, fds: readonly number[], payload: Uint8Array) => number;
  recvFds: (socket: number, timeoutMs: number) => FdMessage | null;
  waitReadable: (fd: number, timeoutMs: number) => boolean;
  setNetns: (pathOrName: string) => void;
  monotonicMs: () => number;
  monotonicSec: () => number;
  getrusageSelf: () => ResourceUsage;
  getrusageThread: () => ResourceUsage;
}

const addon = loadAddon() as Addon;

/**
 * Maps an existing regular file, shared with every process that maps it.
 *
 * A store into a read-only mapping kills the process (SIGSEGV): hand out views of it with care. A file that is shortened
 * while it is mapped does the same (SIGBUS): replace map files by rename, never by truncation.
 *
 * @param bytes 1 .. 2^33, at most the file's size.
 * @throws SystemError if it cannot be opened or is shorter than `bytes` (EINVAL).
 */
export const mapFile = Object.assign(addon.mapFile, {
  /**
   * Makes room for `bytes` bytes of a writable mapping, so that a store there cannot kill the process (SIGBUS) for want of it.
   * @returns false when the file system has none. Before Linux 5.14 always true, and nothing is promised
   */
  reserve: addon.reserveFile,
});

/**
 * Takes a mapping away at once: the buffer is detached and its views get length 0. Without it the collector does so, but only
 * in a thread that enters its event loop.
 */
export const unmapFile = addon.unmapFile;

/**
 * Creates or attaches to a TAP device with virtio-net headers of 10 bytes and checksum, TSO and USO offloads.
 *
 * The descriptor is non-blocking. The device is down and has no address: that is for the caller to set up.
 *
 * @param options.netns name or path of the namespace that gets the device; default the caller's.
 * @param options.persist keep the device when the last descriptor is closed; default false.
 * @throws SystemError: EBUSY when another process holds it, EINVAL when the name is taken by something else.
 */
export function openTap(name: string, options: { netns?: string; persist?: boolean } = {}): Tap {
  return addon.openTap(name, options.netns, options.persist ?? false);
}

/** Whether the device of a TAP's descriptor still exists, wherever it is now and whatever its name. */
export const isTapThere = addon.isTapThere;

/**
 * Opens a raw socket that gets every frame arriving on an interface, and none of those it sends.
 *
 * @param nameOrIndex name or index of the interface, as seen in the namespace.
 * @param options.netns name or path of the namespace that has the interface; default the caller's.
 * @param options.promiscuous ask a real network card for foreign frames too; default false. A veth needs no asking.
 * @param options.ringBytes memory of the receive ring, 1728 bytes a frame; 64 KiB .. 256 MiB, default RING_BYTES.
 */
export function openPacket(
  nameOrIndex: string | number,
  options: { netns?: string; promiscuous?: boolean; ringBytes?: number } = {},
): number {
  const isName = typeof nameOrIndex === 'string';
  const name = isName ? nameOrIndex : `#${nameOrIndex}`;
  return addon.openPacket(
    name,
    isName ? 0 : nameOrIndex,
    options.netns,
    options.promiscuous ?? false,
    options.ringBytes ?? RING_BYTES,
  );
}

/**
 * As openPacket, in another thread, for a reader in another process: the ring is not mapped here. The socket receives from now
 * on, until the ring is full.
 *
 * @param ringBytes what the reader's mapRing() must be told.
 */
export function openSocket(name: string, index: number, ringBytes: number): Promise<number> {
  return addon.openSocket(name, index, undefined, false, ringBytes);
}

/**
 * Maps the ring of a socket that another process opened, and reads on where the reader before it left off. Not while that
 * one reads.
 *
 * @param ringBytes as it was opened with. @param maxAgeMs frames that have waited longer are thrown away, -1 for all.
 * @returns how many. A machine whose clock is set meanwhile keeps or loses some more.
 * @throws SystemError EINVAL when the socket has no such ring.
 */
export const mapRing = addon.mapRing;

/** Index of the interface that a packet socket is bound to, 0 when that is gone for ever, or it is no packet socket. */
export const boundIndex = addon.boundIndex;

/** Frames that an AF_PACKET socket lost since the last call because its buffer was full. */
export const packetDrops = addon.packetDrops;
/** Sends by the interface of an index; 0: by its own. To be said for each socket: descriptors come again. */
export const sendBy = addon.sendBy;
/** Index, MAC, MTU and state of an interface. @throws SystemError ENODEV if there is none of that name. */
export const interfaceInfo = addon.interfaceInfo;

/**
 * The text of `/proc/net/NAME` as it is in a network namespace; undefined when it is longer than 64 KiB.
 * @param netns name or path; default the caller's @throws SystemError ENOENT without such a namespace or table
 */
export const netTable = addon.netTable;

/**
 * Has an interface send finished checksums and packets no longer than its MTU, as a port without a virtio-net header wants
 * them. @throws SystemError ENODEV, or EPERM without CAP_NET_ADMIN
 */
export const disableOffloads = addon.disableOffloads;

/**
 * Receives frames until the port is empty, `maxFrames` are there, or `byteBudget` bytes are.
 *
 * Frame i has its Ethernet header at `firstOffset + i * stride` and its virtio-net header in the 10 bytes before;
 * `lengths[lengthsFrom + i]` is its length from the Ethernet header on.
 *
 * @param maxFrames 1 .. 64.
 * @param byteBudget bytes after which no further frame is asked for; it may be exceeded by one frame.
 * @returns frames received; 0 if there was none; a negative errno when the interface is down or gone.
 * @throws RangeError if a slot does not lie within the arena.
 */
export const receiveBatch = addon.receiveBatch;

/**
 * Sends frames `first .. first + count - 1` of the two lists, each with the virtio-net header before it.
 *
 * @param outcome [0] gets the number of frames that the kernel refused (an interface that is down, a header it finds
 * wrong, a full queue behind the port), [1] the errno of the last of them.
 * @returns frames done with, taken or refused; fewer than `count` when the kernel's buffer is full.
 * @throws RangeError if a frame does not lie within the arena.
 */
export const sendBatch = addon.sendBatch;

/** Frames of this process thrown away on receipt because they were longer than a slot. */
export const truncatedFrames = addon.truncatedFrames;

/** A counter to wake a poller with, from any thread or process that has the descriptor. */
export const eventfd = addon.eventfd;
export const eventfdSignal = addon.eventfdSignal;
/** Signals since the last drain. */
export const eventfdDrain = addon.eventfdDrain;

/** Closes a descriptor. @throws SystemError EBADF if it was closed already: that is a bug of the caller. */
export const closeFd = addon.closeFd;

/**
 * Closes a descriptor in another thread: the last close of a packet socket or a TAP takes 10 to 20 ms. The number is free a
 * little later. @throws SystemError EBADF as closeFd
 */
export const closeFdBeside = addon.closeFdBeside;

/**
 * A pipe for a program's standard stream: the end to read from and the end to write to, both blocking and close-on-exec, with room
 * for 1 MiB. @throws SystemError EMFILE
 */
export const openPipe = addon.openPipe;

/** Waits on descriptors and on a wake-up from elsewhere; wait() blocks the thread. */
export class Poller {
  /** Signal this eventfd from another thread to end a wait(). */
  readonly wakeFd: number;
  readonly #fd: number;

  constructor() {
    this.#fd = addon.pollerCreate();
    this.wakeFd = addon.eventfd();
    addon.pollerAdd(this.#fd, this.wakeFd, WAKE_KEY);
  }

  /** Watches for readability. @param key reported by wait(); a 32-bit integer other than WAKE_KEY. */
  add(fd: number, key: number): void {
    addon.pollerAdd(this.#fd, fd, key);
  }

  /** Call it before the descriptor is closed. */
  remove(fd: number): void {
    addon.pollerRemove(this.#fd, fd);
  }

  /**
   * Sleeps until something is readable.
   *
   * @param timeoutMs -1 for ever, 0 not at all.
   * @param spinUs look on for that long before sleeping, 0 .. 1000; default 0. Other programs get the CPU in between.
   * @param readyKeys gets the keys; at most 64 are reported, the rest by the next call.
   * @returns how many keys; WAKE_KEY is among them after a wake-up, which is thereby used up.
   */
  wait(timeoutMs: number, readyKeys: Int32Array, spinUs = 0): number {
    const count = addon.pollerWait(this.#fd, timeoutMs, readyKeys, spinUs);
    for (let i = 0; i < count; i++) if (readyKeys[i] === WAKE_KEY) addon.eventfdDrain(this.wakeFd);
    return count;
  }

  wake(): void {
    addon.eventfdSignal(this.wakeFd);
  }

  close(): void {
    addon.closeFd(this.wakeFd);
    addon.closeFd(this.#fd);
  }
}

/** Options of the unix sockets: SOCK_SEQPACKET (one send is one receive) unless `stream`. */
export interface UnixSocketOptions {
  stream?: boolean;
}

/** Listens on a path that must not exist yet. @returns a pollable descriptor. */
export function unixListen(path: string, options: UnixSocketOptions & { backlog?: number } = {}): number {
  return addon.unixListen(path, options.backlog ?? 16, options.stream ?? false);
}

/** @param timeoutMs 0 (the default) does not wait, -1 waits for ever. @returns a descriptor, or -1 if nobody came. */
export function unixAccept(fd: number, timeoutMs = 0): number {
  return addon.unixAccept(fd, timeoutMs);
}

/** @param timeoutMs how long to wait for a listener whose backlog is full; default 1000. */
export function unixConnect(path: string, options: UnixSocketOptions & { timeoutMs?: number } = {}): number {
  return addon.unixConnect(path, options.timeoutMs ?? 1000, options.stream ?? false);
}

/**
 * Sends one message with descriptors; the receiver gets duplicates.
 *
 * @param fds at most 64. @param payload 1 to 262144 bytes (the socket buffer may allow less).
 * @param timeoutMs how long to wait for a slow reader; default 1000. @throws SystemError ETIMEDOUT, EPIPE.
 */
export function sendFds(socket: number, fds: readonly number[], payload: Uint8Array, timeoutMs = 1000): void {
  addon.sendFds(socket, fds, payload, timeoutMs);
}

/**
 * Sends one datagram with descriptors to a unix socket of type SOCK_DGRAM, without waiting.
 *
 * @param path one that begins with `@` is an abstract name. @param fds at most 64.
 * @returns 0, or the negative errno: nobody there, or a full queue (-11).
 */
export const tellUnix = addon.tellUnix;

/**
 * Receives one message. The descriptors belong to the caller.
 *
 * @param timeoutMs 0 (the default) does not wait, -1 waits for ever.
 * @returns null when there is nothing yet. @throws SystemError EMSGSIZE if it was cut short.
 */
export function recvFds(socket: number, timeoutMs = 0): FdMessage | null {
  return addon.recvFds(socket, timeoutMs);
}

/** Whether a descriptor is readable or hung up within the time; blocks the thread. */
export const waitReadable = addon.waitReadable;

/** Moves the calling thread into a network namespace, for good. @param pathOrName `/proc/1/ns/net`, or `red` of ip-netns. */
export const setNetns = addon.setNetns;

/** CLOCK_MONOTONIC in milliseconds with fraction; the same clock in every process. */
export const monotonicMs = addon.monotonicMs;
/** CLOCK_MONOTONIC in whole seconds. */
export const monotonicSec = addon.monotonicSec;

/** CPU time and peak memory of the process. */
export const getrusageSelf = addon.getrusageSelf;
/** CPU time of the calling thread. */
export const getrusageThread = addon.getrusageThread;
