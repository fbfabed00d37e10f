/**
 * The agent's HTTP API over a unix socket (unix-listener.ts). What the routes do is in serve/routes.ts; the contract is docs/api.md.
 */
import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type Route, Router } from './router.ts';
import { listenUnix, socketGroup } from './unix-listener.ts';

export class ApiServer {
  readonly #path: string;
  readonly #groupId: number | undefined;
  readonly #server: Server;

  /**
   * @param routes by `METHOD /path`, where a last segment `*` stands for anything
   * @param group that may use the socket besides root; '' for none
   * @throws Error when there is no such group
   */
  constructor(path: string, routes: Readonly<Record<string, Route>>, group: string) {
    this.#path = path;
    this.#groupId = socketGroup(group);
    const router = new Router(routes);
    this.#server = createServer((request, response) => void router.serve(request, response));
    this.#server.requestTimeout = 30_000;
  }

  async start(): Promise<void> {
    await listenUnix(this.#server, this.#path, this.#groupId);
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    rmSync(this.#path, { force: true });
  }
}
