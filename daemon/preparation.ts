/**
 * What comes while not everything is known yet is taken in at once, batch by batch, though nothing of it may be published: the compiler and whoever else
 * keeps objects have them then, and what is left to do in one go, when the last is there, is little. The agent answers others meanwhile.
 *
 * Not taken are pods that may be this node's, and what has gone: who is attached here, and under which number, is decided when all are known.
 */
import type { PodFeed } from './attach/pod-feed.ts';
import type { Compilation } from './compilation.ts';
import type { KubeApiSide } from './kube-api/side.ts';
import type { DirectoryFeed } from './observe/directory-feed.ts';
import type { Publisher } from './publish/publisher.ts';
import type { ObjectStore } from './source/store.ts';

/** What it needs of the agent. */
interface Parts {
  readonly store: ObjectStore;
  readonly kubeApi: KubeApiSide;
  readonly compilation: Compilation;
  readonly feed: PodFeed;
  readonly directory: DirectoryFeed;
  readonly publisher: Publisher;
}

/** @param areLabelsKnown pods may get their identities: those of the namespaces that are in are all that there are */
export function prepare(agent: Parts, areLabelsKnown: boolean): void {
  const { store, kubeApi, compilation, feed, directory, publisher } = agent;
  const changes = store.takeChanges((document) => feed.mayPrepare(document));
  kubeApi.mirror(changes);
  compilation.reconsider(changes);
  feed.prepare(changes.put);
  directory.learnDocuments(changes, publisher.revision + 1, feed.node.labels);
  if (!areLabelsKnown) return;
  try {
    compilation.cluster.prepare();
  } catch (error) {
    // There are no identities left: the publication finds that again, and says so.
    if (!(error instanceof RangeError)) throw error;
  }
}
