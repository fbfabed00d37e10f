/**
 * What large policies cost, counted and not timed: V8 says how often each block of the compiler ran, and twice the policy
 * may run twice as many. And the tree of prefixes that much of it rests on, against a list.
 */
import { Session } from 'node:inspector/promises';
import t from 'tap';
import { contains, parsePrefix, type Prefix } from '../../wire/prefix.ts';
import { Cluster } from '../cluster.ts';
import { type Document, readDocuments } from '../document/document.ts';
import type { PodSpec } from '../rule/spec.ts';
import { PrefixTree } from '../rule/prefix-tree.ts';

/** Numbers that follow from the seed alone. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % below;
  };
}

// A slow machine takes its time over counting.
t.setTimeout(0);

t.test('PrefixTree finds what a list finds, down to the empty tree', (t) => {
  const draw = dice(7);
  const random = (): Prefix => {
    // Few bits differ, so that prefixes meet.
    const length = draw(33);
    if (draw(2) === 0) return parsePrefix(`${draw(2) * 128}.${draw(4)}.${draw(2) * 255}.${draw(4)}/${length}`);
    return parsePrefix(`${draw(2) === 0 ? 'fd00' : '2001'}:${draw(2)}::${draw(2)}:${draw(3)}/${length * 4}`);
  };
  const texts = (prefixes: readonly Prefix[]): string[] => prefixes.map(({ text }) => text);
  const tree = new PrefixTree<string>();
  const list = new Map<string, Prefix>();
  const wrong: string[] = [];
  const check = (asked: Prefix): void => {
    const all = [...list.values()];
    const around = all.filter((one) => contains(one, asked)).sort((a, b) => a.length - b.length);
    const inside = all.filter((one) => contains(asked, one));
    const found = [tree.around(asked).join(), tree.inside(asked).sort().join(), tree.get(asked)];
    const wanted = [texts(around).join(), texts(inside).sort().join(), list.get(asked.text)?.text];
    found.forEach((one, i) => {
      if (one !== wanted[i]) wrong.push(`${asked.text}: found ${one}, wanted ${wanted[i]}`);
    });
  };
  for (let round = 0; round < 600; round++) {
    const prefix = random();
    if (draw(3) === 0) {
      tree.delete(prefix);
      list.delete(prefix.text);
    } else {
      tree.set(prefix, prefix.text);
      list.set(prefix.text, prefix);
    }
    check(random());
    check(prefix);
  }
  t.same(wrong, []);
  t.ok(list.size > 50);
  for (const prefix of list.values()) tree.delete(prefix);
  t.same(tree.inside(parsePrefix('0.0.0.0/0')).concat(tree.inside(parsePrefix('::/0'))), []);
  t.end();
});

t.test('PrefixTree.inside() goes by address, the outer before the inner', (t) => {
  const tree = new PrefixTree<string>();
  for (const text of ['10.2.0.0/16', '10.0.0.0/8', '10.1.0.0/16', '10.1.2.3/32', '11.0.0.0/8', '10.1.0.0/24']) {
    tree.set(parsePrefix(text), text);
  }
  const inside = ['10.0.0.0/8', '10.1.0.0/16', '10.1.0.0/24', '10.1.2.3/32', '10.2.0.0/16'];
  t.same(tree.inside(parsePrefix('10.0.0.0/8')), inside);
  t.same(tree.inside(parsePrefix('10.0.0.0/7')), [...inside, '11.0.0.0/8'], 'of a prefix that is not there');
  t.end();
});

const session = new Session();
session.connect();
await session.post('Profiler.enable');
// Once and for all: to begin and end a count throws away what was compiled, and with it the first runs.
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

/** How often the blocks of policy/ ran since this was last asked, all together. */
async function stepsSince(): Promise<number> {
  const { result } = await session.post('Profiler.takePreciseCoverage');
  const ours = result.filter(({ url }) => url.includes('/policy/'));
  return ours
    .flatMap(({ functions }) => functions)
    .flatMap(({ ranges }) => ranges)
    .reduce((total, { count }) => total + count, 0);
}

type Rules = readonly object[];

interface Shape {
  readonly ingress?: Rules;
  readonly ingressDeny?: Rules;
  readonly egress?: Rules;
}

const v4 = (i: number): string => `10.${i >> 8}.${i & 255}.0/24`;
const v6 = (i: number): string => `2001:db8:0:${i.toString(16)}::/64`;
const ports = (i: number, endPort?: number): object => ({
  ports: [{ port: String(1000 + i), protocol: 'TCP', ...(endPort !== undefined && { endPort: 1000 + endPort }) }],
});
const on = (i: number): { toPorts: object[] } => ({ toPorts: [ports(i)] });

