/** What Kubernetes makes of a NetworkPolicy that says too much, or nothing. */
import t from 'tap';
import { codes, cnp, knp, read, table } from '../../test/policy/documents.ts';

table('NetworkPolicy: too much, and nothing', [
  {
    name: 'three policy types; a port name in capitals',
    text: knp('podSelector: {}\npolicyTypes: [Ingress, Egress, Ingress]\ningress: [{ports: [{port: HTTP}]}]'),
    errors: ['too-many-types spec.policyTypes', 'port spec.ingress[0].ports[0].port'],
  },
  {
    name: 'no spec: closes the ingress of every pod of the namespace, as in Kubernetes',
    text: 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\n',
    warnings: ['no-spec spec'],
  },
]);

t.test('a NetworkPolicy without spec isolates its namespace', async (t) => {
  const { documents } = read(
    'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: b}\nspec:\n',
  );
  t.match(documents[0]?.policy?.rules, [{ ingress: [], egress: [], defaultDeny: { ingress: true, egress: false } }]);
  t.same(
    codes(read(cnp('').replace('spec:', 'spec: null')).problems, 'error'),
    ['no-rule'],
    'a Cilium policy without one is refused',
  );
});
