import t from 'tap';
import { type Document, readDocuments } from '../policy/document/document.ts';
import { completeOptions } from '../policy/rule/options.ts';
import { testAdvice } from '../test/policy/advice.ts';
import { changed } from './change.ts';
import { readQuery } from './query.ts';
import { remediesFor } from './remedy.ts';
import { FlowJudge } from './verdict.ts';
import { PolicyWorld } from './world.ts';

t.test('what toRequires demands is named: no rule that is added gets past it', async (t) => {
  const pod = (name: string) => `apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: a, labels: {app: ${name}}}
---
`;
  const text = `${pod('web')}${pod('db')}apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: demands}
spec:
  endpointSelector: {}
  egress: [{toRequires: [{matchLabels: {team: red}}], toEndpoints: [{matchLabels: {app: x}}]}]
`;
  const judge = new FlowJudge(new PolicyWorld(readDocuments(text, 'f.yaml').documents, {}));
  const query = readQuery({ from: { pod: 'a/web' }, to: { pod: 'a/db' }, port: 80 });
  const { changes, reason } = remediesFor(judge, query);
  t.same(changes, []);
  t.match(
    reason,
    /^take toRequires out of CiliumClusterwideNetworkPolicy\/demands spec\.egress\[0\] \(f\.yaml:14\), or give a\/db/,
  );
});

t.test('where ipBlock matches pods too, the world is opened by its entity and not by 0.0.0.0/0', async (t) => {
  const text = `apiVersion: v1
kind: Pod
metadata: {name: web, namespace: a, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: a, labels: {app: db}}
status: {podIP: 10.0.0.2}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: a}
spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}
`;
  const from = { pod: 'a/web' };
  const query = readQuery({ from, to: { entity: 'world' }, port: 443 });
  const toPod = readQuery({ from, to: { pod: 'a/db' }, port: 443 });
  for (const semantics of ['cilium', 'kubernetes'] as const) {
    const options = completeOptions({ semantics });
    const { documents } = readDocuments(text, 'f.yaml', options);
    const judge = new FlowJudge(new PolicyWorld(documents, options));
    const { changes } = remediesFor(judge, query);
    t.same(
      changes.map(({ kind }) => kind),
      [semantics === 'cilium' ? 'add' : 'create'],
      semantics,
    );
    const advised = changes.reduce<readonly Document[]>((all, one) => changed(all, one, options) ?? [], documents);
    const after = new FlowJudge(new PolicyWorld(advised, options));
    t.equal(after.answer(query).verdict, 'allowed', semantics);
    t.equal(after.answer(toPod).verdict, 'denied', `${semantics}: the pod is not opened`);
  }
});

testAdvice({ seed: 11, worlds: 40 });
