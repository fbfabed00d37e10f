import t from 'tap';
import { readDocuments } from '../policy/document/document.ts';
import { podFromDocument } from '../policy/document/pod.ts';
import { completeOptions } from '../policy/rule/options.ts';
import { serviceKey, type ServiceSpec } from '../policy/rule/service-spec.ts';
import { endpointSliceFromDocument, serviceFromDocument } from '../policy/document/service.ts';
import { ServiceTable } from '../policy/service-table.ts';
import { familiesOf } from './families.ts';
import type { Assignment } from './frontends.ts';
import { ServiceBook, type ServiceChange } from './service-book.ts';

/** Documents in, changes out; addresses are those that the documents give, or 10.96.0.x by the order of the services. */
class World {
  readonly table = new ServiceTable(completeOptions({}));
  readonly book = new ServiceBook(this.table, 'here');
  readonly #given = new Map<string, number>();
  #pods = new Map<string, readonly string[]>();

  apply(text: string, pod: { isReady?: boolean; isTerminating?: boolean; isLocal?: boolean } = {}): ServiceChange[] {
    const { documents, problems } = readDocuments(text, 'f.yaml');
    if (problems.some(({ severity }) => severity === 'error')) throw new Error(JSON.stringify(problems));
    for (const document of documents) {
      if (document.kind === 'Service') this.table.set(serviceFromDocument(document));
      else if (document.kind === 'Pod') {
        const {
          namespace,
          name,
          labels,
          ips,
          namedPorts = [],
          hostname = '',
          subdomain = '',
        } = podFromDocument(document, 1);
        const { isReady = true, isTerminating = false, isLocal = true } = pod;
        const state = { isReady, isTerminating, isLocal, nodeName: isLocal ? 'here' : 'there' };
        this.book.setPod({ namespace, name, labels, ips, ports: namedPorts, hostname, subdomain, ...state });
        this.#pods.set(`${namespace}/${name}`, ips);
      } else this.table.setSlice(endpointSliceFromDocument(document));
    }
    return this.flush();
  }

  flush(): ServiceChange[] {
    return this.book.flush((spec) => this.#assign(spec));
  }

  #assign(spec: ServiceSpec): Assignment {
    const { families } = familiesOf(spec, [4, 6]);
    const number = this.#given.get(serviceKey(spec)) ?? this.#given.size + 1;
    this.#given.set(serviceKey(spec), number);
    const drawn = families.map((family) =>
      family === 4 ? `10.96.${number >> 8}.${number & 255}` : `fd00:10:96::${number.toString(16)}`,
    );
    const hasNodePort = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
    return {
      families,
      clusterIPs: spec.isHeadless ? [] : spec.clusterIPs.length > 0 ? spec.clusterIPs : drawn,
      loadBalancerIPs: spec.loadBalancer.addresses,
      nodePorts: spec.ports.map(({ nodePort }, i) => (hasNodePort ? nodePort || 30_000 + i : 0)),
    };
  }

  /** `KIND address:port/protocol scope -> backend backend!`; `!` = terminating, `*weight` when it is not 100. */
  frontends(key: string): string[] {
    return (this.book.get(key)?.frontends ?? []).map((one) => {
      const scope = one.hasTwoScopes ? ` ${one.scope}` : '';
      const behind = one.backends.map(
        ({ address, port, isTerminating, weight }) =>
          `${address}:${port}${isTerminating ? '!' : ''}${weight === 100 ? '' : `*${weight}`}`,
      );
      return `${one.kind} ${one.address}:${one.port}/${one.protocol}${scope} -> ${behind.join(' ')}`.trim();
    });
  }
}

const service = (spec: string, name = 'web', more = ''): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}${more}}\nspec: {${spec}}\n---\n`;

const pod = (name: string, ip: string, ports = '', labels = 'app: web'): string => `apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {${labels}}}
spec: {containers: [{name: c, ports: [${ports}]}]}
status: {podIPs: [${ip
  .split(' ')
  .map((one) => `{ip: "${one}"}`)
  .join(', ')}]}
---
`;

const slice = (endpoints: string, { name = 'web-1', ports = '{port: 8080}', type = 'IPv4', more = '' } = {}): string =>
  `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, labels: {kubernetes.io/service-name: web}${more}}
