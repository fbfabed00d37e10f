/** Each rule fires on its shape and not on what is like it; what rules remember is bounded under floods of strangers. */
import t from 'tap';
import { flowsOf, podEnd, type RecordedEnd, worldEnd } from '../../test/recorded-flows.ts';
import { lostEnvelope } from '../decode/decode.ts';
import { compact, type Envelope, type Flow, type TcpFlags } from '../flow.ts';
import { Registry } from '../metrics/registry.ts';
import { rfc3339 } from '../time.ts';
import { Recent, Windows } from './recent.ts';
import type { AnomalyLimits, Finding } from './rule.ts';
import { Throttle } from './throttle.ts';
import { AnomalyWatch } from './watch.ts';

const START_MS = Date.UTC(2026, 0, 2);
const HOUR_MS = 3_600_000;
/** Tests run with --expose-gc. */
const collect = (): void => (globalThis.gc as () => void)();
/** Learning is over. */
const LATER_MS = START_MS + 2 * HOUR_MS;

const LIMITS: AnomalyLimits = {
  'window-seconds': 60,
  'port-scan-ports': 20,
  'sweep-addresses': 50,
  'learning-minutes': 60,
  'dns-random-names': 10,
  'dns-many-names': 100,
  'drop-surge-factor': 10,
  'drop-surge-packets': 500,
  'unanswered-syns': 50,
  'repeat-minutes': 5,
  'per-minute': 10,
};

const WEB = podEnd('shop/web-0', { app: 'web' }, { id: 1, ip: '10.0.0.1', workload: 'web' });
const API = podEnd('shop/api-0', { app: 'api' }, { id: 2, ip: '10.0.0.2', workload: 'api' });
const DNS = podEnd('kube-system/dns-0', { app: 'dns' }, { id: 3, ip: '10.0.0.53', workload: 'dns' });

/** A watch whose log is a list. */
function watching(limits: Partial<AnomalyLimits> = {}, exempt: readonly string[] = []) {
  const found: Finding[] = [];
  const registry = new Registry();
  const clock = { ms: 0 };
  const watch = new AnomalyWatch({
    limits: { ...LIMITS, ...limits },
    exempt,
    registry,
    seed: 7,
    startedMs: START_MS,
    clusterDomain: 'cluster.local',
    clock: () => clock.ms,
    tell: (finding) => found.push(finding),
  });
  const take = (flows: readonly Flow[], timeMs = LATER_MS): void => {
    clock.ms = timeMs - START_MS;
    watch.take(flows.map((flow): Envelope => ({ flow, time: rfc3339(timeMs), timeMs })));
  };
  const rules = (): string[] => found.map(({ rule }) => rule);
  return { watch, take, found, rules, registry };
}

function withFlags(flow: Flow, flags: TcpFlags): Flow {
  return { ...flow, l4: { TCP: { ...flow.l4?.TCP, flags } } };
}

/** A connection of TCP as the dataplane records it: the verdicts and the trace of the SYN, and the answer. */
function connection(
  from: RecordedEnd,
  to: RecordedEnd,
  port: number,
  { client = 40_000, isAnswered = true } = {},
): Flow[] {
  return flowsOf({ from, to, port, client }).flatMap((flow) => {
    if (flow.is_reply !== true) return [withFlags(flow, { SYN: true })];
    return isAnswered ? [withFlags(flow, { SYN: true, ACK: true })] : [];
  });
}

const denied = (from: RecordedEnd, to: RecordedEnd, port: number): Flow[] =>
  flowsOf({ from, to, port, droppedBy: 'ingress' }).map((flow) => withFlags(flow, { SYN: true }));

const asked = (name: string, from = WEB): Flow[] =>
  flowsOf({ from, to: DNS, protocol: 'UDP', port: 53, request: { dns: { query: name, qtypes: ['A'] } } });

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

t.test('a port scan: twenty ports of one address within a minute, denied, let through or of UDP', async (t) => {
  const scans: Record<string, (port: number) => Flow[]> = {
    denied: (port) => denied(WEB, API, port),
    'let through': (port) => connection(WEB, API, port),
    UDP: (port) => flowsOf({ from: WEB, to: API, protocol: 'UDP', port }),
    'UDP denied': (port) => flowsOf({ from: WEB, to: API, protocol: 'UDP', port, droppedBy: 'ingress' }),
  };
  for (const [name, flowsTo] of Object.entries(scans)) {
    const { take, found } = watching({ 'learning-minutes': 0 });
    for (const port of range(19)) take(flowsTo(port + 1), LATER_MS + port);
    t.same(found, [], `${name}: nineteen`);
    take(flowsTo(20), LATER_MS + 20);
    t.match(found, [{ rule: 'port-scan', text: 'shop/web-0 tried 20 ports of 10.0.0.2 within 60 s' }], name);
  }
});

