/** All controllers over one storage. Start them when it has been loaded, and the agent's own objects are mirrored. */
import type { ServiceDocument } from '../api/shapes.ts';
import { type Clock, SYSTEM_CLOCK } from '../apiserver/clock.ts';
import { limitEvents } from '../apiserver/events/event-limit.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import { CiliumObjects, type EndpointChanges } from './cilium.ts';
import { run, type RunningController, type Surroundings } from './controller.ts';
import { cronJobs } from './cron-job.ts';
import { daemonSets } from './daemon-set.ts';
import { deployments } from './deployment/deployment.ts';
import { endpoints } from './endpoints/endpoints.ts';
import { garbageCollector } from './garbage-collector.ts';
import { jobs } from './job.ts';
import { namespaceContents } from './namespace-contents.ts';
import { NAMESPACES, namespaces } from './namespace.ts';
import { node, type NodeFacts } from './node.ts';
import { DEFAULT_MAX_PODS, PodRoom } from './pod-room.ts';
import { replicaSets, replicationControllers } from './replica-set.ts';
import { scheduler } from './scheduler.ts';
import { statefulSets } from './stateful-set.ts';
import { assignServices } from './services.ts';

export interface ControllersOptions {
  readonly storage: Storage;
  readonly nodeName: string;
  readonly node?: NodeFacts;
  /** Pods on this node. */
  readonly maxPods?: number;
  /** PEM: what `kube-root-ca.crt` has. */
  readonly caCertificate?: string;
  readonly clock?: Clock;
}

export interface Controllers {
  /** What each has done, for `sluice status`. */
  readonly counts: readonly ({ readonly name: string } & RunningController['counts'])[];
  /** Takes what the agent says of endpoints. */
  setEndpoints(changes: EndpointChanges): void;
  /** Takes what the agent gave to Services. */
  setServices(documents: readonly ServiceDocument[]): void;
  setNode(facts: NodeFacts): void;
  /** @param certificate PEM: what `kube-root-ca.crt` has */
  setCertificate(certificate: string): void;
  stop(): void;
}

export function startControllers(options: ControllersOptions): Controllers {
  const { storage, nodeName, maxPods = DEFAULT_MAX_PODS, clock = SYSTEM_CLOCK } = options;
  let facts = options.node ?? {};
  let certificate = options.caCertificate ?? '';
  const room = new PodRoom(storage, maxPods);
  const surroundings: Surroundings = { storage, clock, nodeName, room };
  const ofNode = node(surroundings, () => facts);
  const contents = namespaceContents(surroundings, () => certificate);
  const cilium = new CiliumObjects(storage, nodeName, clock);
  cilium.setNode(facts);
  const running = [
    namespaces(surroundings),
    contents,
    ofNode,
    scheduler(surroundings),
    deployments(surroundings),
    replicaSets(surroundings),
    replicationControllers(surroundings),
    statefulSets(surroundings),
    daemonSets(surroundings),
    jobs(surroundings),
    cronJobs(surroundings),
    endpoints(surroundings),
    garbageCollector(surroundings),
  ].map((controller) => run(controller, surroundings));
  const endLimit = limitEvents(storage, clock);
  return {
    get counts() {
      return running.map(({ name, counts }) => ({ name, ...counts }));
    },
    setEndpoints: (changes) => cilium.change(changes),
    setServices: (documents) => assignServices(storage, documents),
    setNode: (next) => {
      facts = next;
      cilium.setNode(next);
      ofNode.work(nodeName);
    },
    setCertificate: (next) => {
      certificate = next;
      for (const { metadata } of storage.list(NAMESPACES)) contents.work(metadata.name);
    },
    stop: () => {
      for (const one of running) one.stop();
      endLimit();
      room.stop();
    },
  };
}
