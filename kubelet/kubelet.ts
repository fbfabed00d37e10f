/**
 * The pods of this node, as Kubernetes' agent of the same name runs them: for each Pod of the storage that names the node, a worker
 * (pod/pod-worker.ts) that starts its containers, looks after them, writes its status, and removes it when it is deleted.
 *
 *     storage --watch--> Kubelet --> PodWorker ... --> runtime (processes and files) --> sluice-container
 *                           ^                               |
 *                           '------ exits folder, watched --'
 *
 * Containers are nobody's children: they go on while this thread, the agent or both are gone, and `start` finds them again. `stop` lets them
 * run; a clean one ends them and removes every trace. Pods that other sources hold (mirrored ones) have no containers.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StoredEvent } from '../apiserver/storage/kube-object.ts';
import { StatusError } from '../apiserver/storage/status-error.ts';
import { type LogRequest, readLogs } from './logs.ts';
import type { ContainerLife } from './pod/container-life.ts';
import { type KubeletParts, POD_RESOURCE } from './pod/parts.ts';
import { PodWorker } from './pod/pod-worker.ts';
import { containersOf, type Pod, podKey } from './pod-spec.ts';
import { PodmanImages } from './podman/podman-images.ts';
import { openRuntime } from './runtime/pod-runtime.ts';
import { watchFolder } from '../linux/watch-folder.ts';

const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

/** What images are: `none` is ever fetched, or `podman` has them. */
export type ContainerRuntime = 'none' | 'podman';

/** `runDir` is the agent's; containers are under `<runDir>/kube-api`. */
export interface KubeletOptions extends Omit<KubeletParts, 'runtime' | 'images'> {
  readonly containerRuntime: ContainerRuntime;
}

/** A container, for those who run commands in it or join its streams. */
export interface RunningContainer {
  readonly name: string;
  /** Of its first process, as this machine numbers it. */
  readonly pid: number;
  readonly startTime: string;
  /** Where its spec is (runtime/exec-command.ts). */
  readonly stateDir: string;
  readonly attachPath: string;
  readonly logPath: string;
  /** Name or path. */
  readonly netns: string;
  readonly isTty: boolean;
  readonly hasStdin: boolean;
}

export class Kubelet {
  readonly #parts: KubeletParts;
  readonly #workers = new Map<string, PodWorker>();
  readonly #ends: (() => void)[] = [];
  #isStopped = false;

  constructor(options: KubeletOptions) {
    const runtime = openRuntime(options.runDir);
    const isPodman = options.containerRuntime === 'podman';
    const images = isPodman ? new PodmanImages(runtime.imagesFolder, options.log) : undefined;
    this.#parts = { ...options, runtime, images };
  }

