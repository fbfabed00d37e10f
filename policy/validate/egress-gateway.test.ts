/** CiliumEgressGatewayPolicy: what is refused, what is warned about, and what a good one means. */
import t from 'tap';
import { readDocuments } from '../document/document.ts';
import { egressPolicyFromDocument } from '../document/egress-gateway.ts';

const GATEWAY = 'egressGateway: {nodeSelector: {}}';
const LEAST = `selectors: [{podSelector: {}}], destinationCIDRs: [0.0.0.0/0]`;

const read = (spec: string) =>
  readDocuments(`apiVersion: cilium.io/v2\nkind: CiliumEgressGatewayPolicy\nmetadata: {name: out}\n${spec}`, 'f.yaml');

const CASES: readonly { name: string; spec: string; problems: readonly string[] }[] = [
  { name: 'the least there is', spec: `spec: {${LEAST}, ${GATEWAY}}`, problems: [] },
  { name: 'no spec', spec: '', problems: ['error missing-field spec'] },
  {
    name: 'nothing in it',
    spec: 'spec: {}',
    problems: ['error missing-field spec.selectors', 'error missing-field spec.destinationCIDRs'],
  },
  { name: 'no gateway', spec: `spec: {${LEAST}}`, problems: ['error missing-field spec.egressGateway'] },
  {
    name: 'a selector of nobody',
    spec: `spec: {selectors: [{}, {nodeSelector: {}}], destinationCIDRs: [0.0.0.0/0], ${GATEWAY}}`,
    problems: ['error missing-field spec.selectors[0]', 'error missing-field spec.selectors[1]'],
  },
  {
    name: 'labels that are none',
    spec: `spec: {selectors: [{podSelector: {matchLabels: {a b: c}}}, {namespaceSelector: {matchExpressions: [{key: a, operator: In}]}}], destinationCIDRs: [0.0.0.0/0], egressGateway: {nodeSelector: {matchLabels: {a: "b c"}}}}`,
    problems: [
      'error label-key spec.selectors[0].podSelector.matchLabels["a b"]',
      'error selector-values spec.selectors[1].namespaceSelector.matchExpressions[0]',
      'error label-value spec.egressGateway.nodeSelector.matchLabels.a',
    ],
  },
  {
    name: 'prefixes that are none, or written oddly',
    spec: `spec: {selectors: [{podSelector: {}}], destinationCIDRs: [10.0.0.0, 10.0.0.1/8], excludedCIDRs: [10.0.0.0/33], ${GATEWAY}}`,
    problems: [
      'error cidr spec.destinationCIDRs[0]',
      'warning host-bits spec.destinationCIDRs[1]',
      'error cidr spec.excludedCIDRs[0]',
    ],
  },
  {
    name: 'an exception of nothing',
    spec: `spec: {selectors: [{podSelector: {}}], destinationCIDRs: [10.0.0.0/8], excludedCIDRs: [10.1.0.0/16, 11.0.0.0/8, "fd00::/8"], ${GATEWAY}}`,
    problems: ['warning ignored spec.excludedCIDRs[1]', 'warning ignored spec.excludedCIDRs[2]'],
  },
  {
    name: 'gateways that cannot be',
    spec: `spec: {${LEAST}, egressGateways: [{nodeSelector: {}, interface: eth0, egressIP: 192.0.2.1}, {nodeSelector: {}, egressIP: 192.0.2.256}, {nodeSelector: {}, interface: a-name-that-is-too-long}, {nodeSelector: {}, interface: a/b}, {egressIP: "2001:db8::1"}]}`,
    problems: [
      'error gateway spec.egressGateways[0]',
      'error address spec.egressGateways[1].egressIP',
      'error gateway spec.egressGateways[2].interface',
      'error gateway spec.egressGateways[3].interface',
      'error missing-field spec.egressGateways[4].nodeSelector',
    ],
  },
  {
    name: 'one beside several',
    spec: `spec: {${LEAST}, ${GATEWAY}, egressGateways: [{nodeSelector: {}, interface: eth0}]}`,
    problems: ['warning ignored spec.egressGateway'],
  },
  {
    name: 'fields that there are not',
    spec: `spec: {${LEAST}, egressGateway: {nodeSelector: {}, egressIp: 192.0.2.1}}`,
    problems: ['error unknown-field spec.egressGateway.egressIp'],
  },
];

t.test('problems are told with their places', (t) => {
  for (const { name, spec, problems } of CASES) {
    const found = read(spec).problems.map(({ severity, code, path }) => `${severity} ${code} ${path}`);
    t.same([...found].sort(), [...problems].sort(), name);
  }
  t.end();
});

t.test('a namespace is not part of its name', (t) => {
  const { documents } = readDocuments(
    `apiVersion: cilium.io/v2\nkind: CiliumEgressGatewayPolicy\nmetadata: {name: out}\nspec: {${LEAST}, ${GATEWAY}}`,
    'f.yaml',
    {},
    'shop',
  );
  t.match(documents, [{ kind: 'CiliumEgressGatewayPolicy', namespace: '', name: 'out' }]);
  t.end();
});

t.test('selectors are about labels of identities, gateways about labels of nodes', (t) => {
  const { documents } = read(
    'spec: {selectors: [{podSelector: {matchLabels: {app: web, io.kubernetes.pod.namespace: shop}}}, {namespaceSelector: {matchLabels: {team: a}}, nodeSelector: {matchLabels: {zone: b}}}], destinationCIDRs: [10.0.0.0/8, "::/0"], excludedCIDRs: [10.1.0.0/16], egressGateway: {nodeSelector: {matchLabels: {out: "yes"}}, egressIP: 192.0.2.9}}',
  );
  const spec = egressPolicyFromDocument(documents[0]);
  const requirement = (key: string, value: string) => ({ source: 'k8s', key, operator: 'In', values: [value] });
  t.match(spec, {
    name: 'out',
    selectors: [
      { pods: [requirement('app', 'web'), requirement('io.kubernetes.pod.namespace', 'shop')], nodes: [] },
      {
        pods: [requirement('io.cilium.k8s.namespace.labels.team', 'a')],
        nodes: [requirement('zone', 'b')],
      },
    ],
    destinations: [{ text: '10.0.0.0/8' }, { text: '::/0' }],
    excluded: [{ text: '10.1.0.0/16' }],
    gateways: [{ nodes: [requirement('out', 'yes')], interface: '', egressIP: '192.0.2.9' }],
  });
  const listed = read(
    `spec: {${LEAST}, ${GATEWAY}, egressGateways: [{nodeSelector: {}, interface: a0}, {nodeSelector: {}, interface: b0}]}`,
  );
  const { gateways } = egressPolicyFromDocument(listed.documents[0]);
  t.same(
    gateways.map((gateway) => gateway.interface),
    ['a0', 'b0'],
  );
  t.end();
});
