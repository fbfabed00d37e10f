/**
 * Clients of HTTP/1.1 that keep their connections, and a server that counts them.
 *
 *   <name>-shop-client ── Sluice (policy below) ── <name>-shop-web   nginx, which answers with the number of the connection
 *
 * Each client asks for what is allowed, sends a request that is denied, and asks again. The server gives each of its connections
 * the next number, so the difference between one before and one after says how many the client needed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cleanup, inNetns, must, type Outcome, PATIENCE_SEC, run } from '../../command.ts';
import { SluiceInstance } from '../../rig.ts';

export const WEB = '10.244.0.11';
export const PORT = 8080;

/** A request that is denied, and how its content comes. */
export interface Shape {
  readonly method: 'GET' | 'POST';
  readonly bytes: number;
  readonly isChunked: boolean;
  readonly expects: boolean;
}

export const SHAPES: Readonly<Record<string, Shape>> = {
  get: { method: 'GET', bytes: 0, isChunked: false, expects: false },
  small: { method: 'POST', bytes: 20, isChunked: false, expects: false },
  medium: { method: 'POST', bytes: 600_000, isChunked: false, expects: false },
  large: { method: 'POST', bytes: 8_000_000, isChunked: false, expects: false },
  chunked: { method: 'POST', bytes: 600_000, isChunked: true, expects: false },
  expect: { method: 'POST', bytes: 600_000, isChunked: false, expects: true },
  'expect-large': { method: 'POST', bytes: 8_000_000, isChunked: false, expects: true },
  'expect-chunked': { method: 'POST', bytes: 600_000, isChunked: true, expects: true },
};

/** The arguments that the clients in this folder take behind address and port. */
export function wordsOf({ method, bytes, isChunked, expects }: Shape): string[] {
  return [method, String(bytes), isChunked ? 'chunked' : 'length', expects ? 'expect' : 'no'];
}

/** The command of a client for a shape; undefined when it cannot send it. @param content a file of the content */
export type ClientCommand = (shape: Shape, content: string) => readonly string[] | undefined;

const url = (path: string) => `http://${WEB}:${PORT}${path}`;

export const CURL: ClientCommand = ({ method, isChunked, expects }, content) => [
  'curl',
  '-sS',
  '-m',
  String(PATIENCE_SEC),
  '-o',
  '/dev/null',
  '-w',
  '%{http_code} ',
  url('/public/'),
  '--next',
  '-sS',
  '-o',
  '/dev/null',
  '-w',
  '%{http_code} ',
  ...(method === 'GET' ? [] : ['--data-binary', `@${content}`]),
  ...(isChunked ? ['-H', 'Transfer-Encoding: chunked'] : []),
  '-H',
  expects ? 'Expect: 100-continue' : 'Expect:',
  url('/private'),
  '--next',
  '-sS',
  '-o',
  '/dev/null',
  '-w',
  '%{http_code}',
  url('/public/'),
];

export class ClientWorld {
  readonly #instance: SluiceInstance;
  readonly #dir: string;
  readonly netns: string;

  private constructor(instance: SluiceInstance, dir: string) {
    this.#instance = instance;
    this.#dir = dir;
    this.netns = instance.netnsOf('shop/client');
  }

  static async start(name: string, cleanup: Cleanup): Promise<ClientWorld> {
    const dir = mkdtempSync(`/tmp/${name}-`);
    cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
    writeFileSync(join(dir, 'nginx.conf'), nginxConfig(dir));
    writeFileSync(join(dir, 'rig.yaml'), manifests(join(dir, 'nginx.conf')));
    return new ClientWorld(await SluiceInstance.withRig(name, cleanup, join(dir, 'rig.yaml')), dir);
  }

  stop(): Promise<void> {
    return this.#instance.stop();
  }

  run(argv: readonly string[], timeoutMs?: number): Promise<Outcome> {
    return run(inNetns(this.netns, argv), timeoutMs === undefined ? {} : { timeoutMs });
  }

  /** How many connections the server takes while `work` runs. */
  async connectionsOf(work: () => Promise<unknown>): Promise<number> {
    const before = await this.#connection();
    await work();
    return (await this.#connection()) - before - 1;
  }

  /** What a client printed, and how many connections it needed. */
  async try(command: ClientCommand, shape: Shape): Promise<{ said: string; connections: number } | undefined> {
    const content = join(this.#dir, `content-${shape.bytes}`);
    writeFileSync(content, 'x'.repeat(shape.bytes));
    const argv = command(shape, content);
    if (argv === undefined) return undefined;
    let said = '';
    const connections = await this.connectionsOf(async () => {
      const { stdout, stderr } = await this.run(argv);
      said = `${stdout.trim()}${stderr.trim() === '' ? '' : ` (${stderr.trim()})`}`;
    });
    return { said, connections };
  }

  async #connection(): Promise<number> {
    return Number(await must(inNetns(this.netns, ['curl', '-sS', '-m', String(PATIENCE_SEC), url('/public/')])));
  }
}

function nginxConfig(dir: string): string {
  return `user root; daemon off; pid ${dir}/nginx.pid; error_log stderr crit;
events { }
http {
  access_log off; client_body_temp_path ${dir}/body; client_max_body_size 0; keepalive_requests 1000000;
  server { listen ${PORT}; location / { return 200 "$connection\\n"; } }
}
`;
}

function manifests(config: string): string {
  return `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop, labels: { app: client } }
spec: { containers: [{ name: shell, image: example/shell }] }
status: { podIPs: [{ ip: 10.244.0.10 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop, labels: { app: web } }
spec:
  containers:
    - name: server
      image: example/server
      command: [/usr/sbin/nginx, -c, "${config}"]
      ports: [{ containerPort: ${PORT} }]
status: { podIPs: [{ ip: ${WEB} }] }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop }
spec:
  endpointSelector: { matchLabels: { app: web } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: client } }]
      toPorts:
        - ports: [{ port: "${PORT}", protocol: TCP }]
          rules: { http: [{ path: "/public/.*" }] }
`;
}
