import t from 'tap';
import { readDocuments } from '../document/document.ts';
import { serviceFromDocument } from '../document/service.ts';

interface Case {
  readonly name: string;
  /** Of a Service's spec, in one line; ports are `[{port: 80}]` unless it says. */
  readonly spec: string;
  /** `code path`, as the problems have them. */
  readonly errors?: readonly string[];
  readonly warnings?: readonly string[];
  readonly head?: string;
}

const read = (text: string, severity: 'error' | 'warning'): string[] =>
  readDocuments(text, 'f.yaml')
    .problems.filter((problem) => problem.severity === severity)
    .map(({ code, path }) => `${code} ${path}`);

const CASES: readonly Case[] = [
  { name: 'the least there is', spec: '' },
  {
    name: 'everything at once',
    spec: 'type: LoadBalancer, selector: {app: web}, clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, "fd00:10:96::9"], ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack, externalIPs: [192.0.2.1], loadBalancerIP: 192.0.2.2, loadBalancerSourceRanges: [10.0.0.0/8, "fd00::/8"], allocateLoadBalancerNodePorts: true, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}, externalTrafficPolicy: Local, internalTrafficPolicy: Cluster, publishNotReadyAddresses: true, ports: [{name: a, port: 80, targetPort: http, nodePort: 30080, protocol: TCP, appProtocol: http}, {name: b, port: 80, protocol: UDP, targetPort: 8080}, {name: c, port: 9, protocol: SCTP}]',
  },
  { name: 'a name', spec: 'type: ExternalName, externalName: db.example.', head: 'ports' },
  { name: 'headless without ports', spec: 'clusterIP: None, ports: []' },
  { name: 'no ports', spec: 'ports: []', errors: ['missing-field spec.ports'] },
  {
    name: 'ports outside the range',
    spec: 'type: NodePort, ports: [{name: a, port: 0}, {name: b, port: 65536}, {name: c, port: 1, targetPort: 65536}, {name: d, port: 2, nodePort: 29999}, {name: e, port: 3, nodePort: 32768}]',
    errors: [
      'out-of-range spec.ports[0].port',
      'out-of-range spec.ports[1].port',
      'out-of-range spec.ports[2].targetPort',
      'out-of-range spec.ports[3].nodePort',
      'out-of-range spec.ports[4].nodePort',
    ],
  },
  {
    name: 'target ports that are neither number nor name',
    spec: 'ports: [{name: a, port: 1, targetPort: "8080"}, {name: b, port: 2, targetPort: a-name-that-is-too-long}, {name: c, port: 3, targetPort: -x}]',
    errors: ['port spec.ports[0].targetPort', 'port spec.ports[1].targetPort', 'port spec.ports[2].targetPort'],
  },
  {
    name: 'several ports without names, and names twice',
    spec: 'ports: [{port: 1}, {name: a, port: 2}, {name: a, port: 3}, {name: B_, port: 4}]',
    errors: ['port-name spec.ports[0].name', 'twice spec.ports[2].name', 'port-name spec.ports[3].name'],
  },
  {
    name: 'one port twice',
    spec: 'type: NodePort, ports: [{name: a, port: 1, nodePort: 30001}, {name: b, port: 1}, {name: c, port: 2, nodePort: 30001}, {name: d, port: 2, nodePort: 30001, protocol: UDP}]',
    errors: ['twice spec.ports[1].port', 'twice spec.ports[2].nodePort'],
  },
  {
    name: 'a node port of a ClusterIP',
    spec: 'ports: [{port: 1, nodePort: 30001}]',
    errors: ['node-port spec.ports[0].nodePort'],
  },
  { name: 'a port without a number', spec: 'ports: [{name: a}]', errors: ['missing-field spec.ports[0].port'] },
  { name: 'an unknown type', spec: 'type: clusterip', errors: ['unknown-value spec.type'] },
  {
    name: 'an unknown protocol',
    spec: 'ports: [{port: 1, protocol: ICMP}]',
    errors: ['unknown-value spec.ports[0].protocol'],
  },
  { name: 'a field that is misspelt', spec: 'sesionAffinity: ClientIP', errors: ['unknown-field spec.sesionAffinity'] },
  {
    name: 'an unknown family',
    spec: 'ipFamilies: [IPv5]',
    errors: ['unknown-value spec.ipFamilies[0]'],
  },
  {
    name: 'families twice, and more than the policy has',
    spec: 'ipFamilies: [IPv4, IPv4], ipFamilyPolicy: SingleStack',
    errors: ['families spec.ipFamilies', 'families spec.ipFamilyPolicy'],
  },
  {
    name: 'an address of another family than it says',
    spec: 'clusterIP: 10.96.0.9, ipFamilies: [IPv6]',
    errors: ['families spec.clusterIP'],
  },
  { name: 'an address that is none', spec: 'clusterIP: 10.96.0.300', errors: ['address spec.clusterIP'] },
  {
    name: 'an IPv4 address in IPv6 clothes',
    spec: 'clusterIP: "::ffff:10.96.0.3"',
    errors: ['address spec.clusterIP'],
  },
  {
    name: 'cluster addresses that do not fit',
    spec: 'clusterIP: 10.96.0.1, clusterIPs: [10.96.0.2, 10.96.0.3]',
    errors: ['cluster-ip spec.clusterIPs[0]', 'cluster-ip spec.clusterIPs'],
  },
  { name: 'None beside an address', spec: 'clusterIPs: [None, 10.96.0.3]', errors: ['cluster-ip spec.clusterIPs'] },
  { name: 'a headless node port', spec: 'type: NodePort, clusterIP: None', errors: ['cluster-ip spec.clusterIP'] },
  {
    name: 'a name with an address, families and none',
    spec: 'type: ExternalName, externalName: DB_, clusterIP: 10.96.0.1, ipFamilies: [IPv4]',
    errors: ['cluster-ip spec.clusterIP', 'families spec.ipFamilies', 'external-name spec.externalName'],
  },
  { name: 'no name', spec: 'type: ExternalName', errors: ['external-name spec.externalName'] },
  {
    name: 'externalIPs that no machine has',
    spec: 'externalIPs: [127.0.0.1, 169.254.1.1, 224.0.0.1, 0.0.0.0, "::1", "fe80::1", x]',
    errors: [0, 1, 2, 3, 4, 5, 6].map((i) => `address spec.externalIPs[${i}]`),
  },
  {
    name: 'what only load balancers have',
    spec: 'loadBalancerSourceRanges: [10.0.0.0/8], loadBalancerClass: a/b, allocateLoadBalancerNodePorts: false, externalTrafficPolicy: Local, healthCheckNodePort: 31000',
    errors: [
      'only-with spec.externalTrafficPolicy',
      'only-with spec.loadBalancerSourceRanges',
      'only-with spec.loadBalancerClass',
      'only-with spec.allocateLoadBalancerNodePorts',
      'only-with spec.healthCheckNodePort',
    ],
    warnings: ['undone spec.loadBalancerClass'],
  },
  {
    name: 'an empty list of source ranges is none, of any type',
    spec: 'loadBalancerSourceRanges: [], ports: [{port: 80}]',
  },
  {
    name: 'source ranges that are none',
    spec: 'type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.1, 10.0.0.0/33]',
    errors: ['cidr spec.loadBalancerSourceRanges[0]', 'cidr spec.loadBalancerSourceRanges[1]'],
  },
  {
    name: 'an affinity that is none',
    spec: 'sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}',
    errors: ['out-of-range spec.sessionAffinityConfig.clientIP.timeoutSeconds'],
  },
  {
    name: 'a timeout without affinity',
    spec: 'sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}',
    errors: ['only-with spec.sessionAffinityConfig'],
  },
  {
    name: 'what is read and has no effect',
    spec: 'type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 31000, trafficDistribution: PreferClose, loadBalancerClass: cloud.example/lb',
    warnings: ['undone spec.healthCheckNodePort', 'undone spec.loadBalancerClass', 'undone spec.trafficDistribution'],
  },
  {
    name: 'annotations of Cilium',
    spec: '',
    head: ', annotations: {service.cilium.io/lb-algorithm: least-conn, service.cilium.io/src-ranges-policy: maybe, lbipam.cilium.io/ips: "192.0.2.1, x"}',
    errors: [
      'unknown-value metadata.annotations["service.cilium.io/lb-algorithm"]',
      'unknown-value metadata.annotations["service.cilium.io/src-ranges-policy"]',
      'address metadata.annotations["lbipam.cilium.io/ips"]',
    ],
  },
];

