/** The name servers of the host: /etc/resolv.conf, and word of its change. */
import { readFileSync } from 'node:fs';
import { isAddress } from './record-reader.ts';
import type { Upstream } from './zone-file.ts';

const POLL_MS = 2_000;
const MAX_SERVERS = 8;
/** Where name servers are asked. */
export const SERVER_PORT = 53;

/** Those that a resolv.conf lists; link-local ones with a zone (`fe80::1%eth0`) are left out. For tests too. */
export function parseResolvConf(text: string): Upstream[] {
  const words = text.split('\n').map((line) => line.trim().split(/\s+/));
  const servers = words.flatMap(([key, address]) => (key === 'nameserver' ? [address ?? ''] : []));
  const usable = [...new Set(servers)].filter(isAddress).slice(0, MAX_SERVERS);
  return usable.map((address) => ({ address, port: SERVER_PORT }));
}

/**
 * Follows a resolv.conf, symbolic links too, by reading it again and again: it is small, and no word of its change can be missed. A file
 * that cannot be read has no servers.
 */
export class HostResolvers {
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;
  #text: string;

  /** @param onChange called when `read` answers from another text */
  constructor(path: string, onChange: () => void) {
    this.#path = path;
    this.#text = this.#load();
    this.#timer = setInterval(() => this.#look(onChange), POLL_MS).unref();
  }

  read(): Upstream[] {
    return parseResolvConf(this.#text);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(onChange: () => void): void {
    const text = this.#load();
    if (text === this.#text) return;
    this.#text = text;
    onChange();
  }

  #load(): string {
    try {
      return readFileSync(this.#path, 'utf8');
    } catch {
      return '';
    }
  }
}
