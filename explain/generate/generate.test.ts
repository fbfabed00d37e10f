/** Policies out of recorded flows, case by case. */
import t from 'tap';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import type { Layer7 } from '../../hubble/flow.ts';
import { entityEnd, flowsOf, podEnd, type Talk, worldEnd } from '../../test/recorded-flows.ts';
import { Recording } from '../flows/recording.ts';
import { type Generated, generate, type GenerateOptions } from './generate.ts';

const BASE: GenerateOptions = {
  kind: 'CiliumNetworkPolicy',
  byWorkload: false,
  ports: 'exact',
  l7: 'exact',
  outside: 'names',
  includeDenied: false,
  namespaces: [],
  directions: [INGRESS, EGRESS],
};

const web = podEnd('shop/web-0', { app: 'web' });
const api = podEnd('shop/api-0', { app: 'api' }, { id: 0, ip: '10.0.0.2' });
const dns = podEnd('kube-system/dns-0', { 'k8s-app': 'kube-dns' }, { id: 0, ip: '10.0.0.53' });
const www = worldEnd('192.0.2.1', 'www.example');
const asks = (query: string): Talk => ({ from: web, to: dns, port: 53, protocol: 'UDP', request: { dns: { query } } });
const gets = (url: string, method = 'GET'): Talk => ({
  from: web,
  to: api,
  port: 80,
  request: { http: { method, url } },
});

function made(talks: readonly Talk[], options: Partial<GenerateOptions> = {}): Generated {
  const recording = new Recording();
  for (const flow of talks.flatMap(flowsOf)) recording.add(flow);
  return generate(recording, { ...BASE, ...options });
}

/** The egress of the only policy. */
function egressOf(talks: readonly Talk[], options: Partial<GenerateOptions> = {}): unknown {
  const { policies, denied, problems } = made(talks, options);
  t.same(
    denied.map(({ to, port, request }) => [to.text, port, request]),
    [],
    'nothing that was recorded is denied',
  );
  t.same(
    problems.filter(({ severity }) => severity === 'error'),
    [],
    'the policies are valid',
  );
  t.equal(policies.length, 1);
  return policies[0].object.spec['egress'];
}

const noted = (talks: readonly Talk[], options: Partial<GenerateOptions> = {}): readonly string[] =>
  made(talks, options).policies.flatMap(({ notes }) => notes);

t.test('names of the outside are used where DNS was asked, and the questions are judged', async (t) => {
  const talks = [asks('www.example.'), { from: web, to: www, port: 443 }];
  t.same(egressOf(talks), [
    {
      toEndpoints: [{ matchLabels: { 'k8s-app': 'kube-dns', 'k8s:io.kubernetes.pod.namespace': 'kube-system' } }],
      toPorts: [{ ports: [{ port: '53', protocol: 'UDP' }], rules: { dns: [{ matchName: 'www.example' }] } }],
    },
    { toFQDNs: [{ matchName: 'www.example' }], toPorts: [{ ports: [{ port: '443', protocol: 'TCP' }] }] },
  ]);
  t.match(noted(talks), ['names of the outside stand for every address that they lead to']);
});

t.test('a name that was known before the recording may be asked for; without questions every name', async (t) => {
  const [, fqdn] = egressOf([asks('other.example.'), { from: web, to: www, port: 443 }]) as { toFQDNs?: unknown }[];
  t.ok(fqdn.toFQDNs);
  const known = JSON.stringify(egressOf([asks('other.example.'), { from: web, to: www, port: 443 }]));
  t.match(known, '"dns":[{"matchName":"other.example"},{"matchName":"www.example"}]');
  const silent: Talk = { from: web, to: dns, port: 53, protocol: 'UDP' };
  t.match(JSON.stringify(egressOf([silent, { from: web, to: www, port: 443 }])), '"dns":[{"matchPattern":"*"}]');
  const off = JSON.stringify(egressOf([asks('www.example.'), { from: web, to: www, port: 443 }], { l7: 'off' }));
  t.match(off, '"dns":[{"matchPattern":"*"}]');
});

