/** Anomalies as the agent tells them: a flow that every client shows, a line in the log, a metric; and none in two ordinary hours. */
import t from 'tap';
import { compileFilters } from '../../hubble/filter/filter.ts';
import { observeFilters } from '../../hubble/filter/observe-filter.ts';
import type { Envelope, Flow, TcpFlags } from '../../hubble/flow.ts';
import { encodeEnvelope } from '../../hubble/message/envelope.ts';
import { FlowMetrics } from '../../hubble/metrics/flow-metrics.ts';
import { Registry } from '../../hubble/metrics/registry.ts';
import { compactText } from '../../hubble/print/print.ts';
import { rfc3339 } from '../../hubble/time.ts';
import { flowsOfAllKinds } from '../../test/hubble/flows-of-all-kinds.ts';
import { randomFrom } from '../../test/random.ts';
import { flowsOf, podEnd, type Talk, worldEnd } from '../../test/recorded-flows.ts';
import { loadConfig } from '../config/config.ts';
import { openAnomalyWatch } from './anomalies.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60_000;

function watching() {
  const told: Flow[] = [];
  const logged: unknown[] = [];
  const metrics = new Registry();
  const watch = openAnomalyWatch({
    config: loadConfig(),
    metrics,
    tell: (flow) => told.push(flow),
    log: (...line) => logged.push(line),
  });
  const take = (flows: readonly Flow[], timeMs: number): void =>
    watch.take(flows.map((flow): Envelope => ({ flow: { ...flow, time: rfc3339(timeMs) }, timeMs })));
  return { take, told, logged, metrics };
}

/** With the flags that a connection's records have. */
function recorded(talk: Talk): Flow[] {
  return flowsOf(talk).map((flow) => {
    if (flow.l4?.TCP === undefined) return flow;
    const flags: TcpFlags = flow.is_reply === true ? { SYN: true, ACK: true } : { SYN: true };
    return { ...flow, l4: { TCP: { ...flow.l4.TCP, flags } } };
  });
}

const pods = Array.from({ length: 40 }, (_, index) =>
  podEnd(`shop/app-${index}`, {}, { id: index + 1, ip: `10.0.0.${index + 1}`, workload: `app-${index % 15}` }),
);
const dns = podEnd('kube-system/dns', {}, { id: 100, ip: '10.0.0.100', workload: 'dns' });

t.test('a port scan by default limits: a flow, a line in the log, a metric', async (t) => {
  const { take, told, logged, metrics } = watching();
  const startMs = Date.now();
  for (let port = 1; port <= 200; port++)
    take(recorded({ from: pods[0], to: pods[1], port, droppedBy: 'ingress' }), startMs + port * 10);
  t.equal(told.length, 1, 'one, however long it goes on');
  const [flow] = told;
  const sentence = 'shop/app-0 tried 20 ports of 10.0.0.2 within 60 s';
  t.match(flow, {
    verdict: 'VERDICT_UNKNOWN',
    event_type: { type: 130 },
    Summary: `Anomaly port-scan: ${sentence}`,
    extensions: { value: 'SLUICE_ANOMALY_PORT_SCAN' },
  });
  const line = compactText(flow).replace(/^[^:]*:\d+:[^:]*: /, '');
  t.equal(line, `shop/app-0 (ID:1000) <> shop/app-1 (ID:1000) anomaly VERDICT_UNKNOWN (${flow.Summary ?? ''})`);
  t.match(logged, [['warn', `anomaly: ${sentence}`, { rule: 'port-scan', subject: '10.0.0.1 10.0.0.2' }]]);
  t.match(metrics.render('prometheus'), /^sluice_anomalies_total\{rule="port-scan"\} 1$/m);
  const matches = (...flags: [string, string][]): boolean => {
    const { allow, deny } = observeFilters(flags);
    return compileFilters(allow, deny)({ flow });
  };
  t.ok(matches(['type', 'agent']), 'asked for by type');
  t.ok(matches(['pod', 'shop/app-0']), 'asked for by pod');
  t.notOk(matches(['type', 'drop']));
  t.ok(encodeEnvelope({ flow, node_name: 'n', time: flow.time }).length > 0, 'a message of the API');
});

t.test('an anomaly is no packet: metrics of flows do not count it, and the watch does not look at it', async (t) => {
  const { take, told } = watching();
  for (let port = 1; port <= 20; port++) take(recorded({ from: pods[0], to: pods[1], port }), Date.now());
  const registry = new Registry();
  new FlowMetrics(['flow', 'port-distribution', 'flows-to-world'], registry, () => 0).take(
    told.map((flow) => ({ flow })),
  );
  t.notMatch(registry.render('prometheus'), /^hubble_\w+\{/m);
  for (let count = 0; count < 1000; count++) take(told, Date.now());
  t.equal(told.length, 1);
});

t.test('two ordinary hours: nothing is told', async (t) => {
  const { take, told } = watching();
  const draw = randomFrom(11);
  const startMs = Date.now();
  let flows = 0;
  const say = (talk: Talk, timeMs: number): void => {
    const all = recorded({ ...talk, client: 30_000 + draw(30_000) });
    flows += all.length;
    take(all, timeMs);
  };
  for (let ms = 0; ms < 120 * MINUTE_MS; ms += SECOND_MS) {
    for (let count = 0; count < 4; count++) {
      const from = draw(40);
      // Everybody has four whom it talks to, a few names outside, and asks for them.
      say(
        { from: pods[from], to: pods[(from * 7 + draw(4)) % 40], port: [80, 443, 8080, 5432][draw(4)] },
        startMs + ms,
      );
      const name = `api-${from % 5}.example${draw(3)}.com`;
      const request = { dns: { query: name, qtypes: ['A'] } };
      say({ from: pods[from], to: dns, protocol: 'UDP', port: 53, request }, startMs + ms);
      say({ from: pods[from], to: worldEnd(`192.0.2.${draw(250)}`, name), port: 443 }, startMs + ms);
    }
    // A scraper of all pods, a client that is denied now and then, one whose server is away.
    if (ms % (15 * SECOND_MS) === 0) for (const to of pods) say({ from: dns, to, port: 9100 }, startMs + ms);
    if (draw(10) === 0) say({ from: pods[3], to: pods[17], port: 6379, droppedBy: 'ingress' }, startMs + ms);
  }
  t.comment(`${flows} flows`);
  t.same(
    told.map(({ Summary }) => Summary),
    [],
  );
  say({ from: pods[0], to: pods[39], port: 80 }, startMs + 120 * MINUTE_MS);
  t.match(told, [{ Summary: 'Anomaly new-pair: shop/app-0 talks to shop/app-9 for the first time' }], 'it was looking');
});

t.test('one flow of each kind: nothing is told, whatever is missing in it', async (t) => {
  const { take, told } = watching();
  for (const flow of flowsOfAllKinds()) take([flow], Date.now());
  t.same(told, []);
});