addressType: ${type}
endpoints: [${endpoints}]
ports: [${ports}]
---
`;

const TWO_PODS = pod('a', '10.0.0.1 fd00::1') + pod('b', '10.0.0.2');

interface Case {
  readonly name: string;
  readonly text: string;
  readonly nodes?: readonly string[];
  readonly want: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: 'a service leads to the pods that it selects in its namespace',
    text: `${service('selector: {app: web}, ports: [{port: 80, targetPort: 8080}]')}${TWO_PODS}${pod('c', '10.0.0.3', '', 'app: other')}${pod('d', '10.0.0.4').replace('{name: d,', '{name: d, namespace: elsewhere,')}`,
    want: ['ClusterIP 10.96.0.1:80/6 -> 10.0.0.1:8080 10.0.0.2:8080'],
  },
  {
    name: 'a target port is the port itself unless it says otherwise',
    text: service('selector: {app: web}, ports: [{port: 80}]') + TWO_PODS,
    want: ['ClusterIP 10.96.0.1:80/6 -> 10.0.0.1:80 10.0.0.2:80'],
  },
  {
    name: 'a named target port is looked up in each pod, and a pod without one is no backend',
    text:
      service('selector: {app: web}, ports: [{port: 80, targetPort: http}]') +
      pod('a', '10.0.0.1', '{name: http, containerPort: 8080}') +
      pod('b', '10.0.0.2', '{name: http, containerPort: 9090}') +
      pod('c', '10.0.0.3', '{name: http, containerPort: 9090, protocol: UDP}'),
    want: ['ClusterIP 10.96.0.1:80/6 -> 10.0.0.1:8080 10.0.0.2:9090'],
  },
  {
    name: 'several ports of all protocols',
    text: `${service('selector: {app: web}, ports: [{name: a, port: 53, protocol: UDP}, {name: b, port: 53}, {name: c, port: 9, protocol: SCTP}]')}${pod('a', '10.0.0.1')}`,
    want: [
      'ClusterIP 10.96.0.1:53/17 -> 10.0.0.1:53',
      'ClusterIP 10.96.0.1:53/6 -> 10.0.0.1:53',
      'ClusterIP 10.96.0.1:9/132 -> 10.0.0.1:9',
    ],
  },
  {
    name: 'dual stack has a frontend for each family',
    text: service('selector: {app: web}, ports: [{port: 80}], ipFamilyPolicy: PreferDualStack') + TWO_PODS,
    want: ['ClusterIP 10.96.0.1:80/6 -> 10.0.0.1:80 10.0.0.2:80', 'ClusterIP fd00:10:96::1:80/6 -> fd00::1:80'],
  },
  {
    name: 'the families of a service are those that it names, in that order',
    text:
      service('selector: {app: web}, ports: [{port: 80}], ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6]') +
      TWO_PODS,
    want: ['ClusterIP fd00:10:96::1:80/6 -> fd00::1:80', 'ClusterIP 10.96.0.1:80/6 -> 10.0.0.1:80 10.0.0.2:80'],
  },
  {
    name: 'a headless service has no frontend',
    text: service('selector: {app: web}, clusterIP: None, ports: [{port: 80}]') + TWO_PODS,
    want: [],
  },
  {
    name: 'an ExternalName has no frontend, whatever it selects',
    text: service('type: ExternalName, externalName: db.example., selector: {app: web}') + TWO_PODS,
    want: [],
  },
  {
    name: 'a service without selector leads to what slices list, ports by name',
    text:
      service('ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]') +
      slice('{addresses: [10.1.0.1]}, {addresses: [10.1.0.2], conditions: {ready: false}}', {
        ports: '{name: http, port: 8080}, {name: dns, port: 5353, protocol: UDP}, {name: other, port: 1}',
      }),
    want: ['ClusterIP 10.96.0.1:80/6 -> 10.1.0.1:8080', 'ClusterIP 10.96.0.1:53/17 -> 10.1.0.1:5353'],
  },
  {
    name: 'an endpoint without a port has every port',
    text:
      service('ports: [{port: 80, targetPort: 8080}]') + slice('{addresses: [10.1.0.1]}', { ports: '{protocol: TCP}' }),
    want: ['ClusterIP 10.96.0.1:80/6 -> 10.1.0.1:8080'],
  },
  {
    name: 'an endpoint that is about to go and still answers is there for those who have it',
    text:
      service('ports: [{port: 80}]') +
      slice(
        '{addresses: [10.1.0.1]}, {addresses: [10.1.0.2], conditions: {ready: false, serving: true, terminating: true}}, {addresses: [10.1.0.3], conditions: {ready: false, serving: false, terminating: true}}',
      ),
    want: ['ClusterIP 10.96.0.1:80/6 -> 10.1.0.1:8080 10.1.0.2:8080!'],
  },
  {
    name: 'slices of both families, a weight, hints that nobody follows',
    text:
      service('ports: [{port: 80}], ipFamilyPolicy: PreferDualStack') +
      slice('{addresses: [10.1.0.1], hints: {forZones: [{name: z}]}}', {
        more: ', annotations: {service.cilium.io/weight: "7"}',
      }) +
      slice('{addresses: ["fd01::1"]}', { name: 'web-2', type: 'IPv6' }),
    want: ['ClusterIP 10.96.0.1:80/6 -> 10.1.0.1:8080*7', 'ClusterIP fd00:10:96::1:80/6 -> fd01::1:8080'],
  },
  {
    name: 'the older Endpoints, a set of ports for each subset',
    text: `${service('ports: [{name: a, port: 80}, {name: b, port: 81}]')}apiVersion: v1
