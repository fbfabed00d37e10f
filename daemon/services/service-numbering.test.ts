import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readDocuments } from '../../policy/document/document.ts';
import { serviceFromDocument } from '../../policy/document/service.ts';
import { serviceKey, type ServiceSpec } from '../../policy/rule/service-spec.ts';
import { manifestReader } from '../source/reader.ts';
import { NodePorts } from './node-ports.ts';
import { ServiceNumbering } from './service-numbering.ts';

type Tap = typeof t;

const RANGES = {
  serviceCIDRs: { ipv4: '10.96.0.0/24', ipv6: 'fd00:10:96::/112' },
  loadBalancerCIDRs: { ipv4: '192.0.2.0/30', ipv6: '' },
};

function folder(t: Tap): string {
  const directory = mkdtempSync('/tmp/sldas-');
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function spec(fields: string, name = 'web'): ServiceSpec {
  const text = `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: 80}], ${fields}}\n`;
  return serviceFromDocument(readDocuments(text, 'f.yaml').documents[0]);
}

function assign(numbering: ServiceNumbering, ...specs: ServiceSpec[]): void {
  numbering.assign(new Map(specs.map((one) => [serviceKey(one), one])));
}

const problems = (numbering: ServiceNumbering, key = 'default/web'): string[] =>
  (numbering.problems.get(key) ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);

t.test('assign() draws above the part of the range that is left to claims', (t) => {
  const numbering = new ServiceNumbering(folder(t as Tap), RANGES);
  assign(numbering, spec('ipFamilyPolicy: PreferDualStack'), spec('', 'other'));
  t.same(numbering.assignmentOf('default/web').clusterIPs, ['10.96.0.17', 'fd00:10:96::101']);
  t.same(numbering.assignmentOf('default/other').clusterIPs, ['10.96.0.18']);
  t.same(numbering.assignmentOf('default/web').nodePorts, [0]);
  t.end();
});

t.test('a claim in that part draws nobody there, and it is drawn from when nothing else is free', (t) => {
  const directory = folder(t as Tap);
  const numbering = new ServiceNumbering(directory, RANGES);
  assign(numbering, spec('clusterIP: 10.96.0.5', 'given'), spec('clusterIP: 10.96.0.254', 'last'));
  const address = (of: ServiceNumbering, name: string) => of.assignmentOf(`default/${name}`).clusterIPs.join();
  assign(numbering, spec('', 'a'));
  t.equal(address(numbering, 'a'), '10.96.0.17');
  assign(numbering, spec('clusterIP: 10.96.0.6', 'later'), spec('', 'b'));
  t.equal(address(numbering, 'b'), '10.96.0.18');
  const next = new ServiceNumbering(directory, RANGES);
  assign(next, spec('', 'c'));
  t.ok(Number(address(next, 'c').split('.')[3]) > 16, address(next, 'c'));
  for (let i = 0; i < 235; i++) assign(next, spec('', `s${i}`));
  const all = Array.from({ length: 235 }, (_, i) => Number(address(next, `s${i}`).split('.')[3]));
  t.equal(
    all.findIndex((last) => last <= 16),
    234,
    'the others first',
  );
  t.end();
});

t.test('assign() keeps what a service has over a restart, and frees what one had that is gone', (t) => {
  const directory = folder(t as Tap);
  const first = new ServiceNumbering(directory, RANGES);
  assign(first, spec('type: NodePort', 'a'), spec('type: LoadBalancer', 'b'));
  const held = [first.assignmentOf('default/a'), first.assignmentOf('default/b')];
  t.same(held[1].loadBalancerIPs, ['192.0.2.1']);
  t.same(
    held.map(({ nodePorts }) => nodePorts),
    [[30000], [30001]],
  );
  const second = new ServiceNumbering(directory, RANGES);
  assign(second, spec('type: LoadBalancer', 'b'), spec('type: NodePort', 'a'));
  t.same([second.assignmentOf('default/a'), second.assignmentOf('default/b')], held);
  second.keepOnly(new Set(['default/b']));
  second.assign(new Map([['default/b', undefined]]));
  assign(second, spec('clusterIP: 10.96.0.17', 'c'), spec('clusterIP: 10.96.0.18', 'd'));
  t.same(problems(second, 'default/c'), []);
  t.same(second.assignmentOf('default/d').clusterIPs, ['10.96.0.18']);
  t.end();
});

t.test('assign() writes to disk what has changed, and nothing when nothing has', (t) => {
  const directory = folder(t as Tap);
  const numbering = new ServiceNumbering(directory, RANGES);
  assign(numbering, spec(''));
  const file = join(directory, 'services.json');
  const { ino } = statSync(file);
  assign(numbering, spec('selector: {app: web}'));
  t.equal(statSync(file).ino, ino);
  assign(numbering, spec('type: NodePort'));
  t.not(statSync(file).ino, ino);
  t.end();
});

t.test('assign() gives claims before it draws, and refuses what another has by name', (t) => {
  const numbering = new ServiceNumbering(folder(t as Tap), RANGES);
  assign(numbering, spec('', 'drawn'), spec('clusterIP: 10.96.0.17', 'given'));
  t.same(numbering.assignmentOf('default/given').clusterIPs, ['10.96.0.17']);
  t.same(numbering.assignmentOf('default/drawn').clusterIPs, ['10.96.0.18']);
  assign(numbering, spec('clusterIP: 10.96.0.17', 'late'));
  t.same(numbering.assignmentOf('default/late').clusterIPs, [], 'and no other instead');
  t.same(problems(numbering, 'default/late'), [
    'spec.clusterIP: found "10.96.0.17", which service default/given has, wanted one that is free',
  ]);
  numbering.assign(
    new Map([
      ['default/given', undefined],
      ['default/late', spec('clusterIP: 10.96.0.17', 'late')],
    ]),
  );
  t.same(numbering.assignmentOf('default/late').clusterIPs, ['10.96.0.17']);
  t.same(problems(numbering, 'default/late'), []);
  t.end();
});

t.test('assign() of a headless service, a name, and a type that changes', (t) => {
  const numbering = new ServiceNumbering(folder(t as Tap), RANGES);
  assign(numbering, spec('type: NodePort'));
  assign(numbering, spec('clusterIP: None'));
  t.match(numbering.assignmentOf('default/web'), { clusterIPs: [], nodePorts: [0] });
  assign(numbering, spec('clusterIP: 10.96.0.17', 'taker'), spec('type: NodePort', 'other'));
  t.same(problems(numbering, 'default/taker'), [], 'its address is free again');
  assign(numbering, spec('type: ExternalName, externalName: db.example'));
  t.match(numbering.assignmentOf('default/web'), { clusterIPs: [], families: [] });
  t.end();
});

t.test('assign() of load balancers: given, drawn, of another class, and a pool that is used up', (t) => {
  const numbering = new ServiceNumbering(folder(t as Tap), RANGES);
  const balancer = (more: string, name: string) => spec(`type: LoadBalancer, ${more}`, name);
  assign(numbering, balancer('loadBalancerIP: 192.0.2.2', 'given'), balancer('loadBalancerIP: 203.0.113.1', 'outside'));
  assign(
    numbering,
    balancer('loadBalancerClass: cloud.example/lb', 'class'),
    balancer('', 'drawn'),
    balancer('', 'late'),
  );
  const ips = (name: string) => numbering.assignmentOf(`default/${name}`).loadBalancerIPs;
  t.same(['given', 'outside', 'class', 'drawn', 'late'].map(ips), [
    ['192.0.2.2'],
    ['203.0.113.1'],
    [],
    ['192.0.2.1'],
    [],
  ]);
  t.match(problems(numbering, 'default/late')[0], /192\.0\.2\.0\/30 is used up/);
  assign(numbering, balancer('allocateLoadBalancerNodePorts: false', 'portless'));
  t.same(numbering.assignmentOf('default/portless').nodePorts, [0]);
  t.end();
});

t.test('a family without a range is told of, and switched off', (t) => {
  const config = { ...RANGES, serviceCIDRs: { ipv4: '10.96.0.0/24', ipv6: '' } };
  const numbering = new ServiceNumbering(folder(t as Tap), config);
  assign(numbering, spec('ipFamilies: [IPv6]'), spec('ipFamilyPolicy: RequireDualStack', 'dual'));
  assign(numbering, spec('ipFamilyPolicy: PreferDualStack', 'prefer'));
  t.same(problems(numbering), ['spec.ipFamilies: found IPv6, of which there is no serviceCIDR']);
  t.same(problems(numbering, 'default/dual'), [
    'spec.ipFamilyPolicy: found RequireDualStack and 1 serviceCIDR, wanted both families',
  ]);
  t.same(problems(numbering, 'default/prefer'), []);
  t.same(numbering.assignmentOf('default/prefer').families, [4]);
  t.end();
});

t.test('a state file that is damaged is put aside, and said', (t) => {
  const directory = folder(t as Tap);
  writeFileSync(join(directory, 'services.json'), '{');
  const numbering = new ServiceNumbering(directory, RANGES);
  t.match(numbering.problem, /damaged/);
  assign(numbering, spec(''));
  t.equal(numbering.assignmentOf('default/web').clusterIPs.length, 1);
  t.end();
});

t.test("NodePorts: a number is one service's, for several protocols; draws go round and end", (t) => {
  const ports = new NodePorts({ a: { '53/TCP': 30053, '53/UDP': 30053 } });
  t.equal(ports.claim('a', '53/SCTP', 30053), 30053);
  t.throws(() => ports.claim('b', '1/TCP', 30053), /found node port 30053, which a has/);
  t.equal(ports.draw('b', '1/TCP'), 30054);
  ports.keepOnly('b', new Set());
  t.equal(ports.draw('c', '1/TCP'), 30055, 'the one just given up comes last');
  ports.keepOnly('a', new Set(['53/UDP']));
  t.equal(ports.ownerOf(30053), 'a', 'one protocol still has it');
  for (let n = 0; n < 2768 - 2; n++) ports.draw('many', `${n}/TCP`);
  t.throws(() => ports.draw('d', '1/TCP'), /all 2768 node ports taken/);
  t.same(new NodePorts(ports.saved()).saved(), ports.saved());
  t.end();
});

t.test('manifestReader() refuses a Service that cannot be had, with file and line', (t) => {
  const numbering = new ServiceNumbering(folder(t as Tap), RANGES);
  assign(numbering, spec('type: NodePort, clusterIP: 10.96.0.5', 'first'));
  const plan = { netnsPrefix: '', nodeName: 'here', attach: 'veth' } as const;
  const read = manifestReader({}, plan, (document) => {
    const service = serviceFromDocument(document);
    return numbering.problemsOf(serviceKey(service), service);
  });
  const refusal = (fields: string, ports = '[{port: 80}]'): unknown => {
    const { documents, problems } = read(
      `apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports: ${ports}\n  ${fields}\n`,
      'f.yaml',
    );
    t.equal(documents.length, 0);
    return problems.map(({ file, line, path, message }) => `${file}:${line} ${path} ${message}`);
  };
  t.same(refusal('clusterIP: 10.97.0.1'), [
    'f.yaml:6 spec.clusterIP read service: found "10.97.0.1", wanted an address inside 10.96.0.0/24 (serviceCIDRs)',
  ]);
  t.same(refusal('clusterIP: 10.96.0.5'), [
    'f.yaml:6 spec.clusterIP read service: found "10.96.0.5", which service default/first has, wanted one that is free',
  ]);
  t.same(refusal('type: NodePort', '[{port: 81, nodePort: 30000}]'), [
    'f.yaml:5 spec.ports[0].nodePort read service: found node port 30000, which service default/first has, wanted one that is free',
  ]);
  t.end();
});
