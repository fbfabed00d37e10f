/**
 * Where Prometheus asks: `GET /metrics` on an address of the configuration. An address that cannot be had is tried
 * again (serve/retried-listening.ts). Bounds: CONNECTION_LIMIT connections, REQUEST_MS for a request; a body is not read.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { CONTENT_TYPES, formatOf, type Registry } from '../../hubble/metrics/registry.ts';
import { readListenAddress } from '../config/listen-address.ts';
import { RetriedListening, type RetriedListeningOptions } from '../serve/retried-listening.ts';

const CONNECTION_LIMIT = 32;
const REQUEST_MS = 10_000;

const TEXTS = { served: 'metrics are served', failed: 'cannot serve metrics, trying again' };

export interface ListenerOptions {
  /** Of readListenAddress; '' = nowhere. */
  readonly address: string;
  readonly registry: Registry;
  /** A line in the agent's log. */
  readonly log: RetriedListeningOptions['log'];
  /** For tests. */
  readonly retryMs?: number;
  readonly onAttempt?: () => void;
}

export class MetricsListener {
  readonly #server: Server;
  readonly #listening: RetriedListening | undefined;

  constructor({ registry, ...options }: ListenerOptions) {
    this.#server = createServer((request, response) => serveMetrics(registry, request, response));
    this.#server.maxConnections = CONNECTION_LIMIT;
    this.#server.requestTimeout = REQUEST_MS;
    this.#server.headersTimeout = REQUEST_MS;
    const place = readListenAddress(options.address);
    const listen = async (): Promise<void> => {
      this.#server.listen({ port: place?.port, ...(place?.host !== '' && { host: place?.host }) });
      await once(this.#server, 'listening');
    };
    this.#listening = place && new RetriedListening({ ...options, texts: TEXTS, listen });
  }

  /** Listens, if an address is given, as soon as it can. */
  start(): void {
    void this.#listening?.start();
  }

  async stop(): Promise<void> {
    this.#listening?.stop();
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** Answers with the metrics of a registry, in the format that is asked for. */
export function serveMetrics(
  registry: Registry,
  { method, url = '/', headers }: IncomingMessage,
  response: ServerResponse,
): void {
  const path = url.split('?', 1)[0];
  if (path !== '/metrics' || (method !== 'GET' && method !== 'HEAD')) {
    response.writeHead(path === '/metrics' ? 405 : 404, { 'content-type': 'text/plain' });
    response.end('GET /metrics\n');
    return;
  }
  const format = formatOf(headers.accept);
  const text = registry.render(format);
  response.writeHead(200, { 'content-type': CONTENT_TYPES[format], 'content-length': Buffer.byteLength(text) });
  response.end(method === 'HEAD' ? '' : text);
}
