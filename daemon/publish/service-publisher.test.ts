import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import * as row from '../../policy-maps/service/service-map.ts';
import { W_GENERATION } from '../../policy-maps/table/map-header.ts';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import { readDocuments } from '../../policy/document/document.ts';
import { endpointSliceFromDocument, serviceFromDocument } from '../../policy/document/service.ts';
import { completeOptions } from '../../policy/rule/options.ts';
import { ServiceTable } from '../../policy/service-table.ts';
import type { Family } from '../../policy/rule/service-spec.ts';
import { ServiceBook } from '../../services/service-book.ts';
import { addressWords, formatIp } from '../../wire/address.ts';
import { smallMaps } from '../../test/tables/small-maps.ts';
import { PinnedMaps } from './pinned-maps.ts';
import { ServicePublisher } from './service-publisher.ts';

type Tap = typeof t;

const OPTIONS = { algorithm: 'random', maglevTableSize: 251 } as const;
const NODE = new Set(['198.51.100.1']);

/** Documents to maps; an agent may come after this one. */
function world(t: Tap, capacities: Record<string, number> = {}) {
  const directory = mkdtempSync('/tmp/sldap-');
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const mapper = memoryMapper();
  const open = () =>
    new PinnedMaps({ directory: join(directory, 'maps'), capacities: smallMaps(capacities), isInUse: false, mapper });
  return { maps: open(), open };
}

function agent(maps: PinnedMaps) {
  const table = new ServiceTable(completeOptions({}));
  const book = new ServiceBook(table, 'here');
  book.setNodeAddresses([...NODE]);
  const publisher = new ServicePublisher(maps, OPTIONS);
  const sync = (): boolean => {
    const changes = book.flush((spec) => ({
      clusterIPs: spec.clusterIPs,
      families: [4, 6] satisfies Family[],
      loadBalancerIPs: spec.loadBalancer.addresses,
      nodePorts: spec.ports.map(({ nodePort }) => nodePort),
    }));
    return publisher.publish(changes, NODE);
  };
  return {
    publisher,
    sync,
    apply(text: string): boolean {
      const { documents, problems } = readDocuments(text, 'f.yaml');
      if (problems.some(({ severity }) => severity === 'error')) throw new Error(JSON.stringify(problems));
      for (const document of documents) {
        if (document.kind === 'Service') table.set(serviceFromDocument(document));
        else table.setSlice(endpointSliceFromDocument(document));
      }
      return sync();
    },
    remove(name: string): boolean {
      table.remove('default', name);
      return sync();
    },
  };
}

/** `address:port/protocol/scope [flags] -> backends`, in order. */
function published(maps: PinnedMaps): string[] {
  const lines = [...maps.services.entries()].map(({ address, port, protocol, scope, frontend, block, flagNames }) => {
    const members = frontend === 0 ? [] : (maps.slots.read(block, frontend)?.members ?? []);
    const behind = members.map((id) => {
      const one = maps.backends.get(id);
      return one === undefined ? '?' : `${formatIp(...one.address)}:${one.port} ${one.stateName}`;
    });
    return `${formatIp(...address)}:${port}/${protocol}/${scope} [${flagNames.join()}] -> ${behind.join(', ')}`.trim();
  });
  return lines.sort();
}

