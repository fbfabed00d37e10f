/** Addresses where the agent serves over TCP. */
import { isIP } from 'node:net';

/** An address that somebody else has is tried again so often. */
export const LISTEN_RETRY_MS = 5000;

/** Reads `127.0.0.1:4245`, `[::1]:4245`, `localhost:4245`, or `:4244` for every address (host ''). @returns undefined for anything else */
export function readListenAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, bracketed, plain = '', digits = ''] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]*)):(\d{1,5})$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  const isHost = host === '' || host === 'localhost' || isIP(host) === (bracketed === undefined ? 4 : 6);
  const port = Number(digits);
  return isHost && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** What is wrong with such an address. */
export const listenAddressProblem = (text: string): string | undefined =>
  readListenAddress(text) === undefined ? 'an address and port, such as 127.0.0.1:9965' : undefined;

/** Of a host of readListenAddress, or an address: only this machine reaches it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
