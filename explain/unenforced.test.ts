/** What is judged offline and not enforced live is told where it is read and where it is explained. */
import t from 'tap';
import { readDocuments } from '../policy/document/document.ts';
import { UNENFORCED, unenforcedUses } from '../policy/validate/unenforced.ts';
import { PROTOCOLS } from '../l7proxy/protocols.ts';
import { UNREAD } from '../l7proxy/protocol.ts';
import { readQuery } from './query.ts';
import { unenforcedIn } from './unenforced.ts';
import { FlowJudge } from './verdict.ts';
import { PolicyWorld } from './world.ts';
import { EGRESS } from '../wire/direction.ts';

const POD = `
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
`;
const policy = (egress: string) => `${POD}apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: p, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: web}}
  egress: [${egress}]
`;
const CASES = [
  {
    name: 'Kafka rules',
    egress: 'toPorts: [{ports: [{port: "9092", protocol: TCP}], rules: {kafka: [{topic: t}]}}]',
    flow: { port: 9092, kafka: { topic: 't' } },
    feature: 'kafka',
    path: 'toPorts[0].rules.kafka',
  },
] as const;

t.test(
  'what is not enforced yet is warned about where it is written, and found behind the flows that it allows',
  (t) => {
    for (const { name, egress, flow, feature, path } of CASES) {
      const { documents, problems } = readDocuments(policy(`{${egress}}`), 'f.yaml');
      const [warning, ...others] = problems.map(({ code, path, line }) => `${code} ${path} ${line}`);
      t.equal(warning, `unenforced spec.egress[0].${path} 11`, `${name}: warned about`);
      t.strictSame(others, [], `${name}: and nothing else`);
      const judge = new FlowJudge(new PolicyWorld(documents, {}));
      const query = readQuery({ from: { pod: 'shop/web' }, to: { ip: '192.0.2.1' }, ...flow });
      t.equal(judge.answer(query).verdict, 'allowed', `${name}: allowed by the rules`);
      const [subject, remote] = judge.ends(query);
      const outcome = judge.decide(subject, remote, { query, port: flow.port, direction: EGRESS });
      t.strictSame(unenforcedIn(judge.world, [{ outcome }]), [feature], `${name}: found behind the flow`);
    }
    t.end();
  },
);

t.test('HTTP rules, server names, denials of them, and rules that are wrong by themselves are no such thing', (t) => {
  const http = 'toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{path: /a}]}}]';
  const wrong = 'toPorts: [{ports: [{port: "53", protocol: UDP}], rules: {dns: [{matchName: "a b"}]}}]';
  const empty = 'toPorts: [{ports: [{port: "53", protocol: UDP}], rules: {dns: []}}], toFQDNs: []';
  const byName = 'toFQDNs: [{matchName: a.example}]';
  const names = 'toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [a.example]}]';
  for (const egress of [http, wrong, empty, names, byName]) {
    const { problems } = readDocuments(policy(`{${egress}}`), 'f.yaml');
    t.notOk(
      problems.some(({ code }) => code === 'unenforced'),
      egress,
    );
  }
  t.strictSame(unenforcedUses({}), []);
  t.end();
});

t.test('the table has those protocols, and only those, that the dataplane has no parser for', (t) => {
  for (const [name, { stream, datagram }] of Object.entries(PROTOCOLS)) {
    t.equal(name in UNENFORCED, stream === UNREAD && datagram === UNREAD, name);
  }
  t.end();
});