t.test('without a DNS server nothing is learnt, so that addresses stand in the place of names', async (t) => {
  const talks = [{ from: web, to: www, port: 443 }];
  t.match(egressOf(talks), [{ toCIDR: ['192.0.2.1/32'] }]);
  t.match(noted(talks), [/^names of the outside are known and cannot be used/]);
  t.match(egressOf(talks, { outside: 'world' }), [{ toEntities: ['world'] }]);
  t.match(egressOf([asks('www.example.'), ...talks], { outside: 'addresses' }), [{}, { toCIDR: ['192.0.2.1/32'] }]);
});

t.test('of the names of addresses as few are chosen as lead to all, asked ones first', async (t) => {
  const some: Talk[] = [
    asks('b.example.'),
    { from: web, to: worldEnd('192.0.2.1', 'a.example', 'cdn.example'), port: 443 },
    { from: web, to: worldEnd('192.0.2.2', 'b.example'), port: 443 },
    { from: web, to: worldEnd('192.0.2.3', 'b.example', 'cdn.example'), port: 443 },
  ];
  t.match(JSON.stringify(egressOf(some)), '"toFQDNs":[{"matchName":"a.example"},{"matchName":"b.example"}]');
  const all: Talk = { from: web, to: worldEnd('192.0.2.2', 'cdn.example'), port: 443 };
  const few = JSON.stringify(egressOf([asks('other.example.'), ...some.slice(1), all]));
  t.match(few, '"toFQDNs":[{"matchName":"cdn.example"}]', 'and none that the others make needless');
});

t.test('pods of a workload are chosen by what they share, or by all that they have', async (t) => {
  const pods = [1, 2].map((number) =>
    podEnd(
      `shop/web-${number}`,
      { app: 'web', version: `v${number}`, 'pod-template-hash': `h${number}`, shard: String(number) },
      { workload: 'web' },
    ),
  );
  const talks = pods.map((from) => ({ from, to: api, port: 80 }));
  const exact = made(talks).policies.map(({ object }) => object.spec['endpointSelector']);
  t.match(exact, [
    { matchLabels: { app: 'web', shard: '1', version: 'v1' } },
    { matchLabels: { app: 'web', shard: '2', version: 'v2' } },
  ]);
  const { policies } = made(talks, { byWorkload: true });
  t.same(
    policies.map(({ object }) => [object.metadata.name, object.spec['endpointSelector']]),
    [['recorded-web', { matchLabels: { app: 'web' } }]],
  );
  const other = { from: podEnd('shop/x', { app: 'web', role: 'batch' }, { workload: 'batch' }), to: api, port: 81 };
  t.match(
    made([...talks, other], { byWorkload: true }).policies.map(({ object }) => object.spec['endpointSelector']),
    [
      { matchLabels: { app: 'web', role: 'batch' } },
      { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'role', operator: 'DoesNotExist' }] },
    ],
  );
});

