/**
 * The thread `kubernetes`: everything that has to do with the API happens here, so that no list, no certificate and no program that gives credentials ever
 * holds up the agent. It ends when it is told to; the agent starts another when it dies.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { requireSecure } from '../../kubeclient/access.ts';
import { KubeClient } from '../../kubeclient/client.ts';
import { inClusterAccess } from '../../kubeclient/in-cluster.ts';
import { readKubeconfig } from '../../kubeclient/kubeconfig.ts';
import { VERSION } from '../../linux/version.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import type { Config } from '../config/config.ts';
import { objectReader } from '../source/reader.ts';
import type { FromThread } from '../supervise/supervised-thread.ts';
import type { FromKubernetes, KubernetesStatus, ToKubernetes } from './messages.ts';
import { Outbox } from './outbox.ts';
import { Refusals } from './refusals.ts';
import { KubernetesSource } from './source.ts';

/** Between two looks at what has changed in how it fares. */
const TELL_MS = 500;
/** Before an access that could not be used is looked at again. */
const ACCESS_MS = 5000;

export interface KubernetesThreadData {
  readonly config: Config;
  readonly policy: PolicyConfig;
}

class KubernetesThread {
  readonly #port: MessagePort;
  readonly #data: KubernetesThreadData;
  readonly #outbox = new Outbox((batch) => this.#tell({ batch }));
  #source: KubernetesSource | undefined;
  #client: KubeClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  #problem = '';
  #told = '';

  constructor(port: MessagePort, data: KubernetesThreadData) {
    this.#port = port;
    this.#data = data;
    port.on('message', (message: ToKubernetes) => this.#take(message));
    setInterval(() => this.#tellStatus(), TELL_MS);
  }

  start(): void {
    this.#open();
    this.#tell({ ready: true });
    this.#tellStatus();
  }

  #take(message: ToKubernetes): void {
    if ('taken' in message) this.#outbox.taken();
    else this.#stop();
  }

  #stop(): void {
    this.#outbox.close();
    clearTimeout(this.#timer);
    this.#source?.stop();
    this.#client?.close();
    process.exit(0);
  }

  /** A kubeconfig that is not there yet, or wrong, is looked at again. */
  #open(): void {
    const { config, policy } = this.#data;
    const { kubernetes, 'kubernetes-context': context, 'kubernetes-insecure': mayBeInsecure, nodeName } = config;
    try {
      const access = kubernetes === 'in-cluster' ? inClusterAccess() : readKubeconfig(kubernetes, context);
      const client = new KubeClient(requireSecure(access, mayBeInsecure), `sluice/${VERSION}`);
      const refusals = new Refusals({ client, nodeName, mayWrite: config['kubernetes-write'] });
      const read = objectReader(policy, config);
      const outbox = this.#outbox;
      this.#client = client;
      this.#source = new KubernetesSource({ client, nodeName, read, outbox, refusals });
      this.#source.start();
      this.#problem = '';
    } catch (error) {
      this.#problem = `Kubernetes: ${(error as Error).message}`;
      this.#timer = setTimeout(() => this.#open(), ACCESS_MS);
    }
  }

  get #status(): KubernetesStatus {
    const source = this.#source;
    if (source !== undefined) return source.status;
    return { server: '', resources: [], refused: 0, problems: this.#problem === '' ? [] : [this.#problem] };
  }

  #tellStatus(): void {
    const status = this.#status;
    const text = JSON.stringify(status);
    if (text === this.#told) return;
    this.#told = text;
    this.#tell({ kubernetes: status });
  }

  #tell(message: FromKubernetes | FromThread): void {
    this.#port.postMessage(message);
  }
}

if (parentPort === null) throw new Error('start the thread kubernetes: found no parent, wanted the agent');
new KubernetesThread(parentPort, workerData as KubernetesThreadData).start();