t.test('no port scan: the same ports again, slowly, replies, many clients of one server', async (t) => {
  const { take, rules } = watching({ 'learning-minutes': 0 });
  for (const round of range(200)) take(connection(WEB, API, 8000 + (round % 19), { client: 30_000 + round }));
  t.same(rules(), [], 'nineteen ports, often');
  for (const port of range(100)) take(denied(WEB, API, 100 + port), LATER_MS + 200_000 + port * 3500);
  t.same(rules(), [], 'one in 3.5 s');
  // Answers go from one port of the server to many of the client: a scan but for is_reply and the flags.
  for (const client of range(300)) take(connection(WEB, API, 80, { client: 20_000 + client }), LATER_MS + HOUR_MS);
  for (const client of range(300))
    take(flowsOf({ from: WEB, to: DNS, protocol: 'UDP', port: 53, client }), LATER_MS + HOUR_MS);
  t.same(rules(), []);
});

t.test('a sweep: fifty addresses at one port; a crowd of clients is none', async (t) => {
  const { take, found, rules } = watching({ 'learning-minutes': 0 });
  const place = (index: number) => worldEnd(`192.0.2.${index + 1}`);
  for (const index of range(200)) take(connection(place(index), API, 443));
  t.same(rules(), [], 'many to one');
  for (const index of range(49)) take(connection(WEB, place(index), 22));
  t.same(rules(), []);
  take(connection(WEB, place(49), 22));
  t.match(found, [{ rule: 'sweep', text: 'shop/web-0 tried TCP port 22 of 50 addresses within 60 s' }]);
});

t.test('a new pair is told once, after the learning time; replies make none', async (t) => {
  const { take, found } = watching();
  take(connection(WEB, API, 80), START_MS);
  take(connection(WEB, API, 80));
  t.same(found, [], 'learnt, and what the answer says is no pair of its own');
  take(connection(API, WEB, 80));
  take(connection(API, WEB, 81), LATER_MS + HOUR_MS);
  t.match(found, [{ rule: 'new-pair', subject: 'shop/api shop/web' }]);
  t.equal(found.length, 1);
  const other = podEnd('shop/web-1', { app: 'web' }, { id: 9, ip: '10.0.0.9', workload: 'web' });
  take(connection(other, API, 80));
  t.equal(found.length, 1, 'another pod of the same workload');
});

t.test(
  'a new name or address outside: a name is known whatever its address; who comes from outside is not told',
  async (t) => {
    const { take, found } = watching();
    take(connection(WEB, worldEnd('192.0.2.1', 'example.com'), 443), START_MS);
    take(connection(WEB, worldEnd('192.0.2.9', 'cdn.example.net', 'example.com'), 443));
    for (const index of range(40)) take(connection(worldEnd(`192.0.2.${index}`), WEB, 443));
    t.same(found, []);
    take(connection(WEB, worldEnd('192.0.2.7', 'evil.example.org'), 443));
    take(connection(WEB, worldEnd('192.0.2.8'), 443));
    take(connection(WEB, worldEnd('192.0.2.8'), 443));
    t.match(found, [{ subject: 'shop/web evil.example.org' }, { subject: 'shop/web 192.0.2.8' }]);
    t.equal(found.length, 2);
  },
);

t.test('DNS: names that look random, and very many, of one domain', async (t) => {
  const random = (index: number) =>
    `${'mzq7xk2p9w4tb8vn3c6r5hj1'.slice(index % 20)}${index}gfd8s7a6p5o4i3u2y1trewq.t.example.co.uk`;
  const { take, found } = watching({ 'learning-minutes': 0 });
  for (const index of range(10)) take(asked(random(index)));
  t.match(found, [{ rule: 'dns-random-names', subject: '10.0.0.1 example.co.uk' }]);
  const many = watching({ 'learning-minutes': 0 });
  for (const index of range(100)) many.take(asked(`host-${index}.example.com`));
  t.match(many.found, [{ rule: 'dns-many-names', text: 'shop/web-0 asked for 100 names of example.com within 60 s' }]);
});

