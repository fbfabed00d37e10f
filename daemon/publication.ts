/**
 * From the compiler to the maps: what follows a change of objects, of pods, of the names that were learnt. Each of them does
 * what it must and no more: a name that is learnt renews no port and no service.
 */
import type { Changes } from '../policy/cluster.ts';
import type { Ports } from './attach/ports.ts';
import type { Compilation } from './compilation.ts';
import type { Learning } from './fqdn/learning.ts';
import { oneLine, type ProblemBoard } from './health/problem-board.ts';
import type { DirectoryFeed } from './observe/directory-feed.ts';
import { PublicationTimings } from './metrics/publication-timings.ts';
import type { Publisher } from './publish/publisher.ts';
import type { Services } from './services/services.ts';

interface Parts {
  readonly compilation: Compilation;
  readonly directory: DirectoryFeed;
  readonly publisher: Publisher;
  readonly services: Services;
  readonly ports: Ports;
  readonly board: ProblemBoard;
  readonly learning: Learning;
  /** Services have been published. */
  readonly onServices: () => void;
}

export class Publication {
  readonly timings = new PublicationTimings();
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** All that has changed. */
  all(): void {
    const { compilation, publisher, ports } = this.#parts;
    const changes = this.timings.time(this.timings.compile, () => compilation.flush());
    this.#publishPolicy(changes);
    this.services();
    publisher.commit();
    ports.publish();
    this.#parts.learning.announce();
  }

  /** What the names have changed. @throws RangeError when there are no identities left; nothing is published then */
  names(): void {
    const { compilation, publisher, ports, directory } = this.#parts;
    const changes = this.timings.time(this.timings.compile, () => compilation.flush());
    if (isEmpty(changes)) return;
    // What somebody else has left to be published goes with it, and may be a pod.
    const hasPods =
      changes.removedEndpoints.length > 0 || [...changes.endpoints.keys()].some((id) => !directory.published.has(id));
    this.#publishPolicy(changes);
    publisher.commit();
    if (hasPods) ports.publish();
  }

  /** @returns whether the maps are others than before: then commit */
  services(): boolean {
    const { services, publisher, ports, board, directory, onServices } = this.#parts;
    const hasChanged = services.sync();
    directory.learnServices();
    ports.setOuter(services.outerPlaces, publisher.egress.addresses);
    board.set('services', services.problems());
    onServices();
    return publisher.egress.setAnswered(ports.answered) || hasChanged;
  }

  #publishPolicy(changes: Changes): void {
    const { compilation, directory, publisher, board, learning } = this.#parts;
    directory.learn(changes);
    board.setDocuments('policy', compilation.conflicts);
    board.set('secrets', compilation.cluster.policies.missingSecrets.map(oneLine));
    // From before policies with toFQDNs are in force until they are not.
    if (compilation.cluster.names.hasPatterns) learning.announce();
    this.timings.time(this.timings.publish, () => publisher.publish(changes));
    const problems = publisher.sentences();
    board.set('publish', problems);
    this.timings.changes.add([problems.length === 0 ? 'success' : 'fail']);
    board.set('egress', compilation.cluster.egress.problems());
  }
}

function isEmpty({
  ipcache,
  identities,
  endpoints,
  ruleSets,
  cookies,
  removedCookies,
  removedEndpoints,
  egress,
}: Changes): boolean {
  const counts = [
    ipcache.upsert,
    ipcache.remove,
    identities.added,
    identities.removed,
    removedCookies,
    removedEndpoints,
    egress.put,
    egress.remove,
  ];
  const tables = [endpoints, ruleSets.put, cookies];
  return (
    counts.every(({ length }) => length === 0) && tables.every(({ size }) => size === 0) && ruleSets.remove.length === 0
  );
}
