/**
 * Pods' interfaces, looked at again and again: what was made and is no longer so is put back, and told until it is.
 *
 * Only what the attacher made is mended, `eth0` of a pair or a TAP and our side of a pair. An interface of others (mode
 * `existing`) may be down because its owner wants it so: that is told, with the command that would help. At most LOOKS pods
 * are looked at in one round, the others in the next ones.
 */
import { hasHostLink, podInterfaceOf } from '../../linux/attachment.ts';
import { ipBatch, scriptIn } from '../../linux/netns.ts';
import { findLink } from '../../linux/links.ts';
import { faultsText, mendScript, podLinkFaults } from '../../linux/pod-link.ts';
import type { Log } from '../health/log.ts';
import type { LocalPod, PodReconciler } from './pod-reconciler.ts';

/** Looks in one round, about 0.2 ms each. */
const LOOKS = 100;

export class PodLinks {
  readonly #reconciler: PodReconciler;
  readonly #log: Log;
  readonly #problems = new Map<string, string>();
  /** Where the next round begins. */
  #next = 0;

  constructor(reconciler: PodReconciler, log: Log) {
    this.#reconciler = reconciler;
    this.#log = log;
  }

  /** What is wrong with the interface of a pod; '' when nothing is. */
  problem(key: string): string {
    return this.#problems.get(key) ?? '';
  }

  /** One round. */
  look(): void {
    const ready = [...this.#reconciler.pods].filter(([, { state }]) => state === 'ready');
    const keys = new Set(ready.map(([key]) => key));
    for (const key of this.#problems.keys()) if (!keys.has(key)) this.#problems.delete(key);
    if (this.#next >= ready.length) this.#next = 0;
    for (const [key, pod] of ready.slice(this.#next, this.#next + LOOKS)) this.#lookAt(key, pod);
    this.#next += LOOKS;
  }

  #lookAt(key: string, pod: LocalPod): void {
    try {
      if (pod.spec.mode === 'existing') this.#note(key, problemOfOthers(pod));
      else this.#lookAtOurs(key, pod);
    } catch (error) {
      // A namespace that has just gone is the reconciler's to see.
      this.#note(key, (error as Error).message);
    }
  }

  #lookAtOurs(key: string, pod: LocalPod): void {
    const { spec } = pod;
    const isHostSideDown = hasHostLink(spec) && findLink(spec.hostInterface)?.isUp === false;
    const faults = podLinkFaults(spec);
    if (faults === 'missing') {
      this.#note(key, `namespace ${spec.netns} has no ${podInterfaceOf(spec)} any more`);
      this.#reconciler.remake(key);
      return;
    }
    const found = [
      ...(isHostSideDown ? [`${spec.hostInterface} is down`] : []),
      ...(faults === undefined ? [] : [faultsText(faults, podInterfaceOf(spec))]),
    ].join('; ');
    this.#note(key, found);
    if (found === '') return;
    this.#reconciler.workOn(key, async () => {
      try {
        if (isHostSideDown) await ipBatch([`link set ${spec.hostInterface} up`]);
        if (faults !== undefined) await scriptIn(spec.netns, mendScript(spec, faults));
        if (podLinkFaults(spec) === undefined) this.#note(key, '');
      } catch (error) {
        this.#note(key, `${found}: put it back: ${(error as Error).message}`);
      }
    });
  }

  #note(key: string, problem: string): void {
    const before = this.problem(key);
    if (problem === before) return;
    if (problem === '') this.#problems.delete(key);
    else this.#problems.set(key, problem);
    if (problem !== '') this.#log.warn({ pod: key }, problem);
    else this.#log.info({ pod: key }, `put back: ${before}`);
  }
}

/** Of an interface that others made. */
function problemOfOthers({ spec: { hostInterface } }: LocalPod): string {
  const link = findLink(hostInterface);
  if (link === undefined) return ''; // the reconciler sees it
  if (!link.isUp) return `interface ${hostInterface}, which others made, is down: ip link set ${hostInterface} up`;
  return link.hasCarrier ? '' : `interface ${hostInterface}, which others made, has no carrier: its other end is down`;
}
