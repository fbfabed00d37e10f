/**
 * A kube-apiserver of Kubernetes' own with an etcd, on loopback, for tests that compare. The programs are looked for in the folder that
 * SLUICE_KUBE_BIN names, then in PATH; docs/kubernetes.md says how they are built. Everything it writes is in a folder that goes with it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, waitFor } from '../command.ts';
import { freePort } from '../free-port.ts';

const TOKEN = 'of-this-test-alone';
const NAMESPACE = '/api/v1/namespaces/default';

export interface RealAnswer {
  readonly code: number;
  readonly body: any;
}

/** Where a program is; undefined when it is nowhere. */
function find(name: string): string | undefined {
  const folders = [process.env['SLUICE_KUBE_BIN'] ?? '', ...(process.env['PATH'] ?? '').split(':')];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(existsSync);
}

/** What of it this machine has not, as a sentence; '' when all is there. */
export function missingParts(): string {
  const missing = ['kube-apiserver', 'etcd'].filter((name) => find(name) === undefined);
  return missing.length === 0 ? '' : `needs ${missing.join(' and ')} (SLUICE_KUBE_BIN, PATH)`;
}

export class RealApi {
  readonly #folder: string;
  readonly #children: ChildProcess[] = [];
  #port = 0;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'sl-real-api-'));
  }

  /** Starts both and waits until they are ready. */
  async start(): Promise<void> {
    const [store, peers] = [await freePort(), await freePort()];
    this.#port = await freePort();
    const at = (name: string) => join(this.#folder, name);
    const url = (port: number) => `http://127.0.0.1:${port}`;
    this.#spawn('etcd', [
      ...['--data-dir', at('etcd'), '--unsafe-no-fsync=true', '--initial-cluster', `default=${url(peers)}`],
      ...['--listen-client-urls', url(store), '--advertise-client-urls', url(store)],
      ...['--listen-peer-urls', url(peers), '--initial-advertise-peer-urls', url(peers)],
    ]);
    await run(['openssl', 'genrsa', '-out', at('sa.key'), '2048']);
    await run(['openssl', 'rsa', '-in', at('sa.key'), '-pubout', '-out', at('sa.pub')]);
    writeFileSync(at('tokens.csv'), `${TOKEN},tester,1,system:masters\n`);
    this.#spawn('kube-apiserver', [
      ...[`--etcd-servers=${url(store)}`, '--bind-address=127.0.0.1', '--advertise-address=127.0.0.1'],
      ...[`--secure-port=${this.#port}`, `--cert-dir=${at('certs')}`, `--token-auth-file=${at('tokens.csv')}`],
      ...[`--service-account-key-file=${at('sa.pub')}`, `--service-account-signing-key-file=${at('sa.key')}`],
      ...['--service-account-issuer=https://kubernetes.default.svc', '--service-cluster-ip-range=10.96.0.0/16'],
      ...['--authorization-mode=RBAC', '--disable-admission-plugins=ServiceAccount', '--endpoint-reconciler-type=none'],
    ]);
    const isReady = async () => (await this.ask('GET', NAMESPACE).catch(() => undefined))?.code === 200;
    await waitFor('the API server', isReady);
  }

  ask(method: string, path: string, body?: unknown, type = 'application/json'): Promise<RealAnswer> {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': type };
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.#port, path, method, headers, rejectUnauthorized: false };
      const sent = request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ code: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) }),
        );
      });
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async stop(): Promise<void> {
    for (const child of this.#children.reverse()) {
      const ended = new Promise((resolve) => child.once('close', resolve));
      if (child.exitCode === null && child.kill()) await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #spawn(name: string, args: readonly string[]): void {
    this.#children.push(spawn(find(name) ?? name, args, { stdio: 'ignore' }));
  }
}
