/**
 * Pods of a cluster: a Kubernetes API says who they are, a container runtime where.
 *
 *   test ── KubeApiServer (127.0.0.1, HTTPS) ◀── agent ◀── plugin ── <name>-web, <name>-late: containers
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Authority } from '../authority.ts';
import { ContainerHost, podArgs } from '../cni-plugin.ts';
import { Cleanup, makeNetns, waitFor } from '../command.ts';
import { freePort } from '../free-port.ts';
import { type FakeObject, KubeApiServer } from '../kube-api-server.ts';
import { SluiceInstance } from '../rig.ts';

const PODS = '/api/v1/pods';
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slq${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
const server = new KubeApiServer(new Authority(dir).sign('server', '/CN=server', 'IP:127.0.0.1'));
const port = await freePort();
const kubeconfig = join(dir, 'kubeconfig');
writeFileSync(
  kubeconfig,
  `apiVersion: v1
kind: Config
current-context: test
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:${port}', certificate-authority: ca.crt}}]
users: [{name: u, user: {token: secret-token}}]
contexts: [{name: test, context: {cluster: c, user: u}}]
`,
);

function pod(name: string, uid: string, annotations: object = {}): FakeObject {
  const metadata = { name, namespace: 'shop', uid, labels: { app: name }, annotations };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: 'here', containers: [] }, status: {} };
}

server.serve(PODS, '/api/v1/nodes', '/api/v1/services', '/api/v1/namespaces');
server.serve('/apis/networking.k8s.io/v1/networkpolicies', '/apis/discovery.k8s.io/v1/endpointslices');
server.put(PODS, pod('web', 'u-web'));
await server.listen(port);
cleanup.add(() => void server.close());
await makeNetns(cleanup, `${name}-host`);
const config = `kubernetes: ${kubeconfig}\nnodeName: here\n`;
const instance = await SluiceInstance.start({ name, cleanup, netnsPrefix: `${name}-x-`, config });
t.teardown(() => instance.stop());
const containers = new ContainerHost(instance, name, cleanup);

t.test('a pod of this node is an endpoint once its runtime says where', async (t) => {
  const objects = async (): Promise<unknown[]> => (await instance.read('/v1/objects?kind=Pod')).items;
  await waitFor('the API to be listed', async () => (await objects()).length > 0);
  t.strictSame(await instance.read('/v1/endpoints'), [], 'before, it has no number, no address, and waits for nothing');
  await containers.make('web');
  const added = await containers.call('ADD', 'web', { args: podArgs('web', 'u-web') });
  t.equal(added.code, 0, added.stdout);
  const endpoint = await containers.endpointOf('web');
  t.match(endpoint, { state: 'ready' });
  t.ok(endpoint.labels.includes('k8s:app=web'), endpoint.labels.join());
});

t.test('a pod that the API does not tell yet is nobody, and gets its labels when it is told', async (t) => {
  server.put(PODS, pod('late', 'u-earlier'));
  await containers.make('late');
  const added = await containers.call('ADD', 'late', { args: podArgs('late', 'u-late') });
  t.equal(added.code, 0, added.stdout);
  t.match(await containers.endpointOf('late'), { state: 'ready', identity: 5, labels: ['reserved:init'] });
  const web = await containers.endpointOf('web');
  t.notOk(await containers.pings('late', web.ipv4, 1), 'and is let nowhere');
  // As of a static pod: the API's uid is another, the runtime's stands in an annotation.
  server.put(PODS, pod('late', 'u-mirror', { 'kubernetes.io/config.hash': 'u-late' }));
  await waitFor('its labels', async () => (await containers.endpointOf('late'))?.labels.includes('k8s:app=late'));
  t.ok(await containers.pings('late', web.ipv4));
  for (const id of ['late', 'web']) t.equal((await containers.call('DEL', id)).code, 0);
  t.strictSame(await instance.read('/v1/endpoints'), []);
});