t.test(
  'DNS: names of the cluster, search lists, reverse look-ups, long words and the same names again are fine',
  async (t) => {
    const { take, rules } = watching({ 'learning-minutes': 0 });
    for (const index of range(300)) {
      take(asked(`svc-${index}.shop.svc.cluster.local.`));
      take(asked(`example-${index}.com.shop.svc.cluster.local`));
      take(asked(`${index}.0.0.10.in-addr.arpa`));
      take(asked(`site-${index}.com`));
      take(asked(`a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6-${index % 9}.us-east-1.elb.amazonaws.com`));
      take(asked(`the-quite-long-name-of-some-service-${'abcdefghijklmnopqrstuvwxyz'[index % 26]}.example.com`));
    }
    t.same(rules(), []);
  },
);

t.test('a surge of drops, against what is usual; counted drops count as what they stand for', async (t) => {
  const drop: Flow = { ...denied(WEB, API, 80)[1], event_type: { type: 1, sub_type: 133 } };
  const counted = (packets: number): Flow =>
    compact<Flow>({ ...drop, IP: undefined, l4: undefined, aggregate: { ingress_flow_count: packets } });
  const { take, found } = watching({ 'learning-minutes': 0 });
  for (const round of range(60)) take([counted(400)], LATER_MS + round * 10_000);
  take([counted(3500)], LATER_MS + 600_000);
  t.same(found, [], 'under ten times as many');
  take([counted(9000)], LATER_MS + 601_000);
  t.match(found, [{ rule: 'drop-surge', subject: 'POLICY_DENIED' }]);
  const fresh = watching({ 'learning-minutes': 0 });
  fresh.take(Array<Flow>(499).fill(drop));
  t.same(fresh.found, [], 'few');
  fresh.take([drop]);
  t.match(fresh.rules(), ['drop-surge']);
  // Counts come after what was told one by one, of an interval that had ended by then.
  const late = watching({ 'learning-minutes': 0 });
  const endMs = Math.ceil(LATER_MS / 10_000) * 10_000;
  late.take(Array<Flow>(200).fill(drop), endMs + 100);
  late.take([counted(200)], endMs - 100);
  t.same(late.found, []);
  late.take(Array<Flow>(100).fill(drop), endMs + 200);
  t.match(late.rules(), ['drop-surge']);
});

t.test(
  'SYNs without answer: a flood from many, a service that is gone; refusals and late looks are answers',
  async (t) => {
    const { take, rules, watch } = watching({ 'learning-minutes': 0 });
    const client = (index: number) => worldEnd(`198.51.100.${index}`);
    for (const index of range(200)) take(connection(client(index), API, 80), LATER_MS + index);
    take([], LATER_MS + 30_000);
    take(connection(WEB, API, 80), LATER_MS + 30_000);
    t.same(rules(), [], 'all were answered');
    for (const index of range(60)) take(connection(client(index), API, 80, { isAnswered: false }), LATER_MS + 40_000);
    take(
      range(60).flatMap(() => connection(client(1), API, 80, { isAnswered: false })),
      LATER_MS + 41_000,
    );
    watch.take([lostEnvelope('PERF_EVENT_RING_BUFFER', 1, '', LATER_MS)]);
    take(connection(WEB, API, 80), LATER_MS + 50_000);
    t.same(rules(), [], 'the answers may be lost');
    for (const index of range(60)) take(connection(client(index), API, 81, { isAnswered: false }), LATER_MS + 60_000);
    take(connection(WEB, API, 80), LATER_MS + 66_000);
    t.same(rules(), ['unanswered-syns']);
  },
);

t.test('SYNs without answer are told when nothing else comes, and not before the answers had their time', async (t) => {
  const { take, rules, watch } = watching({ 'learning-minutes': 0 });
  const flood = (timeMs: number, from: number, to: number): void => {
    for (let client = from; client < to; client++)
      take(connection(WEB, API, 80, { client: 20_000 + client, isAnswered: false }), timeMs);
  };
  flood(LATER_MS, 0, 60);
  watch.tick(LATER_MS + 5000);
  t.same(rules(), []);
  watch.tick(LATER_MS + 5600);
  t.same(rules(), ['unanswered-syns']);

  flood(LATER_MS + HOUR_MS, 100, 125);
  flood(LATER_MS + 2 * HOUR_MS, 125, 150);
  watch.tick(LATER_MS + 3 * HOUR_MS);
  t.same(rules(), ['unanswered-syns'], 'an attempt counts at its own time, however late it is given up');

  flood(LATER_MS + 4 * HOUR_MS, 200, 260);
  take(denied(API, WEB, 80), LATER_MS + 4 * HOUR_MS + 6000);
  t.same(rules(), ['unanswered-syns'], 'drops come by a ring of their own: answers may yet come');
  for (let client = 200; client < 260; client++)
    take(connection(WEB, API, 80, { client: 20_000 + client }).slice(-1), LATER_MS + 4 * HOUR_MS + 100);
  watch.tick(LATER_MS + 5 * HOUR_MS);
  t.same(rules(), ['unanswered-syns']);
});

