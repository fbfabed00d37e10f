import t from 'tap';
import type { KubeObject } from '../storage/kube-object.ts';
import { age } from './age.ts';
import { tableOf, type TableKind } from './table.ts';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const ago = (seconds: number): string => `${new Date(NOW - seconds * 1000).toISOString().slice(0, 19)}Z`;

const POD: TableKind = { apiVersion: 'v1', kind: 'Pod' };
const OPTIONS = { version: 'v1', includeObject: 'Metadata', metadata: { resourceVersion: '7' }, nowMs: NOW } as const;

function object(kind: TableKind, fields: object, metadata: object = {}): KubeObject {
  const { apiVersion, kind: name } = kind;
  const own = { name: 'x', namespace: 'd', uid: 'u', resourceVersion: '7', creationTimestamp: ago(65), ...metadata };
  return { apiVersion, kind: name, metadata: own, ...fields };
}

interface Told {
  readonly columnDefinitions: readonly { name: string; priority: number; format: string; type: string }[] | null;
  readonly rows: readonly {
    cells: readonly unknown[];
    object: { kind: string } | null;
    conditions?: readonly object[];
  }[];
}

function tell(kind: TableKind, fields: object, metadata?: object): Told {
  return tableOf(kind, [object(kind, fields, metadata)], OPTIONS) as Told;
}

/** The row as kubectl prints it with `-o wide`, by its headers. */
function row(kind: TableKind, fields: object, metadata?: object): Record<string, unknown> {
  const { columnDefinitions, rows } = tell(kind, fields, metadata);
  return Object.fromEntries((columnDefinitions ?? []).map(({ name }, i) => [name, rows[0].cells[i]]));
}

const headers = (kind: TableKind): string[] =>
  (tell(kind, {}).columnDefinitions ?? []).map(({ name, priority }) => (priority > 0 ? `(${name})` : name));

t.test('every kind has the columns that kubectl users know', (t) => {
  const wide = ['(Containers)', '(Images)', '(Selector)'];
  const cases: Record<string, string[]> = {
    'v1 Pod': [
      ...['Name', 'Ready', 'Status', 'Restarts', 'Age'],
      ...['(IP)', '(Node)', '(Nominated Node)', '(Readiness Gates)'],
    ],
    'v1 Service': ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', '(Selector)'],
    'v1 Endpoints': ['Name', 'Endpoints', 'Age'],
    'v1 Namespace': ['Name', 'Status', 'Age'],
    'v1 Node': [
      ...['Name', 'Status', 'Roles', 'Age', 'Version', '(Internal-IP)', '(External-IP)', '(OS-Image)'],
      ...['(Kernel-Version)', '(Container-Runtime)'],
    ],
    'v1 Event': [
      ...['Last Seen', 'Type', 'Reason', 'Object', '(Subobject)', '(Source)', 'Message', '(First Seen)', '(Count)'],
      '(Name)',
    ],
    'v1 ConfigMap': ['Name', 'Data', 'Age'],
    'v1 Secret': ['Name', 'Type', 'Data', 'Age'],
    'v1 ServiceAccount': ['Name', 'Age'],
    'apps/v1 Deployment': ['Name', 'Ready', 'Up-to-date', 'Available', 'Age', ...wide],
    'apps/v1 ReplicaSet': ['Name', 'Desired', 'Current', 'Ready', 'Age', ...wide],
    'apps/v1 StatefulSet': ['Name', 'Ready', 'Age', '(Containers)', '(Images)'],
    'apps/v1 DaemonSet': [
      ...['Name', 'Desired', 'Current', 'Ready', 'Up-to-date', 'Available', 'Node Selector', 'Age'],
      ...wide,
    ],
    'batch/v1 Job': ['Name', 'Status', 'Completions', 'Duration', 'Age', ...wide],
    'batch/v1 CronJob': [...['Name', 'Schedule', 'Timezone', 'Suspend', 'Active', 'Last Schedule', 'Age'], ...wide],
    'discovery.k8s.io/v1 EndpointSlice': ['Name', 'AddressType', 'Ports', 'Endpoints', 'Age'],
    'networking.k8s.io/v1 NetworkPolicy': ['Name', 'Pod-Selector', 'Age'],
    'cilium.io/v2 CiliumNetworkPolicy': ['Name', 'Age', 'Valid'],
    'cilium.io/v2 CiliumClusterwideNetworkPolicy': ['Name', 'Valid'],
    'cilium.io/v2 CiliumCIDRGroup': ['Name', 'Age'],
    'cilium.io/v2 CiliumEndpoint': [
      ...['Name', 'Security Identity', '(Ingress Enforcement)', '(Egress Enforcement)'],
      ...['Endpoint State', 'IPv4', 'IPv6'],
    ],
    'cilium.io/v2 CiliumIdentity': ['Name', 'Namespace', 'Age'],
    'cilium.io/v2 CiliumNode': ['Name', 'CiliumInternalIP', 'InternalIP', 'Age'],
    'example.com/v1 Other': ['Name', 'Created At'],
    // A kind of another group is not the one that has its name.
    'serving.knative.dev/v1 Service': ['Name', 'Created At'],
  };
  for (const [name, wanted] of Object.entries(cases)) {
    const [apiVersion, kind] = name.split(' ');
    t.same(headers({ apiVersion, kind }), wanted, name);
  }
  t.end();
});

