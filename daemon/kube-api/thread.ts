/**
 * The thread of the Kubernetes API: keeps the objects that are written through it (apiserver/storage).
 */
import { join } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Resources } from '../../apiserver/resources/resources.ts';
import { Storage } from '../../apiserver/storage/storage.ts';
import type { FromThread } from '../supervise/supervised-thread.ts';
import type { FromKubeApi } from './messages.ts';

/** What the agent gives the thread. */
interface KubeApiData {
  /** Where the objects are kept, in `objects`. */
  readonly folder: string;
  /** The folder is there after a boot. */
  readonly outlivesBoot: boolean;
}

class KubeApiThread {
  readonly #port: MessagePort;
  readonly #storage: Storage;
  readonly #resources = new Resources();

  constructor(port: MessagePort, { folder, outlivesBoot }: KubeApiData) {
    this.#port = port;
    this.#storage = new Storage({ path: join(folder, 'objects'), isSynced: outlivesBoot });
  }

  start(): void {
    const problems = this.#storage.load();
    this.#resources.follow(this.#storage);
    this.#tell({ kubeApi: { address: '', problems, objects: this.#storage.counts.objects } });
    this.#tell({ ready: true });
  }

  stop(): void {
    this.#storage.close();
    process.exit(0);
  }

  #tell(message: FromKubeApi | FromThread): void {
    this.#port.postMessage(message);
  }
}

if (parentPort === null) throw new Error('start the Kubernetes API: found no parent, wanted the agent');
const thread = new KubeApiThread(parentPort, workerData as KubeApiData);
parentPort.on('message', () => thread.stop());
thread.start();
