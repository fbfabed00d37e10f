/** What is drawn of policies, and what edits make of them. */
import t from 'tap';
import { parse } from 'yaml';
import { drawingOf, type Drawing } from './drawing.ts';
import { type Edit, edited } from './edits.ts';
import { History } from './history.ts';
import { openText } from './policy-text.ts';
import { TEMPLATES } from './templates.ts';
import { readDocuments } from '../../../policy/document/document.ts';

const cilium = (spec: string, kind = 'CiliumNetworkPolicy', namespace = ', namespace: shop'): unknown =>
  parse(
    `{apiVersion: cilium.io/v2, kind: ${kind}, metadata: {name: a${namespace}}, spec: {endpointSelector: {}, ${spec}}}`,
  );
const kubernetes = (spec: string): unknown =>
  parse(
    `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: shop}, spec: {${spec}}}`,
  );

function drawn(value: unknown): Drawing {
  const drawing = drawingOf(value);
  if (drawing === undefined) throw new Error('nothing is drawn');
  return drawing;
}

/** `group kind` of each peer of a direction. */
function groups(value: unknown, direction: 'ingress' | 'egress'): string[] {
  return drawn(value).rules[0][direction].entries.flatMap(({ peers }) =>
    peers.map(({ group, peer }) => `${group} ${peer.kind}`),
  );
}

t.test('each peer is drawn in the group that it is of', (t) => {
  const pods = `ingress: [{fromEndpoints: [
    {}, {matchLabels: {app: x}}, {matchLabels: {k8s:io.kubernetes.pod.namespace: shop}},
    {matchLabels: {io.kubernetes.pod.namespace: other}}, {matchLabels: {k8s:io.cilium.k8s.namespace.labels.team: red}},
    {matchExpressions: [{key: k8s:io.kubernetes.pod.namespace, operator: Exists}]}]}]`;
  const [own, cluster] = ['namespace pods', 'cluster pods'];
  t.same(groups(cilium(pods), 'ingress'), [own, own, own, cluster, cluster, cluster]);
  const wide = cilium('ingress: [{fromEndpoints: [{}]}]', 'CiliumClusterwideNetworkPolicy', '');
  t.same(groups(wide, 'ingress'), [cluster], 'a clusterwide policy has no namespace of its own');
  const others = `egress: [{toEntities: [all, world, host, cluster, kube-apiserver]}, {toCIDR: [10.0.0.0/8]},
    {toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}, {cidrGroupRef: g}, {cidrGroupSelector: {}}]},
    {toFQDNs: [{matchName: a}, {matchPattern: "*"}]}, {toNodes: [{}]}, {toGroups: [{aws: {region: x}}]},
    {toServices: [{k8sService: {serviceName: s, namespace: shop}}, {k8sService: {serviceName: s}}, {k8sServiceSelector: {selector: {}}}]},
    {toPorts: [{ports: [{port: "80"}]}]}, {}]`;
  t.same(groups(cilium(others), 'egress'), [
    'anyone entity', 'outside entity', 'cluster entity', 'cluster entity', 'cluster entity',
    'outside cidr', 'outside cidr', 'outside cidr-group', 'outside other', 'outside name', 'outside pattern',
    'cluster nodes', 'outside other', 'namespace service', 'cluster service', 'cluster other', 'anyone anyone',
  ]); // biome-ignore format: as the policy has them
  const peers = `ingress: [{from: [{podSelector: {}}, {namespaceSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8}},
    {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}, {}]`;
  t.same(groups(kubernetes(peers), 'ingress'), [own, cluster, 'outside cidr', own, 'anyone anyone']);
  t.end();
});

t.test('a direction is drawn closed when the compiler would close it', (t) => {
  const closed = (value: unknown): string => {
    const [{ ingress, egress }] = drawn(value).rules;
    return `${ingress.isClosed ? 'in' : ''} ${egress.isClosed ? 'out' : ''}`.trim();
  };
  t.equal(closed(kubernetes('')), 'in');
  t.equal(closed(kubernetes('policyTypes: [Egress]')), 'out');
  t.equal(closed(kubernetes('policyTypes: [Egress], ingress: [{}]')), 'in out');
  t.equal(closed(kubernetes('egress: [{}]')), 'in out');
  t.equal(closed(cilium('ingress: [{}]')), 'in');
  t.equal(closed(cilium('egressDeny: [{toEntities: [world]}]')), 'out');
  t.equal(closed(cilium('egress: [{}], enableDefaultDeny: {egress: false}')), '');
  t.equal(closed(cilium('enableDefaultDeny: {ingress: true}')), '', 'a rule that says nothing closes nothing');
  t.end();
});