const running = (name: string, ready = true) => ({ name, ready, restartCount: 0, state: { running: {} } });
const waiting = (name: string, reason: string) => ({
  name,
  ready: false,
  restartCount: 0,
  state: { waiting: { reason } },
});
const ended = (name: string, exitCode: number, reason?: string) => ({
  name,
  ready: false,
  restartCount: 0,
  state: { terminated: { exitCode, ...(reason !== undefined && { reason }) } },
});
const READY = [{ type: 'Ready', status: 'True' }];
const TWO = { containers: [{ name: 'a' }, { name: 'b' }] };

t.test('a pod: READY and STATUS', (t) => {
  const init = { initContainers: [{ name: 'i' }, { name: 'j' }], ...TWO };
  const sidecar = { initContainers: [{ name: 'i', restartPolicy: 'Always' }], ...TWO };
  const deletionTimestamp = ago(1);
  const cases: { name: string; spec?: object; status: object; metadata?: object; wanted: [string, string] }[] = [
    { name: 'new', status: { phase: 'Pending' }, wanted: ['0/2', 'Pending'] },
    {
      name: 'runs',
      status: { phase: 'Running', containerStatuses: [running('a'), running('b')], conditions: READY },
      wanted: ['2/2', 'Running'],
    },
    {
      name: 'one is not ready',
      status: { phase: 'Running', containerStatuses: [running('a'), running('b', false)] },
      wanted: ['1/2', 'Running'],
    },
    {
      name: 'one crashes again and again',
      status: { phase: 'Running', containerStatuses: [waiting('a', 'CrashLoopBackOff'), running('b')] },
      wanted: ['1/2', 'CrashLoopBackOff'],
    },
    {
      name: 'the first that has something to say gives the word',
      status: {
        phase: 'Pending',
        containerStatuses: [waiting('a', 'ContainerCreating'), waiting('b', 'ErrImagePull')],
      },
      wanted: ['0/2', 'ContainerCreating'],
    },
    {
      name: 'ended',
      status: { phase: 'Succeeded', containerStatuses: [ended('a', 0, 'Completed'), ended('b', 0, 'Completed')] },
      wanted: ['0/2', 'Completed'],
    },
    {
      name: 'failed',
      status: { phase: 'Failed', containerStatuses: [ended('a', 1, 'Error'), ended('b', 0, 'Completed')] },
      wanted: ['0/2', 'Error'],
    },
    {
      name: 'the last one failed, the first did not',
      status: { phase: 'Failed', containerStatuses: [ended('a', 0, 'Completed'), ended('b', 1, 'Error')] },
      wanted: ['0/2', 'Error'],
    },
    {
      name: 'no reason',
      status: { phase: 'Failed', containerStatuses: [ended('a', 3)] },
      wanted: ['0/2', 'ExitCode:3'],
    },
    {
      name: 'one has ended, the other is ready',
      status: { phase: 'Running', containerStatuses: [ended('a', 0, 'Completed'), running('b')], conditions: READY },
      wanted: ['1/2', 'Running'],
    },
    {
      name: 'one has ended, the pod is not ready',
      status: { phase: 'Running', containerStatuses: [ended('a', 0, 'Completed'), running('b')] },
      wanted: ['1/2', 'NotReady'],
    },
    { name: 'evicted', status: { phase: 'Failed', reason: 'Evicted' }, wanted: ['0/2', 'Evicted'] },
    {
      name: 'the second init container runs',
      spec: init,
      status: {
        phase: 'Pending',
        initContainerStatuses: [ended('i', 0, 'Completed'), { ...running('j'), ready: false }],
      },
      wanted: ['0/2', 'Init:1/2'],
    },
    {
      name: 'the first has not begun',
      spec: init,
      status: { phase: 'Pending', initContainerStatuses: [waiting('i', 'PodInitializing'), waiting('j', 'x')] },
      wanted: ['0/2', 'Init:0/2'],
    },
    {
      name: 'the first fails',
      spec: init,
      status: { phase: 'Pending', initContainerStatuses: [ended('i', 1, 'Error'), waiting('j', 'PodInitializing')] },
      wanted: ['0/2', 'Init:Error'],
    },
    {
      name: 'the first fails for good',
      spec: init,
      status: { phase: 'Pending', initContainerStatuses: [waiting('i', 'CrashLoopBackOff'), waiting('j', '')] },
      wanted: ['0/2', 'Init:CrashLoopBackOff'],
    },
    {
      name: 'an init container that goes on counts',
      spec: sidecar,
      status: {
        phase: 'Running',
        initContainerStatuses: [{ ...running('i'), started: true }],
        containerStatuses: [running('a'), running('b')],
        conditions: READY,
      },
      wanted: ['3/3', 'Running'],
    },
    {
      name: 'about to go',
      status: { phase: 'Running', containerStatuses: [running('a'), running('b')] },
      metadata: { deletionTimestamp },
      wanted: ['2/2', 'Terminating'],
    },
    {
      name: 'ended, and about to go',
      status: { phase: 'Succeeded', containerStatuses: [ended('a', 0, 'Completed'), ended('b', 0, 'Completed')] },
      metadata: { deletionTimestamp },
      wanted: ['0/2', 'Completed'],
    },
  ];
  for (const { name, spec = TWO, status, metadata, wanted } of cases) {
    const { Ready, Status } = row(POD, { spec, status }, metadata);
    t.same([Ready, Status], wanted, name);
  }
  t.end();
});

