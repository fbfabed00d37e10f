/** Connections to an API server, kept between requests, through a proxy when there is one. */
import { request as requestPlain } from 'node:http';
import { Agent, request as requestSecure } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as connectSecure } from 'node:tls';
import type { Access } from './access.ts';
import { textOf } from './exec-plugin.ts';

/** Of silence, after which the kernel asks whether the other end is there. */
const KEEP_ALIVE_MS = 30_000;
const PROXY_PATIENCE_MS = 15_000;

/** @param presented certificate and key of the client; '' = none */
export function newAgent(access: Access, presented: { readonly cert: string; readonly key: string }): Agent {
  const { ca, isInsecure, serverName, proxy } = access;
  const options = {
    keepAlive: true,
    keepAliveMsecs: KEEP_ALIVE_MS,
    rejectUnauthorized: !isInsecure,
    ...(ca !== undefined && { ca: textOf(ca) }),
    ...(serverName !== undefined && { servername: serverName }),
    ...(presented.cert !== '' && presented),
  };
  return proxy === undefined ? new Agent(options) : new TunnelAgent(new URL(proxy), options);
}

type Created = (error: Error | null, stream?: Duplex) => void;

/** Asks a proxy for a tunnel (CONNECT), and speaks TLS to the server in it. */
class TunnelAgent extends Agent {
  readonly #proxy: URL;

  constructor(proxy: URL, options: ConstructorParameters<typeof Agent>[0]) {
    super(options);
    this.#proxy = proxy;
  }

  // Node hands over a callback, of which its types do not know.
  override createConnection(
    options: { host: string; port: number; servername?: string },
    onCreate: Created,
  ): undefined {
    const { protocol, hostname, port, username, password } = this.#proxy;
    const name = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
    const target = `${options.host.includes(':') ? `[${options.host}]` : options.host}:${options.port}`;
    const asked = (protocol === 'https:' ? requestSecure : requestPlain)({
      host: hostname,
      port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
      method: 'CONNECT',
      path: target,
      timeout: PROXY_PATIENCE_MS,
      headers: { host: target, ...(username !== '' && { 'proxy-authorization': `Basic ${name}` }) },
    });
    asked.on('connect', ({ statusCode }, socket) => {
      if (statusCode === 200) {
        onCreate(null, connectSecure({ ...options, socket }));
        return;
      }
      socket.destroy();
      onCreate(new Error(`the proxy ${this.#proxy.host} answered ${statusCode ?? 'nothing'}, wanted 200`));
    });
    asked.on('timeout', () => asked.destroy(new Error(`the proxy ${this.#proxy.host} does not answer`)));
    asked.on('error', (error) => onCreate(error));
    asked.end();
    return undefined;
  }
}
