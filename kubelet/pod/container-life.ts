/**
 * One container of a pod: which attempt runs, how the last one ended, whether it is ready.
 *
 *     waiting --start--> running --end--> terminated --(restart)--> waiting (back-off) --start--> running ...
 *
 * `waiting`: may be started, once its back-off is over. `running`: has processes, may be probed and ended; its end is told by the file that
 * its minder writes, or by the minder's own. `terminated`: has an ending; nothing runs. The life is told by the files of the runtime, so
 * that another kubelet can take it up (`adopt`).
 */
import { timestamp } from '../../apiserver/storage/kube-object.ts';
import { isAlive } from '../../linux/process-id.ts';
import type { ContainerState, ContainerStatus, PlacedContainer, TerminatedState } from '../pod-spec.ts';
import type { ContainerProcesses, Ending } from '../runtime/process-files.ts';
import type { PodRuntime } from '../runtime/pod-runtime.ts';
import { type ImageNote, imageNoteIn } from '../runtime/image-note.ts';
import { BackOff } from './back-off.ts';

/** Told of one whose minder was killed: nobody knows how it ended. */
const LOST: Omit<Ending, 'atMs'> = { exitCode: 137, signal: 9 };

export interface Waiting {
  readonly reason: string;
  readonly message?: string;
}

export class ContainerLife {
  readonly placed: PlacedContainer;
  readonly backOff = new BackOff();
  /** Of an image that could not be had. */
  readonly imageBackOff = new BackOff();
  /** What it runs; undefined for programs of the machine. */
  image: ImageNote | undefined;
  readonly #uid: string;
  readonly #runtime: PodRuntime;
  /** -1 before the first. */
  attempt = -1;
  restartCount = 0;
  processes: ContainerProcesses | undefined;
  waiting: Waiting = { reason: 'ContainerCreating' };
  terminated: TerminatedState | undefined;
  last: TerminatedState | undefined;
  isReady = false;
  /** Whether its startup probe has succeeded, and what is to be done after its start is done. */
  isStarted = false;
  /** Why it must be ended, to begin again; '' while it need not. */
  condemned = '';

  constructor(placed: PlacedContainer, uid: string, runtime: PodRuntime) {
    this.placed = placed;
    this.#uid = uid;
    this.#runtime = runtime;
  }

  get isRunning(): boolean {
    return this.processes !== undefined;
  }

  /** `sluice://UID/c0/3`; '' before the first attempt. */
  get id(): string {
    return this.attempt < 0 ? '' : `sluice://${this.#uid}/${this.placed.folder}/${this.attempt}`;
  }

  /** Takes up what an earlier kubelet began. @param before what the pod's status says of it */
  adopt(before: ContainerStatus | undefined): void {
    this.attempt = this.#runtime.lastAttempt(this.#uid, this.placed.folder);
    this.restartCount = before?.restartCount ?? 0;
    this.last = before?.lastState?.terminated;
    this.#readImage();
    if (this.attempt < 0) {
      // Its folder is gone, with all that ran in it: a boot.
      this.terminated = before?.state?.terminated;
      return;
    }
    // The status may be of before the last start.
    const isOfAnother = before?.containerID !== undefined && before.containerID !== this.id;
    if (isOfAnother) {
      this.restartCount++;
      this.last = before.state.terminated ?? this.last;
    }
    this.processes = this.#runtime.processes(this.#uid, this.placed.folder, this.attempt);
    this.isStarted = before?.started === true && !isOfAnother;
    this.isReady = this.isStarted && before?.ready === true;
    if (this.collect()) this.backOff.resume(this.restartCount, Date.parse(this.terminated?.finishedAt ?? ''));
  }

  /** What is next to be started. */
  get nextAttempt(): number {
    return this.attempt + 1;
  }

  /** Notes that the next attempt runs. */
  began(): void {
    this.#next();
    this.processes = this.#runtime.processes(this.#uid, this.placed.folder, this.attempt);
    this.#readImage();
    this.imageBackOff.forget();
    this.#runtime.forgetAttempt(this.#uid, this.placed.folder, this.attempt - 2);
    this.terminated = undefined;
    this.condemned = '';
    this.isStarted = false;
    this.isReady = false;
  }

  #readImage(): void {
    this.image = imageNoteIn(this.#runtime.containerFolder(this.#uid, this.placed.folder));
  }

  /** Notes that the next attempt could not be started. */
  failed(message: string, nowMs: number): void {
    const at = timestamp(nowMs);
    this.#next();
    this.terminated = {
      exitCode: 128,
      reason: 'StartError',
      message,
      startedAt: at,
      finishedAt: at,
      containerID: this.id,
    };
    this.backOff.ended(nowMs, 0);
  }

  #next(): void {
    this.attempt++;
    if (this.attempt > 0) this.restartCount++;
    this.last = this.terminated ?? this.last;
  }

  /**
   * Looks whether it has ended.
   * @param messageOf reads what it left to say, when it has
   * @returns whether it has just ended
   */
  collect(messageOf: () => string = () => ''): boolean {
    const { processes } = this;
    if (processes === undefined) return false;
    const told = (): Ending | undefined => this.#runtime.ending(this.#uid, this.placed.folder, this.attempt);
    const ending = told();
    if (ending === undefined && isAlive(processes.minder)) return false;
    // One that has died since we looked may have written before.
    this.#end(processes, ending ?? told() ?? { ...LOST, atMs: Date.now() }, messageOf());
    return true;
  }

  #end(processes: ContainerProcesses, { exitCode, signal, atMs }: Ending, message: string): void {
    this.processes = undefined;
    this.isReady = false;
    this.isStarted = false;
    this.waiting = { reason: 'CrashLoopBackOff' };
    this.terminated = {
      exitCode,
      ...(signal !== 0 && { signal }),
      reason: exitCode === 0 ? 'Completed' : 'Error',
      ...(message !== '' && { message }),
      startedAt: timestamp(processes.startedMs),
      finishedAt: timestamp(atMs),
      containerID: this.id,
    };
    this.backOff.ended(atMs, atMs - processes.startedMs);
  }

  /** Forgets what ran: the pod's first process is gone, and all begins anew. */
  reset(): void {
    this.waiting = { reason: 'ContainerCreating' };
    this.last = this.terminated ?? this.last;
    this.terminated = undefined;
  }

  /** @param mayRestart whether one that has ended is to begin again, and so waits */
  status(mayRestart: boolean): ContainerStatus {
    const { placed, terminated, last, restartCount } = this;
    const waits = terminated === undefined || mayRestart;
    const before = terminated !== undefined && mayRestart ? terminated : last;
    return {
      name: placed.name,
      image: placed.spec.image ?? '',
      imageID: this.image?.digest ?? '',
      ...(this.id !== '' && { containerID: this.id }),
      ready: this.isReady || (placed.role === 'init' && !placed.isSidecar && terminated?.exitCode === 0),
      started: this.isStarted,
      restartCount,
      state: this.#state(waits),
      lastState: before === undefined ? {} : { terminated: before },
    };
  }

  #state(waits: boolean): ContainerState {
    if (this.processes !== undefined) return { running: { startedAt: timestamp(this.processes.startedMs) } };
    if (!waits && this.terminated !== undefined) return { terminated: this.terminated };
    return { waiting: this.waiting };
  }
}
