/** Internet sockets of servers and clients, bursts of datagrams, and descriptors on Node's event loop. Failures are those of index.ts. */
import { loadAddon } from './addon.ts';

/** Most datagrams of one call. */
export const MAX_DATAGRAMS = 64;
/** Bytes of a peer's address in `peers`. */
export const PEER_BYTES = 28;

interface Addon {
  openInetSocket: (stream: boolean, address: string, port: number, netns: string | undefined) => number;
  connectDatagrams: (address: string, port: number) => number;
  receiveDatagrams: Burst;
  sendDatagrams: Burst;
  closeFd: (fd: number) => void;
  beginConnect: (address: string, port: number, netns: string | undefined) => number;
  endConnect: (fd: number) => void;
  watchReadable: (fd: number, callback: () => void) => unknown;
  watchWritable: (fd: number, callback: () => void) => unknown;
  endWatch: (handle: unknown) => void;
}

type Burst = (
  fd: number,
  arena: Uint8Array,
  stride: number,
  count: number,
  lengths: Int32Array,
  peers: Uint8Array,
) => number;

const addon = loadAddon() as Addon;

/**
 * Opens a UDP or TCP socket in a network namespace, bound to an address that may come later, for this process or one that
 * it is sent to (`sendFds`). TCP listens; UDP has room for 2 MiB that wait.
 *
 * @param address IPv4 or IPv6, `0.0.0.0` and `::` for every one of their family. @param port 0 = any that is free.
 * @param netns name or path; this process's without. @throws SystemError EADDRINUSE, ENOENT.
 */
export function openInetSocket(
  type: 'udp' | 'tcp',
  address: string,
  port: number,
  { netns }: { netns?: string } = {},
): number {
  return addon.openInetSocket(type === 'tcp', address, port, netns);
}

/**
 * A UDP socket that sends to one peer and hears only that, at a port of its own that the kernel drew by chance.
 * @throws SystemError ENETUNREACH, EMFILE
 */
export const connectDatagrams = addon.connectDatagrams;

/**
 * Receives what is there, up to `count`: datagram i from `arena[i * stride]` on, its length in `lengths[i]` (-1: it was longer
 * than `stride`), its peer in `peers` from `i * PEER_BYTES` on.
 * @param count at most MAX_DATAGRAMS @returns how many; 0 = none is there, or -errno (ECONNREFUSED: the peer has no such port)
 */
export const receiveDatagrams = addon.receiveDatagrams;

/**
 * Sends the slots whose length is above 0, laid out as above; a peer of zeros is the one that the socket is connected to.
 * @returns how many went out; what the kernel has no room for or refuses is lost, as datagrams are
 */
export const sendDatagrams = addon.sendDatagrams;

/**
 * Calls a function of this thread's event loop while a descriptor is readable or broken, and keeps the process alive.
 * @returns what ends it; call that before the descriptor is closed
 */
export function watchReadable(fd: number, callback: () => void): () => void {
  let handle: unknown = addon.watchReadable(fd, callback);
  return () => {
    if (handle !== undefined) addon.endWatch(handle);
    handle = undefined;
  };
}

/**
 * Connects by TCP from inside a network namespace.
 *
 * @param address IPv4 or IPv6. @param options.netns name or path; this process's without.
 * @returns a descriptor that is non-blocking and the caller's to close
 * @throws SystemError ECONNREFUSED, ENETUNREACH, ENOENT without such a namespace; ETIMEDOUT after `timeoutMs`
 */
export async function connectStream(
  address: string,
  port: number,
  { netns, timeoutMs }: { netns?: string; timeoutMs: number },
): Promise<number> {
  const fd = addon.beginConnect(address, port, netns);
  try {
    await untilWritable(fd, timeoutMs);
    addon.endConnect(fd);
    return fd;
  } catch (error) {
    addon.closeFd(fd);
    throw error;
  }
}

/** @throws Error ETIMEDOUT */
function untilWritable(fd: number, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error) => {
      clearTimeout(timer);
      addon.endWatch(handle);
      if (error === undefined) resolve();
      else reject(error);
    };
    const late = Object.assign(new Error(`connect: no answer within ${timeoutMs} ms`), { code: 'ETIMEDOUT' });
    const timer = setTimeout(() => done(late), timeoutMs);
    const handle = addon.watchWritable(fd, () => done());
  });
}
