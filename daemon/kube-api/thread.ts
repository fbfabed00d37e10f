/**
 * The thread of the Kubernetes API: objects (apiserver/storage), the server (apiserver/http), and the certificates that let clients in. An address
 * that is taken is told and tried again.
 *
 *     agent <-- AgentLink --> Storage <-- KubeServer <-- KubeListener <-- kubectl
 *       |                        ^   ^
 *       +--- MirroredObjects ----+   Containers (kubelet, exec)
 */
import { join } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { kubeconfigPath } from '../../api/sockets.ts';
import { KubeServer } from '../../apiserver/http/kube-server.ts';
import { OpenApi } from '../../apiserver/openapi/openapi.ts';
import { Structures } from '../../apiserver/openapi/structures.ts';
import { Writes } from '../../apiserver/patch/writes.ts';
import { type Controllers, startControllers } from '../../controllers/controllers.ts';
import { Resources } from '../../apiserver/resources/resources.ts';
import { Storage } from '../../apiserver/storage/storage.ts';
import { VERSION } from '../../linux/version.ts';
import { readListenAddress } from '../config/listen-address.ts';
import { RetriedListening } from '../serve/retried-listening.ts';
import type { FromThread } from '../supervise/supervised-thread.ts';
import { Containers } from './containers.ts';
import { AgentLink } from './agent-link.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { KubeListener } from './listener.ts';
import type { FromKubeApi, KubeApiData, KubeApiStatus, NodeFacts, ToKubeApi } from './messages.ts';
import { MirroredObjects } from './mirrored-objects.ts';
import { openPki } from './pki.ts';
import { SERVED_VERSION } from './served-version.ts';

/** Between two looks at what may be wrong. */
const LOOK_AT_PROBLEMS_MS = 1000;

class KubeApiThread {
  readonly #port: MessagePort;
  readonly #data: KubeApiData;
  readonly #storage: Storage;
  readonly #resources = new Resources();
  readonly #structures = new Structures();
  readonly #mirrored: MirroredObjects;
  readonly #link: AgentLink;
  readonly #server: KubeServer;
  readonly #listening: RetriedListening;
  #listener: KubeListener | undefined;
  readonly #containers: Containers;
  #controllers: Controllers | undefined;
  #isClean = false;
  /** PEM; '' until there is one. */
  #ca = '';
  #problems: readonly string[] = [];
  #told = '';

  constructor(port: MessagePort, data: KubeApiData) {
    this.#port = port;
    this.#data = data;
    const { folder, outlivesBoot, address, nodeName } = data;
    this.#storage = new Storage({ path: join(folder, 'objects'), isSynced: outlivesBoot });
    this.#mirrored = new MirroredObjects(this.#storage, this.#resources, nodeName);
    this.#link = new AgentLink(this.#storage, (message) => this.#tell(message));
    this.#containers = new Containers(this.#storage, data, (message) => this.#tell(message));
    this.#server = new KubeServer({
      storage: this.#storage,
      resources: this.#resources,
      writes: new Writes(this.#structures),
      openApi: new OpenApi(this.#resources, this.#structures, SERVED_VERSION.gitVersion),
      admission: this.#link,
      connections: this.#containers.connections,
      version: SERVED_VERSION,
      address,
    });
    this.#listening = new RetriedListening({
      address,
      texts: { served: 'the Kubernetes API is served', failed: 'cannot serve the Kubernetes API, trying again' },
      log: (level, text, fields) => this.#tell({ log: { level, text, fields } }),
      listen: () => this.#listen(),
      onAttempt: () => this.#tellHow(),
    });
  }

  async start(): Promise<void> {
    this.#problems = this.#storage.load();
    this.#resources.follow(this.#storage);
    this.#structures.follow(this.#storage);
    void this.#link.start();
    await this.#listening.start();
    setInterval(() => this.#tellHow(), LOOK_AT_PROBLEMS_MS).unref();
    this.#tell({ ready: true });
  }

  take(message: ToKubeApi): void {
    const { mirror, endpoints, services, node, answer, ends } = message;
    if (ends !== undefined) {
      this.#isClean = ends.isClean;
      return;
    }
    if (mirror !== undefined) this.#mirrored.take(mirror);
    // Not before the agent's objects are here: an owner that is not there yet would be taken for gone.
    this.#controllers ??= this.#startControllers(node);
    if (node !== undefined) this.#controllers.setNode(nodeFacts(node));
    if (services !== undefined) this.#controllers.setServices(services);
    if (endpoints !== undefined) this.#controllers.setEndpoints(endpoints);
    if (endpoints !== undefined) this.#mirrored.takeEndpoints(endpoints);
    if (answer !== undefined) this.#link.take(answer);
    this.#containers.take(message);
  }

  async stop(): Promise<void> {
    this.#listening.stop();
    this.#controllers?.stop();
    this.#server.stop();
    await this.#listener?.stop();
    await this.#containers.stop(this.#isClean);
    await this.#storage.synced();
    this.#storage.close();
    process.exit(0);
  }

  #startControllers(node: NodeFacts | undefined): Controllers {
    const { nodeName, maxPods } = this.#data;
    const facts = node === undefined ? {} : { node: nodeFacts(node) };
    return startControllers({ storage: this.#storage, nodeName, maxPods, caCertificate: this.#ca, ...facts });
  }

  async #listen(): Promise<void> {
    const { folder, address, name, runDir } = this.#data;
    const place = readListenAddress(address);
    if (place === undefined) throw new Error(`listen on ${address}: wanted an address and port`);
    const pki = await openPki(join(folder, 'pki'), Date.now());
    this.#ca = pki.ca;
    this.#controllers?.setCertificate(pki.ca);
    const server = this.#server;
    const listener = new KubeListener({
      pki,
      serve: (request, response) => server.serve(request, response),
      upgrade: (request, socket, head) => server.upgrade(request, socket, head),
    });
    await listener.start(place);
    this.#listener = listener;
    writeKubeconfig(kubeconfigPath(runDir), address, name, pki);
  }

  #tellHow(): void {
    const { problem, address, isServed } = this.#listening;
    const unserved = problem === '' ? [] : [`the Kubernetes API is not served on ${address}: ${problem}`];
    const kubeApi: KubeApiStatus = {
      address: isServed ? `https://${address}` : '',
      problems: [...unserved, ...this.#problems],
      objects: this.#storage.counts.objects,
      controllers: this.#controllers?.counts ?? [],
    };
    const text = JSON.stringify(kubeApi);
    if (text === this.#told) return;
    this.#told = text;
    this.#tell({ kubeApi });
  }

  #tell(message: FromKubeApi | FromThread): void {
    this.#port.postMessage(message);
  }
}

function nodeFacts(node: NodeFacts): NodeFacts & { readonly version: string; readonly runtime: string } {
  return { ...node, version: SERVED_VERSION.gitVersion, runtime: `sluice://${VERSION}` };
}

if (parentPort === null) throw new Error('start the Kubernetes API: found no parent, wanted the agent');
const thread = new KubeApiThread(parentPort, workerData as KubeApiData);
parentPort.on('message', (message: ToKubeApi | { readonly stop: true }) => {
  if ('stop' in message) void thread.stop();
  else thread.take(message);
});
void thread.start();