t.test('a pod: RESTARTS, and what -o wide shows', (t) => {
  const lastState = (seconds: number) => ({ terminated: { exitCode: 1, finishedAt: ago(seconds) } });
  const containerStatuses = [
    { ...running('a'), restartCount: 3, lastState: lastState(300) },
    { ...running('b'), restartCount: 1, lastState: lastState(125) },
  ];
  const initContainerStatuses = [{ ...ended('i', 0, 'Completed'), restartCount: 9 }];
  const status = { phase: 'Running', podIPs: [{ ip: '10.0.0.5' }], initContainerStatuses, containerStatuses };
  const spec = { ...TWO, nodeName: 'n1', readinessGates: [{ conditionType: 'a' }, { conditionType: 'b' }] };
  t.match(row(POD, { spec, status: { ...status, conditions: [{ type: 'b', status: 'True' }] } }), {
    Restarts: '4 (2m5s ago)',
    Age: '65s',
    IP: '10.0.0.5',
    Node: 'n1',
    'Nominated Node': '<none>',
    'Readiness Gates': '1/2',
  });
  t.match(row(POD, { spec: {}, status: {} }), {
    Restarts: '0',
    IP: '<none>',
    Node: '<none>',
    'Readiness Gates': '<none>',
  });
  const failing = { ...status, initContainerStatuses: [{ ...ended('i', 1, 'Error'), restartCount: 9 }] };
  t.equal(row(POD, { spec, status: failing })['Restarts'], '9', 'those of the init containers while these run');
  t.end();
});

