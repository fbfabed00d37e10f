import t, { type Test } from 'tap';
import { ManyFlows } from '../../test/many-flows.ts';
import { randomFrom, SEED } from '../../test/random.ts';
import { randomEnvelope } from '../../test/random-flows.ts';
import { compileFilters } from '../filter/filter.ts';
import type { FlowFilter } from '../filter/flow-filter.ts';
import type { Envelope } from '../flow.ts';
import type { FlowsRequest } from '../ring.ts';
import { deflate } from './chunk.ts';
import { emitChunk, markOf, START } from './chunk.ts';
import { CorruptSegment, type FlowRows, MAX_ROWS } from './columns.ts';
import type { FlowTable } from './flow-table.ts';
import { readJournal } from './journal.ts';
import { ask, type Part } from './query.ts';
import { RowReader } from './row-reader.ts';
import { type ByteSource, Segment } from './segment.ts';
import { TableWriter } from './table-writer.ts';

const START_MS = Date.UTC(2024, 0, 2, 3, 4, 5);

function envelopes(count: number, seed = SEED): Envelope[] {
  const draw = randomFrom(seed);
  return Array.from({ length: count }, (_, index) => randomEnvelope(draw, START_MS + index * 10 + draw(30)));
}

function filled(flows: readonly Envelope[]): FlowTable {
  const writer = new TableWriter(START_MS);
  const outcomes = new Set(flows.map((one) => writer.append(one)));
  t.same([...outcomes], ['taken'], `seed ${SEED}`);
  return writer.table;
}

const source = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  read: (at, length) => Promise.resolve(bytes.subarray(at, at + length)),
});

const segmentOf = async (table: FlowTable) => Buffer.concat(await emitChunk(table, START, markOf(table), deflate));

async function linesOf(rows: FlowRows): Promise<string[]> {
  const all = Uint32Array.from({ length: rows.rows }, (_, row) => row);
  const reader = await RowReader.open(rows, all);
  return [...all].map((row) => JSON.stringify(reader.read(row)));
}

const texts = (flows: readonly Envelope[]) => flows.map((one) => JSON.stringify(one));

t.test('store: what goes in comes out, to the letter, from memory and from a segment', async (t) => {
  const flows = envelopes(3000);
  const table = filled(flows);
  t.same(await linesOf(table), texts(flows), `memory, seed ${SEED}`);
  const bytes = await segmentOf(table);
  const segment = await Segment.open(source(bytes));
  t.same(await linesOf(segment), texts(flows), `segment, seed ${SEED}`);
  t.same([segment.rows, segment.minMs, segment.maxMs], [3000, table.minMs, table.maxMs]);
});

t.test('store: a journal cut anywhere gives back the whole chunks before the cut', async (t) => {
  const flows = envelopes(40);
  const writer = new TableWriter(START_MS);
  const chunks: Buffer[] = [];
  let mark = START;
  for (const [index, one] of flows.entries()) {
    writer.append(one);
    if (index % 8 !== 7) continue;
    const now = markOf(writer.table);
    chunks.push(Buffer.concat(await emitChunk(writer.table, mark, now)));
    mark = now;
  }
  const journal = Buffer.concat(chunks);
  const ends = chunks.map((_, index) => chunks.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0));
  const lines = texts(flows);
  const isNearEnd = (cut: number) => [0, ...ends].some((end) => cut >= end - 3 && cut <= end + 30);
  for (let cut = 0; cut <= journal.length; cut++) {
    if (!isNearEnd(cut) && cut % 211 !== 0) continue;
    const { table, torn } = readJournal(journal.subarray(0, cut));
    const whole = ends.filter((end) => end <= cut).length;
    const isRight = (table?.rows ?? 0) === 8 * whole && torn === cut - (ends[whole - 1] ?? 0);
    if (!isRight) t.fail(`cut at ${cut}: found ${table?.rows} rows and ${torn} torn bytes`);
    if (cut === ends[whole - 1] && table !== undefined) t.same(await linesOf(table), lines.slice(0, 8 * whole));
  }
  const afterwards = Buffer.concat([journal.subarray(0, ends[1]), Buffer.from('noise'), journal.subarray(ends[1])]);
  t.equal(readJournal(afterwards).table?.rows, 16, 'nothing after a broken place is believed');
});

t.test('store: a segment with any byte changed is refused, or still tells the truth', async (t) => {
  const flows = envelopes(12);
  const bytes = await segmentOf(filled(flows));
  const wanted = texts(flows);
  let refused = 0;
  let tried = 0;
  // The head and the directory byte by byte; of the columns and pages, which have a CRC each, some bytes of each.
  for (let at = 0; at < bytes.length; at += at < 400 ? 1 : 9) {
    tried++;
    const broken = Buffer.from(bytes);
    broken[at] ^= 1 << (at % 8);
    try {
      const lines = await linesOf(await Segment.open(source(broken)));
      if (lines.join() !== wanted.join()) t.fail(`byte ${at}: other flows than were written`);
    } catch (error) {
      if (!(error instanceof CorruptSegment)) t.fail(`byte ${at}: ${String(error)}`);
      refused++;
    }
  }
  t.equal(refused, tried, 'a CRC covers every byte');
  for (const cut of [0, 10, 24, 400, bytes.length - 1]) {
    await t.rejects(Segment.open(source(bytes.subarray(0, cut))), { message: /^found/ }, `cut at ${cut}`);
  }
});

