/** A pod by its shape is to everybody what its document is. */
import t from 'tap';
import { servicePod } from '../../services/service-pod.ts';
import type { Document } from './document.ts';
import { ObjectReader } from './object-documents.ts';
import { podFromDocument } from './pod.ts';
import { PodShape, ShapedPod, ShapeInterner, split } from './shaped-pod.ts';

const ELSEWHERE = { isLocal: false, isAttached: true, nodeName: '', nodeAddresses: [] };

interface Parts {
  readonly metadata?: object;
  readonly spec?: object;
  readonly status?: object;
}

const object = (name: string, { metadata = {}, spec = {}, status = {} }: Parts = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', ...metadata },
  spec: { nodeName: 'there', ...spec },
  status: { podIPs: [{ ip: '10.0.0.1' }], ...status },
});

const reader = new ObjectReader();

function read(pod: object): Document {
  const { document, problems } = reader.read(pod, 'kubernetes');
  if (document === undefined) throw new Error(problems.map(({ message }) => message).join());
  return document;
}

function shaped(document: Document): ShapedPod {
  const found = split(document.object);
  if (found === undefined) throw new Error(`found no shape in ${JSON.stringify(document.object)}`);
  return new ShapedPod(new PodShape(found.parts), found.fields);
}

const ports = [
  { name: 'HTTP', containerPort: 80 },
  { containerPort: 9 },
  { name: 'dns', containerPort: 53, protocol: 'UDP' },
];
const ownerReferences = [{ kind: 'ReplicaSet', name: 'web-5f', controller: true }];
const PODS: readonly (readonly [what: string, parts: Parts])[] = [
  ['bare', {}],
  ['labelled', { metadata: { labels: { app: 'web', 'pod-template-hash': '5f' }, ownerReferences } }],
  ['with ports and an account', { spec: { serviceAccountName: 'shopper', containers: [{ ports }] } }],
  ['of a headless service', { spec: { subdomain: 'db' } }],
  ['in the network of its node', { spec: { hostNetwork: true } }],
  ['not ready', { status: { conditions: [{ type: 'Ready', status: 'False' }] } }],
  ['on its way out', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }],
  ['of two families', { status: { podIPs: [{ ip: 'fd00::1' }, { ip: '10.0.0.2' }] } }],
];

t.test('a ShapedPod is to compiler, services and readers what its document is', (t) => {
  for (const [what, parts] of PODS) {
    const document = read(object('web', parts));
    const pod = shaped(document);
    const { namespace, name, kind, apiVersion, labels, annotations, file, line } = pod;
    const asDocument = { kind, apiVersion, namespace, name, labels, annotations, file, line, object: pod.object };
    t.equal(JSON.stringify(asDocument), JSON.stringify(document), `${what}: as a document`);
    const { audit, hasFinished, ...spec } = podFromDocument(document, 0);
    for (const [field, value] of Object.entries(spec))
      t.strictSame(pod[field as keyof ShapedPod], value, `${what}: ${field} to the compiler`);
    t.strictSame([pod.audit, pod.hasFinished], [audit, hasFinished]);
    for (const [field, value] of Object.entries(servicePod(document, ELSEWHERE)))
      t.strictSame(pod[field as keyof ShapedPod], value, `${what}: ${field} to services`);
    t.equal(podFromDocument(pod, 0), pod, 'nobody keeps a copy');
    t.equal(servicePod(pod, ELSEWHERE), pod);
  }
  t.end();
});

t.test('split() leaves alone what must be read, told or refused whole', (t) => {
  const cases: readonly (readonly [what: string, pod: object])[] = [
    ['no name of one', object('Web')],
    ['a name that is a path', object('../../web')],
    ['a long name', object('a'.repeat(200))],
    ['a namespace that is none', object('web', { metadata: { namespace: 'a/b' } })],
    ['a namespace that is no text', object('web', { metadata: { namespace: 7 } })],
    ['no node', object('web', { spec: { nodeName: '' } })],
    ['a host name of its own', object('web', { spec: { hostname: 'db-0' } })],
    ['annotations', object('web', { metadata: { annotations: { 'sluice.io/audit': 'true' } } })],
    ['an end', object('web', { status: { phase: 'Succeeded' } })],
    ['no address', object('web', { status: { podIPs: [] } })],
    ['addresses that are no list', object('web', { status: { podIPs: '10.0.0.1' } })],
    ['an address that is null', object('web', { status: { podIPs: [null] } })],
    ['a prefix for an address', object('web', { status: { podIPs: [{ ip: '10.0.0.0/8' }] } })],
    ['an address with a zone', object('web', { status: { podIPs: [{ ip: 'fe80::1%eth0' }] } })],
    ['IPv4 in the clothes of IPv6', object('web', { status: { podIPs: [{ ip: '::ffff:10.0.0.1' }] } })],
    ['two addresses of a family', object('web', { status: { podIPs: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }] } })],
    ['an address with more to it', object('web', { status: { podIPs: [{ ip: '10.0.0.1', x: 1 }] } })],
    ['another field', { ...object('web'), data: {} }],
    ['nothing', {}],
  ];
  for (const [what, pod] of cases) t.equal(split(pod as Record<string, unknown>), undefined, what);
  t.ok(split(object('web.a-1')), 'a pod as most are is one');
  t.end();
});

t.test('isSame() compares what was written, whoever made the shape', (t) => {
  const web = shaped(read(object('web', { metadata: { labels: { app: 'a' } } })));
  t.ok(web.isSame(shaped(read(object('web', { metadata: { labels: { app: 'a' } } })))));
  t.notOk(web.isSame(shaped(read(object('web', { metadata: { labels: { app: 'b' } } })))));
  t.notOk(web.isSame(shaped(read(object('web', { metadata: { labels: { app: 'a' } }, spec: { nodeName: 'x' } })))));
  const moved = { metadata: { labels: { app: 'a' } }, status: { podIPs: [{ ip: '10.0.0.9' }] } };
  t.notOk(web.isSame(shaped(read(object('web', moved)))));
  t.end();
});

t.test('ShapeInterner shares the shape of pods that are alike, and leaves others as they are', (t) => {
  const interner = new ShapeInterner();
  const labels = { app: 'web' };
  const [a, b, c] = ['a', 'b', 'c'].map((name) =>
    interner.document(read(object(name, { metadata: { labels: name === 'c' ? { app: 'db' } : labels } }))),
  );
  t.equal((a as ShapedPod).shape, (b as ShapedPod).shape);
  t.not((a as ShapedPod).shape, (c as ShapedPod).shape);
  const other = read({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  t.equal(interner.document(other), other);
  const ofFile = { ...read(object('web')), file: 'pods.yaml' };
  t.equal(interner.document(ofFile), ofFile, 'one of a file has a place that its shape does not know');
  t.end();
});
