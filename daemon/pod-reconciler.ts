/**
 * Pods as they should be and pods as they are: attaches what is wanted, detaches what is not, and tries again what failed.
 *
 *     unknown -> waiting (namespace missing) -> attaching -> ready
 *                   ^                              |  failed
 *                   +------------- again ----------+----> failed (with the reason), tried again
 *
 * Each pod goes its own way: one whose namespace is missing or whose interface cannot be made is reported and tried again, and
 * the others work. Work on one pod never overlaps with itself; work on different pods does, CONCURRENCY at a time.
 */
import type { Attacher } from './attacher.ts';
import { NamespaceMissingError } from './attacher.ts';
import { type Attachment, type AttachmentSpec, hostInterfaceName, isSameSpec, macOf } from './attachment.ts';
import type { Config } from './config.ts';
import { type Link, ownLinks } from './links.ts';
import type { Numbering, Numbers } from './numbering.ts';
import type { PodPlan } from './pod-plan.ts';

const CONCURRENCY = 8;
const RETRY_MS = 2000;

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
  /** A pod became ready or ceased to be; called once for many. */
  readonly onChange: () => void;
}

export class PodReconciler {
  readonly #options: ReconcilerOptions;
  readonly pods = new Map<string, LocalPod>();
  readonly #working = new Set<string>();
  readonly #departing = new Set<string>();
  #links: ReadonlyMap<string, Link> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** Takes over what an earlier agent made, without touching it. Call once, with all pods known. */
  async adopt(owners: readonly string[]): Promise<void> {
    this.#links = await ownLinks();
    for (const pod of this.pods.values()) {
      pod.attachment = this.#options.attacher.adopt(pod.spec, this.#links);
      if (pod.attachment !== undefined) pod.state = 'ready';
    }
    for (const owner of owners) if (!this.pods.has(owner)) this.#departing.add(owner);
  }

  /**
   * Takes the pods that there should be.
   * @returns problems by pod, for those that cannot even be given numbers
   */
  want(plans: readonly PodPlan[]): Map<string, string> {
    const problems = new Map<string, string>();
    const wanted = new Map(plans.map((plan) => [plan.key, plan]));
    for (const key of [...this.pods.keys()]) {
      if (wanted.has(key)) continue;
      this.pods.delete(key);
      this.#departing.add(key);
    }
    for (const plan of plans) {
      try {
        this.#wantOne(plan);
      } catch (error) {
        problems.set(plan.key, (error as Error).message);
        if (this.pods.delete(plan.key)) this.#departing.add(plan.key);
      }
    }
    this.#options.numbering.save();
    return problems;
  }

  /** Starts whatever there is to do. */
  kick(): void {
    if (this.#isStopped) return;
    for (const key of this.#departing) this.#start(key, () => this.#detach(key));
    for (const [key, pod] of this.pods) {
      if (pod.state === 'ready' && this.#isGone(pod)) this.#lose(pod);
      if (pod.state !== 'ready') this.#start(key, () => this.#attach(pod));
    }
  }

  /** Ends all work and detaches everything. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    while (this.#working.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const keys = [...this.pods.keys(), ...this.#departing];
    await Promise.all(keys.map((key) => this.#options.attacher.detach(key).catch(() => undefined)));
  }

  #wantOne(plan: PodPlan): void {
    const numbers = this.#options.numbering.take(plan);
    const spec = this.#specOf(plan, numbers);
    const pod = this.pods.get(plan.key);
    if (pod === undefined) {
      const fresh: LocalPod = { plan, numbers, spec, state: 'attaching', problem: '', attachment: undefined };
      this.#departing.delete(plan.key);
      this.pods.set(plan.key, fresh);
      return;
    }
    pod.plan = plan;
    pod.numbers = numbers;
    if (isSameSpec(pod.spec, spec)) return;
    pod.spec = spec;
    this.#lose(pod);
  }

  #specOf(plan: PodPlan, { port, addresses }: Numbers): AttachmentSpec {
    const { config, routerMac } = this.#options;
    return {
      owner: plan.key,
      port,
      mode: plan.mode,
      netns: plan.netns,
      hostInterface:
        plan.mode === 'existing' ? plan.interface : plan.mode === 'tap' ? '' : hostInterfaceName(config.name, port),
      mac: plan.mac === '' ? macOf(config.name, plan.key) : plan.mac,
      routerMac,
      addresses: addresses.map(({ text }) => text),
      gateways: [config.router.ipv4, config.router.ipv6].filter((address) => address !== ''),
      mtu: config.mtu,
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
    if (this.#working.has(key) || this.#working.size >= CONCURRENCY || this.#isStopped) return;
    this.#working.add(key);
    void work().finally(() => {
      this.#working.delete(key);
      this.kick();
    });
  }

  async #attach(pod: LocalPod): Promise<void> {
    const { spec } = pod;
    try {
      const attachment = await this.#options.attacher.attach(spec);
      if (this.pods.get(spec.owner) !== pod || pod.spec !== spec) return;
      pod.attachment = attachment;
      pod.state = 'ready';
      pod.problem = '';
    } catch (error) {
      pod.problem = (error as Error).message;
      pod.state = error instanceof NamespaceMissingError ? 'waiting' : 'failed';
      this.#tryLater();
      // The work slot is given back by #start, which kicks: keep this pod out of it until the timer fires.
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      return;
    }
    this.#options.onChange();
  }

  async #detach(key: string): Promise<void> {
    try {
      await this.#options.attacher.detach(key);
      this.#departing.delete(key);
      if (!this.pods.has(key)) this.#options.numbering.release(key);
      this.#options.numbering.save();
      this.#options.onChange();
    } catch {
      this.#tryLater();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
  }

  #tryLater(): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(() => this.kick(), RETRY_MS);
  }
}