t.test('ports are those that were seen, a range of many, or all', async (t) => {
  const talks = [80, 5001, 5003, 5007, 5009, 5010].map((port) => ({ from: web, to: api, port }));
  const portsOf = (ports: GenerateOptions['ports'], more: readonly Talk[] = []): string =>
    (JSON.stringify(egressOf([...talks, ...more], { ports })).match(/"(port|endPort)":"?\d+/g) ?? [])
      .map((text) => text.replace(/\D*/, text.includes('end') ? '-' : ' '))
      .join('');
  t.equal(portsOf('exact'), ' 80 5001 5003 5007 5009 5010');
  t.equal(portsOf('ranges'), ' 80 5001-5010');
  t.equal(portsOf('any'), ' 0');
  const judged: Talk = { from: web, to: api, port: 5005, request: { http: { method: 'GET', url: '/' } } };
  t.equal(portsOf('ranges', [judged]), ' 80 5001 5003 5007 5009 5010 5005', 'requests stay judged');
  t.equal(portsOf('any', [judged]), ' 80 5001 5003 5007 5009 5010 5005');
});

t.test('more ports than a list may have are several lists', async (t) => {
  const talks = Array.from({ length: 95 }, (_, i) => ({ from: web, to: api, port: 2000 + i }));
  const [{ toPorts }] = egressOf(talks) as { toPorts: { ports: unknown[] }[] }[];
  t.same(
    toPorts.map(({ ports }) => ports.length),
    [40, 40, 15],
  );
});

t.test('requests are allowed as they were seen, or in general', async (t) => {
  const rulesOf = (talks: readonly Talk[], l7: GenerateOptions['l7']): unknown => {
    const [{ toPorts }] = egressOf(talks, { l7 }) as { toPorts: { rules?: Record<string, unknown> }[] }[];
    return toPorts[0].rules;
  };
  const talks = [
    gets('http://api/items/17?x=1'),
    gets('http://api/items/18', 'PUT'),
    gets('/a.b'),
    gets('/a.b', 'HEAD'),
  ];
  t.same(rulesOf(talks, 'exact'), {
    http: [
      { method: 'GET', path: '/a\\.b' },
      { method: 'HEAD', path: '/a\\.b' },
      { method: 'GET', path: '/items/17\\?x=1' },
      { method: 'PUT', path: '/items/18' },
    ],
  });
  t.same(rulesOf(talks, 'general'), {
    http: [
      { method: 'GET|HEAD', path: '/a\\.b' },
      { method: 'PUT', path: '/items/[0-9]+' },
      { method: 'GET', path: '/items/[0-9]+(\\?.*)?' },
    ],
  });
  t.equal(rulesOf(talks, 'off'), undefined);
  t.same(rulesOf([gets('/shop.v1.Cart/Add', 'POST')], 'general'), {
    http: [{ method: 'POST', path: '/shop\\.v1\\.Cart/[A-Za-z0-9_]+' }],
  });
  t.same(rulesOf([gets('/?x=%2e')], 'exact'), { http: [{ method: 'GET', path: '/\\?x=%2e' }] }, 'a query as it came');
  t.same(rulesOf([gets('http://api/x?HUBBLE_REDACTED')], 'exact'), { http: [{ method: 'GET', path: '/x\\?.*' }] });
  const kafka = (api_key: string, topic = ''): Talk => ({
    from: web,
    to: api,
    port: 9092,
    request: { kafka: { api_key, topic } },
  });
  const client = [
    kafka('apiversions'),
    kafka('metadata', 't'),
    kafka('produce', 't'),
    kafka('fetch', 'u'),
    kafka('createtopics', 'u'),
  ];
  t.same(rulesOf(client, 'exact'), {
    kafka: [
      { apiKey: 'apiversions' },
      { apiKey: 'metadata', topic: 't' },
      { apiKey: 'produce', topic: 't' },
      { apiKey: 'createtopics', topic: 'u' },
      { apiKey: 'fetch', topic: 'u' },
    ],
  });
  t.same(rulesOf(client, 'general'), {
    kafka: [
      { role: 'produce', topic: 't' },
      { role: 'consume', topic: 'u' },
      { apiKey: 'createtopics', topic: 'u' },
    ],
  });
  const names = ['a.x.example', 'b.x.example', 'c.x.example', 'y.example'].map(asks);
  t.same(rulesOf(names, 'general'), { dns: [{ matchPattern: '*.x.example' }, { matchName: 'y.example' }] });
  const hellos = ['a.example', ''].map((tlsSNI): Talk => ({ from: web, to: api, port: 443, request: { tlsSNI } }));
  t.match(egressOf(hellos.slice(0, 1)), [{ toPorts: [{ serverNames: ['a.example'] }] }]);
  t.equal((egressOf(hellos) as { toPorts: { serverNames?: unknown }[] }[])[0].toPorts[0].serverNames, undefined);
  t.equal(rulesOf([gets('/'), { ...hellos[0], port: 80 }], 'exact'), undefined, 'two protocols on one port');
});

t.test('a NetworkPolicy says what it can, and the comments what it cannot', async (t) => {
  const talks: Talk[] = [
    { from: web, to: dns, port: 53, protocol: 'UDP' },
    { from: web, to: www, port: 443 },
    { from: web, to: api, port: 8, protocol: 'ICMPv4' },
    { from: web, to: entityEnd('kube-apiserver', 7), port: 443 },
    gets('/x'),
  ];
  const { policies, denied, text } = made(talks, { kind: 'NetworkPolicy' });
  t.match(policies[0].object, {
    apiVersion: 'networking.k8s.io/v1',
    spec: {
      podSelector: { matchLabels: { app: 'web' } },
      policyTypes: ['Ingress', 'Egress'],
      egress: [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
              podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
            },
          ],
        },
        { to: [{ podSelector: { matchLabels: { app: 'api' } } }], ports: [{ port: 80, protocol: 'TCP' }] },
        { to: [{ ipBlock: { cidr: '192.0.2.1/32' } }] },
      ],
    },
  });
  t.same(policies[0].unsaid, ['ICMP', 'entities (kube-apiserver)']);
  t.match(text, '#   entities (kube-apiserver)\n');
  t.equal(denied.length, 2);
});