t.test(
  'store: flows that name another time or node than their envelope, and ones too long for any table',
  async (t) => {
    const [plain] = envelopes(50).filter(({ flow }) => flow?.node_name !== undefined);
    const odd = [{ ...plain, node_name: 'other' }, { flow: plain.flow }, { time: 'x' }] as Envelope[];
    t.same(await linesOf(filled(odd)), texts(odd));
    const writer = new TableWriter(START_MS);
    const long = { ...plain, flow: { ...plain.flow, Summary: 'x'.repeat(100_000) } } as Envelope;
    t.equal(writer.append(long), 'refused');
    t.equal(writer.append(plain), 'taken');
    t.same(await linesOf(writer.table), texts([plain]), 'what was refused leaves nothing behind');
    const later = {
      flow: { ...plain.flow, time: '2025-01-01T00:00:00Z' },
      node_name: plain.node_name,
      time: '2025-01-01T00:00:00Z',
    };
    t.equal(writer.append(later as Envelope), 'full', 'a table reaches 24 days');
  },
);

t.test('store: a table ends by rows, and by entries of a dictionary', (t) => {
  const [plain] = envelopes(50).filter(({ flow }) => flow?.IP !== undefined && flow.time !== 'yesterday');
  const count = (change: (index: number) => object) => {
    const writer = new TableWriter(START_MS);
    let rows = 0;
    while (writer.append({ ...plain, flow: { ...plain.flow, ...change(rows) } } as Envelope) === 'taken') rows++;
    return rows;
  };
  t.equal(
    count(() => ({})),
    MAX_ROWS,
  );
  const byAddress = count((index) => ({
    IP: { source: `10.0.${index >> 8}.${index & 255}`, destination: `fd00::${index}` },
  }));
  t.ok(byAddress > 30_000 && byAddress < 33_000, `a flood of new addresses ends it after ${byAddress}`);
  const byText = count((index) => ({ a_member_of_tomorrow: `${index}`.padEnd(50_000, 'x') }));
  t.ok(byText > 100 && byText < 200, `long texts end it after ${byText}`);
  t.end();
});

const partOf = (name: string, rows: FlowRows): Part => ({
  name,
  minMs: rows.minMs,
  maxMs: rows.maxMs,
  limit: rows.rows,
  use: (read) => read(rows),
});

async function answer(parts: readonly Part[], request: FlowsRequest, allow: FlowFilter[], deny: FlowFilter[] = []) {
  const unreadable: string[] = [];
  const question = {
    request,
    allow,
    matches: compileFilters(allow, deny),
    signal: new AbortController().signal,
    pause: () => Promise.resolve(),
    onUnreadable: ({ name }: Part) => unreadable.push(name),
  };
  const found: Envelope[] = [];
  for await (const batch of ask(parts, question)) found.push(...batch);
  return { found, unreadable };
}

/** What an answer must be, said plainly. */
function plainAnswer(flows: readonly Envelope[], request: FlowsRequest, allow: FlowFilter[], deny: FlowFilter[] = []) {
  const { number = Infinity, sinceMs = -Infinity, untilMs = Infinity, first } = request;
  const matches = compileFilters(allow, deny);
  const isIn = (ms: number) => !(ms < sinceMs || ms > untilMs);
  const all = flows.filter((one) => isIn(Date.parse(one.time ?? '')) && matches(one));
  let left = number;
  const take = (list: readonly Envelope[]) => list.filter(({ flow }) => left > 0 && (flow === undefined || left-- > 0));
  return first === true ? take(all) : take([...all].reverse()).reverse();
}

/** Says little when they differ: a difference of hundreds of flows is slow to tell, and tells nothing. */
function sameFlows(t: Test, found: readonly Envelope[], wanted: readonly Envelope[], what: string): void {
  const [one, other] = [texts(found), texts(wanted)];
  const at = other.findIndex((line, index) => line !== one[index]);
  const isSame = one.length === other.length && at < 0;
  t.ok(isSame, `${what}: ${one.length} of ${other.length}, the first that differs: ${isSame ? '' : other[at]}`);
}

