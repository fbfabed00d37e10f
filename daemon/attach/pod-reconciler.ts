/**
 * Pods as they should be and pods as they are: attaches what is wanted, detaches what is not, and tries again what failed.
 *
 *     attaching ---------------> ready ----- namespace or interface gone, spec changed -----> attaching
 *        |  ^                      |
 *        |  | time, or namespace   +-- no longer wanted --> departing --> gone, numbers released
 *        v  | appeared
 *     waiting (namespace missing), failed (with the reason)
 *
 * Each pod goes its own way: one whose namespace is missing or whose interface cannot be made is reported and tried again, and
 * the others work. Work on one pod never overlaps with itself; work on different pods does, CONCURRENCY at a time.
 */
import type { Attacher } from './attacher.ts';
import { NamespaceMissingError } from './attacher.ts';
import {
  type Attachment,
  type AttachmentSpec,
  hasHostLink,
  hostInterfaceName,
  isSameSpec,
  macOf,
  POD_INTERFACE,
} from '../../linux/attachment.ts';
import { type Config, routerAddresses } from '../config/config.ts';
import { netnsIdentity } from '../../linux/netns.ts';
import type { Numbering, Numbers } from './numbering.ts';
import type { PodPlan } from '../source/pod-plan.ts';

const CONCURRENCY = 8;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;

export type PodState = 'waiting' | 'attaching' | 'ready' | 'failed';

/** A pod of this node, or an outsider attached to it. */
export interface LocalPod {
  plan: PodPlan;
  numbers: Numbers;
  spec: AttachmentSpec;
  state: PodState;
  /** Why it is not ready. */
  problem: string;
  attachment: Attachment | undefined;
}

interface ReconcilerOptions {
  readonly config: Config;
  readonly routerMac: string;
  readonly attacher: Attacher;
  readonly numbering: Numbering;
  /** A pod became ready or ceased to be. */
  readonly onChange: () => void;
  /** How an attempt to attach or detach ended: '' well, else why not; a failure is told once until it is another. */
  readonly onOutcome: (key: string, problem: string) => void;
}

interface Retry {
  readonly atMs: number;
  readonly delayMs: number;
}

export class PodReconciler {
  readonly #options: ReconcilerOptions;
  readonly pods = new Map<string, LocalPod>();
  /** Why a pod could not even be given numbers, by its key. */
  refused: ReadonlyMap<string, string> = new Map();
  readonly #working = new Map<string, Promise<void>>();
  readonly #departing = new Set<string>();
  readonly #retries = new Map<string, Retry>();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** How many pods are being worked on or waited for, for status. */
  get pending(): number {
    return this.#working.size + this.#retries.size;
  }

  /** Why no further pod can be given numbers and addresses; '' when one can. */
  fullness(): string {
    return this.#options.numbering.fullness();
  }

  /** Addresses of the pods of this node that are ready. */
  readyAddresses(): string[] {
    const ready = [...this.pods.values()].filter(({ state, plan }) => state === 'ready' && plan.place === 'local');
    return ready.flatMap(({ numbers }) => numbers.addresses.map(({ text }) => text));
  }

  /**
   * Takes over what an earlier agent made, without touching it. Call once, with all pods known.
   * @param owners everybody whom the journal has attachments of; those who are no pods now are detached
   */
  adopt(owners: readonly string[]): void {
    for (const pod of this.pods.values()) {
      pod.attachment = this.#options.attacher.adopt(pod.spec);
      if (pod.attachment !== undefined) pod.state = 'ready';
    }
    for (const owner of owners) if (!this.pods.has(owner)) this.#departing.add(owner);
    this.#options.numbering.keepOnly(new Set([...this.pods.keys(), ...owners]));
  }

  /**
   * Takes the pods that there should be.
   * @returns problems by pod, for those that cannot even be given numbers
   */
  want(plans: readonly PodPlan[]): Map<string, string> {
    const problems = new Map<string, string>();
    const wanted = new Set(plans.map(({ key }) => key));
    for (const key of [...this.pods.keys()]) if (!wanted.has(key)) this.#drop(key);
    // Those that name an address before those that draw one, which may be the same.
    const byClaim = [...plans].sort((a, b) => Number(b.addresses.length > 0) - Number(a.addresses.length > 0));
    for (const plan of byClaim) {
      try {
        this.#wantOne(plan);
      } catch (error) {
        problems.set(plan.key, (error as Error).message);
        if (this.pods.has(plan.key)) this.#drop(plan.key);
      }
    }
    this.#options.numbering.save();
    this.refused = problems;
    return problems;
  }

