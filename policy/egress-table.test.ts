/** Egress gateway policies and the rows that they make, through the cluster that holds them. */
import t from 'tap';
import { Cluster } from './cluster.ts';
import { readDocuments } from './document/document.ts';
import type { EgressRow } from './egress-table.ts';
import { parsePrefix } from '../wire/prefix.ts';

/** A cluster whose own node is `here`, with interfaces eth0 (default) and eth1. */
class Fixture {
  readonly cluster = new Cluster({ 'node-name': 'here' });
  readonly rows = new Map<string, string>();
  #ids = 1;

  constructor() {
    this.network({ eth0: ['192.0.2.1', '2001:db8::1'], eth1: ['192.0.2.65', '192.0.2.66'] });
  }

  network(links: Record<string, readonly string[]>): void {
    this.cluster.egress.setNetwork({
      links: Object.entries(links).map(([name, addresses]) => ({
        name,
        addresses: addresses.map((text) => parsePrefix(text, 'host')),
      })),
      defaults: new Map([
        [4, 'eth0'],
        [6, 'eth0'],
      ]),
    });
  }

  apply(text: string): void {
    const { documents, problems } = readDocuments(text, 'f.yaml');
    if (problems.length > 0) throw new Error(JSON.stringify(problems));
    for (const document of documents) this.cluster.apply(document, document.kind === 'Pod' ? this.#ids++ : 0);
  }

  pod(name: string, ip: string, more = ''): void {
    this.apply(
      `{apiVersion: v1, kind: Pod, metadata: {name: ${name}, namespace: shop, labels: {app: ${name}}${more}}, status: {podIP: "${ip}"}}`,
    );
  }

  policy(name: string, spec: string): void {
    this.apply(
      `{apiVersion: cilium.io/v2, kind: CiliumEgressGatewayPolicy, metadata: {name: ${name}}, spec: {${spec}}}`,
    );
  }

  /** What is in force after a flush: `source destination -> kind address`. */
  flush(): string[] {
    const { put, remove } = this.cluster.flush().egress;
    const name = ({ source, destination }: EgressRow) => `${source.text} ${destination.text}`;
    for (const row of put) this.rows.set(name(row), `${row.kind} ${row.address}`.trim());
    for (const row of remove) if (!this.rows.delete(name(row))) throw new Error(`removed twice: ${name(row)}`);
    return [...this.rows].map(([key, said]) => `${key} -> ${said}`).sort();
  }
}

const WEB = 'selectors: [{podSelector: {matchLabels: {app: web}}}]';
const HERE = 'nodeSelector: {matchLabels: {kubernetes.io/hostname: here}}';

t.test('pods are chosen by labels of theirs and of their namespace', (t) => {
  const f = new Fixture();
  f.apply('{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}');
  f.pod('web', '10.0.0.2');
  f.pod('db', '10.0.0.3');
  f.policy('one', `${WEB}, destinationCIDRs: [198.51.100.0/24], egressGateway: {${HERE}, egressIP: 192.0.2.66}`);
  t.same(f.flush(), ['10.0.0.2/32 198.51.100.0/24 -> address 192.0.2.66']);
  f.policy(
    'one',
    `selectors: [{namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}}], destinationCIDRs: [198.51.100.0/24], egressGateway: {${HERE}}`,
  );
  t.same(f.flush(), ['10.0.0.3/32 198.51.100.0/24 -> address 192.0.2.1']);
  f.policy(
    'one',
    `selectors: [{namespaceSelector: {}}], destinationCIDRs: ["::/0", 0.0.0.0/0], egressGateway: {${HERE}}`,
  );
  t.same(f.flush(), ['10.0.0.2/32 0.0.0.0/0 -> address 192.0.2.1', '10.0.0.3/32 0.0.0.0/0 -> address 192.0.2.1']);
  f.policy(
    'one',
    `selectors: [{podSelector: {}, nodeSelector: {matchLabels: {zone: x}}}], destinationCIDRs: [0.0.0.0/0], egressGateway: {${HERE}}`,
  );
  t.same(f.flush(), [], 'pods of other nodes only');
  f.cluster.remove({ kind: 'CiliumEgressGatewayPolicy', namespace: '', name: 'one' });
  t.same(f.flush(), []);
  t.end();
});

t.test('pods come, change, give their addresses away, and go', (t) => {
  const f = new Fixture();
  f.policy('one', `${WEB}, destinationCIDRs: [0.0.0.0/0], egressGateway: {${HERE}}`);
  t.same(f.flush(), []);
  f.pod('web', '10.0.0.2');
  t.same(f.flush(), ['10.0.0.2/32 0.0.0.0/0 -> address 192.0.2.1']);
  f.pod('web', '10.0.0.9');
  t.same(f.flush(), ['10.0.0.9/32 0.0.0.0/0 -> address 192.0.2.1']);
  f.pod('db', '10.0.0.9');
  t.same(f.flush(), [], 'an address is its last owner');
  f.cluster.removePod('shop', 'db');
  t.same(f.flush(), ['10.0.0.9/32 0.0.0.0/0 -> address 192.0.2.1']);
  f.cluster.removePod('shop', 'web');
  t.same(f.flush(), []);
  f.apply(
    '{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {hostNetwork: true}, status: {podIP: 10.0.0.2}}',
  );
  t.same(f.flush(), []);
  t.end();
});

t.test('which address: the one that is named, the first of an interface, or of the default route', (t) => {
  const f = new Fixture();
  f.apply(
    '{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, status: {podIPs: [{ip: 10.0.0.2}, {ip: "fd00::2"}]}}',
  );
  const both = 'destinationCIDRs: [0.0.0.0/0, "::/0"]';
  const said = (gateway: string): string[] => {
    f.policy('one', `${WEB}, ${both}, egressGateway: {${HERE}${gateway}}`);
    return f.flush().map((line) => line.replace(/.*-> /, ''));
  };
  const none = ['address', 'address'];
  t.same(said(''), ['address 192.0.2.1', 'address 2001:db8::1']);
  t.same(said(', interface: eth1'), ['address 192.0.2.65', 'address']);
  t.match(f.cluster.egress.problems(), [
    /egress policy one \(f.yaml:1\): egressGateway: found no IPv6 address by eth1/,
  ]);
  t.same(
    said(', egressIP: 192.0.2.66'),
    ['address 192.0.2.66', 'address'],
    'the other family is of the same interface',
  );
  t.same(said(', egressIP: "2001:DB8:0::1"'), ['address 192.0.2.1', 'address 2001:db8::1']);
  t.same(said(', egressIP: 203.0.113.9'), none, 'nobody has it');
  t.equal(f.cluster.egress.problems().length, 2);
  t.same(said(', interface: eth7'), none);
  f.network({ eth7: ['203.0.113.7', '2001:db8:7::7'] });
  t.same(
    f.flush().map((line) => line.replace(/.*-> /, '')),
    ['address 203.0.113.7', 'address 2001:db8:7::7'],
  );
  t.same(f.cluster.egress.problems(), []);
  f.network({});
  t.same(
    f.flush().map((line) => line.replace(/.*-> /, '')),
    none,
  );
  t.end();
});

t.test('a gateway is the first node by name that is selected, and only this one is a way out', (t) => {
  const f = new Fixture();
  f.pod('web', '10.0.0.2');
  const policy = `${WEB}, destinationCIDRs: [0.0.0.0/0], excludedCIDRs: [198.51.0.0/16], egressGateway: {nodeSelector: {matchLabels: {out: "yes"}}}`;
  f.policy('one', policy);
  const excluded = '10.0.0.2/32 198.51.0.0/16 -> excluded';
  t.same(f.flush(), ['10.0.0.2/32 0.0.0.0/0 -> none', excluded]);
  t.match(f.cluster.egress.problems(), [/found no node with these labels, wanted here: .* \(194\)/]);
  const node = (name: string, out: string) =>
    f.apply(`{apiVersion: v1, kind: Node, metadata: {name: ${name}, labels: {out: "${out}"}}}`);
  node('here', 'yes');
  t.same(f.flush(), ['10.0.0.2/32 0.0.0.0/0 -> address 192.0.2.1', excluded]);
  node('a-node', 'yes');
  t.same(f.flush(), ['10.0.0.2/32 0.0.0.0/0 -> none', excluded]);
  t.match(f.cluster.egress.problems(), [/found the node a-node, wanted here/]);
  node('a-node', 'no');
  node('z-node', 'yes');
  t.same(f.flush(), ['10.0.0.2/32 0.0.0.0/0 -> address 192.0.2.1', excluded]);
  f.cluster.removeNode('here');
  t.same(f.flush(), ['10.0.0.2/32 0.0.0.0/0 -> none', excluded]);
  t.end();
});

t.test('of several gateways each pod has one, by its uid', (t) => {
  const f = new Fixture();
  const list = `egressGateways: [{${HERE}, egressIP: 192.0.2.65}, {${HERE}, egressIP: 192.0.2.66}, {nodeSelector: {matchLabels: {a: b}}}]`;
  for (let i = 0; i < 60; i++) f.pod('web', `10.0.0.${i + 1}`, `, uid: u${i}`);
  for (let i = 0; i < 60; i++) {
    f.apply(
      `{apiVersion: v1, kind: Pod, metadata: {name: web-${i}, namespace: shop, uid: u${i}, labels: {app: web}}, status: {podIP: 10.0.1.${i + 1}}}`,
    );
  }
  f.policy('one', `${WEB}, destinationCIDRs: [0.0.0.0/0], ${list}`);
  const count = (said: string) => f.flush().filter((line) => line.endsWith(`-> ${said}`)).length;
  const first = f.flush();
  const [one, two, none] = [count('address 192.0.2.65'), count('address 192.0.2.66'), count('none')];
  t.equal(one + two + none, 61);
  for (const share of [one, two, none]) t.ok(share > 10, `about a third each: ${one}, ${two}, ${none}`);
  f.policy('one', `${WEB}, destinationCIDRs: [0.0.0.0/0], ${list}`);
  t.same(f.flush(), first, 'the same each time');
  t.end();
});

t.test(
  'policies meet in one table: an exception is a prefix too, and of two equal ones the first by name counts',
  (t) => {
    const f = new Fixture();
    f.pod('web', '10.0.0.2');
    f.policy('b', `${WEB}, destinationCIDRs: [10.1.0.0/16, 0.0.0.0/0], egressGateway: {${HERE}, egressIP: 192.0.2.65}`);
    f.policy(
      'c',
      `${WEB}, destinationCIDRs: [198.51.0.0/16, 10.1.0.0/16], excludedCIDRs: [10.1.0.0/16], egressGateway: {${HERE}}`,
    );
    const all = ['10.0.0.2/32 0.0.0.0/0 -> address 192.0.2.65', '10.0.0.2/32 198.51.0.0/16 -> address 192.0.2.1'];
    t.same(f.flush(), [all[0], '10.0.0.2/32 10.1.0.0/16 -> address 192.0.2.65', all[1]]);
    t.match(f.cluster.egress.problems(), [
      /egress policy c \(f.yaml:1\): found 10.1.0.0\/16 of the same pods as egress policy b/,
    ]);
    f.policy('b', `${WEB}, destinationCIDRs: [0.0.0.0/0], egressGateway: {${HERE}, egressIP: 192.0.2.65}`);
    t.same(f.flush(), [all[0], '10.0.0.2/32 10.1.0.0/16 -> excluded', all[1]], 'and of one policy the exception');
    t.same(f.cluster.egress.problems(), []);
    t.end();
  },
);
