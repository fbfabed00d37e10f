import t from 'tap';
import type { Flow } from '../../hubble/flow.ts';
import { type MapChanges, TrafficMap } from './traffic-map.ts';
import { FIGURES } from './verdicts.ts';

const pod = (name: string) => ({ namespace: 'shop', pod_name: name });
const flow = (from: string, to: string, fields: Partial<Flow> = {}): Flow => ({
  time: '2026-01-02T03:04:05Z',
  verdict: 'FORWARDED',
  source: pod(from),
  destination: pod(to),
  Type: 'L3_L4',
  event_type: { type: 4 },
  l4: { TCP: { source_port: 40_000, destination_port: 80 } },
  ...fields,
});
/** What somebody knows who heard all changes. */
class Hearer {
  readonly places = new Map<number, string>();
  readonly edges = new Map<number, string>();
  readonly figures = new Map<string, Record<string, number>>();

  hear({ isFresh, places, edges, gonePlaces, goneEdges, figures }: MapChanges): this {
    if (isFresh) for (const map of [this.places, this.edges, this.figures]) map.clear();
    for (const edge of goneEdges) this.edges.delete(edge);
    for (const place of gonePlaces) this.places.delete(place);
    for (const { number, name } of places) this.places.set(number, name);
    for (const { edge, from, to } of edges) this.edges.set(edge, `${this.places.get(from)}>${this.places.get(to)}`);
    for (let at = 0; at < figures.length; at += FIGURES.length) {
      const row = Object.fromEntries(FIGURES.map((name, index) => [name, figures[at + index]]));
      this.figures.set(this.edges.get(row['edge'])!, row);
    }
    return this;
  }
}

t.test('a reply counts for the edge that it answers, and verdicts for themselves', (t) => {
  const map = new TrafficMap();
  map.add(flow('web', 'api'), 1000);
  map.add(flow('api', 'web', { is_reply: true, l4: { TCP: { source_port: 80, destination_port: 40_000 } } }), 1000);
  map.add(flow('api', 'web', { l4: { ICMPv4: { type: 3, code: 3 } } }), 1000);
  map.add(flow('api', 'web', { l4: { ICMPv6: { type: 1 } } }), 1000);
  map.add(flow('web', 'db', { verdict: 'DROPPED', aggregate: { egress_flow_count: 5 } }), 2000);
  const changes = map.changes(2000);
  const { edges, figures } = new Hearer().hear(changes);
  t.same([...edges.values()], ['web>api', 'web>db']);
  t.match(figures.get('web>api'), { forwarded: 4, dropped: 0, droppedMs: 0 });
  t.match(figures.get('web>db'), { forwarded: 0, dropped: 5, droppedMs: 2000 });
  t.same(changes.labels, ['TCP 80 +2', 'TCP 80']);
  t.same(map.changes(2100).edges, [], 'what was told is not told again');
  t.end();
});

t.test('a rate follows the traffic and comes to rest', (t) => {
  const map = new TrafficMap();
  const hearer = new Hearer();
  map.add(flow('web', 'api'), 0, true);
  hearer.hear(map.changes(0));
  t.equal(hearer.figures.get('web>api')!['rate'], 0, 'what was there before says nothing of rates');
  for (let tick = 1; tick <= 400; tick++) {
    for (let times = 0; times < 5; times++) map.add(flow('web', 'api'), tick * 250);
    hearer.hear(map.changes(tick * 250));
  }
  t.ok(Math.abs(hearer.figures.get('web>api')!['rate'] - 20) < 0.5, '20 a second');
  for (let tick = 401; tick <= 1000; tick++) hearer.hear(map.changes(tick * 250));
  t.equal(hearer.figures.get('web>api')!['rate'], 0);
  t.equal(map.changes(300_000).figures.length, 0, 'and is then told no more');
  t.end();
});

t.test('a full map sums up what is new, makes room when there is idle traffic, and stays consistent', (t) => {
  const map = new TrafficMap();
  const hearer = new Hearer();
  for (let index = 0; index < 3000; index++) map.add(flow('web', `scanned-${index}`), 1000);
  hearer.hear(map.changes(1000));
  t.ok(hearer.places.size <= 2000 && hearer.edges.size <= 6000);
  t.ok([...hearer.edges.values()].includes('web>others'));
  t.equal(
    [...hearer.figures.values()].reduce((sum, row) => sum + row['forwarded'], 0),
    3000,
    'nothing is lost',
  );
  map.add(flow('new', 'api'), 400_000);
  hearer.hear(map.changes(400_000));
  t.same([...hearer.edges.values()], ['new>api'], 'five minutes later all of the scan has gone');
  t.equal(hearer.places.size, 2);
  for (let index = 0; index < 500; index++) map.add(flow(`a-${index % 50}`, `b-${index % 37}`), 400_001);
  hearer.hear(map.changes(400_001));
  t.equal(new Set(hearer.edges.values()).size, hearer.edges.size, 'numbers that are used again mean one thing');
  t.same(map.size, { places: hearer.places.size, edges: hearer.edges.size });
  t.end();
});

t.test('tellAgain() tells all to somebody who comes new', (t) => {
  const map = new TrafficMap();
  map.add(flow('web', 'api'), 1000);
  const told = new Hearer().hear(map.changes(1000));
  map.tellAgain();
  const again = map.changes(2000);
  t.ok(again.isFresh);
  t.same(new Hearer().hear(again).edges, told.edges);
  t.end();
});

t.test('detail() has ports, requests, policies, reasons and the last flows, each bounded', (t) => {
  const map = new TrafficMap();
  for (let index = 0; index < 200; index++) {
    const l4 = { TCP: { source_port: 40_000, destination_port: 1000 + index } };
    const url = `http://api/p${index}/${index}?q=1`;
    map.add(flow('web', 'api', { l4, l7: { type: 'REQUEST', http: { method: 'GET', url } } }), 1000);
  }
  map.add(
    flow('web', 'api', {
      verdict: 'DROPPED',
      drop_reason_desc: 'POLICY_DENIED',
      ingress_denied_by: [{ name: 'closed', namespace: 'shop' }],
    }),
    1000,
  );
  for (let index = 0; index < 20; index++)
    map.add(
      flow('web', 'api', {
        l7: { type: 'RESPONSE', latency_ns: '3000000', http: { method: 'GET', url: '/p0/8', code: 500 } },
      }),
      1000,
    );
  const { ports, l7, policies, reasons, last } = map.detail(0)!;
  t.equal(ports.length, 33);
  t.ok(ports.some(({ key, forwarded }) => key === 'other' && forwarded === 188));
  t.equal(l7.length, 49);
  t.match(
    l7.find(({ key }) => key === 'GET /p0/*'),
    { forwarded: 21, errors: 20, answers: 20, latencyMs: 3 },
  );
  t.match(policies, [{ key: 'denied ingress shop/closed', dropped: 1 }]);
  t.match(reasons, [{ key: 'POLICY_DENIED', dropped: 1 }]);
  t.equal(last.length, 9, 'the last drop stays');
  t.equal(last.at(-1)!.verdict, 'DROPPED');
  t.equal(map.detail(1), undefined);
  t.end();
});