t.test('what is not drawn is named', (t) => {
  const value = cilium(`labels: [], log: {value: x}, ingress: [{fromRequires: [], authentication: {mode: required},
    toPorts: [{ports: [{port: "80", name: x}], terminatingTLS: {}, listener: {}, rules: {l7proto: x}}]}], surprise: 1`);
  t.same([...drawn(value).kept].sort(), [
    'spec.ingress[0].authentication',
    'spec.ingress[0].fromRequires',
    'spec.ingress[0].toPorts[0].listener',
    'spec.ingress[0].toPorts[0].ports[0].name',
    'spec.ingress[0].toPorts[0].rules.l7proto',
    'spec.ingress[0].toPorts[0].terminatingTLS',
    'spec.labels',
    'spec.log',
    'spec.surprise',
  ]);
  t.equal(
    drawingOf(parse('{apiVersion: crd.projectcalico.org/v1, kind: NetworkPolicy}')),
    undefined,
    'of another group',
  );
  t.end();
});

interface Case {
  readonly name: string;
  readonly edit: Edit;
  readonly before: string;
  /** Another spec, or why not. */
  readonly after: string | RegExp;
}

const ENTRY = ['spec', 'ingress', 0];
const inPods = 'ingress: [{fromEndpoints: [{matchLabels: {app: x}}]}]';
const web = 'toPorts: [{ports: [{port: "80", protocol: TCP}]}]';

const CASES: readonly Case[] = [
  {
    name: 'the last peer takes its entry along, and the direction stays closed',
    edit: { do: 'remove-peer', entry: ENTRY, path: [...ENTRY, 'fromEndpoints', 0] },
    before: inPods,
    after: 'ingress: [{}]',
  },
  {
    name: 'the last denial leaves the direction closed',
    edit: { do: 'remove-entry', entry: ['spec', 'ingressDeny', 0] },
    before: 'ingressDeny: [{fromEntities: [world]}]',
    after: 'ingress: [{}]',
  },
  {
    name: 'the last denial beside allows is gone without a trace',
    edit: { do: 'remove-entry', entry: ['spec', 'ingressDeny', 0] },
    before: `${inPods}, ingressDeny: [{fromEntities: [world]}]`,
    after: inPods,
  },
  {
    name: 'an entry takes the place of what only closed',
    edit: {
      do: 'add-entry',
      rule: ['spec'],
      direction: 'ingress',
      isDeny: false,
      peer: { kind: 'entity', entity: 'host' },
      ports: [],
    },
    before: 'ingress: [{}]',
    after: 'ingress: [{fromEntities: [host]}]',
  },
  {
    name: 'a peer of another kind gets an entry of its own, with the same ports',
    edit: { do: 'add-peer', entry: ENTRY, peer: { kind: 'cidr', cidr: '10.0.0.0/8', except: [] } },
    before: `ingress: [{fromEndpoints: [{}], ${web}}]`,
    after: `ingress: [{fromEndpoints: [{}], ${web}}, {fromCIDR: [10.0.0.0/8], ${web}}]`,
  },
  {
    name: 'the last port stays',
    edit: { do: 'remove-port', path: [...ENTRY, 'toPorts', 0, 'ports', 0] },
    before: `ingress: [{fromEndpoints: [{}], ${web}}]`,
    after: /last port/,
  },
  {
    name: 'the last port of one of several rules takes it along',
    edit: { do: 'remove-port', path: [...ENTRY, 'toPorts', 0, 'ports', 0] },
    before: 'ingress: [{toPorts: [{ports: [{port: "1"}]}, {ports: [{port: "2"}]}]}]',
    after: 'ingress: [{toPorts: [{ports: [{port: "2"}]}]}]',
  },
  {
    name: 'the last request stays',
    edit: { do: 'remove-request', path: [...ENTRY, 'toPorts', 0, 'rules', 'http', 0] },
    before: 'ingress: [{toPorts: [{ports: [{port: "1", protocol: TCP}], rules: {http: [{method: GET}]}}]}]',
    after: /every request would pass/,
  },
  {
    name: 'a denial takes the ports along',
    edit: { do: 'turn-entry', entry: ENTRY },
    before: `ingress: [{fromEndpoints: [{}], ${web}}]`,
    after: `ingressDeny: [{fromEndpoints: [{}], ${web}}]`,
  },
  {
    name: 'requests cannot be denied',
    edit: { do: 'turn-entry', entry: ENTRY },
    before: 'ingress: [{toPorts: [{ports: [{port: "1", protocol: TCP}], rules: {http: [{method: GET}]}}]}]',
    after: /denial is of ports/,
  },
  {
    name: 'DNS names are no sources',
    edit: {
      do: 'add-entry',
      rule: ['spec'],
      direction: 'ingress',
      isDeny: false,
      peer: { kind: 'name', name: 'a.b' },
      ports: [],
    },
    before: 'ingress: [{}]',
    after: /destinations only/,
  },
  {
    name: 'DNS names are not denied',
    edit: {
      do: 'add-entry',
      rule: ['spec'],
      direction: 'egress',
      isDeny: true,
      peer: { kind: 'name', name: 'a.b' },
      ports: [],
    },
    before: 'ingress: [{}]',
    after: /cannot be denied/,
  },
  {
    name: 'a direction is opened by a flag where it has entries',
    edit: { do: 'default-deny', rule: ['spec'], direction: 'ingress', isOn: false },
    before: inPods,
    after: `${inPods}, enableDefaultDeny: {ingress: false}`,
  },
  {
    name: 'a direction that is only closed is left out when it is opened',
    edit: { do: 'default-deny', rule: ['spec'], direction: 'ingress', isOn: false },
    before: 'ingress: [{}], egress: [{toEntities: [world]}]',
    after: 'egress: [{toEntities: [world]}]',
  },
  {
    name: 'a direction is closed by an entry that allows nobody',
    edit: { do: 'default-deny', rule: ['spec'], direction: 'egress', isOn: true },
    before: inPods,
    after: `${inPods}, egress: [{}]`,
  },
  {
    name: 'a flag goes when it says what is so without it',
    edit: { do: 'default-deny', rule: ['spec'], direction: 'ingress', isOn: true },
    before: `${inPods}, enableDefaultDeny: {ingress: false}`,
    after: inPods,
  },
];

