/**
 * Workloads as people type them: stock kubectl, the controllers of the API, and containers that really run.
 *
 *     kubectl ── 127.0.0.1:6443 (thread of sluiced: API, controllers, kubelet) ── pods <name>-default-web-...
 *
 * Each controller has tests of its own; here is what needs all of them at once.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, type Outcome, run, start, waitFor } from '../command.ts';
import { kubectls } from '../kubectls.ts';
import { SluiceInstance } from '../rig.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slwl${process.pid.toString(36).slice(-4)}`;
const folder = mkdtempSync(join(tmpdir(), `${name}-`));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
const instance = await SluiceInstance.onHost(name, cleanup, 'kube-api: true\ndns: { enabled: true }\n');
t.teardown(() => instance.stop());
await waitFor('the kubeconfig', () => existsSync(`${instance.runDir}/kubeconfig`));
const kubectl = kubectls().at(-1)?.path ?? '/usr/bin/kubectl';

function kubectlIn(...words: string[]): string[] {
  const environment = ['env', `HOME=${folder}`, `KUBECONFIG=${instance.runDir}/kubeconfig`];
  return inNetns(`${name}-host`, [...environment, kubectl, ...words]);
}

function type(...words: string[]): Promise<Outcome> {
  return run(kubectlIn(...words), { cwd: folder });
}

/** Its standard output; it must succeed. */
async function say(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await type(...words);
  if (code !== 0) throw new Error(`kubectl ${words.join(' ')}: exit ${code}: ${stderr}${stdout}`);
  return stdout;
}

async function apply(text: string): Promise<string> {
  writeFileSync(join(folder, 'objects.yaml'), text);
  return say('apply', '-f', 'objects.yaml');
}

const read = (what: string, path: string): Promise<string> => say('get', ...what.split(' '), '-o', `jsonpath=${path}`);
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const podNames = async (selector: string): Promise<string[]> =>
  lines(await say('get', 'pods', '-l', selector, '-o', 'name', '--field-selector=status.phase!=Succeeded'));

const WEB = (image: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: web, image: '${image}', ports: [{name: http, containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 8000, targetPort: http}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: curlimages/curl, command: [sleep, infinity]}]}
`;

t.test('a Deployment rolls out, and its Service is reached by name through a named port', async (t) => {
  await apply(WEB('nginx:1.27'));
  t.match(await say('rollout', 'status', 'deploy/web', '--timeout=60s'), 'successfully rolled out');
  await say('wait', '--for=condition=Ready', 'pod/client', '--timeout=60s');
  const table = lines(await say('get', 'deploy', 'web'));
  t.match(table, [/^NAME +READY +UP-TO-DATE +AVAILABLE +AGE$/, /^web +2\/2 +2 +2 /]);
  t.match(await say('get', 'pods', '-l', 'app=web'), /^web-\w+-\w{5} +1\/1 +Running +0 /m);
  const ip = await read('svc web', '{.spec.clusterIP}');
  t.match(ip, /^10\.96\./);
  const addresses = (await read('endpoints web', '{.subsets[*].addresses[*].ip}')).split(' ');
  t.equal(addresses.length, 2);
  t.equal(await read('endpoints web', '{.subsets[*].ports[*].port}'), '80');
  const slices = await read(
    'endpointslices -l kubernetes.io/service-name=web',
    '{.items[*].endpoints[*].addresses[0]}',
  );
  t.same(
    slices
      .split(' ')
      .filter((one) => !one.includes(':'))
      .sort(),
    addresses.sort(),
  );
  const client = `${name}-default-client`;
  await waitFor('an answer by the name of the Service', async () => {
    const asked = inNetns(client, [
      'curl',
      '-sS',
      '-m',
      '3',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      'http://web:8000/',
    ]);
    return (await run(asked)).stdout === '200';
  });
});

t.test('set image, restart, history, undo, pause, scale', async (t) => {
  const before = await podNames('app=web');
  await say('set', 'image', 'deploy/web', 'web=nginx:1.28');
  t.match(await say('rollout', 'status', 'deploy/web', '--timeout=60s'), 'successfully rolled out');
  await say('rollout', 'restart', 'deploy/web');
  t.match(await say('rollout', 'status', 'deploy/web', '--timeout=60s'), 'successfully rolled out');
  await waitFor('the old pods to be gone', async () => (await podNames('app=web')).length === 2);
  const after = await podNames('app=web');
  t.same(
    before.filter((pod) => after.includes(pod)),
    [],
  );
  t.match(lines(await say('rollout', 'history', 'deploy/web')).slice(2), [/^1 /, /^2 /, /^3 /]);
  await say('rollout', 'undo', 'deploy/web', '--to-revision=1');
  t.match(await say('rollout', 'status', 'deploy/web', '--timeout=60s'), 'successfully rolled out');
  t.equal(await read('deploy web', '{.spec.template.spec.containers[0].image}'), 'nginx:1.27');
  t.match(await read('deploy web', '{.metadata.annotations}'), '"deployment.kubernetes.io/revision":"4"');
  await say('rollout', 'pause', 'deploy/web');
  await say('set', 'image', 'deploy/web', 'web=nginx:1.29');
  await say('scale', 'deploy/web', '--replicas=3');
  await waitFor(
    'three pods of the old template',
    async () => (await read('deploy web', '{.status.readyReplicas}')) === '3',
  );
  t.equal(await read('deploy web', '{.status.updatedReplicas}'), '', 'none of the new template');
  await say('rollout', 'resume', 'deploy/web');
  t.match(await say('rollout', 'status', 'deploy/web', '--timeout=60s'), 'successfully rolled out');
  t.match(await say('describe', 'deploy', 'web'), /ScalingReplicaSet .*Scaled up replica set web-/);
});

t.test('readiness takes a pod out of its Service, and in again', async (t) => {
  await apply(`
