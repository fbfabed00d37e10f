/** The ports of the API of flows, each tried until it can be had: flows are told on the unix socket meanwhile. */
import { readListenAddress } from '../../config/listen-address.ts';
import type { HubbleSettings } from '../../config/schema-hubble.ts';
import { RetriedListening } from '../../serve/retried-listening.ts';
import type { FlowServer } from '../flow-server.ts';
import type { Means } from '../sinks.ts';
import type { TlsPaths } from './tls-files.ts';

const TEXTS = { served: 'flows are served on a port', failed: 'cannot serve flows on a port, trying again' };

/** An address where flows are to be served. */
export interface ListenerState {
  readonly address: string;
  /** Why it is not; '' when it is. */
  readonly problem: string;
}

export class Ports {
  readonly #server: FlowServer;
  readonly #log: Means['log'];
  readonly #ports: RetriedListening[] = [];

  constructor(server: FlowServer, log: Means['log']) {
    this.#server = server;
    this.#log = log;
  }

  /** The addresses of the configuration, each with why it is not served, or ''. */
  get states(): readonly ListenerState[] {
    return this.#ports.map(({ address, problem }) => ({ address, problem }));
  }

  /** What is wrong, one sentence each. */
  get problems(): string[] {
    const failed = this.#ports.filter(({ problem }) => problem !== '');
    return failed.map(({ address, problem }) => `flows are not served on ${address}: ${problem}`);
  }

  /** Opens all; each goes on by itself. */
  open(settings: HubbleSettings): void {
    const tls = tlsPaths(settings);
    for (const address of settings['listen-address']) {
      const place = readListenAddress(address);
      if (place === undefined) continue;
      const log: Means['log'] = (level, text, fields) => this.#log(level, text, { ...fields, tls: tls !== undefined });
      const listen = (): Promise<number> => this.#server.listen(place, tls);
      const port = new RetriedListening({ address, texts: TEXTS, log, listen });
      this.#ports.push(port);
      void port.start();
    }
  }

  stop(): void {
    for (const port of this.#ports) port.stop();
  }
}

function tlsPaths(settings: HubbleSettings): TlsPaths | undefined {
  const { 'tls-cert-file': cert, 'tls-key-file': key, 'tls-client-ca-files': clientAuthorities } = settings;
  return cert === '' ? undefined : { cert, key, clientAuthorities };
}