  /** Starts whatever there is to do; what failed before only when its time has come, or its namespace has appeared. */
  kick(): void {
    if (this.#isStopped) return;
    for (const key of this.#departing) this.#start(key, () => this.#detach(key));
    for (const [key, pod] of this.pods) {
      if (pod.state === 'ready' && this.#isGone(pod)) this.#lose(pod);
      if (pod.state === 'waiting' && netnsIdentity(pod.spec.netns) !== undefined) this.#retries.delete(key);
      if (pod.state !== 'ready' && !this.#departing.has(key)) this.#start(key, () => this.#attach(pod));
    }
    this.#wind();
  }

  /** Makes an attachment anew. */
  remake(key: string): void {
    const pod = this.pods.get(key);
    if (pod === undefined) return;
    this.#lose(pod);
    this.kick();
  }

  /** Does something about a pod when nothing else is done about it; else nothing is done, and it may be asked for again. */
  workOn(key: string, work: () => Promise<void>): void {
    if (!this.#isStopped) this.#start(key, work);
  }

  /** Whether anything of a pod is left: it is wanted, or still being taken away. */
  isKnown(key: string): boolean {
    return this.pods.has(key) || this.#departing.has(key);
  }

  /** Waits until nothing is under way; what is to be tried later does not count. */
  async idle(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working.values());
  }

  /** Begins no more work, and waits for what is under way. */
  async settle(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#working.values());
  }

  /** Ends all work and detaches everything. */
  async stop(): Promise<void> {
    await this.settle();
    await this.#options.attacher.detachAll([...new Set([...this.pods.keys(), ...this.#departing])]);
  }

  #wantOne(plan: PodPlan): void {
    const numbers = this.#options.numbering.take(plan);
    const spec = this.#specOf(plan, numbers);
    const pod = this.pods.get(plan.key);
    if (pod === undefined) {
      this.#departing.delete(plan.key);
      this.#retries.delete(plan.key);
      this.pods.set(plan.key, { plan, numbers, spec, state: 'attaching', problem: '', attachment: undefined });
      return;
    }
    pod.plan = plan;
    pod.numbers = numbers;
    if (isSameSpec(pod.spec, spec)) return;
    pod.spec = spec;
    this.#retries.delete(plan.key);
    this.#lose(pod);
  }

  #drop(key: string): void {
    this.pods.delete(key);
    this.#retries.delete(key);
    this.#departing.add(key);
  }

  #specOf(plan: PodPlan, { port, addresses }: Numbers): AttachmentSpec {
    const { config, routerMac } = this.#options;
    const { name, mtu } = config;
    const { runtime = { podInterface: POD_INTERFACE, mtu: 0 } } = plan;
    const pair = hasHostLink(plan) ? hostInterfaceName(name, port) : '';
    const hostInterface = plan.mode === 'existing' ? plan.interface : pair;
    return {
      owner: plan.key,
      port,
      mode: plan.mode,
      netns: plan.netns,
      hostInterface,
      mac: plan.mac === '' && plan.mode !== 'existing' ? macOf(name, plan.key) : plan.mac,
      routerMac,
      addresses: addresses.map(({ text }) => text),
      gateways: routerAddresses(config),
      mtu: runtime.mtu === 0 ? mtu : runtime.mtu,
      ...(config.offload === 'nft' && plan.mode === 'veth' && plan.place !== 'external' && { hasUpper: true }),
      ...(runtime.podInterface !== POD_INTERFACE && { podInterface: runtime.podInterface }),
    };
  }

  #isGone({ attachment }: LocalPod): boolean {
    return attachment !== undefined && this.#options.attacher.isGone(attachment);
  }

  #lose(pod: LocalPod): void {
    const wasReady = pod.state === 'ready';
    pod.state = 'attaching';
    pod.attachment = undefined;
    if (wasReady) this.#options.onChange();
  }

  #start(key: string, work: () => Promise<void>): void {
    if (this.#working.has(key) || this.#working.size >= CONCURRENCY) return;
    if ((this.#retries.get(key)?.atMs ?? 0) > performance.now()) return;
    const done = work().finally(() => {
      this.#working.delete(key);
      this.kick();
    });
    this.#working.set(key, done);
  }

  async #attach(pod: LocalPod): Promise<void> {
    const { spec } = pod;
    const { attacher, onChange, onOutcome } = this.#options;
    try {
      const attachment = await attacher.attach(spec);
      // Meanwhile the pod may have been given up, or may be wanted otherwise: then its next turn puts it right.
      if (this.pods.get(spec.owner) !== pod || pod.spec !== spec) return;
      Object.assign(pod, { attachment, state: 'ready', problem: '' });
      this.#retries.delete(spec.owner);
      onOutcome(spec.owner, '');
      onChange();
    } catch (error) {
      if (this.pods.get(spec.owner) !== pod) return;
      const { message } = error as Error;
      if (message !== pod.problem) onOutcome(spec.owner, message);
      pod.problem = message;
      pod.state = error instanceof NamespaceMissingError ? 'waiting' : 'failed';
      this.#later(spec.owner);
    }
  }

  async #detach(key: string): Promise<void> {
    const { attacher, numbering } = this.#options;
    try {
      await attacher.detach(key);
      this.#departing.delete(key);
      this.#retries.delete(key);
      if (!this.pods.has(key)) numbering.release(key);
      numbering.save();
    } catch (error) {
      if (!this.#retries.has(key)) this.#options.onOutcome(key, (error as Error).message);
      this.#later(key);
    }
  }

  #later(key: string): void {
    const before = this.#retries.get(key)?.delayMs ?? 0;
    const delayMs = Math.min(before === 0 ? RETRY_FIRST_MS : before * 2, RETRY_MAX_MS);
    this.#retries.set(key, { atMs: performance.now() + delayMs, delayMs });
  }

  /** Sets the alarm to the first of the retries that are still to come. */
  #wind(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    const next = Math.min(...[...this.#retries.values()].map(({ atMs }) => atMs).filter((atMs) => atMs > now));
    if (!this.#isStopped && Number.isFinite(next)) this.#timer = setTimeout(() => this.kick(), next - now + 1);
  }
}