apiVersion: v1
kind: ConfigMap
metadata: {name: mood}
data: {state: well}
---
apiVersion: v1
kind: Pod
metadata: {name: moody, labels: {app: moody}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: c
      image: busybox
      command: [sleep, infinity]
      readinessProbe: {exec: {command: [grep, -q, well, /mood/state]}, periodSeconds: 1, failureThreshold: 1}
      volumeMounts: [{name: mood, mountPath: /mood}]
  volumes: [{name: mood, configMap: {name: mood}}]
---
apiVersion: v1
kind: Service
metadata: {name: moody}
spec: {selector: {app: moody}, ports: [{port: 80}]}
`);
  const ready = (): Promise<string> => read('endpoints moody', '{.subsets[*].addresses[*].ip}');
  await waitFor('the pod to be behind its Service', async () => (await ready()) !== '');
  await say('patch', 'cm', 'mood', '-p', '{"data":{"state":"ill"}}');
  await waitFor('the pod to be taken out', async () => (await ready()) === '');
  t.not(await read('endpoints moody', '{.subsets[*].notReadyAddresses[*].ip}'), '');
  t.equal(
    await read('endpointslices -l kubernetes.io/service-name=moody', '{.items[0].endpoints[*].conditions.ready}'),
    'false',
  );
  t.match(await say('get', 'pod', 'moody'), /moody +0\/1 +Running/);
  await say('patch', 'cm', 'mood', '-p', '{"data":{"state":"well"}}');
  await waitFor('the pod to be behind its Service again', async () => (await ready()) !== '');
  await say('delete', 'pod,svc,cm', '--wait=false', 'moody', 'mood', '--ignore-not-found');
});

t.test(
  'the thread of the API runs out of memory: watches end and come back, objects and containers go on',
  async (t) => {
    await say('run', 'marked', '--image=busybox', '--', 'sleep', '1000');
    await say('wait', '--for=condition=Ready', 'pod/marked', '--timeout=60s');
    await say('exec', 'marked', '--', 'touch', '/tmp/mark');
    await say('create', 'cm', 'kept', '--from-literal=a=b');
    const uid = await read('cm kept', '{.metadata.uid}');
    const watch = () => start(kubectlIn('get', 'cm', '-w', '-o', 'name'));
    const before = watch();
    await waitFor('the watch', () => before.output().includes('configmap/kept'));

    const ender = join(import.meta.dirname, 'thread-ender.js');
    const asked = [process.execPath, '--experimental-websocket', ender, String(instance.agent.pid), 'kube-api'];
    const { code, stderr } = await run(inNetns(`${name}-host`, asked));
    t.equal(code, 0, stderr);
    await waitFor('the watch to end', () => before.child.exitCode !== null);
    const status = async () => (await instance.read('/v1/status')).kubeApi;
    await waitFor('the API again', async () => (await type('get', '--raw', '/readyz')).code === 0);
    t.match(await status(), { restarts: 1 });
    t.match(instance.agent.output(), /the thread of the Kubernetes API died/);

    const after = watch();
    await waitFor('the next watch', () => after.output().includes('configmap/kept'));
    t.equal(await read('cm kept', '{.metadata.uid}'), uid, 'what was written is there');
    await say('create', 'cm', 'newer');
    await waitFor('what comes', () => after.output().includes('configmap/newer'));
    await after.stop();
    await say('wait', '--for=condition=Ready', 'pod/marked', '--timeout=60s');
    t.equal((await type('exec', 'marked', '--', 'ls', '/tmp/mark')).code, 0, 'the same container');
    t.equal(await read('pod marked', '{.status.containerStatuses[0].restartCount}'), '0');
    await say('delete', 'pod/marked', 'cm/kept', 'cm/newer', '--now');
  },
);

t.test('what is deleted: orphans, the foreground, the background, a whole namespace', async (t) => {
  await say('delete', 'deploy', 'web', '--cascade=orphan');
  t.equal((await podNames('app=web')).length, 3);
  t.equal(await read('rs -l app=web', '{.items[*].metadata.ownerReferences}'), '');
  await apply(WEB('nginx:1.29'));
  t.match(await say('rollout', 'status', 'deploy/web', '--timeout=60s'), 'successfully rolled out');
  await say('delete', 'deploy', 'web', '--cascade=foreground', '--timeout=60s');
  t.same(await podNames('app=web'), [], 'nothing is left when kubectl returns');
  await say('create', 'ns', 'tmp');
  await say('-n', 'tmp', 'create', 'deployment', 'two', '--image=busybox', '--replicas=2', '--', 'sleep', 'infinity');
  t.match(await say('-n', 'tmp', 'rollout', 'status', 'deploy/two', '--timeout=60s'), 'successfully rolled out');
  t.match(lines(await say('-n', 'tmp', 'get', 'cep')).slice(1), [/^two-\S+ +\d+ +ready +10\.244\./, /^two-/]);
  await say('-n', 'tmp', 'delete', 'deploy', 'two');
  await waitFor('its pods to go', async () => (await say('-n', 'tmp', 'get', 'rs,pods', '-o', 'name')) === '');
  await say('delete', 'ns', 'tmp', '--timeout=60s');
  t.match((await type('get', 'ns', 'tmp')).stderr, 'not found');
});

t.test('a Job, a StatefulSet, a DaemonSet', async (t) => {
  await apply(`
apiVersion: batch/v1
kind: Job
metadata: {name: sum}
spec:
  completions: 2
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox, command: [sh, -c, 'echo $((6*7))']}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: busybox, command: [sleep, infinity]}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: each}
spec:
  selector: {matchLabels: {app: each}}
  template:
    metadata: {labels: {app: each}}
    spec: {terminationGracePeriodSeconds: 1, containers: [{name: c, image: busybox, command: [sleep, infinity]}]}
`);
  await say('wait', '--for=condition=complete', 'job/sum', '--timeout=60s');
  t.match(await say('get', 'job', 'sum'), / 2\/2 /);
  t.match(
    await say('rollout', 'status', 'sts/db', '--timeout=60s'),
    /rolling update complete|partitioned roll out complete/,
  );
  t.same(await podNames('app=db'), ['pod/db-0', 'pod/db-1']);
  t.match(await say('rollout', 'status', 'ds/each', '--timeout=60s'), 'successfully rolled out');
  await say('delete', 'job,sts,ds', '--all', '--timeout=60s');
  await waitFor('nothing to be left', async () => (await say('get', 'pods', '-o', 'name')).trim() === 'pod/client');
});
