/** A storage with all controllers, a clock that the test owns, and what stands for a kubelet: pods run as soon as they have a node. */
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, NewObject } from '../apiserver/storage/kube-object.ts';
import { Storage } from '../apiserver/storage/storage.ts';
import { type Controllers, type ControllersOptions, startControllers } from '../controllers/controllers.ts';
import { ManualClock } from './manual-clock.ts';

export const NODE = 'node-1';
const START = Date.parse('2026-01-01T00:00:00Z');

interface WorldOptions extends Partial<ControllersOptions> {
  /** Which pods become ready; all unless told. */
  readonly becomesReady?: (pod: KubeObject) => boolean;
  /** Whether pods run at all. */
  readonly hasKubelet?: boolean;
}

export class KubeWorld {
  readonly clock = new ManualClock(START);
  readonly storage: Storage;
  controllers: Controllers;
  readonly #options: ControllersOptions;
  becomesReady: (pod: KubeObject) => boolean;
  #addresses = 0;

  constructor({ becomesReady = () => true, hasKubelet = true, ...options }: WorldOptions = {}) {
    this.storage = options.storage ?? new Storage({ nowMs: this.clock.nowMs });
    this.becomesReady = becomesReady;
    if (hasKubelet) this.storage.watch('pods', ({ type, object }) => type !== 'DELETED' && this.#run(object));
    this.#options = { nodeName: NODE, clock: this.clock, ...options, storage: this.storage };
    this.controllers = startControllers(this.#options);
    this.clock.settle();
  }

  /** Ends the controllers, and starts them anew over the same storage. */
  restart(): void {
    this.controllers.stop();
    this.controllers = startControllers(this.#options);
    this.clock.settle();
  }

  create(resource: string, object: NewObject): KubeObject {
    const made = this.storage.create(resource, object);
    this.clock.settle();
    return made;
  }

  /** Changes an object, then lets the controllers work. */
  update(
    resource: string,
    name: string,
    change: (object: KubeObject) => KubeObject,
    namespace = 'default',
  ): KubeObject {
    const after = this.storage.update(resource, namespace, name, change);
    this.clock.settle();
    return after;
  }

  patchSpec(resource: string, name: string, fields: object, namespace = 'default'): KubeObject {
    return this.update(
      resource,
      name,
      (one) => ({ ...one, spec: { ...(one['spec'] as object), ...fields } }),
      namespace,
    );
  }

  delete(resource: string, name: string, options: object = {}, namespace = 'default'): void {
    this.storage.delete(resource, namespace, name, options);
    this.clock.settle();
  }

  get(resource: string, name: string, namespace = 'default'): KubeObject {
    const object = this.storage.get(resource, namespace, name);
    if (object === undefined) throw new Error(`found no ${resource} ${namespace}/${name}`);
    return object;
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests read what they wrote
  status(resource: string, name: string, namespace = 'default'): any {
    return this.get(resource, name, namespace)['status'];
  }

  pods(): KubeObject[] {
    return this.storage.list('pods');
  }

  names(resource: string): string[] {
    return this.storage.list(resource).map(({ metadata }) => metadata.name);
  }

  /** Reasons and messages of the events of an object, those that came first in front. */
  events(name: string): string[] {
    const events = this.storage.list('events').filter((event) => event['involvedObject'].name === name);
    events.sort((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion));
    return events.map((event) => `${event['reason']}: ${event['message']}`);
  }

  /** What a kubelet tells of a pod. */
  tell(pod: KubeObject, status: object): void {
    const { namespace = '', name } = pod.metadata;
    const change = (one: KubeObject): KubeObject => ({ ...one, status: { ...(one['status'] as object), ...status } });
    this.storage.update('pods', namespace, name, change, { isStatus: true });
    this.clock.settle();
  }

  /** A pod has run to its end. */
  end(pod: KubeObject, phase: 'Succeeded' | 'Failed'): void {
    this.tell(pod, { phase, conditions: readiness('False', this.clock.nowMs()) });
  }

  #run(pod: KubeObject): void {
    const { namespace = '', name, deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata;
    if (this.storage.isMirrored('pods', namespace, name)) return;
    if (deletionTimestamp !== undefined) {
      if (deletionGracePeriodSeconds > 0) this.clock.after(0, () => this.#finish(namespace, name));
      return;
    }
    const { nodeName } = pod['spec'] as { nodeName?: string };
    const { phase, podIP } = (pod['status'] ?? {}) as { phase?: string; podIP?: string };
    if (nodeName === undefined || phase === 'Succeeded' || phase === 'Failed') return;
    const ip = podIP ?? `10.0.0.${++this.#addresses}`;
    const isReady = this.becomesReady(pod) ? 'True' : 'False';
    const known = (pod['status'] as { conditions?: { type: string; status: string }[] }).conditions ?? [];
    if (podIP !== undefined && known.find(({ type }) => type === 'Ready')?.status === isReady) return;
    const others = known.filter(({ type }) => type !== 'Ready');
    const conditions = [...others, ...readiness(isReady, this.clock.nowMs())];
    const status = { ...(pod['status'] as object), phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions };
    if (isDeepStrictEqual(status, pod['status'])) return;
    this.storage.update('pods', namespace, name, (one) => ({ ...one, status }), { isStatus: true });
  }

  #finish(namespace: string, name: string): void {
    if (this.storage.get('pods', namespace, name) === undefined) return;
    this.storage.delete('pods', namespace, name, { gracePeriodSeconds: 0 });
  }
}

function readiness(status: string, nowMs: number): object[] {
  return [{ type: 'Ready', status, lastTransitionTime: `${new Date(nowMs).toISOString().slice(0, 19)}Z` }];
}

/** A Deployment of pods with one container. */
export function deployment(name: string, spec: object = {}, image = 'nginx:1'): NewObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: template(name, image),
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      ...spec,
    },
  };
}

export function template(app: string, image = 'nginx:1'): object {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: 'main', image }] } };
}
