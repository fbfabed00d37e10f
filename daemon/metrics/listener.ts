/**
 * Where Prometheus asks: `GET /metrics` on an address of the configuration. An address that cannot be had is told and tried
 * again every LISTEN_RETRY_MS. Bounds: CONNECTION_LIMIT connections, REQUEST_MS for a request; a body is not read.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { CONTENT_TYPES, formatOf, type Registry } from '../../hubble/metrics/registry.ts';
import { LISTEN_RETRY_MS, readListenAddress } from '../config/listen-address.ts';

const CONNECTION_LIMIT = 32;
const REQUEST_MS = 10_000;

export interface ListenerOptions {
  /** Of readListenAddress; '' = nowhere. */
  readonly address: string;
  readonly registry: Registry;
  /** A line in the agent's log. */
  readonly log: (level: 'info' | 'error', text: string, fields: Readonly<Record<string, unknown>>) => void;
}

export class MetricsListener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  #retry: NodeJS.Timeout | undefined;
  #told = '';

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => serveMetrics(options.registry, request, response));
    this.#server.maxConnections = CONNECTION_LIMIT;
    this.#server.requestTimeout = REQUEST_MS;
    this.#server.headersTimeout = REQUEST_MS;
    this.#server.on('error', (error) => this.#onError(error));
    this.#server.on('listening', () => options.log('info', 'metrics are served', { address: options.address }));
  }

  /** Listens, if an address is given, as soon as it can. */
  start(): void {
    const place = readListenAddress(this.#options.address);
    if (place === undefined) return;
    this.#server.listen({ port: place.port, ...(place.host !== '' && { host: place.host }) });
  }

  async stop(): Promise<void> {
    clearTimeout(this.#retry);
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #onError({ message }: Error): void {
    const { address, log } = this.#options;
    if (message !== this.#told) log('error', 'cannot serve metrics, trying again', { address, error: message });
    this.#told = message;
    this.#retry = setTimeout(() => this.start(), LISTEN_RETRY_MS);
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
