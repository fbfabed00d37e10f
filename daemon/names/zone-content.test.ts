/** What the name server is told. */
import t from 'tap';
import { read } from '../../test/policy/documents.ts';
import { parseZoneFile } from '../../nameserver/zone-file.ts';
import { serviceFromDocument } from '../../policy/document/service.ts';
import type { ServiceEndpoint } from '../../services/endpoints.ts';
import type { ServiceState } from '../../services/service-book.ts';
import { PROTO_TCP, PROTO_UDP } from '../../wire/protocols.ts';
import { ZoneContent } from './zone-content.ts';

const HEAD = { serial: 7, domain: 'cluster.local', ttlSec: 5, upstreams: 'host', ranges: ['10.96.0.0/16'] } as const;

function state(spec: string, { clusterIPs = ['10.96.0.1'], endpoints = [] as object[] } = {}): ServiceState {
  const { documents, problems } = read(`apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {${spec}}\n`);
  t.same(problems, []);
  const given = endpoints.map((one, i) => ({ address: `10.0.0.${i}`, isReady: true, hostname: '', ports: [], ...one }));
  return {
    spec: serviceFromDocument(documents[0]),
    assignment: { families: [4], clusterIPs, loadBalancerIPs: [], nodePorts: [] },
    endpoints: given as unknown as ServiceEndpoint[],
    frontends: [],
    problems: [],
  };
}

/** What a name server reads of it. */
function told(content: ZoneContent) {
  const { services, pods } = parseZoneFile(content.text(HEAD));
  return { services, pods };
}

t.test('each kind of Service is told as the name server wants it', async (t) => {
  const content = new ZoneContent();
  const ports = 'ports: [{name: http, port: 80, targetPort: 8080}, {name: dns, port: 53, protocol: UDP}]';
  content.setService('default/a', state(ports, { clusterIPs: ['10.96.0.1', 'fd00::1'] }));
  t.same(told(content).services, [
    {
      ...{ namespace: 'default', name: 'a', kind: 'ClusterIP', addresses: ['10.96.0.1', 'fd00::1'] },
      ports: [
        { name: 'http', protocol: 'TCP', port: 80 },
        { name: 'dns', protocol: 'UDP', port: 53 },
      ],
    },
  ]);
  const behind = [
    { hostname: 'one', ports: [{ name: 'sql', protocol: PROTO_TCP, port: 5432 }] },
    { isReady: false },
    {
      ports: [
        { name: '', protocol: PROTO_TCP, port: 1 },
        { name: 'any', protocol: PROTO_UDP, port: 0 },
      ],
    },
  ];
  content.setService('default/a', state('clusterIP: None, ports: [{port: 1}]', { clusterIPs: [], endpoints: behind }));
  t.same(told(content).services, [
    {
      ...{ namespace: 'default', name: 'a', kind: 'headless' },
      endpoints: [
        { address: '10.0.0.0', hostname: 'one', ports: [{ name: 'sql', protocol: 'TCP', port: 5432 }] },
        { address: '10.0.0.2', ports: [] },
      ],
    },
  ]);
  content.setService('default/a', state('type: ExternalName, externalName: www.example.'));
  t.same(told(content).services, [
    { namespace: 'default', name: 'a', kind: 'ExternalName', externalName: 'www.example' },
  ]);
  content.setService('default/a', undefined);
  t.same(told(content).services, []);
});

t.test('what the name server would refuse is left out, and told', async (t) => {
  const content = new ZoneContent();
  content.setService('default/a', state(`type: ExternalName, externalName: ${'a'.repeat(64)}.example`));
  t.same(told(content).services, []);
  t.match(content.problems, [/^names of service default\/a: found external name "a+\.example", wanted labels/]);
  const many = Array.from({ length: 10_001 }, () => ({ address: '10.0.0.1' }));
  content.setService('default/a', state('clusterIP: None, ports: [{port: 1}]', { endpoints: many }));
  t.same(content.problems, []);
  t.match(told(content).services, [{ endpoints: { length: 10_000 } }]);
});

