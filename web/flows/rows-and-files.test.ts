// Places of rows, and flows as cells, fields and files.
import t from 'tap';
import type { Flow } from '../../hubble/flow.ts';
import { observeFilters } from '../../hubble/filter/observe-filter.ts';
import { compileFilters } from '../../hubble/filter/filter.ts';
import { TownFlows } from '../../test/town-flows.ts';
import { COLUMNS, flowText } from './cells.ts';
import { csvHead, csvLines, jsonLines } from './export-text.ts';
import { fieldGroups } from './fields.ts';
import { countOf, drawnOf, keyAt, placeOf } from './row-order.ts';

t.test('each place has a key, and each key its place, in either order', (t) => {
  for (const isNewestFirst of [true, false])
    for (const [older, base, end] of [
      [0, 0, 0],
      [3, 0, 0],
      [0, 5, 9],
      [4, 7, 12],
    ]) {
      const span = { older, base, end, isNewestFirst };
      const keys = Array.from({ length: countOf(span) }, (_, place) => keyAt(span, place));
      t.equal(new Set(keys).size, older + end - base);
      t.strictSame(
        keys.map((key) => placeOf(span, key)),
        keys.map((_, place) => place),
      );
      t.strictSame(
        keys.toSorted((a, b) => (isNewestFirst ? b - a : a - b)),
        keys,
        'in the order of time',
      );
      for (const gone of [end, -older - 1]) t.equal(placeOf(span, gone), -1);
    }
  t.end();
});

t.test('older flows that come do not change the keys that were', (t) => {
  const before = { older: 2, base: 10, end: 12, isNewestFirst: false };
  const after = { ...before, older: 5 };
  for (const key of [-2, -1, 10, 11]) t.equal(placeOf(after, key), placeOf(before, key) + 3);
  t.end();
});

t.test('only rows in sight are drawn', (t) => {
  t.strictSame(drawnOf(0, 0, 600, 28), { from: 0, to: 0 });
  t.strictSame(drawnOf(50_000, 0, 280, 28), { from: 0, to: 18 });
  t.strictSame(drawnOf(50_000, 28_000, 280, 28), { from: 992, to: 1018 });
  t.strictSame(drawnOf(10, 28_000, 280, 28), { from: 10, to: 10 }, 'scrolled beyond a table that became short');
  t.end();
});

const FLOW: Flow = {
  time: '2026-01-31T11:59:00.5Z',
  uuid: 'u',
  verdict: 'DROPPED',
  drop_reason: 133,
  drop_reason_desc: 'POLICY_DENIED',
  extensions: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'SLUICE_L7_DENIED' },
  IP: { source: '10.0.0.1', destination: '203.0.113.9', ipVersion: 'IPv4' },
  l4: { TCP: { source_port: 40_000, destination_port: 8080, flags: { SYN: true } } },
  source: { ID: 7, identity: 1000, namespace: 'shop', pod_name: '=cmd|"x"!A1', labels: ['k8s:app=web'] },
  destination: { identity: 2, labels: ['reserved:world'] },
  Type: 'L7',
  l7: { type: 'RESPONSE', latency_ns: '1500000', http: { code: 403, method: 'GET', url: 'http://api/x' } },
  event_type: { type: 129 },
  traffic_direction: 'EGRESS',
  egress_denied_by: [{ name: 'no-way', namespace: 'shop', kind: 'NetworkPolicy' }],
};

t.test('cells say what was asked, why it was dropped and who decided', (t) => {
  const cells = Object.fromEntries(COLUMNS.map(({ name, text }) => [name, text(FLOW)]));
  t.match(cells, {
    time: 'Jan 31 11:59:00.500',
    verdict: 'dropped',
    source: 'shop/=cmd|"x"!A1',
    destination: '203.0.113.9',
    'destination-identity': 'world',
    port: 'TCP 8080',
    l7: '403 GET http://api/x, 1.5 ms',
    direction: 'egress',
    reason: 'Denied by L7 policy',
    policy: 'shop/no-way',
    flags: 'SYN',
    type: 'l7 response',
  });
  t.match(flowText(FLOW), 'denied by l7 policy');
  t.end();
});

t.test('CSV keeps formulas and quotes from doing anything; JSON lines are what observe reads', (t) => {
  const columns = COLUMNS.filter(({ name }) => ['time', 'source', 'policy'].includes(name));
  const hostile: Flow = { ...FLOW, source: {}, source_names: ['=1+1\r\n\u202e,"'] };
  t.equal(csvHead(columns), 'Time (UTC),Source,Policy\r\n');
  t.equal(csvLines([FLOW], columns), '2026-01-31T11:59:00.5Z,"shop/=cmd|""x""!A1",shop/no-way\r\n');
  t.equal(csvLines([hostile], columns), '2026-01-31T11:59:00.5Z,"\'=1+1⟨000d⟩⟨000a⟩⟨202e⟩,""",shop/no-way\r\n');
  const cellOf = (name: string) =>
    csvLines([{ ...hostile, source_names: [name] }], columns)
      .split('Z,')[1]
      .split(',shop/')[0];
  t.equal(cellOf(' =1'), "' =1", 'spaces do not hide a formula');
  t.equal(cellOf('＝1'), "'＝1", 'nor does the width of its sign');
  t.equal(cellOf('a;=1'), '"a;=1"', 'a spreadsheet that parts cells by semicolons keeps it whole');
  t.strictSame(JSON.parse(jsonLines([FLOW])), { flow: FLOW, time: FLOW.time });
  t.end();
});

t.test('the filter beside a field finds the flow that it is of', (t) => {
  const town = new TownFlows();
  const flows = [FLOW, ...Array.from({ length: 100 }, (_, index) => town.next(index * 1000).flow!)];
  for (const flow of flows)
    for (const { value, filter } of fieldGroups(flow).flatMap(({ fields }) => fields)) {
      t.not(value, '');
      if (filter === undefined) continue;
      const { allow, deny } = observeFilters([filter]);
      if (!compileFilters(allow, deny)({ flow })) t.fail(`--${filter.join(' ')}: ${JSON.stringify(flow)}`);
    }
  t.end();
});