for (const { name, spec, errors = [], warnings = [], head = '' } of CASES) {
  t.test(`a Service: ${name}`, (t) => {
    const ports = spec.includes('ports:') || head === 'ports' ? '' : 'ports: [{port: 80}], ';
    const text = `apiVersion: v1\nkind: Service\nmetadata: {name: web${head === 'ports' ? '' : head}}\nspec: {${ports}${spec}}\n`;
    t.same(read(text, 'error').sort(), [...errors].sort());
    t.same(read(text, 'warning').sort(), [...warnings].sort());
    t.end();
  });
}

t.test('a Service has a name that fits into DNS, and a spec', (t) => {
  t.same(read('apiVersion: v1\nkind: Service\nmetadata: {name: 1.a}\nspec: {ports: [{port: 1}]}', 'error'), [
    'name metadata.name',
  ]);
  t.same(read('apiVersion: v1\nkind: Service\nmetadata: {name: a}', 'error'), ['missing-field spec']);
  t.end();
});

t.test('a problem of a Service has file, line and column', (t) => {
  const { problems } = readDocuments(
    'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n  - port: 80\n    nodePort: 80\n  type: NodePort\n',
    'dir/web.yaml',
  );
  t.match(problems, [
    { file: 'dir/web.yaml', line: 7, column: 15, message: 'read service: found 80, wanted 30000 to 32767' },
  ]);
  t.end();
});

