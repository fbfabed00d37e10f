/**
 * The life of one pod on this node. Whatever happens (the pod is another, its network is there, a container has ended, a probe has
 * answered, time has come) rings its bell; a step looks at everything anew, does what can be done, and writes the status. Steps of a pod
 * run one after the other.
 *
 *     waits for its network --> first process and volumes --> init containers, one by one --> containers
 *                                       ^                                                        |
 *                                       '---- its first process has gone: all from the start ----'
 *
 *     deleted --> preStop, SIGTERM, SIGKILL --> all traces removed --> object deleted
 *
 * Nothing is kept but what the storage (the status) and the files of the runtime have, so that a kubelet which starts anew goes on.
 */
import { isDeepStrictEqual } from 'node:util';
import { DEFAULT_GRACE_SEC } from '../../apiserver/storage/deletion.ts';
import { StatusError } from '../../apiserver/storage/status-error.ts';
import { ContainerProblem } from '../plan/environment.ts';
import { isInitialized, type PlacedStatus, statusOf } from '../plan/pod-status.ts';
import { containersOf, type Pod, type PodStatus } from '../pod-spec.ts';
import { ContainerChecks } from './container-checks.ts';
import { endContainer } from './container-end.ts';
import { ContainerImages, isImageReason } from './container-images.ts';
import { ContainerLife } from './container-life.ts';
import { type PodSite, startContainer, terminationMessage } from './container-start.ts';
import { runHook } from './hooks.ts';
import { endpointOf, type KubeletParts, POD_RESOURCE, tellOf } from './parts.ts';
import { netnsPath, PodPlace } from './pod-place.ts';
import { mayRestart } from './restart-rules.ts';
import { Wakeup } from './wakeup.ts';

const RETRY_MS = 2000;
/** Looked for minders that died without a word. */
const LOOK_MS = 15_000;

export class PodWorker {
  readonly uid: string;
  /** Settles when the pod is gone, or let go of. */
  readonly done: Promise<void>;
  readonly #parts: KubeletParts;
  readonly #wakeup = new Wakeup();
  readonly #lives = new Map<string, ContainerLife>();
  readonly #checks: ContainerChecks;
  readonly #place: PodPlace;
  readonly #images: ContainerImages;
  #pod: Pod;
  #isGone = false;
  #isClosed = false;
  #failure: { reason: string; message: string } | undefined;
  #nextMs = LOOK_MS;

  constructor(parts: KubeletParts, pod: Pod) {
    this.#parts = parts;
    this.#pod = pod;
    this.uid = pod.metadata.uid;
    const ring = (): void => this.#wakeup.ring();
    this.#checks = new ContainerChecks(parts, () => this.#pod, ring);
    this.#images = new ContainerImages(parts, () => this.#pod, ring);
    this.#place = new PodPlace(parts, this.uid, () => this.#beginAnew());
    this.#addLives();
    const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
    const statuses = [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses];
    for (const life of this.lives) life.adopt(statuses.find(({ name }) => name === life.placed.name));
    this.done = this.#run();
  }

  /** @param pod undefined when the object is gone */
  update(pod: Pod | undefined): void {
    if (pod === undefined) this.#isGone = true;
    else this.#pod = pod;
    this.#wakeup.ring();
  }

  /** Something that the pod depends on may be another. */
  ring(): void {
    this.#wakeup.ring();
  }

  /** Images that nothing stood in for may have something now. */
  retryImages(): void {
    for (const life of this.lives) life.imageBackOff.forget();
    this.#wakeup.ring();
  }

  /** Lets go of the pod, whose containers run on. */
  close(): void {
    this.#isClosed = true;
    this.#checks.close();
    this.#images.close();
    this.#wakeup.ring();
  }

  life(name: string): ContainerLife | undefined {
    return this.#lives.get(name);
  }

