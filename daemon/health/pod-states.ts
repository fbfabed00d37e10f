/** How far pods are, and what is wrong with them: put together from those who each know a part of it. */
import type { EndpointDocument } from '../../api/shapes.ts';
import type { PodLinks } from '../attach/pod-links.ts';
import type { LocalPod } from '../attach/pod-reconciler.ts';
import type { Ports } from '../attach/ports.ts';
import type { PinnedMaps } from '../publish/pinned-maps.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { Supervisor } from '../supervise/supervisor.ts';
import type { Prober } from './probe.ts';
import { podSentence, silence } from './silence.ts';

interface PodStatesOptions {
  readonly links: Pick<PodLinks, 'problem'>;
  readonly ports: Pick<Ports, 'isOpen'>;
  readonly publisher: Pick<Publisher, 'isClosed'>;
  readonly supervisor: Pick<Supervisor, 'status'>;
  readonly prober: Pick<Prober, 'health'>;
  readonly maps: Pick<PinnedMaps, 'policy'>;
}

export class PodStates {
  readonly #options: PodStatesOptions;

  constructor(options: PodStatesOptions) {
    this.#options = options;
  }

  /** Ready while a dataplane forwards its frames. One that is just starting does not yet. */
  of(pod: LocalPod): EndpointDocument['state'] {
    const { publisher, links, supervisor, ports } = this.#options;
    if (pod.state !== 'ready') return pod.state;
    if (publisher.isClosed(pod.numbers.endpointId)) return 'closed';
    if (links.problem(pod.plan.key) !== '') return 'unreachable';
    const isConnected = supervisor.status().state === 'running' && ports.isOpen(pod.numbers.port);
    if (!isConnected) return 'attaching';
    return this.problemOf(pod) === '' ? 'ready' : 'unreachable';
  }

  /** Why a pod is not ready, or not reached; '' when it is. */
  problemOf({ plan: { key }, problem, numbers }: LocalPod): string {
    const { links, prober, maps } = this.#options;
    if (problem !== '') return problem;
    const link = links.problem(key);
    return link === '' ? silence(numbers, prober, (id) => maps.policy(id)) : link;
  }

  /** The lines of status about pods. */
  sentences(pods: Iterable<LocalPod>): string[] {
    return [...pods].flatMap((pod) => podSentence(pod.plan.key, this.problemOf(pod)));
  }
}