/** Policies of n rules; the pods and names that some are about come with each. */
const shapes: Readonly<Record<string, (each: <T>(make: (i: number) => T) => T[]) => Shape>> = {
  'a prefix and a port each': (each) => ({ ingress: each((i) => ({ fromCIDR: [v4(i)], ...on(i) })) }),
  'an IPv6 prefix and a port each': (each) => ({ egress: each((i) => ({ toCIDR: [v6(i)], ...on(i) })) }),
  'one list of prefixes': (each) => ({ ingress: [{ fromCIDR: each(v4), ...on(1) }] }),
  'a port each, for three prefixes': (each) => ({
    ingress: each((i) => ({ fromCIDR: [v4(1), v4(2), v4(3)], ...on(i) })),
  }),
  'a port each for everyone, beside prefixes': (each) => ({
    ingress: each((i) => (i % 2 === 0 ? on(i) : { fromCIDR: [v4(i)], ...on(i) })),
  }),
  'prefixes allowed and denied': (each) => ({
    ingress: each((i) => ({ fromCIDR: [v4(i)], ...on(i) })),
    ingressDeny: each((i) => ({ fromCIDR: [v4(i * 2)], ...on(i) })),
  }),
  'a range of ports each': (each) => ({
    ingress: each((i) => ({ fromCIDR: [v4(i % 2)], toPorts: [ports(3 * i, 3 * i + (i % 7))] })),
  }),
  'nested prefixes': (each) => ({
    ingress: each((i) => ({
      fromCIDR: [i % 20 === 19 ? `10.${i >> 8}.0.0/16` : i === 0 ? '10.0.0.0/8' : v4(i)],
      ...on(i % 5),
    })),
  }),
  'a hole in a prefix each': (each) => ({
    ingress: each((i) => ({ fromCIDRSet: [{ cidr: v4(i), except: [v4(i).replace('/24', '/28')] }], ...on(i) })),
  }),
  'many holes in one prefix': (each) => ({ ingress: [{ fromCIDRSet: [{ cidr: '10.0.0.0/8', except: each(v4) }] }] }),
  'a name and a port each': (each) => ({ egress: each((i) => ({ toFQDNs: [{ matchName: `h${i}.test` }], ...on(i) })) }),
  'a pattern and a port each': (each) => ({
    egress: each((i) => ({ toFQDNs: [{ matchPattern: `*.n${i}.test` }], ...on(i) })),
  }),
  'a label and a port each': (each) => ({
    ingress: each((i) => ({ fromEndpoints: [{ matchLabels: { app: `a${i}` } }], ...on(i) })),
  }),
  'selectors that all hold the same pods': (each) => ({
    ingress: each((i) => ({
      fromEndpoints: [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: [`b${i}`] }] }],
    })),
  }),
  'authentication on a port each': (each) => ({
    ingress: each((i) => ({ authentication: { mode: 'required' }, fromCIDR: [v4(i % 3)], ...on(i) })),
  }),
  'HTTP rules on a port each': (each) => ({
    ingress: each((i) => ({
      fromCIDR: [v4(i)],
      toPorts: [{ ...ports(i), rules: { http: [{ path: `/${i}` }] } }],
    })),
  }),
  'HTTP rules for a prefix each on one port': (each) => ({
    ingress: each((i) => ({
      fromCIDR: [v4(i)],
      toPorts: [{ ...ports(1), rules: { http: [{ path: `/${i}` }] } }],
    })),
  }),
  'required labels': (each) => ({
    ingress: each((i) => ({
      fromEndpoints: [{ matchLabels: { app: `a${i}` } }],
      fromRequires: [{ matchLabels: { [`r${i}`]: 'yes' } }],
    })),
  }),
};

function policyOf(shape: Shape): Document {
  const text = JSON.stringify({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name: 'large', namespace: 'default' },
    spec: { endpointSelector: {}, ...shape },
  });
  const { documents, problems } = readDocuments(text, 'large.yaml');
  if (documents.length !== 1) throw new Error(JSON.stringify(problems));
  return documents[0];
}

/** A pod that runs elsewhere. */
const pod = (app: string, ip: string): PodSpec => ({
  namespace: 'default',
  name: app,
  labels: { app },
  endpointId: 0,
  ips: [ip],
});

/** A cluster with one endpoint, two more pods, and the names that rules of `size` mention. */
function clusterFor(size: number): Cluster {
  const cluster = new Cluster();
  cluster.setNamespace({ name: 'default', labels: {} });
  for (let i = 0; i < 3; i++) {
    const endpointId = i === 0 ? 1 : 0;
    cluster.setPod({
      namespace: 'default',
      name: `p${i}`,
      labels: { app: `a${i}` },
      endpointId,
      ips: [`10.99.0.${i}`],
    });
  }
  for (let i = 0; i < size; i++) {
    cluster.setName(`h${i}.test`, [`20.0.${i >> 8}.${i & 255}`]);
    cluster.setName(`www.n${i}.test`, ['20.1.0.1']);
  }
  cluster.flush();
  return cluster;
}

/** Steps that a policy of so many rules takes to come, those of a pod that comes then, and of the policy to go. */
async function run(make: (typeof shapes)[string], size: number): Promise<Record<string, number>> {
  const cluster = clusterFor(size);
  const policy = policyOf(make((one) => Array.from({ length: size }, (_, i) => one(i))));
  const steps = async (change: () => void): Promise<number> => {
    change();
    cluster.flush();
    return stepsSince();
  };
  await stepsSince();
  return {
    added: await steps(() => cluster.setPolicy(policy)),
    'a pod comes': await steps(() => cluster.setPod(pod('late', '10.99.1.1'))),
    removed: await steps(() => cluster.removePolicy({ kind: policy.kind, namespace: 'default', name: 'large' })),
  };
}

const SIZE = 150;

t.test('a policy of twice the rules takes twice the steps', async (t) => {
  await run(shapes['a prefix and a port each'], SIZE);
  for (const [name, make] of Object.entries(shapes)) {
    const [once, twice] = [await run(make, SIZE), await run(make, 2 * SIZE)];
    t.ok(once['added'] > SIZE, `${name}: it is counted`);
    for (const [what, steps] of Object.entries(twice)) {
      t.ok(steps <= 2.2 * once[what] + 100, `${name}, ${what}: ${once[what]} steps, then ${steps}`);
    }
  }
});
