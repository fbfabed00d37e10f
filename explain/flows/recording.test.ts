/** What recorded flows say of connections. */
import t from 'tap';
import type { Flow } from '../../hubble/flow.ts';
import { flowsOfAllKinds } from '../../test/hubble/flows-of-all-kinds.ts';
import { entityEnd, flowsOf, podEnd, type Talk, worldEnd } from '../../test/recorded-flows.ts';
import { hasPassed, Recording } from './recording.ts';
import { sightingOf } from './sighting.ts';

const web = podEnd('shop/web-0', { app: 'web' }, { workload: 'web' });
const api = podEnd('shop/api-0', { app: 'api' }, { id: 2, ip: '10.0.0.2' });
const farApi = podEnd('shop/api-0', { app: 'api' }, { id: 0, ip: '10.0.0.2' });
const HTTP = { http: { method: 'GET', url: 'http://api:8080/x?a=1', protocol: 'HTTP/1.1' } };

function recorded(...talks: Talk[]): Recording {
  const recording = new Recording();
  for (const flow of talks.flatMap(flowsOf)) recording.add(flow);
  return recording;
}

function told(recording: Recording): string[] {
  return recording.connections().map((one) => {
    const { from, to, protocol, port, request } = one;
    const what = request === undefined ? '' : ` ${JSON.stringify(request)}`;
    return `${from.text} > ${to.text} ${protocol}/${port}${what} ${hasPassed(one) ? 'passed' : 'dropped'}`;
  });
}

t.test('connections are told once, with what became of them', async (t) => {
  const cases: readonly (readonly [string, Talk, readonly string[]])[] = [
    ['passed', { from: web, to: api, port: 80 }, ['shop/web > shop/api 6/80 passed']],
    [
      'let out by one end and dropped by the other',
      { from: web, to: api, port: 80, droppedBy: 'ingress' },
      ['shop/web > shop/api 6/80 dropped'],
    ],
    [
      'dropped by the first end',
      { from: web, to: api, port: 80, droppedBy: 'egress' },
      ['shop/web > shop/api 6/80 dropped'],
    ],
    ['the other end is elsewhere', { from: web, to: farApi, port: 80 }, ['shop/web > shop/api 6/80 passed']],
    ['audit mode lets it pass', { from: web, to: api, port: 80, isAudited: true }, ['shop/web > shop/api 6/80 passed']],
    ['ICMP', { from: web, to: api, protocol: 'ICMPv4', port: 8 }, ['shop/web > shop/api 1/8 passed']],
    ['an address', { from: web, to: worldEnd('192.0.2.1'), port: 443 }, ['shop/web > 192.0.2.1 6/443 passed']],
    ['an entity', { from: entityEnd('host', 1), to: web, port: 80 }, ['host > shop/web 6/80 passed']],
    [
      'a request',
      { from: web, to: api, port: 80, request: HTTP },
      [
        'shop/web > shop/api 6/80 passed',
        'shop/web > shop/api 6/80 {"http":{"method":"GET","path":"/x?a=1","host":"api:8080"}} passed',
      ],
    ],
    [
      'a request that is refused',
      { from: web, to: api, port: 80, request: HTTP, isRefused: true },
      [
        'shop/web > shop/api 6/80 passed',
        'shop/web > shop/api 6/80 {"http":{"method":"GET","path":"/x?a=1","host":"api:8080"}} dropped',
      ],
    ],
  ];
  for (const [name, talk, wanted] of cases) t.same(told(recorded(talk)), wanted, name);
});

t.test('a connection that was dropped and then let in has passed', async (t) => {
  const recording = recorded({ from: web, to: api, port: 80, droppedBy: 'ingress' }, { from: web, to: api, port: 80 });
  t.same(told(recording), ['shop/web > shop/api 6/80 passed']);
});

function without(flow: Flow, key: keyof Flow): Flow {
  return Object.fromEntries(Object.entries(flow).filter(([name]) => name !== key)) as unknown as Flow;
}

