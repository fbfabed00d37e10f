/** Changes to documents, and the places that rules keep through them. */
import t from 'tap';
import { readDocuments } from '../policy/document/document.ts';
import { completeOptions } from '../policy/rule/options.ts';
import { type Change, changed } from './change.ts';

const TEXT = `# a comment
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: a}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress:
    - from: [{podSelector: {matchLabels: {app: x}}}]
    - from: [{podSelector: {matchLabels: {app: y}}}]
`;

t.test(
  'a changed document keeps its file and the lines of its rules; what was added has that of what it stands in',
  async (t) => {
    const options = completeOptions({});
    const { documents } = readDocuments(TEXT, 'web.yaml', options);
    const [rule] = documents[0].policy?.rules ?? [];
    const change: Change = {
      kind: 'add',
      origin: rule.origin,
      path: 'spec.ingress',
      item: { from: [{ podSelector: { matchLabels: { app: 'z' } } }] },
    };
    const [after] = changed(documents, change, options) ?? [];
    t.equal(after.file, 'web.yaml');
    t.equal(after.line, documents[0].line);
    const [changedRule] = after.policy?.rules ?? [];
    t.same(changedRule.origin, rule.origin);
    t.same(
      changedRule.ingress.map(({ origin }) => [origin.path, origin.file, origin.line]),
      [
        ['spec.ingress[0]', 'web.yaml', 9],
        ['spec.ingress[1]', 'web.yaml', 10],
        ['spec.ingress[2]', 'web.yaml', rule.origin.line],
      ],
    );
    t.not(rule.origin.line, 1);
  },
);
