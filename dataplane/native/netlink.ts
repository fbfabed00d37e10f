/** Netlink sockets whose requests are answered in the call that sends them. What the messages say is others' business. */
import { loadAddon } from './addon.ts';

interface Addon {
  openNetlink: (protocol: number) => number;
  netlinkSend: (fd: number, bytes: Uint8Array) => number;
  netlinkReceive: (fd: number, into: Uint8Array) => number;
}

const addon = loadAddon() as Addon;

/** A socket of a netlink protocol, the caller's to close. @throws SystemError EPERM, EMFILE */
export const openNetlink = addon.openNetlink;

/** Sends one datagram of messages to the kernel, which works through it before this returns. @returns 0, or -errno */
export const netlinkSend = addon.netlinkSend;

/** Receives one datagram of what was answered. @returns its bytes; 0 when there is no more; -errno (ENOBUFS: some were lost) */
export const netlinkReceive = addon.netlinkReceive;
