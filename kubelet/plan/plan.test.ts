/** What is made of a Pod: environment, volumes, rights, spec lines and status; no process is started. */
import t from 'tap';
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import type { ContainerStatus, Pod } from '../pod-spec.ts';
import { containersOf } from '../pod-spec.ts';
import { capabilitiesOf, lacksPtrace } from './capabilities.ts';
import { idsOf } from './container-ids.ts';
import { planContainer } from './container-plan.ts';
import { environmentOf, type PodSources } from './environment.ts';
import { expand } from './expansion.ts';
import { type PlacedStatus, statusOf } from './pod-status.ts';
import { parseQuantity } from './quantity.ts';
import { planVolume } from './volumes.ts';

const objectOf = (kind: string, name: string, more: object): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'ns', uid: 'u', resourceVersion: '1', creationTimestamp: '' },
  ...more,
});
const podOf = (spec: object, status: object = {}): Pod => ({
  ...objectOf('Pod', 'web', { spec, status }),
  metadata: { ...objectOf('Pod', 'web', {}).metadata, labels: { app: 'web', 'a.b/c': 'd"e' } },
});

const sources: PodSources = {
  nodeName: 'n1',
  hostIps: ['192.0.2.1'],
  podIps: ['10.0.0.2', 'fd00::2'],
  cpus: 4,
  memoryBytes: 2 ** 30,
  services: [
    objectOf('Service', 'db-main', {
      spec: {
        clusterIP: '10.96.0.1',
        ports: [
          { name: 'sql', port: 5432 },
          { port: 53, protocol: 'UDP' },
        ],
      },
    }),
    objectOf('Service', 'headless', { spec: { clusterIP: 'None', ports: [{ port: 1 }] } }),
  ],
  configMap: (name) =>
    name === 'cfg'
      ? objectOf('ConfigMap', 'cfg', { data: { a: '1', 'b.txt': 'two', 'bad key': 'x' }, binaryData: { bin: 'AAE=' } })
      : undefined,
  secret: (name) =>
    name === 'sec' ? objectOf('Secret', 'sec', { data: { pw: Buffer.from('$(A)').toString('base64') } }) : undefined,
};

t.test('$(NAME) is expanded as Kubernetes does it', (t) => {
  const known = new Map([
    ['A', 'x'],
    ['B', '$(A)'],
  ]);
  for (const [text, wanted] of [
    ['$(A)-$(B)', 'x-$(A)'],
    ['$$(A) $$$(A)', '$(A) $x'],
    ['$(NONE) $( $A $', '$(NONE) $( $A $'],
    ['', ''],
    ['$(', '$('],
    ['$()', '$()'],
  ] as const)
    t.equal(
      expand(text, (name) => known.get(name)),
      wanted,
      text,
    );
  t.throws(() => expand('$(A)'.repeat(1100), () => 'y'.repeat(1000)), RangeError);
  t.end();
});

t.test('quantities are numbers', (t) => {
  for (const [text, wanted] of [
    ['100m', 0.1],
    ['64Mi', 2 ** 26],
    ['1e3', 1000],
    ['1.5G', 1.5e9],
    ['.5', 0.5],
    [2, 2],
    ['1 Mi', undefined],
    ['x', undefined],
    ['', undefined],
    [undefined, undefined],
  ] as const)
    t.equal(parseQuantity(text), wanted, String(text));
  t.end();
});