const service = (fields: string, name = 'web', ip = '10.96.0.1', annotations = ''): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, annotations: {${annotations}}}\nspec: {clusterIP: ${ip}, ports: [{port: 80${fields.includes('NodePort') || fields.includes('LoadBalancer') ? ', nodePort: 30080' : ''}}], ${fields}}\n---\n`;

const slice = (endpoints: string, name = 'web'): string =>
  `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: ${name}-1, labels: {kubernetes.io/service-name: ${name}}}\naddressType: IPv4\nports: [{port: 8080}]\nendpoints: [${endpoints}]\n---\n`;

const TERMINATING = 'conditions: {ready: false, serving: true, terminating: true}';

t.test('publish() writes frontends, backends with their states, and a wildcard for the address', (t) => {
  const { maps } = world(t as Tap);
  const { apply, remove, publisher } = agent(maps);
  t.ok(
    apply(
      service('sessionAffinity: ClientIP') + slice(`{addresses: [10.1.0.1]}, {addresses: [10.1.0.2], ${TERMINATING}}`),
    ),
  );
  t.same(published(maps), [
    '10.96.0.1:0/0/0 [] ->',
    '10.96.0.1:80/6/0 [sessionAffinity] -> 10.1.0.1:8080 active, 10.1.0.2:8080 terminating',
  ]);
  maps.services.setAddress(...addressWords('10.96.0.1'));
  t.ok(maps.services.find(80, 6, row.SCOPE_EXTERNAL));
  const id = maps.services.found.frontend;
  t.equal(publisher.ownerOf(id), 'default/web');
  t.equal(maps.services.found.affinitySec, 10_800);
  t.ok(maps.addressFilter.mayConcern(...addressWords('10.96.0.1')));
  t.ok(apply(slice('{addresses: [10.1.0.2]}')));
  t.same(published(maps)[1], '10.96.0.1:80/6/0 [sessionAffinity] -> 10.1.0.2:8080 active');
  t.notOk(apply(service('sessionAffinity: ClientIP', 'web', '10.96.0.1', 'note: other')), 'nothing that matters');
  t.ok(remove('web'));
  t.equal(publisher.ownerOf(id), undefined);
  t.same(published(maps), []);
  t.same([...maps.backends.entries()], []);
  t.notOk(maps.addressFilter.mayConcern(...addressWords('10.96.0.1')));
  t.end();
});

t.test('publish() of every way in: node ports and externalIPs have no wildcard', (t) => {
  const { maps } = world(t as Tap);
  const { apply } = agent(maps);
  const fields =
    'type: LoadBalancer, externalIPs: [192.0.2.1], loadBalancerIP: 192.0.2.9, externalTrafficPolicy: Local, loadBalancerSourceRanges: [10.0.0.0/8, "fd00::/8"]';
  apply(service(fields) + slice('{addresses: [10.1.0.1], nodeName: here}, {addresses: [10.1.0.2], nodeName: there}'));
  const [near, both] = ['10.1.0.1:8080 active', '10.1.0.1:8080 active, 10.1.0.2:8080 active'];
  t.same(published(maps), [
    '10.96.0.1:0/0/0 [] ->',
    `10.96.0.1:80/6/0 [Local] -> ${both}`,
    '192.0.2.1:80/6/0 [ExternalIPs,Local,routable,two-scopes] -> ' + near,
    '192.0.2.1:80/6/1 [ExternalIPs,Local,routable,two-scopes] -> ' + both,
    '192.0.2.9:0/0/0 [] ->',
    '192.0.2.9:80/6/0 [Local,LoadBalancer,routable,check source-range,two-scopes] -> ' + near,
    '192.0.2.9:80/6/1 [Local,LoadBalancer,routable,check source-range,two-scopes] -> ' + both,
    '198.51.100.1:30080/6/0 [NodePort,Local,routable,two-scopes] -> ' + near,
    '198.51.100.1:30080/6/1 [NodePort,Local,routable,two-scopes] -> ' + both,
  ]);
  t.same(
    [...maps.sourceRanges.entries()].map(({ address, prefixLength }) => [formatIp(...address), prefixLength]),
    [
      ['10.0.0.0', 104],
      ['10.0.0.0', 104],
    ],
    'of its family, for both scopes',
  );
  t.end();
});

t.test('publish() with source ranges of the other family alone closes the frontend', (t) => {
  const { maps } = world(t as Tap);
  agent(maps).apply(service('type: LoadBalancer, loadBalancerIP: 192.0.2.9, loadBalancerSourceRanges: ["fd00::/8"]'));
  const rows = [...maps.services.entries()].filter(({ flags }) => (flags & row.SERVICE_SOURCE_RANGE) !== 0);
  t.same(
    rows.map(({ address }) => formatIp(...address)),
    ['192.0.2.9'],
  );
  t.same([...maps.sourceRanges.entries()], []);
  t.end();
});

t.test('publish() with Maglev, by option or annotation', (t) => {
  const { maps } = world(t as Tap);
  agent(maps).apply(
    service('', 'web', '10.96.0.1', 'service.cilium.io/lb-algorithm: maglev') +
      slice('{addresses: [10.1.0.1]}, {addresses: [10.1.0.2]}'),
  );
  const entry = [...maps.services.entries()].find(({ port }) => port === 80);
  t.same(entry?.flagNames, ['maglev']);
  t.equal(maps.slots.read(entry?.block ?? 0, entry?.frontend ?? 0)?.table.length, 251);
  t.end();
});

t.test('a full table is told of, and what found no room is published as soon as there is some', (t) => {
  const { maps } = world(t as Tap, { 'bpf-lb-service-backend-map-max': 17 });
  const { apply, publisher, sync, remove } = agent(maps);
  const many = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => `{addresses: [10.1.${from}.${i + 1}]}`).join(', ');
  apply(service('') + slice(many(1, 10)) + service('', 'late', '10.96.0.2') + slice(many(2, 10), 'late'));
  t.match(publisher.problem, /lb_backends/);
  t.same(published(maps).filter((line) => line.includes(':80/')).length, 1);
  sync();
  t.match(publisher.problem, /lb_backends/, 'still');
  remove('web');
  sync();
  t.equal(publisher.problem, '');
  t.match(
    published(maps).filter((line) => line.includes(':80/')),
    [/^10\.96\.0\.2:80.*10\.1\.2\.10:8080 active/],
  );
  t.end();
});

t.test('the next agent finds its services as they are: it writes nothing, and takes out what is gone', (t) => {
  const { maps, open } = world(t as Tap);
  const text = service('') + slice('{addresses: [10.1.0.1]}, {addresses: [10.1.0.2]}');
  const first = agent(maps);
  first.apply(text + service('', 'old', '10.96.0.7'));
  const before = published(maps);
  const frontendOf = (of: PinnedMaps) => [...of.services.entries()].find(({ port }) => port === 80)?.frontend;
  const id = frontendOf(maps);
  maps.close();
  const taken = open();
  const second = agent(taken);
  t.same(published(taken), before, 'in force while the agent starts');
  const generations = () =>
    [taken.slots, taken.backends, taken.reverseNat].map(({ file }) => file.header[W_GENERATION]);
  const untouched = generations();
  second.apply(text);
  t.same(generations(), untouched);
  t.equal(frontendOf(taken), id);
  second.publisher.retire();
  t.same(
    published(taken).filter((line) => line.includes('10.96.0.7')),
    [],
  );
  t.equal(published(taken).length, 2);
  t.end();
});

t.test('a frontend that goes from one service to another is there all the time', (t) => {
  const { maps } = world(t as Tap);
  const { apply, remove } = agent(maps);
  apply(service('externalIPs: [192.0.2.1]') + slice('{addresses: [10.1.0.1]}'));
  apply(service('externalIPs: [192.0.2.1]', 'next', '10.96.0.2') + slice('{addresses: [10.1.0.2]}', 'next'));
  const line = () => published(maps).find((one) => one.startsWith('192.0.2.1:80'));
  t.match(line(), /10\.1\.0\.1:8080/);
  remove('web');
  t.match(line(), /10\.1\.0\.2:8080/);
  t.end();
});
