import t from 'tap';
import { Cluster } from './cluster.ts';
import { readTried } from './trial.ts';

t.test('a document that cannot be compiled is left out, with its place; the others are taken', async (t) => {
  const policy = (name: string): string =>
    `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: ${name}}\nspec: {podSelector: {}, ingress: [{}]}\n`;
  const { apply } = Cluster.prototype;
  t.teardown(() => Object.assign(Cluster.prototype, { apply }));
  Cluster.prototype.apply = function (document, endpoint) {
    if (document.name === 'evil') throw new RangeError('a bug');
    apply.call(this, document, endpoint);
  };
  const { documents, problems } = readTried([policy('a'), policy('evil'), policy('b')].join('---\n'), 'f.yaml');
  t.same(
    documents.map(({ name }) => name),
    ['a', 'b'],
  );
  t.match(problems, [{ code: 'internal', file: 'f.yaml', line: 6, document: 'NetworkPolicy/default/evil' }]);
});
