/** The name server's own Service and pod: what they are, and that they step aside. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readDocuments } from '../../policy/document/document.ts';
import { serviceFromDocument } from '../../policy/document/service.ts';
import { parseConfig } from '../config/config.ts';
import { ServiceNumbering } from '../services/service-numbering.ts';
import { manifestReader } from '../source/reader.ts';
import { ObjectStore } from '../source/store.ts';
import { ownDocuments } from './own-documents.ts';

const own = (text = '') => {
  const { documents, problems } = readDocuments(ownDocuments(parseConfig(text, 'f')), 'sluiced');
  t.same(problems, []);
  return documents;
};
const folder = (t: { teardown: (end: () => void) => void }) => {
  const path = mkdtempSync(join(tmpdir(), 'own-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

t.test('the Service has the tenth address of each range, where there is such', async (t) => {
  const cases: readonly (readonly [config: string, wanted: string[]])[] = [
    ['', ['10.96.0.10', 'fd00:10:96::a']],
    ['serviceCIDRs: {ipv6: ""}', ['10.96.0.10']],
    ['serviceCIDRs: {ipv4: "", ipv6: "fd00:5::/64"}', ['fd00:5::a']],
    ['serviceCIDRs: {ipv4: 10.9.0.0/29, ipv6: ""}', []],
    ['serviceCIDRs: {ipv4: "", ipv6: ""}', []],
  ];
  for (const [text, wanted] of cases) {
    const service = serviceFromDocument(own(text)[0]);
    t.same(service.clusterIPs, wanted, text);
    const numbering = new ServiceNumbering(folder(t), parseConfig(text, 'f'));
    if (!text.includes('ipv4: "", ipv6: ""')) t.same(numbering.faultsOf(service), [], text);
  }
});

t.test('the agent has its own objects while nobody brings one of the same name', async (t) => {
  const store = new ObjectStore(folder(t), manifestReader({}, parseConfig('', 'f')));
  store.setOwn(own());
  const names = (list: readonly { kind: string }[]) => list.map(({ kind }) => kind).sort();
  t.same(names(store.takeChanges().put), ['Pod', 'Service']);
  t.match(store.delete([{ kind: 'Service', namespace: 'kube-system', name: 'kube-dns' }], 'f').problems, [
    { code: 'own', hint: /dns\.enabled: false/ },
  ]);
  const theirs =
    'apiVersion: v1\nkind: Service\nmetadata: {name: kube-dns, namespace: kube-system}\nspec: {ports: [{port: 53}]}\n';
  t.match(store.apply(theirs, 'f', { isCreate: true }), { applied: [{ action: 'created' }], problems: [] });
  const changes = store.takeChanges();
  t.same([names(changes.put), names(changes.removed)], [['Service'], ['Pod']], 'theirs, and none of ours');
  t.equal(store.hasOwn, false);
  t.match(store.deleteText(theirs, 'f').problems, []);
  t.same(names(store.takeChanges().put), ['Pod', 'Service'], 'ours again');
  t.ok(store.createdMs({ kind: 'Pod', namespace: 'kube-system', name: 'kube-dns' }));
  t.equal(store.hasApplied, false);
});