t.test('flows that say nothing of policy are counted by the reason', async (t) => {
  const [verdict, , trace] = flowsOf({ from: web, to: api, port: 80 });
  const denied: Flow = { ...verdict, verdict: 'DROPPED', drop_reason: 133 };
  const cases: readonly (readonly [string, Flow])[] = [
    ['a reply', { ...trace, is_reply: true }],
    ['an error that a connection brought', { ...trace, trace_reason: 'RELATED' }],
    ['not known whether it is a reply', without(trace, 'is_reply')],
    ['seen before it was judged', { ...trace, trace_observation_point: 'FROM_ENDPOINT' }],
    ['dropped for another reason than policy', { ...verdict, verdict: 'DROPPED', drop_reason: 132 }],
    [
      'dropped for another reason than policy',
      {
        ...verdict,
        verdict: 'DROPPED',
        drop_reason: 133,
        extensions: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'SLUICE_L7_DENIED' },
      },
    ],
    ['no verdict', { ...verdict, verdict: 'ERROR' }],
    ['no port', { ...verdict, l4: {} }],
    ['no port', { ...verdict, l4: { TCP: { source_port: 5 } } }],
    [
      'many packets without addresses or ports',
      { ...without(denied, 'IP'), l4: { ICMPv4: {} }, aggregate: { ingress_flow_count: 7 } },
    ],
    ['no end', { ...verdict, source: {}, IP: { source: '', destination: '10.0.0.2', ipVersion: 'IPv4' } }],
    ['a pod that talks to itself', { ...verdict, destination: verdict.source }],
    [
      'labels that no object can have',
      { ...verdict, source: { ...web.endpoint, labels: [...(web.endpoint.labels ?? []), 'k8s:a b=c'] } },
    ],
    ['labels that no object can have', { ...verdict, source: { labels: ['k8s:io.kubernetes.pod.namespace=a/../b'] } }],
    [
      'a request that no rule can name',
      { ...verdict, Type: 'L7', l7: { type: 'REQUEST', http: { method: 'GET', url: '/a b' } } },
    ],
    [
      'a request that no rule can name',
      { ...verdict, Type: 'L7', l7: { type: 'REQUEST', dns: { query: '*.example' } } },
    ],
  ];
  for (const [reason, flow] of cases) t.equal(sightingOf(flow), reason, JSON.stringify(flow).slice(0, 200));
});

t.test('every kind of flow that the decoder makes is understood or left out with a reason', async (t) => {
  const recording = new Recording();
  const flows = flowsOfAllKinds();
  for (const flow of flows) recording.add(flow);
  const left = [...recording.silent.values()].reduce((sum, count) => sum + count, 0);
  const counted = recording.connections().reduce((sum, { flows: count }) => sum + count, 0);
  t.equal(recording.flows, flows.length);
  t.equal(left + counted, flows.length);
  t.ok(counted > 10);
});

t.test('the order of flows makes no difference, nor which pod of a workload is met first', async (t) => {
  const other = podEnd('shop/web-1', { app: 'web' }, { workload: 'shop-web', ip: '10.0.0.9' });
  const flows = [
    { from: web, to: api, port: 80 },
    { from: other, to: api, port: 80 },
    { from: other, to: worldEnd('192.0.2.1', 'WWW.example.'), port: 443 },
  ].flatMap(flowsOf);
  const [one, two] = [new Recording(), new Recording()];
  for (const flow of flows) one.add(flow);
  for (const flow of [...flows].reverse()) two.add(flow);
  t.same(one.connections(), two.connections());
  t.same([...one.names], [['www.example', new Set(['192.0.2.1'])]]);
});

t.test('pods of other clusters are left out and counted', async (t) => {
  const far = {
    ...api,
    endpoint: {
      ...api.endpoint,
      labels: (api.endpoint.labels ?? []).map((text) => text.replace('cluster=default', 'cluster=far')),
    },
  };
  const recording = recorded(
    { from: web, to: api, port: 80 },
    { from: web, to: far, port: 81 },
    { from: web, to: api, port: 82 },
  );
  t.same(told(recording), ['shop/web > shop/api 6/80 passed', 'shop/web > shop/api 6/82 passed']);
  t.equal(recording.silent.get('with a pod of another cluster'), 3);
  t.equal(recording.clusterName(), 'default');
});

t.test('more connections than are told apart are counted', async (t) => {
  const recording = new Recording(2);
  for (const port of [80, 81, 82, 80]) for (const flow of flowsOf({ from: web, to: api, port })) recording.add(flow);
  t.same(told(recording), ['shop/web > shop/api 6/80 passed', 'shop/web > shop/api 6/81 passed']);
  t.equal(recording.silent.get('of more connections than are told apart'), 3);
  t.equal(recording.connections()[0].flows, 6);
});
