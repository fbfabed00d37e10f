/** Container runtimes as clients of the agent: the calls of the plugin, those that waited for the agent, and namespaces that went. */
import type { CniAnswers, CniAttachmentDocument } from '../../api/shapes.ts';
import type { Agent } from '../agent.ts';
import type { Log } from '../health/log.ts';
import type { Route } from '../serve/router.ts';
import type { CniAttachments } from './attachments.ts';
import { DeletedQueue } from './deleted-queue.ts';
import { serveCni } from './route.ts';
import { RuntimeCalls } from './runtime-calls.ts';
import { worldOf } from './world.ts';

/** Between two looks for namespaces that are gone, and for calls that came while the agent was starting. */
const LOOK_MS = 2000;

export class RuntimeService {
  readonly #attachments: CniAttachments;
  readonly #calls: RuntimeCalls;
  readonly #deleted: DeletedQueue;
  readonly #agent: Agent;
  #timer: NodeJS.Timeout | undefined;

  constructor(agent: Agent, attachments: CniAttachments, log: Log) {
    this.#attachments = attachments;
    this.#calls = new RuntimeCalls(worldOf(agent, attachments));
    this.#deleted = new DeletedQueue(agent.config.runDir, this.#calls, log);
    this.#agent = agent;
    if (attachments.problem !== undefined)
      log.error({ error: attachments.problem }, 'attachments of container runtimes are lost');
  }

  /** What the API serves. */
  get routes(): { readonly [Path in keyof CniAnswers]: Route<CniAnswers[Path]> } {
    return {
      'GET /v1/cni': () => ({ document: this.#documents() }),
      'POST /v1/cni': ({ body, response }) => {
        // What waited is older than what comes.
        void this.#deleted.drain().then(() => serveCni(this.#calls, body, response));
        return undefined;
      },
    };
  }

  #documents(): CniAttachmentDocument[] {
    const counting = new Set(this.#attachments.byPod().values());
    return this.#attachments.all().map((one) => {
      const { containerId, ifname, network, netns, addresses, pod } = one;
      const { namespace, name } = pod;
      const found = counting.has(one) ? this.#agent.reconciler.pods.get(`${namespace}/${name}`) : undefined;
      const state = found === undefined ? 'replaced' : this.#agent.states.of(found);
      return { containerId, ifname, network, netns, namespace, pod: name, addresses, state };
    });
  }

  start(): void {
    void this.#deleted.drain();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** Ends what begins by itself. What is attached stays noted: its containers run on. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#deleted.drain();
    this.#attachments.close();
  }

  #look(): void {
    if (this.#attachments.dropGone()) this.#agent.sync();
    void this.#deleted.drain();
  }
}
