/**
 * Serves exec, attach, port-forward and logs of the pods of this node. A pod of our own API has containers, and a command runs in one, confined as
 * that is. A pod of another source (a rig's, the directory's) has none: a command runs in its network namespace, with the
 * machine's files and rights, as `sluice exec` does; there is nothing to attach to.
 *
 * Sessions are counted: 128 at a time, which a stop ends.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { PodConnections, PodPath } from '../../apiserver/http/pod-connections.ts';
import type { Storage } from '../../apiserver/storage/storage.ts';
import { StatusError } from '../../apiserver/storage/status-error.ts';
import { servePortForward } from '../../apiserver/streaming/port-forward.ts';
import { commandWish, serveCommand } from '../../apiserver/streaming/remote-command.ts';
import { refuse, UpgradeRefused } from '../../apiserver/streaming/upgrade.ts';
import { NetnsFiles } from '../../linux/netns-files.ts';
import type { Kubelet, RunningContainer } from '../kubelet.ts';
import type { PodNetwork } from '../pod/parts.ts';
import { execCommand, execInNetns } from '../runtime/exec-command.ts';
import { attachTo } from './attach.ts';
import { type Command, runCommand } from './command.ts';
import { answerLog, logRequestOf } from './log-answer.ts';
import { connectInPod } from './port-forward.ts';

const MAX_SESSIONS = 128;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface PodStreamsParts {
  readonly storage: Pick<Storage, 'get' | 'isMirrored'>;
  readonly kubelet: Pick<Kubelet, 'container' | 'logs'>;
  readonly network: Pick<PodNetwork, 'endpoint'>;
  /** The agent's. */
  readonly runDir: string;
}

export class PodStreams implements PodConnections {
  readonly #parts: PodStreamsParts;
  readonly #sessions = new Map<Duplex, Promise<void>>();

  constructor(parts: PodStreamsParts) {
    this.#parts = parts;
  }

  serve(request: IncomingMessage, socket: Duplex, head: Buffer, pod: PodPath): void {
    // Whoever serves it hears of the end by 'close'.
    socket.on('error', () => socket.destroy());
    const session = this.#serve(request, socket, head, pod).catch((error: unknown) => refuse(socket, answerTo(error)));
    this.#sessions.set(
      socket,
      session.finally(() => this.#sessions.delete(socket)),
    );
  }

  async logs(request: IncomingMessage, response: ServerResponse, { namespace, name }: PodPath): Promise<void> {
    const { storage, kubelet } = this.#parts;
    if (storage.get('pods', namespace, name) === undefined) throw StatusError.notFound('pods', name);
    if (storage.isMirrored('pods', namespace, name))
      throw StatusError.badRequest(
        `pod ${name} has no container of ours, and so no log: what runs in it was started elsewhere`,
      );
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const { searchParams } = new URL(request.url ?? '', 'http://pod');
    await answerLog(response, kubelet.logs(namespace, name, { ...logRequestOf(searchParams), gone: gone.signal }));
  }

  /** Ends all sessions, and with them the commands that they run. */
  async stop(): Promise<void> {
    const sessions = [...this.#sessions];
    for (const [socket] of sessions) socket.destroy();
    await Promise.all(sessions.map(([, session]) => session));
  }

  async #serve(request: IncomingMessage, socket: Duplex, head: Buffer, pod: PodPath): Promise<void> {
    if (this.#sessions.size >= MAX_SESSIONS)
      throw StatusError.tooManyRequests(`${pod.subresource}: ${MAX_SESSIONS} sessions are open, which is the most`);
    const { searchParams: query } = new URL(request.url ?? '', 'http://pod');
    const found = this.#find(pod, query.get('container') ?? undefined);
    if (pod.subresource === 'portforward') {
      await servePortForward(request, socket, head, (port) => connectInPod(pod.name, found.netns, port));
      return;
    }
    const wish = commandWish(query);
    const { container } = found;
    if (pod.subresource === 'exec') {
      const command = commandOf(found, query.getAll('command'), wish.tty);
      await serveCommand(request, socket, head, { wish, run: (streams) => runCommand(command, streams) });
      return;
    }
    if (container === undefined)
      throw StatusError.badRequest(`pod ${pod.name} has no container of ours to attach to: exec and port-forward work`);
    await serveCommand(request, socket, head, { wish, run: (streams) => attachTo(container.attachPath, streams) });
  }

  /** @throws StatusError */
  #find({ namespace, name }: PodPath, containerName: string | undefined): Place {
    const { storage, kubelet, network, runDir } = this.#parts;
    const pod = storage.get('pods', namespace, name);
    if (pod === undefined) throw StatusError.notFound('pods', name);
    if (!storage.isMirrored('pods', namespace, name)) {
      const container = kubelet.container(namespace, name, containerName);
      return { container, netns: container.netns, hostName: undefined };
    }
    const netns = network.endpoint(namespace, name)?.netns ?? '';
    if (netns === '') throw StatusError.badRequest(`pod ${name} has no network namespace on this node`);
    return { container: undefined, netns, hostName: new NetnsFiles(runDir).hostName(netns) };
  }
}

interface Place {
  readonly container: RunningContainer | undefined;
  readonly netns: string;
  readonly hostName: string | undefined;
}

/** @throws StatusError without a command */
function commandOf({ container, netns, hostName }: Place, argv: readonly string[], isTty: boolean): Command {
  if (argv.length === 0) throw StatusError.badRequest('you must specify at least one command for the container');
  if (container !== undefined) return { argv: execCommand(container, argv, { isTty }), env: { PATH } };
  const env = {
    PATH,
    HOME: '/root',
    ...(isTty && { TERM: 'xterm' }),
    ...(hostName !== undefined && { HOSTNAME: hostName }),
  };
  return { argv: execInNetns(netns, argv, { isTty }), env };
}

function answerTo(error: unknown): Parameters<typeof refuse>[1] {
  if (error instanceof UpgradeRefused) return error;
  const status = error instanceof StatusError ? error : StatusError.internal(String(error));
  return { code: status.code, message: JSON.stringify(status.toStatus()), type: 'application/json' };
}
