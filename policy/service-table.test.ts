import t from 'tap';
import { readDocuments } from './document/document.ts';
import { endpointSliceFromDocument, serviceFromDocument } from './document/service.ts';
import { completeOptions } from './rule/options.ts';
import { ServiceTable } from './service-table.ts';

function table(text: string): ServiceTable {
  const made = new ServiceTable(completeOptions({}));
  for (const document of readDocuments(text, 'f.yaml').documents) {
    if (document.kind === 'Service') made.set(serviceFromDocument(document));
    else made.setSlice(endpointSliceFromDocument(document));
  }
  return made;
}

const service = (name: string, spec: string) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {${spec}}\n---\n`;
const slice = (name: string, of: string, endpoints: string) =>
  `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: ${name}, labels: {kubernetes.io/service-name: ${of}}}\naddressType: IPv4\nendpoints: [${endpoints}]\n---\n`;
const PORTS = 'ports: [{port: 80}]';
const STATES =
  '{addresses: [192.0.2.1]}, {addresses: [192.0.2.2], conditions: {ready: false}}, {addresses: [192.0.2.3], conditions: {ready: false, serving: true, terminating: true}}';

t.test('peersOf() of a service without selector: what answers, and what is published although it does not', (t) => {
  const of = (spec: string) => table(service('web', spec) + slice('a', 'web', STATES));
  const peers = (spec: string) =>
    of(spec)
      .peersOf({ namespace: 'default', name: 'web' })
      .map(({ within }) => within?.text);
  t.same(peers(PORTS), ['192.0.2.1/32', '192.0.2.3/32']);
  t.same(peers(`${PORTS}, publishNotReadyAddresses: true`), ['192.0.2.1/32', '192.0.2.2/32', '192.0.2.3/32']);
  t.same(peers('type: ExternalName, externalName: db.example'), [], 'a name has no addresses');
  t.same(peers(`${PORTS}, clusterIP: None`).length, 2, 'a headless one has those that are listed');
  t.same(peers(`${PORTS}, selector: {app: web}`), [undefined], 'with a selector its pods, and no address');
  t.end();
});

t.test('concerns() tells which peers a change may be about', (t) => {
  const made = table(service('web', PORTS));
  const keys = new Set(['shop/web', 'shop/api']);
  t.ok(made.concerns({ namespace: 'shop', name: 'web' }, keys));
  t.notOk(made.concerns({ namespace: 'shop', name: 'b' }, keys));
  t.notOk(made.concerns({ namespace: 'other', name: 'web' }, keys));
  t.ok(made.concerns({ namespace: '', name: 'api' }, keys));
  t.notOk(made.concerns({ namespace: '', name: 'pi' }, keys));
  t.ok(made.concerns({ namespace: 'shop', selector: [] }, keys));
  t.notOk(made.concerns({ namespace: 'sho', selector: [] }, keys));
  t.ok(made.concerns({ namespace: '', selector: [] }, keys));
  t.end();
});

t.test('takeTouched() names both services of a slice that goes from one to the other', (t) => {
  const made = table(service('web', PORTS) + service('api', PORTS) + slice('a', 'web', '{addresses: [192.0.2.1]}'));
  made.takeTouched();
  const [document] = readDocuments(slice('a', 'api', '{addresses: [192.0.2.1]}'), 'f').documents;
  made.setSlice(endpointSliceFromDocument(document));
  t.same(made.takeTouched().sort(), ['default/api', 'default/web']);
  t.same(made.takeTouched(), []);
  t.same(made.backends({ namespace: 'default', name: 'web' }), []);
  t.equal(made.removeSlice('default', 'a'), 'api');
  t.same(made.takeTouched(), ['default/api']);
  t.end();
});
