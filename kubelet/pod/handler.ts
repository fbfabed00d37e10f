/** What a hook or a probe does: a command in the container, a request to it, a connection. */
import type { ContainerSpec, ProbeSpec } from '../pod-spec.ts';
import { askGrpc, askHttp, openConnection, type Target } from './requests.ts';
import { runExec } from './run-exec.ts';

/** Where a container is. */
export interface HandlerSite {
  readonly spec: ContainerSpec;
  readonly stateDir: string;
  readonly netns: string;
  /** The pod's first. */
  readonly address: string;
  readonly timeoutMs: number;
}

/** Never throws. @returns '' when it went well, else why not, as Kubernetes words it */
export async function runHandler(handler: ProbeSpec, site: HandlerSite): Promise<string> {
  try {
    return await run(handler, site);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return WORDS[code] ?? message;
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ETIMEDOUT: 'i/o timeout',
  ENETUNREACH: 'connect: network is unreachable',
  EHOSTUNREACH: 'connect: no route to host',
};

async function run({ exec, httpGet, tcpSocket, grpc, sleep }: ProbeSpec, site: HandlerSite): Promise<string> {
  if (exec !== undefined) return runCommand(exec.command ?? [], site);
  if (httpGet !== undefined) {
    const { path = '/', scheme = 'HTTP', httpHeaders = [] } = httpGet;
    const headers = Object.fromEntries(httpHeaders.map(({ name, value }) => [name, value]));
    const asked = { path: path.startsWith('/') ? path : `/${path}`, isTls: scheme.toUpperCase() === 'HTTPS', headers };
    const status = await askHttp(targetOf(site, httpGet.port, httpGet.host), asked);
    return status >= 200 && status < 400 ? '' : `HTTP probe failed with statuscode: ${status}`;
  }
  if (tcpSocket !== undefined) {
    (await openConnection(targetOf(site, tcpSocket.port, tcpSocket.host))).destroy();
    return '';
  }
  if (grpc !== undefined) {
    const serves = await askGrpc(targetOf(site, grpc.port, undefined), grpc.service ?? '');
    return serves ? '' : 'service unhealthy (responded with "NOT_SERVING")';
  }
  if (sleep === undefined) return 'missing probe handler';
  const ms = Math.min((sleep.seconds ?? 0) * 1000, site.timeoutMs);
  await new Promise((resolve) => setTimeout(resolve, ms));
  return '';
}

async function runCommand(command: readonly string[], { stateDir, timeoutMs }: HandlerSite): Promise<string> {
  const { code, output } = await runExec(stateDir, command, timeoutMs);
  if (code === undefined) return `command timed out after ${timeoutMs / 1000}s`;
  return code === 0 ? '' : output.trim() || `command exited with ${code}`;
}

/** @throws Error for a port that has no number */
function targetOf({ spec, netns, address, timeoutMs }: HandlerSite, port: number | string, host = ''): Target {
  const named = (spec.ports ?? []).find(({ name }) => name === port)?.containerPort;
  const number = named ?? Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65_535) throw new Error(`couldn't find port: ${port}`);
  const wanted = host === 'localhost' ? '127.0.0.1' : host || address || '127.0.0.1';
  return { netns, address: wanted, port: number, timeoutMs };
}
