/**
 * The ports of the API. One that cannot be had (somebody else listens there, a certificate is missing) is told and tried again
 * every LISTEN_RETRY_MS: flows are told on the unix socket meanwhile. It is never opened in another way than it was asked for.
 */
import { LISTEN_RETRY_MS, readListenAddress } from '../../config/listen-address.ts';
import type { HubbleSettings } from '../../config/schema-hubble.ts';
import type { FlowServer } from '../flow-server.ts';
import type { Means } from '../sinks.ts';
import type { TlsPaths } from './tls-files.ts';

export class Ports {
  readonly #server: FlowServer;
  readonly #log: Means['log'];
  readonly #timers = new Set<NodeJS.Timeout>();
  #isStopped = false;

  constructor(server: FlowServer, log: Means['log']) {
    this.#server = server;
    this.#log = log;
  }

  /** Opens all; each goes on by itself. */
  open(settings: HubbleSettings): void {
    for (const text of settings['listen-address']) void this.#open(text, tlsPaths(settings), '');
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** @param told what was said of the last attempt, and is not said again */
  async #open(text: string, tls: TlsPaths | undefined, told: string): Promise<void> {
    const place = readListenAddress(text);
    if (place === undefined || this.#isStopped) return;
    try {
      await this.#server.listen(place, tls);
      this.#log('info', 'flows are served on a port', { address: text, tls: tls !== undefined });
    } catch (error) {
      const { message } = error as Error;
      if (message !== told)
        this.#log('error', 'cannot serve flows on a port, trying again', { address: text, error: message });
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        void this.#open(text, tls, message);
      }, LISTEN_RETRY_MS);
      this.#timers.add(timer);
    }
  }
}

function tlsPaths(settings: HubbleSettings): TlsPaths | undefined {
  const { 'tls-cert-file': cert, 'tls-key-file': key, 'tls-client-ca-files': clientAuthorities } = settings;
  return cert === '' ? undefined : { cert, key, clientAuthorities };
}
