/** Documents away from their text: their rules keep the places that they were written in. */
import t from 'tap';
import { hasErrors } from '../rule/problems.ts';
import type { Document } from './document.ts';
import { readDocuments } from './document.ts';
import { type PlacedObject, placedObject, readPlaced } from './placed.ts';

const TEXT = `# two policies, the second not at the top
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: db }
spec:
  podSelector: {}
  ingress:
    - from: [{ podSelector: {} }]

    - ports: [{ port: 80 }]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: web, namespace: shop }
specs:
  - endpointSelector: {}
    egressDeny:
      - toEntities: [world]
  - endpointSelector: {}
    ingress: [{ fromEntities: [host] }]
`;
const { documents } = readDocuments(TEXT, 'p.yaml');

function places({ policy, line, file }: Document): string[] {
  const rules = policy?.rules ?? [];
  const origins = rules.flatMap((rule) => [
    rule.origin,
    ...[...rule.ingress, ...rule.egress].map(({ origin }) => origin),
  ]);
  return [`${file}:${line}`, ...origins.map((origin) => `${origin.path} ${origin.file}:${origin.line}`)];
}

t.test('readPlaced() gives the document that placedObject() took, rules and places', async (t) => {
  for (const document of documents) {
    const sent = JSON.parse(JSON.stringify(placedObject(document))) as PlacedObject;
    const { documents: read, problems } = readPlaced(sent, {});
    t.notOk(hasErrors(problems));
    t.same(places(read[0]), places(document));
    t.same(JSON.stringify(read[0]), JSON.stringify(document));
  }
  t.match(places(documents[0]), ['p.yaml:2', 'spec p.yaml:6', 'spec.ingress[0] p.yaml:8', 'spec.ingress[1] p.yaml:10']);
});

t.test('readPlaced() puts what was added since where it stands', async (t) => {
  const placed = placedObject(documents[0]);
  const object = structuredClone(placed.object);
  (object as { spec: { ingress: unknown[] } }).spec.ingress.push({});
  t.same(places(readPlaced({ ...placed, object }, {}).documents[0]).slice(1), [
    'spec p.yaml:6',
    'spec.ingress[0] p.yaml:8',
    'spec.ingress[1] p.yaml:10',
    'spec.ingress[2] p.yaml:6',
  ]);
});
