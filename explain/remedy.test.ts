import t from 'tap';
import { readDocuments } from '../policy/document/document.ts';
import { testAdvice } from '../test/policy/advice.ts';
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

testAdvice({ seed: 11, worlds: 40 });
