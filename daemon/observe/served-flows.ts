/** What the API of flows tells, from the means of the observatory. */
import { networkInterfaces } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Envelope } from '../../hubble/flow.ts';
import type { Ring } from '../../hubble/ring.ts';
import type { HistoryQuestion, ObserverSource } from '../../hubble/service/source.ts';
import { VERSION } from '../../linux/version.ts';
import { isLoopback, readListenAddress } from '../config/listen-address.ts';
import type { Means } from './sinks.ts';
import { TlsFiles } from './serve/tls-files.ts';

export class ServedFlows implements ObserverSource {
  readonly version = `sluice ${VERSION}`;
  readonly startedMs = performance.timeOrigin;
  readonly #means: Means;

  constructor(means: Means) {
    this.#means = means;
  }

  get nodeName(): string {
    return this.#means.config.nodeName;
  }

  get clusterName(): string {
    return this.#means.config.clusterName;
  }

  get flows(): Ring {
    return this.#means.ring;
  }

  get agentEvents(): Ring {
    return this.#means.agentEvents;
  }

  readonly nowMs = (): number => Date.now();

  history(before: number, question: HistoryQuestion): AsyncIterable<readonly Envelope[]> | undefined {
    return this.#means.history?.ask(before, question);
  }

  refresh(): void {
    this.#means.look();
  }

  namespaces(): Iterable<string> {
    return this.#means.namespaces.namespaces(Date.now());
  }

  /** The first address that others reach, or else the first. */
  get address(): string {
    const all = this.#means.config.hubble['listen-address'].flatMap((text) => readListenAddress(text) ?? []);
    const place = all.find(({ host }) => !isLoopback(host)) ?? all[0];
    if (place === undefined) return '';
    const host = place.host === '' ? ownAddress() : place.host;
    return host.includes(':') ? `[${host}]:${place.port}` : `${host}:${place.port}`;
  }

  get tlsServerName(): string | undefined {
    const { 'tls-cert-file': cert, 'tls-key-file': key } = this.#means.config.hubble;
    if (cert === '') return undefined;
    try {
      return new TlsFiles({ cert, key, clientAuthorities: [] }).serverName;
    } catch {
      return ''; // told where the listener is opened
    }
  }
}

/** An address of this machine that others may reach it at. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, address }) => !internal && !address.startsWith('fe80:'))?.address ?? '127.0.0.1';
}