kind: Endpoints
metadata: {name: web}
subsets:
- {addresses: [{ip: 10.1.0.1}], notReadyAddresses: [{ip: 10.1.0.9}], ports: [{name: a, port: 1000}]}
- {addresses: [{ip: 10.1.0.2}], ports: [{name: a, port: 2000}, {name: b, port: 2001}]}
`,
    want: ['ClusterIP 10.96.0.1:80/6 -> 10.1.0.1:1000 10.1.0.2:2000', 'ClusterIP 10.96.0.1:81/6 -> 10.1.0.2:2001'],
  },
  {
    name: 'publishNotReadyAddresses: those that are not ready are backends too',
    text:
      service('ports: [{port: 80}], publishNotReadyAddresses: true') +
      slice('{addresses: [10.1.0.2], conditions: {ready: false}}'),
    want: ['ClusterIP 10.96.0.1:80/6 -> 10.1.0.2:8080'],
  },
  {
    name: 'a pod that is known here counts as it is, and is listed once',
    text:
      service('selector: {app: web}, ports: [{port: 80, targetPort: 8080}]') +
      pod('a', '10.0.0.1') +
      slice('{addresses: [10.0.0.1]}, {addresses: [10.1.0.2]}'),
    want: ['ClusterIP 10.96.0.1:80/6 -> 10.0.0.1:8080 10.1.0.2:8080'],
  },
  {
    name: 'every way in: cluster, external and load balancer addresses, node ports',
    text: `${service('type: LoadBalancer, selector: {app: web}, ports: [{port: 80, nodePort: 31000}], externalIPs: [192.0.2.1, "2001:db8::1"]').replace('\n---', '\nstatus: {loadBalancer: {ingress: [{ip: 192.0.2.9}]}}\n---')}${pod('a', '10.0.0.1')}`,
    nodes: ['198.51.100.1', '2001:db8::9'],
    want: [
      'ClusterIP 10.96.0.1:80/6 -> 10.0.0.1:80',
      'ExternalIPs 192.0.2.1:80/6 -> 10.0.0.1:80',
      'LoadBalancer 192.0.2.9:80/6 -> 10.0.0.1:80',
      'NodePort 198.51.100.1:31000/6 -> 10.0.0.1:80',
    ],
  },
];

for (const { name, text, nodes = [], want } of CASES) {
  t.test(`flush() ${name}`, (t) => {
    const world = new World();
    world.book.setNodeAddresses(nodes);
    world.apply(text);
    t.same(world.frontends('default/web'), want);
    t.end();
  });
}

t.test('flush() tells clients outside from those inside where one traffic policy is Local', (t) => {
  const world = new World();
  world.book.setNodeAddresses(['198.51.100.1']);
  world.apply(pod('far', '10.0.0.2'), { isLocal: false });
  world.apply(
    service('type: NodePort, selector: {app: web}, ports: [{port: 80}], externalTrafficPolicy: Local') +
      pod('a', '10.0.0.1'),
  );
  t.same(world.frontends('default/web'), [
    'ClusterIP 10.96.0.1:80/6 -> 10.0.0.1:80 10.0.0.2:80',
    'NodePort 198.51.100.1:30000/6 external -> 10.0.0.1:80',
    'NodePort 198.51.100.1:30000/6 internal -> 10.0.0.1:80 10.0.0.2:80',
  ]);
  world.apply(service('type: NodePort, selector: {app: web}, ports: [{port: 80}], internalTrafficPolicy: Local'));
  t.same(world.frontends('default/web'), [
    'ClusterIP 10.96.0.1:80/6 -> 10.0.0.1:80',
    'NodePort 198.51.100.1:30000/6 external -> 10.0.0.1:80 10.0.0.2:80',
    'NodePort 198.51.100.1:30000/6 internal -> 10.0.0.1:80',
  ]);
  world.apply(
    service(
      'type: NodePort, selector: {app: web}, ports: [{port: 80}], internalTrafficPolicy: Local, externalTrafficPolicy: Local',
    ),
  );
  t.equal(world.frontends('default/web').length, 2, 'both alike are one');
  t.end();
});

t.test('flush() follows pods: ready, not ready, about to go, relabelled, gone', (t) => {
  const world = new World();
  const backends = (): string => world.frontends('default/web')[0].replace(/.*-> ?/, '');
  world.apply(service('selector: {app: web, tier: front}, ports: [{port: 80}]'));
  t.equal(backends(), '');
  const labels = 'app: web, tier: front';
  t.equal(world.apply(pod('a', '10.0.0.1', '', labels), { isReady: false }).length, 1);
  t.equal(backends(), '', 'not ready');
  world.apply(pod('a', '10.0.0.1', '', labels));
  t.equal(backends(), '10.0.0.1:80');
  world.apply(pod('a', '10.0.0.1', '', labels), { isTerminating: true });
  t.equal(backends(), '10.0.0.1:80!', 'drains');
  world.apply(pod('a', '10.0.0.1', '', 'app: web'));
  t.equal(backends(), '', 'no longer selected');
  world.apply(pod('a', '10.0.0.7', '', labels));
  t.equal(backends(), '10.0.0.7:80');
  world.book.removePod({ namespace: 'default', name: 'a' });
  t.match(world.flush(), [
    { key: 'default/web', before: { endpoints: [{ address: '10.0.0.7' }] }, after: { endpoints: [] } },
  ]);
  t.same(world.flush(), []);
  world.table.remove('default', 'web');
  t.match(world.flush(), [{ before: {}, after: undefined }]);
  t.equal(world.book.size, 0);
  t.end();
});

t.test('flush() gives an address and port to one service, and to the next when that gives it up', (t) => {
  const world = new World();
  const external = (name: string, ip: string) => service(`ports: [{port: 80}], externalIPs: [${ip}]`, name);
  world.apply(external('web', '192.0.2.1') + external('late', '192.0.2.1') + external('later', '192.0.2.1'));
  t.equal(world.frontends('default/web').length, 2);
  t.equal(world.frontends('default/late').length, 1, 'only its own address');
  t.same(world.book.get('default/late')?.problems, ['found 192.0.2.1 port 80 (protocol 6), which default/web has']);
  const changes = world.apply(external('web', '192.0.2.2'));
  t.same(changes.map(({ key }) => key).sort(), ['default/late', 'default/later', 'default/web']);
  t.same(world.frontends('default/late')[1], 'ExternalIPs 192.0.2.1:80/6 ->');
  world.table.remove('default', 'late');
  world.flush();
  t.same(world.book.get('default/later')?.problems, []);
  t.same(world.frontends('default/later')[1], 'ExternalIPs 192.0.2.1:80/6 ->');
  t.end();
});

t.test('no service takes the calls of another by naming its address, whoever was first', (t) => {
  const taker = service('externalIPs: [10.96.0.7], ports: [{port: 80}]', 'taker');
  const status = 'status: {loadBalancer: {ingress: [{ip: 10.96.0.7}]}}\n---';
  const balanced = service('type: LoadBalancer, ports: [{port: 80}]', 'balanced').replace('---', status);
  const owner = service('clusterIP: 10.96.0.7, ports: [{port: 80}]', 'owner');
  const names = ['taker', 'balanced', 'owner'];
  const texts = [taker, balanced, owner];
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
    [2, 0, 1],
    [0, 2, 1],
    [1, 0, 2],
  ]) {
    const world = new World();
    const owned = () =>
      names.filter((name) => world.frontends(`default/${name}`).some((text) => text.includes('10.96.0.7:80/')));
    for (const i of order) world.apply(texts[i]);
    t.same(owned(), ['owner'], order.join());
    t.same(world.book.get('default/taker')?.problems, [
      'found 10.96.0.7 port 80 (protocol 6), which default/owner has',
    ]);
    world.table.remove('default', 'owner');
    world.flush();
    t.same(owned(), ['balanced'], 'then the load balancer');
    world.apply(owner);
    t.same(owned(), ['owner']);
    world.table.remove('default', 'owner');
    world.table.remove('default', 'balanced');
    world.flush();
    t.same(owned(), ['taker']);
  }
  t.end();
});

t.test('an endpoint has a host name where its pod is beneath the service, or its slice says one', (t) => {
  const world = new World();
  const named = (name: string, ip: string, names: string) => pod(name, ip).replace('spec: {', `spec: {${names}, `);
  world.apply(service('clusterIP: None, ports: [{port: 80}]', 'db') + service('ports: [{port: 80}]', 'other'));
  for (const name of ['db', 'other']) {
    world.table.set({ ...(world.table.get(`default/${name}`) as ServiceSpec), selector: { app: 'web' } });
  }
  world.apply(named('a', '10.0.0.1', 'hostname: one, subdomain: db'));
  world.apply(named('b', '10.0.0.2', 'subdomain: db'));
  world.apply(named('c', '10.0.0.3', 'hostname: three'));
  world.apply(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1], hostname: lie}, {addresses: [10.1.0.1], hostname: four}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: db}
subsets: [{addresses: [{ip: 10.1.0.2, hostname: five}]}]
`);
  const names = (key: string) =>
    world.book.get(key)?.endpoints.map(({ hostname, address }) => `${address} ${hostname}`);
  const listed = ['10.1.0.1 four', '10.1.0.2 five'];
  t.same(names('default/db'), ['10.0.0.1 one', '10.0.0.2 ', '10.0.0.3 ', ...listed]);
  t.same(names('default/other'), ['10.0.0.1 ', '10.0.0.2 ', '10.0.0.3 '], 'another service than subdomain says');
  t.end();
});

