/**
 * Names: what pods call each other, and how they look that up.
 *
 *     services (kube-system/kube-dns) --> addresses of the cluster's name server --> PodFiles: resolv.conf, hosts of each pod
 *
 * Lifecycle: nothing before the first `sync`, which comes once services are published; `stop` removes all that was made.
 */
import type { ServiceBook } from '../../services/service-book.ts';
import type { ProblemBoard } from '../health/problem-board.ts';
import type { LocalPod } from '../attach/pod-reconciler.ts';
import type { Config } from '../config/config.ts';
import { PodFiles } from './pod-files.ts';

/** The Service that pods ask: ours, or the one that documents bring. */
const NAME_SERVICE = 'kube-system/kube-dns';

interface NamesOptions {
  readonly config: Config;
  readonly book: Pick<ServiceBook, 'get'>;
  readonly pods: ReadonlyMap<string, LocalPod>;
  readonly board: ProblemBoard;
}

export class Names {
  readonly #options: NamesOptions;
  readonly #files: PodFiles;

  constructor(options: NamesOptions) {
    this.#options = options;
    const { runDir, dns } = options.config;
    this.#files = new PodFiles({ runDir, domain: dns.domain });
  }

  /** Makes files as they should be, after pods or services have changed. */
  sync(): void {
    const { board, book, pods } = this.#options;
    board.set('files of pods', this.#files.sync(pods.values(), nameServersOf(book)));
  }

  /** Removes everything that was made. */
  stop(): void {
    this.#files.clear();
  }
}

/** Addresses that pods ask: the Service's own, or where it has none those behind it. */
function nameServersOf(book: NamesOptions['book']): readonly string[] {
  const service = book.get(NAME_SERVICE);
  if (service === undefined) return [];
  const { clusterIPs } = service.assignment;
  return clusterIPs.length > 0
    ? clusterIPs
    : service.endpoints.filter(({ isReady }) => isReady).map(({ address }) => address);
}