const FILTERS: readonly FlowFilter[] = [
  { source_pod: ['team-1/'] },
  { destination_pod: ['team-0/app-0'], verdict: ['DROPPED'] },
  { source_identity: [1001, 1002] },
  { destination_identity: [0, 2] },
  { source_label: ['app in (app-1, app-2)'] },
  { destination_workload: [{ name: 'app-3' }] },
  { source_ip: ['10.0.0.0/29'] },
  { destination_ip: ['192.0.2.0/24', 'fd00::/16'] },
  { destination_port: ['443'] },
  { source_port: ['0-20000'] },
  { destination_fqdn: ['*.example'] },
  { destination_service: ['team-1/api'] },
  { interface: [{ name: 'lxc3' }] },
  { verdict: ['AUDIT', 'REDIRECTED'] },
  { drop_reason_desc: ['POLICY_DENIED'] },
  { event_type: [{ type: 4, match_sub_type: true, sub_type: 1 }] },
  { traffic_direction: ['INGRESS'] },
  { protocol: ['tcp'] },
  { protocol: ['http', 'icmp'] },
  { http_status_code: ['4+'] },
  { http_method: ['put'], http_path: ['/3'] },
  { dns_query: ['^n1'] },
  { tcp_flags: [{ SYN: true }] },
  { reply: [false] },
  { ip_version: ['IP_NOT_USED'] },
  { node_name: ['node-*'] },
  { trace_id: ['abc'] },
  { uuid: ['not-a-uuid'] },
  { source_pod: ['team-9/'] },
];

t.test('store: every filter answers as it does on the flows themselves', async (t) => {
  const flows = envelopes(1500);
  const bytes = await segmentOf(filled(flows.slice(0, 900)));
  const parts = [partOf('segment', await Segment.open(source(bytes))), partOf('memory', filled(flows.slice(900)))];
  const draw = randomFrom(SEED);
  const any = () => FILTERS[draw(FILTERS.length)];
  const cases = [
    ...FILTERS.map((filter) => [[filter], []] as const),
    ...Array.from({ length: 40 }, () => [[{ ...any(), ...any() }, any()], draw(2) === 0 ? [] : [any()]] as const),
    [[{ uuid: [flows.find(({ flow }) => flow?.uuid !== undefined)?.flow?.uuid ?? ''] }], []] as const,
  ];
  for (const [allow, deny] of cases) {
    const { found } = await answer(parts, {}, [...allow], [...deny]);
    sameFlows(t, found, plainAnswer(flows, {}, [...allow], [...deny]), JSON.stringify([allow, deny]));
  }
});

t.test('store: numbers and times of a request', async (t) => {
  // A flow without a time is taken to be of the time of the one before it, which a plain look cannot know.
  const flows = envelopes(2000).filter(({ time = '' }) => !Number.isNaN(Date.parse(time)));
  const cut = [0, 600, 601, flows.length];
  const parts = cut.slice(1).map((end, index) => partOf(`part ${index}`, filled(flows.slice(cut[index], end))));
  const draw = randomFrom(SEED);
  const number = () => [undefined, 0, 1, 20, 700, 5000][draw(6)];
  const moment = () => (draw(3) === 0 ? undefined : START_MS + draw(22_000));
  for (let round = 0; round < 60; round++) {
    const request = JSON.parse(
      JSON.stringify({
        number: number(),
        first: draw(2) === 0 ? true : undefined,
        sinceMs: moment(),
        untilMs: moment(),
      }),
    ) as FlowsRequest;
    const allow = draw(2) === 0 ? [] : [FILTERS[draw(FILTERS.length)]];
    const { found } = await answer(parts, request, allow);
    sameFlows(t, found, plainAnswer(flows, request, allow), JSON.stringify([request, allow]));
  }
});

t.test('store: a bound that is the time of a flow includes it, also of the last in its part', async (t) => {
  const flows = envelopes(300).filter(({ time = '' }) => !Number.isNaN(Date.parse(time)));
  const parts = [partOf('first', filled(flows.slice(0, 150))), partOf('second', filled(flows.slice(150)))];
  for (const { maxMs, minMs } of parts) {
    for (const request of [{ sinceMs: maxMs }, { untilMs: minMs }, { sinceMs: maxMs, untilMs: maxMs }]) {
      const { found } = await answer(parts, request, []);
      t.ok(found.length > 0);
      sameFlows(t, found, plainAnswer(flows, request, []), JSON.stringify(request));
    }
  }
});

t.test('store: a part that cannot be read is named, and the others are served', async (t) => {
  const flows = envelopes(300);
  const bytes = await segmentOf(filled(flows.slice(100, 200)));
  bytes[bytes.length - 1] ^= 1;
  const broken = partOf('broken', await Segment.open(source(bytes)));
  const parts = [partOf('a', filled(flows.slice(0, 100))), broken, partOf('b', filled(flows.slice(200)))];
  const { found, unreadable } = await answer(parts, {}, []);
  t.same(unreadable, ['broken']);
  t.same(texts(found), texts([...flows.slice(0, 100), ...flows.slice(200)]));
});

t.test('store: who no longer listens ends the reading', async (t) => {
  const flows = envelopes(3000);
  const controller = new AbortController();
  let batches = 0;
  const question = {
    request: {},
    allow: [],
    matches: () => true,
    signal: controller.signal,
    pause: () => Promise.resolve(),
    onUnreadable: () => undefined,
  };
  for await (const batch of ask([partOf('a', filled(flows)), partOf('b', filled(flows))], question)) {
    t.ok(batch.length <= 512);
    batches++;
    controller.abort();
  }
  t.equal(batches, 1);
});

t.test('store: 200,000 flows in four segments, and what questions find in them', async (t) => {
  const flows = new ManyFlows(t);
  await flows.write(200_000);
  await flows.ask();
});