t.test('takeChange() tells whether the file is to be written', async (t) => {
  const content = new ZoneContent();
  t.equal(content.takeChange(), true, 'a first one');
  const pod = { namespace: 'shop', name: 'web', ips: ['10.0.0.7', 'fd00::7'] };
  const same = (step: () => void) => (step(), content.takeChange());
  t.equal(
    same(() => content.setPod(pod)),
    true,
  );
  t.equal(
    same(() => content.setPod({ ...pod, ips: [...pod.ips] })),
    false,
  );
  t.same(told(content).pods, [
    { namespace: 'shop', address: '10.0.0.7' },
    { namespace: 'shop', address: 'fd00::7' },
  ]);
  t.equal(
    same(() => content.setService('default/a', state('ports: [{port: 80}]'))),
    true,
  );
  t.equal(
    same(() => content.setService('default/a', state('ports: [{port: 81}]'))),
    false,
    'a port without a name',
  );
  t.equal(
    same(() => content.removePod(pod)),
    true,
  );
  t.equal(
    same(() => content.removePod(pod)),
    false,
  );
  t.same(told(content).pods, []);
});

t.test('a change among 10,000 services of 10 endpoints costs the agent no more than the text', async (t) => {
  const content = new ZoneContent();
  const endpoints = Array.from({ length: 10 }, (_, i) => ({ address: `10.0.0.${i}`, hostname: `h${i}` }));
  const one = state('clusterIP: None, ports: [{port: 1}]', { endpoints });
  for (let n = 0; n < 10_000; n++)
    content.setService(`default/s${n}`, { ...one, spec: { ...one.spec, name: `s${n}` } });
  content.text(HEAD);
  const took: number[] = [];
  for (let n = 0; n < 5; n++) {
    const began = performance.now();
    content.setService('default/s7', { ...one, spec: { ...one.spec, name: 's7', labels: {} } });
    t.ok(content.text(HEAD).length > 4_000_000);
    took.push(performance.now() - began);
  }
  const least = Math.min(...took);
  t.comment(`${least.toFixed(1)} ms of ${took.map((ms) => ms.toFixed(1)).join(', ')}`);
  t.ok(least < 50, `${least} ms`);
});

t.test('who has most endpoints and ports takes no names from others', async (t) => {
  const content = new ZoneContent();
  const headless = 'clusterIP: None, ports: [{port: 1}]';
  const behind = (count: number, ports: number): object[] =>
    Array.from({ length: count }, (_, i) => ({
      address: `10.${i >> 8}.${i & 255}.1`,
      ports: Array.from({ length: ports }, (__, j) => ({ name: `port-${j}`, protocol: PROTO_TCP, port: j + 1 })),
    }));
  const set = (key: string, endpoints: object[]): void => {
    const one = state(headless, { clusterIPs: [], endpoints });
    const [namespace, name] = key.split('/');
    content.setService(key, { ...one, spec: { ...one.spec, namespace, name } });
  };
  set('a/small', behind(2, 1));
  set('b/much', behind(10_000, 10));
  t.match(content.problems, [/^names of service b\/much: found 4\d{6} bytes.* wanted at most 4194304$/]);
  t.same(
    told(content).services.map(({ name }) => name),
    ['small'],
  );
  set('b/much', behind(9_000, 7));
  t.same(content.problems, []);
  for (let i = 0; i < 10; i++) set(`b/more-${i}`, behind(9_000, 7));
  set('c/late', behind(2, 1));
  t.match(content.problems, [
    /^names: found 3\d{7} bytes of services, wanted at most 25165824: the longest have none$/,
  ]);
  const names = told(content).services.map(({ name }) => name);
  t.ok(names.includes('small') && names.includes('late') && names.length > 5 && names.length < 13);
  for (let i = 0; i < 10; i++) content.setService(`b/more-${i}`, undefined);
  t.same(content.problems, []);
  t.equal(told(content).services.length, 3);
});