t.test('workloads', (t) => {
  const template = {
    spec: {
      containers: [
        { name: 'a', image: 'x:1' },
        { name: 'b', image: 'y' },
      ],
    },
  };
  const selector = {
    matchLabels: { app: 'web' },
    matchExpressions: [{ key: 'a', operator: 'In', values: ['2', '1'] }],
  };
  const spec = { replicas: 3, selector, template };
  const status = { replicas: 4, readyReplicas: 2, updatedReplicas: 1, availableReplicas: 2 };
  t.match(row({ apiVersion: 'apps/v1', kind: 'Deployment' }, { spec, status }), {
    Ready: '2/3',
    'Up-to-date': 1,
    Available: 2,
    Containers: 'a,b',
    Images: 'x:1,y',
    Selector: 'a in (1,2),app=web',
  });
  t.match(row({ apiVersion: 'apps/v1', kind: 'ReplicaSet' }, { spec, status }), { Desired: 3, Current: 4, Ready: 2 });
  t.match(row({ apiVersion: 'apps/v1', kind: 'StatefulSet' }, { spec: { template } }), { Ready: '0/1' });
  t.match(row({ apiVersion: 'v1', kind: 'ReplicationController' }, { spec: { replicas: 0, selector: { a: 'b' } } }), {
    Desired: 0,
    Selector: 'a=b',
  });
  const job = (spec: object, status: object, metadata?: object) =>
    row({ apiVersion: 'batch/v1', kind: 'Job' }, { spec, status }, metadata);
  t.match(job({ completions: 3 }, { succeeded: 1, startTime: ago(90) }), {
    Status: 'Running',
    Completions: '1/3',
    Duration: '90s',
  });
  t.match(job({ parallelism: 2 }, {}), { Completions: '0/1 of 2', Duration: '' });
  const done = [{ type: 'Complete', status: 'True' }];
  t.match(job({}, { conditions: done, startTime: ago(90), completionTime: ago(60) }, { deletionTimestamp: ago(1) }), {
    Status: 'Complete',
    Duration: '30s',
  });
  t.match(job({}, {}, { deletionTimestamp: ago(1) }), { Status: 'Terminating' });
  t.match(row({ apiVersion: 'batch/v1', kind: 'CronJob' }, { spec: { schedule: '* * * * *', suspend: false } }), {
    Schedule: '* * * * *',
    Timezone: '<none>',
    Suspend: 'False',
    Active: 0,
    'Last Schedule': '<none>',
  });
  t.end();
});