t.test('edited(): nothing becomes wider by taking something away', (t) => {
  for (const { name, edit, before, after } of CASES) {
    if (typeof after === 'string') t.same(edited(cilium(before), edit), cilium(after), name);
    else t.throws(() => edited(cilium(before), edit), { message: after }, name);
  }
  t.end();
});

t.test('edited() of a NetworkPolicy says the types that were to be inferred', (t) => {
  const add = (direction: 'ingress' | 'egress'): Edit => ({
    do: 'add-entry',
    rule: ['spec'],
    direction,
    isDeny: false,
    peer: { kind: 'pods', scope: { of: 'named', name: 'b' }, selector: {} },
    ports: [{ port: '80', endPort: undefined, protocol: 'TCP' }],
  });
  const entry = (member: string): string =>
    `[{${member}: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: b}}}], ports: [{protocol: TCP, port: 80}]}]`;
  t.same(
    edited(kubernetes('policyTypes: [Egress]'), add('ingress')),
    kubernetes(`policyTypes: [Egress, Ingress], ingress: ${entry('from')}`),
  );
  t.same(
    edited(kubernetes('podSelector: {}, ingress: [{}]'), { do: 'remove-entry', entry: ENTRY }),
    kubernetes('podSelector: {}'),
    'ingress stays closed',
  );
  t.same(
    edited(kubernetes('egress: [{}]'), { do: 'remove-entry', entry: ['spec', 'egress', 0] }),
    kubernetes('policyTypes: [Ingress, Egress]'),
    'both stay closed',
  );
  const open = { do: 'default-deny', rule: ['spec'], direction: 'ingress', isOn: false } as const;
  t.throws(() => edited(kubernetes(''), open), { message: /closes no direction closes ingress/ });
  t.throws(() => edited(kubernetes('ingress: [{}]'), open), { message: /take them away/ });
  t.same(edited(kubernetes('policyTypes: [Ingress, Egress]'), open), kubernetes('policyTypes: [Egress]'));
  t.end();
});

t.test('templates are policies that are valid, and drawn whole', (t) => {
  for (const { name, text } of TEMPLATES) {
    const { problems } = readDocuments(text, 'a.yaml', {});
    t.same(problems, [], name);
    const [{ value }] = openText(text).documents;
    t.same(drawn(value).kept, [], name);
  }
  t.end();
});

t.test('History: typing that goes on is one step, an edit is one of its own', (t) => {
  const history = new History('a');
  history.type('ab', 0);
  history.type('abc', 500);
  history.type('abcd', 1400);
  history.put('x');
  history.type('xy', 1500);
  const back = (): string => {
    history.undo();
    return history.text;
  };
  t.same([back(), back(), back(), history.canUndo], ['x', 'abcd', 'a', false]);
  history.redo();
  t.same([history.text, history.canRedo], ['abcd', true]);
  history.put('z');
  t.equal(history.canRedo, false, 'what was undone is gone when another way is taken');
  for (let i = 0; i < 500; i++) history.put(String(i));
  let steps = 0;
  while (history.canUndo) {
    history.undo();
    steps++;
  }
  t.equal(steps, 200);
  t.end();
});
