/** Whose an address is that several say is theirs: what a document claims of a pod elsewhere takes nothing away from this node. */
import t from 'tap';
import { IDENTITY_HOST, IDENTITY_INIT } from '../wire/identities.ts';
import { Cluster } from './cluster.ts';

const ADDRESS = '10.1.2.3';
const pod = (name: string, endpointId: number, ips = [ADDRESS]) => ({
  namespace: 'shop',
  name,
  labels: { app: name },
  ips,
  endpointId,
});
/** The label `app` of whoever has the address. */
function ownerIn(cluster: Cluster): string {
  cluster.flush();
  const labels = cluster.identities.labels(cluster.addresses.lookup(ADDRESS));
  return /k8s:app=(\w+)/.exec(String(labels?.texts))?.[1] ?? 'nobody';
}

t.test('a pod of this node keeps its address, whatever pods elsewhere claim and in whatever order', async (t) => {
  for (const order of [
    ['own', 'thief', 'second'],
    ['thief', 'own', 'second'],
    ['thief', 'second', 'own'],
  ]) {
    const cluster = new Cluster();
    for (const name of order) cluster.setPod(pod(name, name === 'own' ? 7 : 0));
    t.equal(ownerIn(cluster), 'own', order.join());
    cluster.setPod({ ...pod('thief', 0), labels: { app: 'thief', role: 'admin' } });
    t.equal(ownerIn(cluster), 'own', 'also when the claim is made again');
    cluster.removePod('shop', 'second');
    t.equal(ownerIn(cluster), 'own', 'and when another goes');
    cluster.removePod('shop', 'own');
    t.equal(ownerIn(cluster), 'thief', 'nobody has it here any more');
  }
});

t.test('of pods elsewhere the one that claimed an address last has it, until one is of this node', async (t) => {
  const cluster = new Cluster();
  cluster.setPod(pod('old', 0));
  cluster.setPod(pod('new', 0));
  t.equal(ownerIn(cluster), 'new');
  cluster.setPod(pod('old', 7));
  t.equal(ownerIn(cluster), 'old');
  cluster.setPod(pod('old', 0));
  t.equal(ownerIn(cluster), 'new');
});

t.test('nor does a claim take an address of the host, or of a pod that nobody knows yet', async (t) => {
  for (const isFirst of [true, false]) {
    const cluster = new Cluster({ 'node-name': 'here' });
    if (isFirst) cluster.setPod(pod('thief', 0));
    cluster.setNode({ name: 'here', labels: {}, ips: [ADDRESS] });
    if (!isFirst) cluster.setPod(pod('thief', 0));
    cluster.flush();
    t.equal(cluster.addresses.lookup(ADDRESS), IDENTITY_HOST);
    cluster.setNode({ name: 'here', labels: {}, ips: [] });
    t.equal(ownerIn(cluster), 'thief');

    const other = new Cluster();
    if (isFirst) other.setPod(pod('thief', 0));
    other.setInitEndpoint(9, [ADDRESS]);
    if (!isFirst) other.setPod(pod('thief', 0));
    other.flush();
    t.equal(other.addresses.lookup(ADDRESS), IDENTITY_INIT);
    other.setPod(pod('thief', 0, []));
    other.flush();
    t.equal(other.addresses.lookup(ADDRESS), IDENTITY_INIT);
    other.setPod(pod('thief', 0));
    other.removeEndpoint(9);
    t.equal(ownerIn(other), 'thief');
  }
});
