/**
 * Tells the API which policies are refused, as its users look there first: an Event (events.k8s.io) beside the policy, and the condition Valid in the
 * status of Cilium policies, as Cilium's operator writes it. All nodes come to the same judgement, so whoever is first writes, and the others see it written.
 *
 * It is never in the way: a few requests at a time, what fails is told as a problem and not tried again before the policy changes, and at most
 * MAX_WAITING policies wait.
 */
import type { KubeClient } from '../../kubeclient/client.ts';
import type { ApiFailure } from '../../kubeclient/api-failure.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import { type Reference, referenceOf } from '../source/text.ts';
import { type Fields, fieldsOf } from './trimming.ts';

const MAX_WAITING = 1000;
const MAX_NOTE = 1000; // characters: the API takes 1024
const CILIUM = new Map([
  ['CiliumNetworkPolicy', 'ciliumnetworkpolicies'],
  ['CiliumClusterwideNetworkPolicy', 'ciliumclusterwidenetworkpolicies'],
]);

interface Judgement {
  readonly reference: Reference;
  readonly object: Fields;
  /** Undefined when it is accepted. */
  readonly problem: Problem | undefined;
}

interface RefusalOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly nodeName: string;
  readonly mayWrite: boolean;
  readonly nowMs?: () => number;
}

export class Refusals {
  readonly #options: RefusalOptions;
  readonly #waiting = new Map<string, Judgement>();
  /** What was told last of each, so that an Event is made once. */
  readonly #told = new Map<string, string>();
  readonly #failures = new Map<string, string>();
  #isWorking = false;

  constructor(options: RefusalOptions) {
    this.#options = options;
  }

  /** Why the API could not be told, one sentence for each way of telling it. */
  get problems(): string[] {
    return [...this.#failures.values()];
  }

  refused(reference: Reference, object: Fields, problem: Problem): void {
    this.#add({ reference, object, problem });
  }

  accepted(reference: Reference, object: Fields): void {
    this.#told.delete(referenceOf(reference));
    if (CILIUM.has(reference.kind)) this.#add({ reference, object, problem: undefined });
  }

  #add(judgement: Judgement): void {
    const key = referenceOf(judgement.reference);
    if (!this.#options.mayWrite || !judgement.reference.kind.endsWith('NetworkPolicy')) return;
    if (this.#waiting.size >= MAX_WAITING && !this.#waiting.has(key)) return;
    this.#waiting.set(key, judgement);
    if (!this.#isWorking) void this.#work();
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (const [key, judgement] of this.#waiting) {
      this.#waiting.delete(key);
      await this.#attempt('events', () => this.#tellEvent(key, judgement));
      await this.#attempt('conditions', () => this.#tellCondition(judgement));
    }
    this.#isWorking = false;
  }

  async #attempt(how: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#failures.delete(how);
    } catch (error) {
      const { status, message } = error as ApiFailure;
      // It is there already, or the policy is not there any more.
      if (status !== 409 && status !== 404) this.#failures.set(how, `tell Kubernetes of refused policies: ${message}`);
    }
  }

  async #tellEvent(key: string, { reference, object, problem }: Judgement): Promise<void> {
    if (problem === undefined || this.#told.get(key) === problem.message) return;
    const { kind, namespace, name } = reference;
    const { uid, resourceVersion } = fieldsOf(object['metadata']);
    const { nodeName, nowMs = Date.now } = this.#options;
    const place = namespace === '' ? 'default' : namespace;
    this.#told.set(key, problem.message);
    await this.#options.client.json({
      what: 'create event',
      method: 'POST',
      path: `/apis/events.k8s.io/v1/namespaces/${place}/events`,
      body: {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        // The same on every node, and another for each version of the policy: it is made once.
        metadata: { name: `${name.slice(0, 200)}.${String(resourceVersion)}.sluice`, namespace: place },
        eventTime: new Date(nowMs()).toISOString().replace('Z', '000Z'),
        reportingController: 'sluice.io/agent',
        reportingInstance: nodeName,
        action: 'Validate',
        reason: 'PolicyRefused',
        type: 'Warning',
        regarding: { apiVersion: object['apiVersion'], kind, namespace, name, uid, resourceVersion },
        note: sentence(problem).slice(0, MAX_NOTE),
      },
    });
  }

  async #tellCondition({ reference, object, problem }: Judgement): Promise<void> {
    const { kind, namespace, name } = reference;
    const plural = CILIUM.get(kind);
    if (plural === undefined) return;
    const { conditions } = fieldsOf(object['status']);
    const known = Array.isArray(conditions) ? conditions.map(fieldsOf) : [];
    const valid = known.find(({ type }) => type === 'Valid');
    const status = problem === undefined ? 'True' : 'False';
    const message = problem === undefined ? 'Policy validation succeeded' : sentence(problem);
    // Whoever else judges policies may say so in other words: only another judgement is written over.
    if (valid?.['status'] === status && (status === 'True' || valid['message'] === message)) return;
    const lastTransitionTime = new Date((this.#options.nowMs ?? Date.now)()).toISOString().replace(/\.\d+Z$/, 'Z');
    const others = known.filter(({ type }) => type !== 'Valid');
    const place = namespace === '' ? '' : `namespaces/${namespace}/`;
    await this.#options.client.json({
      what: 'write status of policy',
      method: 'PATCH',
      path: `/apis/cilium.io/v2/${place}${plural}/${name}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: { conditions: [...others, { type: 'Valid', status, lastTransitionTime, message }] } },
    });
  }
}

function sentence({ message, path, hint }: Problem): string {
  return `${message}${path === '' ? '' : ` (${path})`}${hint === undefined ? '' : `: ${hint}`}`;
}