  /** Takes up the pods of this node, and removes what is left of those that are gone. */
  start(): void {
    const { storage, runtime, network, log, runDir } = this.#parts;
    mkdirSync(join(runDir, 'kube-api'), { recursive: true, mode: 0o700 });
    runtime.open();
    if (runtime.cgroups.problem !== '')
      log('warn', `run pods: ${runtime.cgroups.problem}: nothing bounds how many processes the root of a pod makes`);
    this.#ends.push(watchFolder(runtime.exitsFolder, (name) => this.#ended(name)));
    this.#ends.push(storage.watch('*', (event) => this.#changed(event)));
    this.#ends.push(network.onChange(() => this.#ringAll()));
    const pods = (storage.list(POD_RESOURCE) as Pod[]).filter((pod) => this.#isOurs(pod));
    for (const pod of pods) this.#take(pod);
    const known = new Set(pods.map(({ metadata }) => metadata.uid));
    for (const uid of runtime.uids()) if (!known.has(uid)) this.#removeStray(uid);
    void this.#parts.images?.recover();
  }

  /**
   * @param isClean whether all containers end, and all traces go; else they run on
   * @returns when that is done
   */
  async stop(isClean: boolean): Promise<void> {
    this.#isStopped = true;
    for (const end of this.#ends) end();
    const workers = [...this.#workers.values()];
    for (const worker of workers) worker.close();
    this.#workers.clear();
    if (!isClean) return;
    const { runtime } = this.#parts;
    // A step that is under way may still start something.
    await Promise.race([
      Promise.all(workers.map(({ done }) => done)),
      new Promise((resolve) => setTimeout(resolve, 2000)),
    ]);
    await Promise.all(runtime.uids().map((uid) => runtime.remove(uid)));
    await this.#parts.images?.recover();
    runtime.close();
  }

  /** Stand-ins of images are others. */
  standInsChanged(): void {
    for (const worker of this.#workers.values()) worker.retryImages();
  }

  /** How many pods it runs. */
  get size(): number {
    return this.#workers.size;
  }

  /**
   * @param name of the container; the one of the annotation, or the first, when undefined
   * @throws StatusError as Kubernetes says it: 404 no such pod, 400 no such container or not running
   */
  container(namespace: string, pod: string, name?: string): RunningContainer {
    const { worker, life } = this.#find(namespace, pod, name);
    const { placed, processes, attempt, terminated, waiting } = life;
    if (processes === undefined) {
      const why = terminated === undefined ? waiting.reason : 'it has ended';
      throw StatusError.badRequest(`container ${placed.name} in pod ${pod} is not running: ${why}`);
    }
    const stateDir = this.#parts.runtime.containerFolder(worker.uid, placed.folder);
    return {
      name: placed.name,
      pid: processes.first.pid,
      startTime: processes.first.startTime,
      stateDir,
      attachPath: join(stateDir, 'attach'),
      logPath: join(stateDir, `${attempt}.log`),
      netns: this.#parts.network.endpoint(namespace, pod)?.netns ?? '',
      isTty: placed.spec.tty === true,
      hasStdin: placed.spec.stdin === true,
    };
  }

  /**
   * The log of a container, as text or, with `follow`, as it grows, until the container has ended.
   * @throws StatusError as `container`; 400 when there is none yet
   */
  logs(namespace: string, pod: string, request: LogRequest): AsyncIterable<Uint8Array> {
    const { worker, life } = this.#find(namespace, pod, request.container);
    const { placed } = life;
    const isPrevious = request.previous === true;
    const attempt = isPrevious ? life.attempt - 1 : life.attempt;
    if (attempt < 0) {
      const what = isPrevious ? `previous terminated container "${placed.name}"` : `container "${placed.name}"`;
      const state = isPrevious ? 'not found' : `is waiting to start: ${life.waiting.reason}`;
      throw StatusError.badRequest(`${what} in pod "${pod}" ${state}`);
    }
    const path = join(this.#parts.runtime.containerFolder(worker.uid, placed.folder), `${attempt}.log`);
    return readLogs(path, request, () => life.attempt === attempt && life.isRunning && !this.#isStopped);
  }

  #find(namespace: string, podName: string, name: string | undefined): { worker: PodWorker; life: ContainerLife } {
    const worker = this.#workers.get(`${namespace}/${podName}`);
    if (worker === undefined) throw StatusError.notFound(POD_RESOURCE, podName);
    const { pod } = worker;
    const annotated = pod.metadata.annotations?.[DEFAULT_CONTAINER];
    const wanted = name ?? annotated ?? pod.spec?.containers?.[0]?.name ?? '';
    const life = worker.life(wanted);
    if (life !== undefined) return { worker, life };
    const names = containersOf(pod).map((one) => one.name);
    throw StatusError.badRequest(`container ${wanted} is not valid for pod ${podName} (it has: ${names.join(', ')})`);
  }

  /** Pods that name this node, of which nobody else is the source. */
  #isOurs({ spec, metadata }: Pod): boolean {
    const { storage, nodeName } = this.#parts;
    return spec?.nodeName === nodeName && !storage.isMirrored(POD_RESOURCE, metadata.namespace ?? '', metadata.name);
  }

  #changed({ resource, type, object }: StoredEvent): void {
    if (this.#isStopped) return;
    if (resource === POD_RESOURCE) this.#podChanged(type, object);
    else if (resource === 'configmaps' || resource === 'secrets') {
      const { namespace } = object.metadata;
      for (const worker of this.#workers.values()) if (worker.pod.metadata.namespace === namespace) worker.ring();
    }
  }

  #podChanged(type: string, pod: Pod): void {
    const worker = this.#workers.get(podKey(pod));
    if (worker === undefined) {
      if (type !== 'DELETED' && this.#isOurs(pod)) this.#take(pod);
    } else if (worker.uid !== pod.metadata.uid || type === 'DELETED') worker.update(undefined);
    else worker.update(pod);
  }

  #take(pod: Pod): void {
    const key = podKey(pod);
    const worker = new PodWorker(this.#parts, pod);
    this.#workers.set(key, worker);
    void worker.done.then(() => {
      if (this.#workers.get(key) !== worker || this.#isStopped) return;
      this.#workers.delete(key);
      // Another of the same name may have come meanwhile.
      const next = this.#parts.storage.get(POD_RESOURCE, pod.metadata.namespace ?? '', pod.metadata.name) as
        | Pod
        | undefined;
      if (next !== undefined && this.#isOurs(next)) this.#take(next);
    });
  }

  #removeStray(uid: string): void {
    const { runtime, log } = this.#parts;
    const tell = (error: Error): void => log('error', `remove what is left of pod ${uid}: ${error.message}`);
    runtime.remove(uid).catch(tell);
  }

  /** @param name of the file that tells how a container has ended: `UID_c0_3` */
  #ended(name: string | null): void {
    const uid = name?.replace(/^\./, '').split('_')[0];
    for (const worker of this.#workers.values()) if (uid === undefined || worker.uid === uid) worker.ring();
  }

  #ringAll(): void {
    for (const worker of this.#workers.values()) worker.ring();
  }
}