t.test('an environment has its sources in their order, and says what is missing', (t) => {
  const env = (container: object) => environmentOf(podOf({ containers: [container] }), container, sources);
  const all = env({
    envFrom: [{ configMapRef: { name: 'cfg' }, prefix: 'C_' }],
    env: [
      { name: 'A', value: 'x' },
      { name: 'B', value: '$(A)$(C_a)' },
      { name: 'N', value: 7 },
      { name: 'S', valueFrom: { secretKeyRef: { name: 'sec', key: 'pw' } } },
      { name: 'L', valueFrom: { fieldRef: { fieldPath: "metadata.labels['a.b/c']" } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIPs' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      { name: 'O', valueFrom: { configMapKeyRef: { name: 'none', key: 'x', optional: true } } },
    ],
  });
  t.match(Object.fromEntries(all), {
    A: 'x',
    B: 'x1',
    N: '7',
    S: '$(A)',
    L: 'd"e',
    IP: '10.0.0.2,fd00::2',
    CPU: '4',
    C_a: '1',
    'C_b.txt': 'two',
  });
  t.notOk(all.has('O') || all.has('C_bad key') || all.has('HEADLESS_SERVICE_HOST'));
  t.match(Object.fromEntries(all), {
    DB_MAIN_SERVICE_HOST: '10.96.0.1',
    DB_MAIN_SERVICE_PORT: '5432',
    DB_MAIN_SERVICE_PORT_SQL: '5432',
    DB_MAIN_PORT: 'tcp://10.96.0.1:5432',
    DB_MAIN_PORT_53_UDP_PROTO: 'udp',
  });
  for (const [container, wanted] of [
    [{ envFrom: [{ secretRef: { name: 'none' } }] }, /^secret "none" not found$/],
    [
      { env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'cfg', key: 'zz' } } }] },
      /^couldn't find key zz in configmap ns\/cfg$/,
    ],
    [{ env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath: 'spec.secrets' } } }] }, /found 'spec.secrets'/],
    [{ env: [{ name: 'A=B', value: '' }] }, /env name 'A=B'/],
  ] as const)
    t.throws(() => env(container), { reason: 'CreateContainerConfigError', message: wanted });
  t.end();
});

t.test('volumes are files with modes, and none leaves its folder', (t) => {
  const plan = (volume: object) =>
    planVolume(
      podOf({ containers: [{ name: 'c', resources: { limits: { cpu: '1500m' } } }] }),
      { name: 'v', ...volume },
      sources,
    );
  const files = (volume: object) => {
    const made = plan(volume);
    return made.kind === 'files'
      ? made.files.map(({ path, bytes, mode }) => [path, bytes.toString('latin1'), mode.toString(8)])
      : [];
  };
  t.strictSame(files({ configMap: { name: 'cfg', items: [{ key: 'a', path: 'x/y', mode: 0o600 }] } }), [
    ['x/y', '1', '600'],
  ]);
  t.strictSame(files({ secret: { secretName: 'sec', defaultMode: 0o400 } }), [['pw', '$(A)', '400']]);
  t.strictSame(
    files({
      projected: {
        sources: [
          { configMap: { name: 'cfg', items: [{ key: 'a', path: 'one' }] } },
          {
            downwardAPI: { items: [{ path: 'cpu', resourceFieldRef: { containerName: 'c', resource: 'limits.cpu' } }] },
          },
        ],
      },
    }),
    [
      ['one', '1', '644'],
      ['cpu', '2', '644'],
    ],
  );
  t.match(plan({ emptyDir: { sizeLimit: '1Mi' } }), { kind: 'scratch', bytes: 2 ** 20 });
  for (const [volume, wanted] of [
    [{ hostPath: { path: '/' } }, /found hostPath/],
    [{ configMap: { name: 'none' } }, /configmap "none" not found/],
    [{ emptyDir: { sizeLimit: '-1' } }, /sizeLimit/],
    [{ name: '../x', emptyDir: {} }, /volume '..\/x'/],
    ...['../x', '/x', 'a/../b', '', 'a//b', '..data', 'a\nb'].map(
      (path) => [{ configMap: { name: 'cfg', items: [{ key: 'a', path }] } }, /wanted a relative one/] as const,
    ),
  ] as const)
    t.throws(() => plan(volume), { reason: 'FailedMount', message: wanted }, JSON.stringify(volume));
  t.end();
});