t.test('services, endpoints, events, nodes, policies', (t) => {
  const ports = [
    { port: 80, nodePort: 30080, protocol: 'TCP' },
    { port: 53, protocol: 'UDP' },
  ];
  t.match(
    row({ apiVersion: 'v1', kind: 'Service' }, { spec: { type: 'LoadBalancer', clusterIPs: ['10.96.0.9'], ports } }),
    {
      Type: 'LoadBalancer',
      'Cluster-IP': '10.96.0.9',
      'External-IP': '<pending>',
      'Port(s)': '80:30080/TCP,53/UDP',
      Selector: '<none>',
    },
  );
  t.match(row({ apiVersion: 'v1', kind: 'Service' }, { spec: { clusterIP: 'None' } }), { 'Cluster-IP': 'None' });
  const addresses = ['1', '2', '3', '4'].map((last) => ({ ip: `10.0.0.${last}` }));
  const endpoints = { apiVersion: 'v1', kind: 'Endpoints' };
  t.match(row(endpoints, { subsets: [{ addresses, ports: [{ port: 80 }] }] }), {
    Endpoints: '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...',
  });
  t.match(row(endpoints, {}), { Endpoints: '<none>' });
  t.match(row(endpoints, { subsets: [{ notReadyAddresses: addresses, ports: [{ port: 80 }] }] }), { Endpoints: '' });
  const event = {
    reason: 'R',
    message: ' m\n',
    involvedObject: { kind: 'Pod', name: 'p' },
    source: { component: 'c', host: 'h' },
  };
  t.match(
    row({ apiVersion: 'v1', kind: 'Event' }, { ...event, firstTimestamp: ago(600), lastTimestamp: ago(5), count: 4 }),
    {
      'Last Seen': '5s',
      Object: 'pod/p',
      Message: 'm',
      Source: 'c, h',
      'First Seen': '10m',
      Count: 4,
    },
  );
  t.match(row({ apiVersion: 'v1', kind: 'Event' }, { ...event, eventTime: ago(60) }), { 'Last Seen': '60s', Count: 1 });
  const status = {
    conditions: [{ type: 'Ready', status: 'True' }],
    addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
    nodeInfo: { kubeletVersion: 'v1', kernelVersion: '6.1', architecture: 'amd64' },
  };
  const labels = { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/control-plane': '' };
  t.match(row({ apiVersion: 'v1', kind: 'Node' }, { spec: { unschedulable: true }, status }, { labels }), {
    Status: 'Ready,SchedulingDisabled',
    Roles: 'control-plane,worker',
    'Internal-IP': '192.0.2.1',
    'External-IP': '<none>',
    'Kernel-Version': '6.1 (amd64)',
    'OS-Image': '<unknown>',
  });
  const netpol = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' };
  t.match(row(netpol, { spec: { podSelector: {} } }), { 'Pod-Selector': '<none>' });
  t.match(row(netpol, { spec: { podSelector: { matchLabels: { b: '2', a: '1' } } } }), { 'Pod-Selector': 'a=1,b=2' });
  t.end();
});

t.test("Cilium's kinds, and the columns of a definition", (t) => {
  const status = {
    identity: { id: 4711 },
    state: 'ready',
    networking: { addressing: [{ ipv4: '10.0.0.5', ipv6: 'fd00::5' }] },
    policy: { ingress: { enforcing: true, state: 'enforcing' } },
  };
  t.match(row({ apiVersion: 'cilium.io/v2', kind: 'CiliumEndpoint' }, { status }), {
    'Security Identity': 4711,
    'Ingress Enforcement': 'enforcing',
    'Egress Enforcement': null,
    'Endpoint State': 'ready',
    IPv4: '10.0.0.5',
    IPv6: 'fd00::5',
  });
  const labels = { 'io.kubernetes.pod.namespace': 'shop' };
  t.match(row({ apiVersion: 'cilium.io/v2', kind: 'CiliumIdentity' }, {}, { labels }), { Namespace: 'shop' });
  const valid = {
    conditions: [
      { type: 'Other', status: 'False' },
      { type: 'Valid', status: 'True' },
    ],
  };
  t.match(row({ apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy' }, { status: valid }), {
    Age: '65s',
    Valid: 'True',
  });
  const printerColumns = [
    { name: 'Size', type: 'integer', jsonPath: '.spec.size', priority: 1 },
    { name: 'When', type: 'date', jsonPath: '.spec.when' },
    { name: 'Broken', type: 'string', jsonPath: '.spec[' },
    { name: 'Deep', type: 'string', jsonPath: '..name' },
    { name: 'Words', type: 'string', jsonPath: '.spec.words' },
  ];
  const custom = { apiVersion: 'x.io/v1', kind: 'X', printerColumns };
  t.same(headers(custom), ['Name', '(Size)', 'When', 'Words']);
  t.match(row(custom, { spec: { size: 'many', when: ago(30), words: ['a'] } }), {
    Size: null,
    When: '30s',
    Words: '["a"]',
  });
  t.end();
});

t.test('what comes with a row, and the headers of a watch', (t) => {
  const pod = object(POD, { status: { phase: 'Succeeded' } });
  const shown = (options: object) => tableOf(POD, [pod], { ...OPTIONS, ...options }) as Told;
  t.match(shown({}), { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: '7' } });
  t.same(shown({}).rows[0].object, {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: pod.metadata,
  });
  t.equal(shown({ includeObject: 'Object' }).rows[0].object, pod);
  t.equal(shown({ includeObject: 'None' }).rows[0].object, null);
  t.equal(shown({ hasHeaders: false }).columnDefinitions, null);
  t.equal(shown({ version: 'v1beta1' }).rows[0].object?.kind, 'PartialObjectMetadata');
  t.match(shown({}).rows[0].conditions, [{ type: 'Completed', status: 'True', reason: 'Succeeded' }]);
  t.match(shown({}).columnDefinitions?.[0], { name: 'Name', type: 'string', format: 'name', priority: 0 });
  t.end();
});

t.test('an object that is not of the shape of its kind spoils one cell, not the table', (t) => {
  const bad = [
    { spec: null, status: null },
    { spec: { containers: 5 }, status: { containerStatuses: 'x', conditions: {}, podIPs: 7 } },
    { spec: 'x', status: ['y'] },
    { status: { containerStatuses: [null] } },
  ];
  for (const fields of bad) {
    const { Name } = row(POD, fields);
    t.equal(Name, 'x', JSON.stringify(fields));
  }
  t.match(row(POD, { status: { containerStatuses: 'x', conditions: {} } }), { Status: '<unknown>' });
  for (const kind of ['Deployment', 'DaemonSet']) {
    t.match(row({ apiVersion: 'apps/v1', kind }, { spec: { template: { spec: { containers: {} } } } }), {
      Containers: '<unknown>',
    });
  }
  t.end();
});

t.test('age() has two figures at most, of units that fit', (t) => {
  const [minute, hour, day] = [60, 3600, 86400].map((seconds) => seconds * 1000);
  const cases: [number, string][] = [
    [-5000, '<invalid>'],
    [-1000, '0s'],
    [119_000, '119s'],
    [2 * minute, '2m'],
    [3 * minute + 10_000, '3m10s'],
    [100 * minute, '100m'],
    [5 * hour + 12 * minute, '5h12m'],
    [47 * hour, '47h'],
    [3 * day + 4 * hour, '3d4h'],
    [12 * day, '12d'],
    [800 * day, '2y70d'],
    [3650 * day, '10y'],
  ];
  for (const [ms, wanted] of cases) t.equal(age(ms), wanted);
  t.end();
});