t.test('setNodeAddresses() touches services with node ports alone', (t) => {
  const world = new World();
  world.apply(service('ports: [{port: 80}]', 'plain') + service('type: NodePort, ports: [{port: 80}]'));
  world.book.setNodeAddresses(['198.51.100.1']);
  t.same(
    world.flush().map(({ key }) => key),
    ['default/web'],
  );
  world.book.setNodeAddresses(['198.51.100.1']);
  t.same(world.flush(), []);
  t.end();
});

t.test('of 10,000 services of 10 backends a changed slice or pod costs its services alone', (t) => {
  const world = new World();
  const { table, book } = world;
  const spec = (n: number): ServiceSpec => {
    const [document] = readDocuments(
      service(`selector: {part-of: shop, app: a${n}}, ports: [{port: 80}]`, `s${n}`),
      'f',
    ).documents;
    return serviceFromDocument(document);
  };
  const template = spec(0);
  const podOf = (n: number, i: number, isReady: boolean) => ({
    namespace: 'default',
    name: `p${n}-${i}`,
    labels: { 'part-of': 'shop', app: `a${n}` },
    ips: [`10.${n >> 8}.${n & 255}.${i}`],
    ports: [],
    hostname: '',
    subdomain: '',
    nodeName: 'here',
    isLocal: true,
    isReady,
    isTerminating: false,
  });
  for (let n = 0; n < 10_000; n++) {
    table.set({ ...template, name: `s${n}`, selector: { 'part-of': 'shop', app: `a${n}` } });
    for (let i = 0; i < 10; i++) book.setPod(podOf(n, i, true));
  }
  t.equal(world.flush().length, 10_000);
  const stepsOf = (change: () => void): number => {
    const before = book.steps;
    change();
    t.equal(world.flush().length, 1);
    return book.steps - before;
  };
  const aPod = stepsOf(() => book.setPod(podOf(4711, 3, false)));
  const aSlice = stepsOf(() => {
    const [document] = readDocuments(slice('{addresses: [10.99.0.1]}', { name: 's9' }), 'f').documents;
    table.setSlice({ ...endpointSliceFromDocument(document), service: 's9' });
  });
  const aService = stepsOf(() => table.set({ ...template, name: 's77', selector: { app: 'a77' } }));
  t.ok(Math.max(aPod, aSlice, aService) < 60, `${aPod}, ${aSlice} and ${aService} steps`);
  t.equal(book.get('default/s4711')?.frontends[0].backends.length, 9);
  t.end();
});
