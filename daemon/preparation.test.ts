/** What may be taken in before everything is known, and what must wait. */
import { mkdtempSync, rmSync } from 'node:fs';
import t from 'tap';
import { Cluster } from '../policy/cluster.ts';
import { readDocuments } from '../policy/document/document.ts';
import { ShapedPod, ShapeInterner } from '../policy/document/shaped-pod.ts';
import { PodFeed } from './attach/pod-feed.ts';
import { prepare } from './preparation.ts';
import { ObjectStore } from './source/store.ts';
import type { SourcedDocument } from './source/versions.ts';

type Parts = Parameters<typeof prepare>[0];

const interner = new ShapeInterner();

/** As they come from a Kubernetes API. */
function sourced(objects: readonly object[]): SourcedDocument[] {
  const { documents, problems } = readDocuments(objects.map((one) => JSON.stringify(one)).join('\n'), 'kubernetes');
  if (documents.length < objects.length) throw new Error(JSON.stringify(problems));
  return documents.map((document) => ({ document: interner.document({ ...document, line: 1 }), atMs: 1 }));
}

const pod = (name: string, ip: string, nodeName: string) => ({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', labels: { app: name } } },
  ...{ spec: { nodeName }, status: { podIPs: [{ ip }] } },
});
const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { team: 'a' } } };

t.test('prepare() takes in pods of other nodes, and leaves those of this node until all are known', (t) => {
  const directory = mkdtempSync('/tmp/sl-prepare-');
  t.teardown(() => rmSync(directory, { recursive: true }));
  const store = new ObjectStore(directory, readDocuments as never, {});
  store.load();
  const cluster = new Cluster();
  const wanted: string[][] = [];
  const reconciler = {
    pods: new Map(),
    want: (plans: readonly { key: string }[]) => {
      wanted.push(plans.map(({ key }) => key));
      return new Map();
    },
  };
  const plan = { netnsPrefix: '', nodeName: 'here', attach: 'veth' as const };
  const attached = new Set<string>();
  const attachments = { byPod: () => new Map([...attached].map((key) => [key, {}])) as never, takeChanged: () => true };
  const feed = new PodFeed({ cluster, listeners: [], reconciler: reconciler as never, plan, attachments });
  const quiet = { mirror: () => undefined, reconsider: () => undefined, learnDocuments: () => undefined };
  const agent = {
    ...{ store, feed, kubeApi: quiet, directory: quiet, publisher: { revision: 1 } },
    compilation: { cluster, reconsider: () => undefined },
  } as unknown as Parts;
  attached.add('shop/taken');
  const there = [pod('a', '10.0.0.1', 'there'), pod('b', '10.0.0.2', 'there'), pod('taken', '10.0.0.4', 'there')];
  store.changeKubernetes({ put: sourced([...there, pod('mine', '10.0.0.3', 'here')]), removed: [] });
  prepare(agent, false);
  t.equal(cluster.pods.size, 2, 'but for that of this node, and one that a runtime has attached here');
  t.equal(cluster.podIdentity('shop', 'a'), undefined, 'who it is depends on its namespace');
  store.changeKubernetes({ put: sourced([namespace]), removed: [] });
  prepare(agent, true);
  const labels = cluster.pods.find('shop', 'a')?.labels.texts ?? [];
  t.ok(labels.some((text) => text.endsWith('team=a')));
  t.strictSame(wanted, [], 'nothing is attached');
  store.changeKubernetes({ put: [], removed: [{ kind: 'Pod', namespace: 'shop', name: 'b' }] });
  prepare(agent, true);
  t.equal(cluster.pods.size, 2, 'what goes, goes with the publication');
  const { put, removed } = store.takeChanges();
  t.strictSame([put.map(({ name }) => name).sort(), removed.map(({ name }) => name)], [['mine', 'taken'], ['b']]);
  t.ok(put.every((one) => one instanceof ShapedPod));
  t.end();
});
