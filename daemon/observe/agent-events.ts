/**
 * What changes in the agent, told as Hubble's agent events: made from what the observatory is told of pods, policies and
 * services anyway (hubble/decode/directory-delta.ts), so they are of the same changes and in the same order as what flows are decoded with.
 *
 *   endpoint with a new number, or gone       ENDPOINT_CREATED, ENDPOINT_DELETED
 *   its compiled policy is another            ENDPOINT_REGENERATE_SUCCESS
 *   address of a pod, or gone                 IPCACHE_UPSERTED, IPCACHE_DELETED
 *   rules of a policy that are in force       POLICY_UPDATED; POLICY_DELETED when none is left
 *   frontend of a service, or gone            SERVICE_UPSERTED, SERVICE_DELETED
 *
 * The last CAPACITY are kept. A new thread of the observatory begins with a snapshot, which tells everything as new.
 */
import type { AgentEvent } from '../../hubble/agent-event.ts';
import type { EndpointEntry, PodEntry } from '../../hubble/decode/directory.ts';
import { Ring } from '../../hubble/ring.ts';
import { rfc3339 } from '../../hubble/time.ts';
import type { DirectoryDelta, RuleRef } from '../../hubble/decode/directory-delta.ts';

const CAPACITY = 1023;

export class AgentEvents {
  readonly ring: Ring;
  readonly #nodeName: string;
  readonly #nowMs: () => number;
  readonly #endpoints = new Map<number, EndpointEntry>();
  readonly #addresses = new Map<string, PodEntry>();
  /** Rules by cookie, and in how many cookies each policy is. */
  readonly #cookies = new Map<number, readonly RuleRef[]>();
  readonly #policies = new Map<string, number>();
  #revision = 0;

  constructor(nodeName: string, nowMs: () => number) {
    this.#nodeName = nodeName;
    this.#nowMs = nowMs;
    this.ring = new Ring({ capacity: CAPACITY, nodeName, nowMs });
  }

  /** @param startedMs milliseconds since the epoch */
  agentStarted(startedMs: number): void {
    this.#tell({ type: 'AGENT_STARTED', agent_start: { time: rfc3339(startedMs) } });
  }

  /** What a delta changes. */
  learn({ cookies = [], endpoints = [], denies = [], addresses = [], frontends = [] }: DirectoryDelta): void {
    if (cookies.length > 0) this.#learnCookies(cookies);
    for (const [id, entry] of endpoints) this.#learnEndpoint(id, entry);
    for (const [id, change] of denies) if (change !== undefined) this.#tellRegenerated(id);
    for (const [address, pod] of addresses) this.#learnAddress(address, pod);
    for (const [id, service] of frontends) {
      if (service === undefined) this.#tell({ type: 'SERVICE_DELETED', service_delete: { id } });
      else this.#tell({ type: 'SERVICE_UPSERTED', service_upsert: { id, ...service } });
    }
  }

  #tell(agent_event: AgentEvent): void {
    const timeMs = this.#nowMs();
    this.ring.write({ agent_event, node_name: this.#nodeName, time: rfc3339(timeMs) });
  }

  #learnEndpoint(id: number, entry: EndpointEntry | undefined): void {
    const before = this.#endpoints.get(id);
    if (entry === undefined) this.#endpoints.delete(id);
    else this.#endpoints.set(id, entry);
    const known = entry ?? before;
    if (known === undefined || (entry !== undefined && before !== undefined)) return;
    const { labels, podName, namespace } = known;
    const type = entry === undefined ? 'ENDPOINT_DELETED' : 'ENDPOINT_CREATED';
    this.#tell({ type, endpoint_update: { id: String(id), labels, pod_name: podName, namespace } });
  }

  #tellRegenerated(id: number): void {
    const labels = this.#endpoints.get(id)?.labels ?? [];
    this.#tell({ type: 'ENDPOINT_REGENERATE_SUCCESS', endpoint_regenerate: { id: String(id), labels } });
  }

  #learnAddress(address: string, pod: PodEntry | undefined): void {
    const known = pod ?? this.#addresses.get(address);
    if (pod === undefined) this.#addresses.delete(address);
    else this.#addresses.set(address, pod);
    if (known === undefined) return;
    const { namespace, podName } = known;
    const cidr = `${address}/${address.includes(':') ? 128 : 32}`;
    const type = pod === undefined ? 'IPCACHE_DELETED' : 'IPCACHE_UPSERTED';
    const identity = this.#identityOf(known);
    this.#tell({ type, ipcache_update: { cidr, ...(identity && { identity }), namespace, pod_name: podName } });
  }

  #identityOf({ namespace, podName }: PodEntry): number {
    for (const entry of this.#endpoints.values()) {
      if (entry.namespace === namespace && entry.podName === podName) return entry.identity;
    }
    return 0;
  }

  #learnCookies(changes: NonNullable<DirectoryDelta['cookies']>): void {
    const touched = new Map<string, RuleRef>();
    const count = (rules: readonly RuleRef[], by: number): void => {
      for (const rule of rules) {
        const name = nameOf(rule);
        touched.set(name, rule);
        this.#policies.set(name, (this.#policies.get(name) ?? 0) + by);
      }
    };
    for (const [cookie, rules] of changes) {
      count(this.#cookies.get(cookie) ?? [], -1);
      count(rules ?? [], 1);
      if (rules === undefined) this.#cookies.delete(cookie);
      else this.#cookies.set(cookie, rules);
    }
    const revision = String(++this.#revision);
    for (const [name, rule] of touched) {
      const left = this.#policies.get(name) ?? 0;
      if (left === 0) this.#policies.delete(name);
      const policy_update = { labels: labelsOf(rule), revision, rule_count: String(left) };
      this.#tell({ type: left === 0 ? 'POLICY_DELETED' : 'POLICY_UPDATED', policy_update });
    }
  }
}

function nameOf({ kind, namespace, name }: RuleRef): string {
  return `${kind} ${namespace}/${name}`;
}

/** As Cilium labels the rules of a policy. */
function labelsOf({ kind, namespace, name }: RuleRef): string[] {
  const labels = [`k8s:io.cilium.k8s.policy.derived-from=${kind}`, `k8s:io.cilium.k8s.policy.name=${name}`];
  return namespace === '' ? labels : [...labels, `k8s:io.cilium.k8s.policy.namespace=${namespace}`];
}