const slice = (rest: string, labels = '{kubernetes.io/service-name: web}', annotations = '{}'): string =>
  `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a, labels: ${labels}, annotations: ${annotations}}\n${rest}\n`;

t.test('an EndpointSlice: addresses of its type that a machine can have, ports once', (t) => {
  t.same(
    read(
      slice(
        'addressType: IPv4\nendpoints: [{addresses: [10.1.0.1], conditions: {ready: true}, hints: {forZones: []}}]\nports: [{port: 1}]',
      ),
      'error',
    ),
    [],
  );
  t.same(read(slice('endpoints: []'), 'error'), ['missing-field addressType']);
  t.same(
    read(slice('addressType: IPv4\nendpoints: [{}, {addresses: ["fd00::1"]}, {addresses: [127.0.0.1]}]'), 'error'),
    ['missing-field endpoints[0].addresses', 'address endpoints[1].addresses[0]', 'address endpoints[2].addresses[0]'],
  );
  t.same(
    read(slice('addressType: IPv4\nports: [{name: a, port: 1}, {name: a, port: 2}, {name: A, port: 70000}]'), 'error'),
    ['twice ports[1].name', 'port-name ports[2].name', 'out-of-range ports[2].port'],
  );
  const many = Array.from({ length: 1001 }, () => '{addresses: [10.1.0.1]}').join();
  t.same(read(slice(`addressType: IPv4\nendpoints: [${many}]`), 'error'), ['too-many endpoints']);
  t.same(read(slice('addressType: FQDN\nendpoints: [{addresses: [a.example]}]'), 'error'), []);
  const named = 'endpoints: [{addresses: [10.1.0.1], hostname: a}, {addresses: [10.1.0.2], hostname: a.b}]';
  t.same(read(slice(`addressType: IPv4\n${named}`), 'error'), ['name endpoints[1].hostname']);
  t.same(read(slice('addressType: IPv4', '{}'), 'warning'), ['no-service metadata.labels']);
  t.same(
    read(slice('addressType: IPv4', '{kubernetes.io/service-name: a}', '{service.cilium.io/weight: "70000"}'), 'error'),
    ['out-of-range metadata.annotations["service.cilium.io/weight"]'],
  );
  t.end();
});

t.test('no Service takes what a machine says to itself', (t) => {
  const text = (head: string, spec: string, status = '') =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: a${head}}\nspec: {type: LoadBalancer, ports: [{port: 80}]${spec}}\n${status}`;
  for (const ip of ['127.0.0.1', '0.0.0.0', '169.254.169.254', '224.0.0.1', '::1', 'fe80::1', 'ff02::1']) {
    t.same(read(text('', `, loadBalancerIP: "${ip}"`), 'error'), ['address spec.loadBalancerIP'], ip);
    t.same(read(text('', `, externalIPs: ["${ip}"]`), 'error'), ['address spec.externalIPs[0]'], ip);
    const annotation = read(text(`, annotations: {lbipam.cilium.io/ips: "192.0.2.1,${ip}"}`, ''), 'error');
    t.same(annotation, ['address metadata.annotations["lbipam.cilium.io/ips"]'], ip);
    const told = text('', '', `status: {loadBalancer: {ingress: [{ip: "${ip}"}, {ip: 192.0.2.1}]}}\n`);
    t.same(read(told, 'error'), [], 'what another cluster has said is ignored');
    t.same(read(told, 'warning'), ['address status.loadBalancer.ingress[0].ip']);
    const [document] = readDocuments(told, 'f.yaml').documents;
    t.same(serviceFromDocument(document).loadBalancer.addresses, ['192.0.2.1']);
  }
  t.end();
});

t.test('Endpoints: addresses that a machine can have', (t) => {
  const text = (subsets: string) => `apiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\nsubsets: ${subsets}\n`;
  t.same(read(text('[{addresses: [{ip: 10.1.0.1}], notReadyAddresses: [{ip: ""}], ports: [{port: 1}]}]'), 'error'), []);
  t.same(read(text('[{addresses: [{ip: 10.1.0.1, hostname: a}], notReadyAddresses: [{hostname: A}]}]'), 'error'), [
    'name subsets[0].notReadyAddresses[0].hostname',
  ]);
  t.same(read(text('[{addresses: [{ip: 127.0.0.1}], notReadyAddresses: [{ip: x}], ports: [{port: 0}]}]'), 'error'), [
    'address subsets[0].addresses[0].ip',
    'address subsets[0].notReadyAddresses[0].ip',
    'out-of-range subsets[0].ports[0].port',
  ]);
  t.end();
});
