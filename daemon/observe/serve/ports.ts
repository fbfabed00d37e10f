/**
 * The ports of the API. One that cannot be had (somebody else listens there, a certificate is missing) is told (log, status) and tried again
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
  /** Of those that are not open, by address. */
  readonly #errors = new Map<string, string>();
  #isStopped = false;

  constructor(server: FlowServer, log: Means['log']) {
    this.#server = server;
    this.#log = log;
  }

  /** What is wrong, one sentence each. */
  get problems(): string[] {
    return [...this.#errors].map(([address, error]) => `flows are not served on ${address}: ${error}`);
  }

  /** Opens all; each goes on by itself. */
  open(settings: HubbleSettings): void {
    for (const text of settings['listen-address']) void this.#open(text, tlsPaths(settings));
  }

  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async #open(text: string, tls: TlsPaths | undefined): Promise<void> {
    const place = readListenAddress(text);
    if (place === undefined || this.#isStopped) return;
    try {
      await this.#server.listen(place, tls);
      this.#errors.delete(text);
      this.#log('info', 'flows are served on a port', { address: text, tls: tls !== undefined });
    } catch (error) {
      const { message } = error as Error;
      // What was said of the last attempt is not said again.
      if (message !== this.#errors.get(text))
        this.#log('error', 'cannot serve flows on a port, trying again', { address: text, error: message });
      this.#errors.set(text, message);
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        void this.#open(text, tls);
      }, LISTEN_RETRY_MS);
      this.#timers.add(timer);
    }
  }
}

function tlsPaths(settings: HubbleSettings): TlsPaths | undefined {
  const { 'tls-cert-file': cert, 'tls-key-file': key, 'tls-client-ca-files': clientAuthorities } = settings;
  return cert === '' ? undefined : { cert, key, clientAuthorities };
}