t.test('what was dropped is left out unless it is asked for, and pods elsewhere get no policy', async (t) => {
  const dropped: Talk = { from: web, to: www, port: 25, droppedBy: 'egress' };
  const talks = [dropped, { from: web, to: api, port: 80 }];
  const { policies, left } = made(talks);
  t.same(
    [...left],
    [
      ['dropped by policy', 1],
      ['of pods elsewhere, such as shop/api, which get no policy', 2],
    ],
  );
  t.notMatch(JSON.stringify(policies), '25');
  t.match(JSON.stringify(egressOf(talks, { includeDenied: true })), '"port":"25"');
  const [{ object }] = made(talks, { directions: [INGRESS] }).policies;
  t.same(object.spec, { endpointSelector: { matchLabels: { app: 'web' } }, ingress: [{}] });
  t.equal(made(talks, { namespaces: ['bank'] }).policies.length, 0);
});

t.test('texts in flows cannot break out of YAML, patterns or names', async (t) => {
  const evil = 'x\nkind: Evil\u2028---\r# {{"\'`';
  const ends = [
    podEnd('shop/web-0', { app: 'web' }, { workload: evil }),
    podEnd('shop/web-1', { app: 'other' }, { workload: `${evil}.*` }),
  ];
  const requests: Omit<Layer7, 'type'>[] = [
    { http: { method: 'GET', url: '/(.*)|[a-z]+$^\\Q\\E"\'#: {}' } },
    { http: { method: 'GET', url: '/"}]},kind:#\\d{1000000}' } },
    { http: { method: '.*|PUT', url: '/x' } },
    { http: { method: 'GET|', url: '/y' } },
    { dns: { query: '*.example' } },
    { dns: { query: 'a"b.example' } },
    { kafka: { api_key: 'produce', topic: 'a/../b' } },
    { tlsSNI: '**' },
  ];
  const talks = ends.flatMap((from) => requests.map((request, i): Talk => ({ from, to: api, port: 80 + i, request })));
  const evilNames = { from: ends[0], to: worldEnd('192.0.2.1', '*.example', 'a b', evil), port: 443 };
  const { policies, denied, problems, text } = made([...talks, evilNames]);
  t.same(denied, []);
  t.same(problems, []);
  for (const { object } of policies) t.match(object.metadata.name, /^recorded-x-kind-evil-[\da-f]{8}$/);
  t.equal((text.match(/^kind:/gm) ?? []).length, 2);
  t.notMatch(text, '\u2028');
  t.notMatch(text, '\r');
  t.notMatch(text, '.*|PUT');
});

t.test('the same flows make the same text, in whatever order they come', async (t) => {
  const talks = [
    gets('/b'),
    gets('/a'),
    asks('www.example.'),
    { from: web, to: www, port: 443 },
    { from: podEnd('shop/web-9', { app: 'web' }, { ip: '10.0.0.9' }), to: api, port: 81 },
  ];
  t.equal(made([...talks].reverse()).text, made(talks).text);
});