t.test('capabilities are those of runtimes without MKNOD, and what reaches past the pod is refused', (t) => {
  t.equal(capabilitiesOf({}), 'a00425fb');
  t.equal(capabilitiesOf({ capabilities: { drop: ['ALL'] } }), '0');
  t.equal(capabilitiesOf({ capabilities: { drop: ['all'], add: ['CAP_NET_BIND_SERVICE'] } }), '400');
  for (const name of [
    'SYS_ADMIN',
    'SYS_MODULE',
    'SYS_PTRACE',
    'SYS_RAWIO',
    'MKNOD',
    'SYS_TIME',
    'DAC_READ_SEARCH',
    'BPF',
    'TOSTRING',
    'NET_ADMIN',
  ])
    t.throws(() => capabilitiesOf({ capabilities: { add: [name] } }), new RegExp(`found ${name}`), name);
  const traced = { capabilities: { add: ['SYS_PTRACE'] } };
  t.equal(capabilitiesOf(traced, true), capabilitiesOf({}), 'a container of kubectl debug goes without it');
  t.ok(lacksPtrace(traced));
  t.notOk(lacksPtrace({ capabilities: { add: ['NET_ADMIN'] } }));
  t.throws(() => capabilitiesOf({ capabilities: { add: ['SYS_ADMIN'] } }, true), /found SYS_ADMIN/);
  const every = BigInt(`0x${capabilitiesOf({ capabilities: { add: ['ALL'] } })}`);
  for (const number of [2, 12, 16, 17, 19, 21, 25, 27])
    t.equal((every >> BigInt(number)) & 1n, 0n, `ALL leaves out ${number}`);
  t.end();
});

t.test('only an emptyDir is written to, and mounts beneath others come after them', (t) => {
  const spec = {
    volumeMounts: [
      { name: 'c', mountPath: '/a/b' },
      { name: 'e', mountPath: '/a', subPath: './x//y' },
      { name: 'e', mountPath: '/r', readOnly: true },
      { name: 'gone', mountPath: '/g' },
    ],
  };
  const pod = podOf({
    containers: [{ name: 'c', ...spec }],
    volumes: [
      { name: 'c', configMap: { name: 'cfg' } },
      { name: 'e', emptyDir: {} },
    ],
  });
  const [placed] = containersOf(pod);
  const site = {
    sandbox: { pid: 1, startTime: '2' },
    skeleton: { root: '/s', system: ['/usr', '/lib'], applets: '/b', agnhost: '/g', cover: '/c' },
    ...{
      exitsFolder: '/x',
      exitName: 'n',
      cgroup: undefined,
      etcFiles: [],
      tools: { node: '/node', programs: '/p' },
      hostName: 'h',
    },
  };
  const lines = (isBusybox: boolean) =>
    planContainer(
      {
        pod,
        placed,
        attempt: 0,
        image: { argv: ['a', 'b'], standIn: undefined, isBusybox },
        env: new Map([['PATH', '/own']]),
        ids: idsOf(pod, placed.spec),
      },
      site,
    );
  const of = (key: string, isBusybox = false) =>
    lines(isBusybox)
      .filter(([name]) => name === key)
      .map(([, value]) => value);
  t.strictSame(of('volume').slice(2), ['rw\ne\nx/y\n/a', 'ro\ne\n/r', 'ro\ngone\n/g', 'ro\nc\n/a/b']);
  t.strictSame(of('overlay'), ['/\n/s', '/usr\n/usr\n/b', '/lib\n/lib']);
  t.strictSame(of('overlay', true)[1], '/usr\n/b\n/usr', "busybox's commands come first in its images");
  t.strictSame(of('arg'), ['a', 'b']);
  t.ok(of('env').includes('PATH=/own') && of('env').includes('HOSTNAME=h'));
  t.end();
});

const running: Partial<ContainerStatus> = { state: { running: { startedAt: 't' } }, ready: true, started: true };
const ended = (exitCode: number): Partial<ContainerStatus> => ({ state: { terminated: { exitCode } }, ready: false });
const waiting: Partial<ContainerStatus> = { state: { waiting: { reason: 'ContainerCreating' } } };
const crashed: Partial<ContainerStatus> = {
  state: { waiting: { reason: 'CrashLoopBackOff' } },
  lastState: { terminated: { exitCode: 1 } },
};

