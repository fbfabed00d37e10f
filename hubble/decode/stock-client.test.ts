/** What we write as JSON is what a stock client of Hubble reads without a warning: flow.proto has every field and name. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dropsOfAllReasons, flowsOfAllKinds } from '../../test/hubble/flows-of-all-kinds.ts';
import { readProto, strictProblems } from '../../test/hubble/proto-json.ts';
import { lostEnvelope } from './decode.ts';

const SCHEMA = readProto(readFileSync(join(import.meta.dirname, '../../../test/hubble/flow.proto'), 'utf8'));

t.test('every flow is one of flow.proto, to a strict reader', async (t) => {
  const all = [...flowsOfAllKinds(), ...dropsOfAllReasons()];
  t.ok(all.length > 200, `${all.length} flows`);
  const seen = new Set<string>();
  for (const flow of all) {
    const json: unknown = JSON.parse(JSON.stringify(flow));
    t.same(strictProblems(SCHEMA, 'Flow', json), [], JSON.stringify(flow));
    for (const [key, value] of Object.entries(flow)) {
      seen.add(key);
      if (key === 'l4' || key === 'l7') for (const inner of Object.keys(value as object)) seen.add(inner);
    }
  }
  const wanted = [
    'TCP',
    'UDP',
    'SCTP',
    'ICMPv4',
    'ICMPv6',
    'http',
    'dns',
    'kafka',
    'extensions',
    'Summary',
    'auth_type',
  ];
  t.same(
    wanted.filter((name) => !seen.has(name)),
    [],
    'kinds that were not among them',
  );
});

t.test('so is the word of lost events', async (t) => {
  for (const source of ['PERF_EVENT_RING_BUFFER', 'HUBBLE_RING_BUFFER'] as const) {
    const { lost_events: lost } = lostEnvelope(source, 3, 'node-1', 0);
    t.same(strictProblems(SCHEMA, 'LostEvent', lost), []);
  }
});

t.test('the strict reader finds what a client would warn of', async (t) => {
  const problems = (flow: object) => strictProblems(SCHEMA, 'Flow', flow);
  t.same(problems({ drop_reason_desc: 'SLUICE_L7_DENIED' }), ['Flow.drop_reason_desc: no DropReason SLUICE_L7_DENIED']);
  t.same(problems({ nosuch: 1, source: { labels: 'x' } }), [
    'Flow.nosuch: no such field',
    'Flow.source.labels: no list',
  ]);
  t.same(problems({ l4: { TCP: {}, UDP: {} } }), ['Flow.l4.UDP: a second protocol']);
  t.same(problems({ l7: { latency_ns: 5 } }), ['Flow.l7.latency_ns: 5 is no uint64']);
  t.same(problems({ Summary: '\ud800' }).length, 1, 'half a character');
  t.same(problems({ verdict: 2, IP: null }), ['Flow.verdict: no Verdict 2', 'Flow.IP: no object']);
});
