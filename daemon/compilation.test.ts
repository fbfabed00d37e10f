/** What the compiler's results leave on disk, and what becomes of them when they cannot. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { completeOptions } from '../policy/rule/options.ts';
import { readDocuments } from '../policy/document/document.ts';
import { Compilation } from './compilation.ts';

const policy = (cidr: string) =>
  `{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p, namespace: d}, spec: {endpointSelector: {}, egress: [{toCIDR: ["${cidr}"]}]}}`;

t.test('identities that cannot be kept are not handed out, nor is anything lost with them', (t) => {
  const directory = mkdtempSync('/tmp/slcmp-');
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const stateDir = join(directory, 'state');
  const compilation = new Compilation(stateDir, completeOptions({}));
  const { cluster } = compilation;
  const apply = (text: string) => {
    for (const document of readDocuments(text, 'p.yaml').documents) cluster.apply(document);
  };
  const kept = () => readFileSync(join(stateDir, 'identities.json'), 'utf8');
  cluster.setPod({ namespace: 'd', name: 'web', labels: {}, endpointId: 7, ips: ['10.244.0.7'] });
  compilation.flush();
  const before = kept();
  rmSync(stateDir, { recursive: true });
  writeFileSync(stateDir, 'no directory');
  apply(policy('192.0.2.0/24'));
  t.throws(() => compilation.flush(), /identities\.json/);
  t.throws(() => compilation.flush(), /identities\.json/, 'tried again each time');
  t.notOk(compilation.prefixes.has('192.0.2.0/24'));
  rmSync(stateDir);
  const { endpoints, ipcache, identities, ruleSets } = compilation.flush();
  t.same([...endpoints.keys()], [7], 'the policy that came meanwhile is in force');
  t.ok(endpoints.get(7)?.egress.defaultDenyCookie);
  t.same(
    ipcache.upsert.map(({ prefix }) => prefix),
    ['192.0.2.0/24'],
  );
  t.ok(identities.added.length > 0);
  t.equal(ruleSets.remove.length, 0);
  t.not(kept(), before);
  t.end();
});