  get lives(): ContainerLife[] {
    return [...this.#lives.values()];
  }

  get pod(): Pod {
    return this.#pod;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      this.#nextMs = LOOK_MS;
      try {
        if (await this.#step()) return;
      } catch (error) {
        const { namespace, name } = this.#pod.metadata;
        this.#parts.log('error', `run pod ${namespace}/${name}: ${(error as Error).stack}`);
        this.#later(RETRY_MS);
      }
      if (!this.#isClosed) await this.#wakeup.wait(this.#nextMs);
    }
  }

  #later(ms: number): void {
    this.#nextMs = Math.min(this.#nextMs, Math.max(1, ms));
  }

  /** Ephemeral containers come later. */
  #addLives(): void {
    for (const placed of containersOf(this.#pod)) {
      if (this.#lives.has(placed.name)) continue;
      this.#lives.set(placed.name, new ContainerLife(placed, this.uid, this.#parts.runtime));
    }
  }

  /** @returns whether there is nothing more to do */
  async #step(): Promise<boolean> {
    this.#addLives();
    this.#collect();
    if (this.#isEnding) return this.#endPod();
    if (isFinal(this.#pod)) {
      await this.#endAll();
      await this.#parts.runtime.endProcesses(this.uid);
      this.#collect();
      this.#writeStatus(false);
      return false;
    }
    for (const life of this.lives) if (life.isRunning && life.condemned !== '') await this.#end(life);
    const place = await this.#place.prepare(this.#pod);
    const hasSandbox = 'sandbox' in place;
    if (hasSandbox) await this.#startWhatIsDue(place);
    else {
      this.#place.tell(this.#pod, place);
      for (const life of this.lives) if (!life.isRunning) life.waiting = place.waiting;
      if (place.isRetried) this.#later(RETRY_MS);
    }
    this.#collect();
    this.#checkDeadline();
    this.#writeStatus(hasSandbox);
    return false;
  }

  get #isEnding(): boolean {
    return this.#isGone || this.#pod.metadata.deletionTimestamp !== undefined;
  }

  /** The pod's first process is gone, and with it all others. */
  async #beginAnew(): Promise<void> {
    if (this.lives.every(({ attempt }) => attempt < 0)) return;
    const message = 'Pod sandbox changed, it will be killed and re-created.';
    this.#parts.events.record(this.#pod, { type: 'Normal', reason: 'SandboxChanged', message });
    await this.#parts.runtime.endProcesses(this.uid);
    this.#collect();
    for (const life of this.lives) life.reset();
  }

  async #startWhatIsDue(site: PodSite): Promise<void> {
    for (const life of this.lives) {
      const { placed } = life;
      if (this.#isEnding || this.#isClosed) return;
      if (placed.role === 'ephemeral' && life.attempt >= 0) continue;
      if (!life.isRunning && this.#isDue(life)) await this.#start(life, site);
      if (life.isRunning) this.#checks.watch(life, site.netns);
      if (placed.role !== 'init' || isInitialized([this.#statusOf(life)])) continue;
      for (const other of this.lives)
        if (other.attempt < 0 && other !== life) other.waiting = { reason: 'PodInitializing' };
      return;
    }
  }

  /** Whether one that does not run is to be started now. */
  #isDue(life: ContainerLife): boolean {
    if (!this.#mayRestart(life)) return false;
    const left = Math.max(life.backOff.leftMs(Date.now()), life.imageBackOff.leftMs(Date.now()));
    if (left === 0) return true;
    this.#later(left);
    const { waiting, placed } = life;
    if (waiting.reason === 'ErrImagePull') {
      const text = `Back-off pulling image "${placed.spec.image ?? ''}"`;
      life.waiting = { reason: 'ImagePullBackOff', message: `${text}: ${waiting.message ?? ''}` };
      tellOf(this.#parts, this.#pod, placed, { type: 'Normal', reason: 'BackOff', message: text });
    } else if (life.terminated !== undefined) this.#noteBackOff(life);
    return false;
  }

  #noteBackOff(life: ContainerLife): void {
    const { name } = life.placed;
    const pod = `${this.#pod.metadata.name}_${this.#pod.metadata.namespace}(${this.uid})`;
    const message = `back-off ${life.backOff.text} restarting failed container=${name} pod=${pod}`;
    if (life.waiting.message === message) return;
    life.waiting = { reason: 'CrashLoopBackOff', message };
    const text = `Back-off restarting failed container ${name} in pod ${pod}`;
    tellOf(this.#parts, this.#pod, life.placed, { type: 'Warning', reason: 'BackOff', message: text });
  }

  #mayRestart({ placed, terminated }: ContainerLife): boolean {
    return mayRestart(this.#pod, placed, terminated, this.#failure !== undefined);
  }

  async #start(life: ContainerLife, site: PodSite): Promise<void> {
    try {
      const image = this.#images.take(life);
      if (image === 'coming') return;
      await startContainer(this.#parts, this.#pod, life, { ...site, image });
      this.#images.forget(life);
      life.began();
    } catch (error) {
      this.#noteFailure(life, error as Error);
    }
  }

  #noteFailure(life: ContainerLife, error: Error): void {
    const { message } = error;
    const reason = error instanceof ContainerProblem ? error.reason : 'RunContainerError';
    const isNew = life.waiting.reason !== reason || life.waiting.message !== message;
    const isImage = isImageReason(reason);
    if (reason === 'RunContainerError') {
      life.failed(message, Date.now());
      this.#images.forget(life);
    } else if (reason === 'ErrImageNeverPull') life.imageBackOff.resume(1, Date.now());
    else if (isImage) life.imageBackOff.ended(Date.now(), 0);
    life.waiting = { reason, message };
    // What is wrong in a pod's words may be mended any moment: a ConfigMap that comes.
    this.#later(life.backOff.leftMs(Date.now()) || life.imageBackOff.leftMs(Date.now()) || RETRY_MS);
    if (!isNew) return;
    tellOf(this.#parts, this.#pod, life.placed, {
      type: 'Warning',
      reason: 'Failed',
      message: isImage ? message : `Error: ${message}`,
    });
  }

  /** Looks which have ended, and what they left to say. */
  #collect(): void {
    const { runtime } = this.#parts;
    for (const life of this.lives) {
      const said = (): string => terminationMessage(this.#parts, runtime.sandbox(this.uid), life.placed);
      if (life.collect(said)) this.#checks.forget(life);
    }
  }

  #checkDeadline(): void {
    const seconds = this.#pod.spec?.activeDeadlineSeconds;
    const { startTime } = this.#pod.status ?? {};
    if (seconds === undefined || startTime === undefined || this.#failure !== undefined) return;
    const left = Date.parse(startTime) + seconds * 1000 - Date.now();
    this.#later(left);
    if (left > 0) return;
    const message = 'Pod was active on the node longer than the specified deadline';
    this.#failure = { reason: 'DeadlineExceeded', message };
    this.#parts.events.record(this.#pod, { type: 'Normal', ...this.#failure });
  }

  #statusOf(life: ContainerLife): PlacedStatus {
    return { placed: life.placed, status: life.status(this.#mayRestart(life)) };
  }

  #writeStatus(hasSandbox: boolean): void {
    const facts = {
      containers: this.lives.map((life) => this.#statusOf(life)),
      hasSandbox,
      addresses: endpointOf(this.#parts, this.#pod)?.addresses ?? [],
      hostIps: this.#parts.hostIps(),
      nowMs: Date.now(),
      failure: this.#failure,
    };
    this.#save((pod) => statusOf(pod, facts, pod.status));
    // The last container of a pod that is not to be restarted ends those beside it.
    if (isFinal(this.#pod) && this.lives.some(({ isRunning }) => isRunning)) this.#later(1);
  }

  #save(change: (pod: Pod) => PodStatus): void {
    const { namespace = '', name } = this.#pod.metadata;
    const { storage } = this.#parts;
    if (storage.get(POD_RESOURCE, namespace, name)?.metadata.uid !== this.uid) {
      this.#isGone = true;
      this.#later(1);
      return;
    }
    const written = (pod: Pod): Pod => {
      const status = change(pod);
      return isDeepStrictEqual(status, pod.status) ? pod : { ...pod, status };
    };
    try {
      this.#pod = storage.update(POD_RESOURCE, namespace, name, (pod) => written(pod), { isStatus: true });
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.#later(RETRY_MS);
    }
  }

  /** @returns true: its object is gone, and all traces */
  async #endPod(): Promise<boolean> {
    this.#checks.close();
    this.#images.close();
    await this.#endAll();
    this.#collect();
    if (!this.#isGone) this.#writeStatus(false);
    await this.#parts.runtime.remove(this.uid);
    const { namespace = '', name } = this.#pod.metadata;
    const { storage } = this.#parts;
    const isThere = (): boolean => storage.get(POD_RESOURCE, namespace, name)?.metadata.uid === this.uid;
    if (isThere())
      storage.delete(POD_RESOURCE, namespace, name, { gracePeriodSeconds: 0, preconditions: { uid: this.uid } });
    // With finalizers it stays until these are gone.
    return !isThere();
  }

  /** Ends all containers: those that serve others after the others. */
  async #endAll(): Promise<void> {
    const running = this.lives.filter(({ isRunning }) => isRunning);
    for (const isSidecar of [false, true]) {
      const part = running.filter(({ placed }) => placed.isSidecar === isSidecar);
      await Promise.all(part.map((life) => this.#end(life)));
    }
  }

  async #end(life: ContainerLife): Promise<void> {
    const { placed, condemned } = life;
    const beganMs = Date.now();
    const message =
      condemned === ''
        ? `Stopping container ${placed.name}`
        : `Container ${placed.name} ${condemned}, will be restarted`;
    tellOf(this.#parts, this.#pod, placed, { type: 'Normal', reason: 'Killing', message });
    const netns = netnsPath(endpointOf(this.#parts, this.#pod)?.netns ?? '');
    await endContainer(life, {
      leftMs: () => this.#graceLeftMs(life, beganMs),
      preStop: (leftMs) => runHook({ parts: this.#parts, pod: this.#pod, life, netns }, 'preStop', leftMs),
      wakeup: this.#wakeup,
      collect: () => this.#collect(),
    });
  }

  #graceLeftMs({ condemned, placed }: ContainerLife, beganMs: number): number {
    const { deletionTimestamp } = this.#pod.metadata;
    if (this.#isGone) return 0;
    if (deletionTimestamp !== undefined) return Date.parse(deletionTimestamp) - Date.now();
    const ofProbe = condemned === '' ? undefined : placed.spec.livenessProbe?.terminationGracePeriodSeconds;
    const seconds = ofProbe ?? this.#pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SEC;
    return beganMs + seconds * 1000 - Date.now();
  }
}

function isFinal({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