t.test('a phase is made of containers as Kubernetes makes it', (t) => {
  const phase = (spec: object, statuses: readonly Partial<ContainerStatus>[]) => {
    const pod = podOf(spec);
    const containers = containersOf(pod).map(
      (placed, at): PlacedStatus => ({
        placed,
        status: {
          name: placed.name,
          image: '',
          imageID: '',
          ready: false,
          started: false,
          restartCount: 0,
          state: {},
          lastState: {},
          ...statuses[at],
        },
      }),
    );
    return statusOf(pod, { containers, hasSandbox: true, addresses: ['10.0.0.2'], hostIps: [], nowMs: 0 });
  };
  const two = { containers: [{ name: 'a' }, { name: 'b' }] };
  const withInit = { initContainers: [{ name: 'i' }], containers: [{ name: 'a' }] };
  for (const [spec, statuses, wanted] of [
    [two, [running, running], 'Running'],
    [two, [running, waiting], 'Pending'],
    [two, [running, crashed], 'Running'],
    [two, [crashed, crashed], 'Running'],
    [{ ...two, restartPolicy: 'Never' }, [ended(0), ended(0)], 'Succeeded'],
    [{ ...two, restartPolicy: 'Never' }, [ended(0), ended(2)], 'Failed'],
    [{ ...two, restartPolicy: 'Never' }, [ended(0), running], 'Running'],
    [{ ...two, restartPolicy: 'OnFailure' }, [ended(0), ended(0)], 'Succeeded'],
    [withInit, [running, waiting], 'Pending'],
    [withInit, [ended(0), running], 'Running'],
    [{ ...withInit, restartPolicy: 'Never' }, [ended(1), waiting], 'Failed'],
  ] as const)
    t.equal(phase(spec, statuses).phase, wanted, JSON.stringify([spec, statuses]));
  t.match(
    phase(two, [running, crashed]).conditions?.find(({ type }) => type === 'Ready'),
    { status: 'False', reason: 'ContainersNotReady', message: 'containers with unready status: [b]' },
  );
  t.match(
    phase(withInit, [waiting, waiting]).conditions?.find(({ type }) => type === 'Initialized'),
    { status: 'False', message: 'containers with incomplete status: [i]' },
  );
  for (const [resources, wanted] of [
    [{}, 'BestEffort'],
    [{ requests: { cpu: '1' } }, 'Burstable'],
    [{ limits: { cpu: '1', memory: '1Gi' } }, 'Guaranteed'],
  ] as const)
    t.equal(phase({ containers: [{ name: 'a', resources }] }, [running]).qosClass, wanted);
  t.end();
});

t.test('times of a status stay where nothing changed, and a final phase stays', (t) => {
  const pod = podOf({ containers: [{ name: 'a' }] });
  const [placed] = containersOf(pod);
  const at = (nowMs: number, status: Partial<ContainerStatus>, before?: Pod['status']) =>
    statusOf(
      pod,
      {
        containers: [
          {
            placed,
            status: {
              name: 'a',
              image: '',
              imageID: '',
              ready: false,
              started: false,
              restartCount: 0,
              state: {},
              lastState: {},
              ...status,
            },
          },
        ],
        hasSandbox: true,
        addresses: [],
        hostIps: [],
        nowMs,
      },
      before,
    );
  const first = at(0, running);
  t.strictSame(at(60_000, running, first), first);
  const later = at(60_000, { ...running, ready: false }, first);
  const timeOf = (status: Pod['status'], type: string) =>
    status?.conditions?.find((one) => one.type === type)?.lastTransitionTime;
  t.equal(timeOf(later, 'Ready'), '1970-01-01T00:01:00Z');
  t.equal(timeOf(later, 'Initialized'), '1970-01-01T00:00:00Z');
  t.equal(at(0, running, { ...first, phase: 'Failed' }).phase, 'Failed');
  const gate = { type: 'example/gate', status: 'True' as const };
  t.match(at(0, running, { conditions: [gate] }).conditions?.at(-1), gate, 'conditions of others stay');
  t.end();
});
