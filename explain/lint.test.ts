/** What is said of policies that cannot mean what they say: the place, and the reason that is the case. */
import t from 'tap';
import { readDocuments } from '../policy/document/document.ts';
import { lint } from './lint.ts';
import { PolicyWorld } from './world.ts';

const PODS = `
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db, "statefulset.kubernetes.io/pod-name": db}}
spec: {containers: [{name: c, ports: [{name: pg, containerPort: 5432}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: []}
`;

function networkPolicy(spec: string, name = 'p'): string {
  return `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${name}, namespace: shop}
spec: {${spec}}
`;
}

const DB = 'podSelector: {matchLabels: {app: db}}';
const CASES: readonly { readonly name: string; readonly policies: string; readonly want: readonly string[] }[] = [
  {
    name: 'a peer of a NetworkPolicy with a mistake in its label',
    policies: networkPolicy(`${DB}, ingress: [{from: [{podSelector: {matchLabels: {app: wbe}}}]}]`),
    want: ['selects-nothing spec.ingress[0]: nobody is meant by this rule'],
  },
  {
    name: 'a namespace that is nobody',
    policies: networkPolicy(`${DB}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: none}}}]}]`),
    want: ['selects-nothing spec.ingress[0]: nobody is meant by this rule'],
  },
  {
    name: 'a port name that the pod lacks',
    policies: networkPolicy(`${DB}, ingress: [{from: [{podSelector: {}}], ports: [{port: postgres}]}]`),
    want: ['no-effect spec.ingress[0]: shop/db has no port named postgres (it has pg)'],
  },
  {
    name: 'a port name outwards that the peer lacks',
    policies: networkPolicy(
      `${DB}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: pg}]}]`,
    ),
    want: ['no-effect spec.egress[0]: shop/web has no port named pg (it has no port names)'],
  },
  {
    name: 'a subject by a label that identities lack',
    policies: networkPolicy('podSelector: {matchLabels: {"statefulset.kubernetes.io/pod-name": db}}, ingress: [{}]'),
    want: [
      'selects-nothing spec: labels that are left out of identities select nobody: statefulset.kubernetes.io/pod-name',
    ],
  },
  {
    name: 'a peer by a label that identities lack',
    policies: networkPolicy(`${DB}, ingress: [{from: [{podSelector: {matchLabels: {pod-template-hash: x}}}]}]`),
    want: ['selects-nothing spec.ingress[0]: labels that are left out of identities select nobody: pod-template-hash'],
  },
  {
    name: 'two policies of one name',
    policies:
      networkPolicy(`${DB}, ingress: [{from: [{podSelector: {matchLabels: {app: wbe}}}]}]`) +
      networkPolicy(`${DB}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]`),
    want: ['replaced : the later replaces it'],
  },
];

t.test('lint names the reason', (t) => {
  for (const { name, policies, want } of CASES) {
    const { documents } = readDocuments(PODS + policies, 'f.yaml');
    const found = lint(new PolicyWorld(documents, {})).map(({ code, path, hint }) => `${code} ${path}: ${hint}`);
    t.equal(found.length, want.length, `${name}: ${found.join('\n')}`);
    for (const [i, text] of want.entries()) t.ok(found[i]?.startsWith(text), `${name}: ${found[i]}`);
  }
  t.end();
});

t.test('a finding about an entry has the line of the entry', (t) => {
  const text = networkPolicy(`\n  ${DB},\n  ingress: [\n    {from: [{podSelector: {matchLabels: {app: wbe}}}]}]`);
  const { documents } = readDocuments(PODS + text, 'f.yaml');
  const lines = (PODS + text).split('\n');
  const [finding] = lint(new PolicyWorld(documents, {}));
  t.match(lines[(finding?.line ?? 0) - 1], 'wbe');
  t.end();
});