t.test('exempt sources, and rules that are switched off, tell nothing', async (t) => {
  for (const exempt of ['10.0.0.1', 'shop/', 'shop/web', 'shop/web-0', 'other/']) {
    const { take, rules } = watching({ 'learning-minutes': 0 }, [exempt]);
    for (const port of range(40)) take(denied(WEB, API, port));
    t.same(rules(), exempt === 'other/' ? ['port-scan'] : [], exempt);
  }
  const off = watching({ 'learning-minutes': 0, 'port-scan-ports': 0, 'drop-surge-factor': 0 });
  for (const port of range(40)) off.take(denied(WEB, API, port));
  t.same(off.rules(), []);
});

t.test('a flood of random sources: what is told is bounded and the rest is counted, memory too', async (t) => {
  const { take, found, registry } = watching();
  const address = (index: number) => `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;
  const flood = (count: number): void => {
    for (const index of range(count))
      take(
        connection(WEB, worldEnd(address(index)), 1 + (index % 60_000), { isAnswered: false }),
        LATER_MS + (index >> 6),
      );
  };
  flood(10_000);
  collect();
  const before = process.memoryUsage().heapUsed;
  flood(60_000);
  collect();
  const grownMib = (process.memoryUsage().heapUsed - before) / 2 ** 20;
  t.ok(grownMib < 24, `heap grew by ${grownMib.toFixed(1)} MiB`);
  t.ok(found.length <= 3 * 10, `${found.length} told`);
  const text = registry.render('prometheus');
  t.match(text, /sluice_anomalies_untold_total\{rule="new-external"\} [1-9]\d{3}/);
  t.match(text, /sluice_anomaly_subjects_forgotten_total\{rule="port-scan"\} [1-9]\d{3}/);
});

t.test('the same subject is told once in a while, and few of a rule in a minute', async (t) => {
  const throttle = new Throttle(LIMITS);
  const finding = (subject: string): Finding => ({ rule: 'sweep', subject, text: '', flow: denied(WEB, API, 1)[0] });
  t.ok(throttle.admit(finding('a'), 0));
  t.notOk(throttle.admit(finding('a'), 299_999));
  t.ok(throttle.admit(finding('a'), 300_000));
  t.equal(range(50).filter((index) => throttle.admit(finding(`b${index}`), 600_000)).length, 10);
  t.ok(throttle.admit(finding('b49'), 660_000), 'the next minute');
});

t.test('Recent forgets what was not used lately; Windows mind a clock that is set back', async (t) => {
  const gone: number[] = [];
  const recent = new Recent<number>(4, (value) => gone.push(value));
  for (const [index, key] of ['a', 'b', 'c'].entries()) recent.set(key, index);
  t.equal(recent.get('a'), 0);
  recent.set('d', 3);
  t.same([gone, recent.forgotten, recent.has('b'), recent.has('a')], [[1], 1, false, true]);
  for (const index of range(1000)) recent.set(`e${index}`, index);
  t.ok([...recent].length <= 4);
  const windows = new Windows(3, 1000);
  const add = (value: number, ms: number): boolean => windows.add('a', value, ms);
  t.same([add(1, 1e9), add(2, 1e9), add(3, 5)], [false, false, false], 'of the future');
  t.same([add(4, 6), add(5, 7)], [false, true]);
});

t.test('windows of the highest limit do not take more memory than those of a low one', async (t) => {
  for (const limit of [2, 20, 1024]) {
    const windows = new Windows(limit, 60_000);
    collect();
    const before = process.memoryUsage().heapUsed;
    for (const subject of range(Math.min(10_000, Math.ceil(300_000 / limit))))
      for (let value = 0; value < limit - 1; value++) windows.add(`10.0.0.${subject} 10.0.0.1`, value << 20, LATER_MS);
    collect();
    const mib = (process.memoryUsage().heapUsed - before) / 2 ** 20;
    t.ok(mib < 10, `${limit}: ${mib.toFixed(1)} MiB`);
    t.ok(windows.forgotten > 0);
  }
});
