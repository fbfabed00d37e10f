/**
 * Where flows are served: a unix socket, and ports where the configuration says so (serve/mixed-listener.ts). The requests go to
 * the first handler that owns the path.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { MixedListener, type Place } from './serve/mixed-listener.ts';
import { pathOf, type Request, type Response } from './serve/observer-api.ts';
import { TlsFiles, type TlsPaths } from './serve/tls-files.ts';

/** Answers the requests of some paths. With HTTP/2 both are of Node's compatibility layer, which has the same members. */
export interface Handler {
  /** @param path without the query */
  owns(path: string): boolean;
  /** Answers; must not throw. */
  serve(request: IncomingMessage, response: ServerResponse): void;
  /** Ends what is under way. */
  stop?(): Promise<void>;
}

interface Listening {
  readonly listener: MixedListener;
  readonly files: TlsFiles | undefined;
}

export class FlowServer {
  readonly #handlers: readonly Handler[];
  readonly #what: string;
  readonly #listening: Listening[] = [];

  /** @param handlers the last of which owns every path @param what is served, in its problems */
  constructor(handlers: readonly Handler[], what = 'flows are') {
    this.#handlers = handlers;
    this.#what = what;
  }

  /**
   * Listens on one more place.
   * @param tls files of its certificate, which are followed; without them connections are in the clear
   * @returns the port
   * @throws Error when the place cannot be had, or the files cannot be used
   */
  async listen(place: Place, tls?: TlsPaths): Promise<number> {
    const files = tls && new TlsFiles(tls);
    const listener = new MixedListener(place, files?.material, (request, response) => this.#serve(request, response));
    await listener.start();
    files?.watch((material) => listener.renew(material));
    this.#listening.push({ listener, files });
    return listener.port;
  }

  /** Looks at the files of certificates at once, for tests; it is done every few seconds. */
  lookAtFiles(): void {
    for (const { files } of this.#listening) files?.look();
  }

  /** Connections that are open. */
  get clients(): number {
    return this.#listening.reduce((sum, { listener }) => sum + listener.connections, 0);
  }

  /** What is wrong with certificates that were renewed, one sentence each. Listeners of the same files say the same, once. */
  get problems(): string[] {
    const found = this.#listening.flatMap(({ files }) => (files?.problem ? [files.problem] : []));
    return [...new Set(found)].map((text) => `${this.#what} served with the certificate of before: ${text}`);
  }

  /** Ends all connections and listeners. */
  async stop(): Promise<void> {
    for (const handler of this.#handlers) await handler.stop?.();
    const listening = this.#listening.splice(0);
    for (const { files } of listening) files?.stop();
    await Promise.all(listening.map(({ listener }) => listener.stop()));
  }

  #serve(request: Request, response: Response): void {
    const path = pathOf(request);
    const handler = this.#handlers.find((one) => one.owns(path));
    handler?.serve(request as IncomingMessage, response as ServerResponse);
  }
}
