/** Lines that are counted without being parsed say what they would have said parsed. */
import t from 'tap';
import { readEnvelope } from '../../hubble/decode/read-envelope.ts';
import { flowsOf, podEnd, worldEnd } from '../../test/recorded-flows.ts';
import { Draw } from '../../test/policy/random-world.ts';
import { FlowLines } from './flow-lines.ts';
import { Recording } from './recording.ts';

const web = podEnd('shop/web-0', { app: 'web' });
const api = podEnd('shop/api-0', { app: 'api' }, { id: 2, ip: '10.0.0.2' });
const answer = { dns: { query: 'www.example.', ips: ['192.0.2.9'] } };

const NEW_LINE = Buffer.from('\n');

/** Flows with times, identifiers and client ports of their own. */
function linesOf(draw: Draw, count: number): string[] {
  const talks = [
    { from: web, to: api, port: 80 },
    { from: web, to: api, port: 81, droppedBy: 'ingress' },
    { from: api, to: web, port: 80 },
    { from: web, to: worldEnd('192.0.2.1'), port: 443, protocol: 'UDP' },
    { from: web, to: api, port: 8, protocol: 'ICMPv4' },
    { from: web, to: api, port: 80, request: { http: { method: 'GET', url: '/"source_port":7' } } },
  ] as const;
  return Array.from({ length: count }, (_, i) => {
    const flows = flowsOf({ ...draw.of(talks), client: 1 + draw.int(60_000) });
    const flow = { ...draw.of(flows), uuid: `a29d${draw.int(10_000)}-4359`, time: `2026-01-02T03:04:05.${i}Z` };
    const time = draw.chance(90) ? flow.time : undefined;
    return JSON.stringify(draw.chance(5) ? flow : { flow: flow, node_name: 'n', time });
  });
}

function read(text: Buffer, pieceBytes: number): { recording: Recording; lines: FlowLines } {
  const recording = new Recording();
  const lines = new FlowLines(recording);
  const buffer = Buffer.alloc(pieceBytes);
  for (let at = 0; at < text.length; at += pieceBytes)
    lines.push(buffer.subarray(0, text.copy(buffer, 0, at, at + pieceBytes)));
  lines.end();
  return { recording, lines };
}

function parsedOneByOne(lines: readonly string[]): Recording {
  const recording = new Recording();
  for (const line of lines) {
    const value = JSON.parse(line);
    recording.add(value.flow ?? value);
  }
  return recording;
}

t.test('a file says the same in pieces of any size as flow by flow', async (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const all = linesOf(new Draw(seed), 300);
    const wanted = parsedOneByOne(all);
    for (const size of [7, 1000, 1 << 20]) {
      const { recording, lines } = read(Buffer.from(all.join('\n')), size);
      t.same(recording.connections(), wanted.connections(), `seed ${seed}, pieces of ${size}`);
      t.same([...recording.silent].sort(), [...wanted.silent].sort());
      t.equal(recording.flows, 300);
      t.ok(lines.parsed < 200, `parsed ${lines.parsed}`);
    }
  }
});

t.test('what differs in anything but time, identifier and client port is read', async (t) => {
  const [flow] = flowsOf({ from: web, to: api, port: 80 });
  const line = JSON.stringify({ flow, node_name: 'n', time: flow.time });
  const others = [line.replaceAll('app=api', 'app=apj'), line.replace(':80}', ':81}'), line.replace(':80}', ':8080}')];
  const { recording, lines } = read(Buffer.from([line, ...others, line, ''].join('\n')), 4096);
  t.equal(lines.parsed, 4);
  t.equal(recording.connections().length, 4);
});

t.test('replies are alike whatever the port of the client, and the names in a DNS answer are learnt', async (t) => {
  const [, , , reply] = flowsOf({ from: web, to: api, port: 80 });
  const text = JSON.stringify({ flow: reply, node_name: 'n', time: reply.time });
  const many = Array.from({ length: 50 }, (_, i) =>
    text.replace('"destination_port":40000', `"destination_port":${i + 1}`),
  );
  const dns = JSON.stringify({ flow: { ...reply, Type: 'L7', l7: { type: 'RESPONSE', ...answer } }, time: reply.time });
  const { recording, lines } = read(Buffer.from([...many, dns].join('\n')), 4096);
  t.equal(lines.parsed, 2);
  t.equal(recording.silent.get('a reply'), 51);
  t.same([...recording.names], [['www.example', new Set(['192.0.2.9'])]]);
});

t.test('lines that are no flows are counted, and the first is named', async (t) => {
  const [flow] = flowsOf({ from: web, to: api, port: 80 });
  const good = JSON.stringify({ flow });
  const lost = JSON.stringify({ lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '12' } });
  const long = `{"flow":{"time":"${'x'.repeat(1_100_000)}"}}`;
  const { recording, lines } = read(
    Buffer.from([good, '', lost, '{"flow":', '[]', '{}', long, '\0', good].join('\n')),
    65_536,
  );
  t.equal(recording.flows, 2);
  t.equal(lines.lost, 12);
  t.equal(lines.malformed, 5);
  t.equal(lines.firstMalformed, 4);
});

t.test('more kinds of lines than are kept are all read', async (t) => {
  const [flow] = flowsOf({ from: web, to: api, port: 80 });
  const line = JSON.stringify({ flow, node_name: 'n', time: flow.time });
  const most = 66_000;
  const text = Array.from({ length: most }, (_, i) => line.replace('10.0.0.1', `10.0.${i >> 8}.${i & 255}`)).join('\n');
  const { recording } = read(Buffer.from(text), 1 << 20);
  t.same(
    recording.connections().map(({ flows }) => flows),
    [most],
  );
});

/** The same flow otherwise written: members in another order, strange ones among them, some twice, blanks, escapes. */
function rewritten(draw: Draw, value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => rewritten(draw, item)).join(draw.chance(5) ? ' , ' : ',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => `${keyText(draw, key)}:${rewritten(draw, member)}`);
  if (draw.chance(10)) members.reverse();
  if (draw.chance(10)) members.splice(draw.int(members.length + 1), 0, draw.of(STRANGERS));
  // The last of two counts.
  if (draw.chance(5) && members.length > 0)
    members.unshift(`${members[0].split(':')[0]}:${draw.of(['7', '"x"', '{}', '[]'])}`);
  return draw.chance(2) ? `{ ${members.join(', ')} }` : `{${members.join(',')}}`;
}

function keyText(draw: Draw, key: string): string {
  return draw.chance(1)
    ? `"\\u${key.charCodeAt(0).toString(16).padStart(4, '0')}${key.slice(1)}"`
    : JSON.stringify(key);
}

const STRANGERS = [
  '"new":{"verdict":"DROPPED","source":{"identity":2},"a":["}",{"b":"]\\""}]}',
  '"Summary":"\\\\\\"verdict\\":\\"DROPPED\\",{[\\u0000"',
  '"source_port":7',
  '"time":"2026"',
  '"":null',
  '"__proto__":{"verdict":"DROPPED"}',
  '"lost_events":null',
  '"l7":{"type":"RESPONSE"}',
  '"verdict":5',
  '"drop_reason":"133"',
  '"is_reply":true',
  '"destination":[{}]',
  '"event_type":{"type":-1.5e3}',
  '"l4":{"TCP":{"destination_port":-1}}',
];

t.test('a line says the same however it is written', async (t) => {
  for (let seed = 1; seed <= 40; seed++) {
    const draw = new Draw(seed);
    const all = linesOf(draw, 200).map((line) => rewritten(draw, JSON.parse(line)));
    const wanted = new Recording();
    for (const line of all) {
      const { flow } = readEnvelope(JSON.parse(line)) ?? {};
      if (flow !== undefined) wanted.add(flow);
    }
    const { recording } = read(Buffer.from(all.join('\n')), 1 << 16);
    t.same(recording.connections(), wanted.connections(), `seed ${seed}`);
    t.same([...recording.silent].sort(), [...wanted.silent].sort());
  }
});

t.test('a broken line is a flow or none, and costs no other', async (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const draw = new Draw(seed);
    const all = linesOf(draw, 100);
    const broken = all.map((line) => {
      const bytes = Buffer.from(line);
      for (let i = draw.int(3); i >= 0; i--)
        bytes[draw.int(bytes.length)] = draw.of([34, 92, 123, 125, 91, 93, 44, 58, 0, 255]);
      return bytes.subarray(0, draw.chance(20) ? draw.int(bytes.length) : bytes.length);
    });
    const lines = broken.flatMap((line, i) => [line, NEW_LINE, Buffer.from(all[i]), NEW_LINE]);
    const {
      recording,
      lines: { malformed },
    } = read(Buffer.concat(lines), 1 << 16);
    const blank = broken.filter((line) => line.length === 0).length;
    t.equal(recording.flows + malformed, 200 - blank, `seed ${seed}`);
    t.ok(recording.flows >= 100 && malformed > 0);
  }
});

t.test('a torn line is no flow, wherever it is torn', async (t) => {
  const [flow] = flowsOf({ from: web, to: api, port: 80, request: { http: { method: 'GET', url: '/' } } });
  const whole = JSON.stringify({ flow, node_name: 'n', time: flow.time });
  const text = Array.from({ length: whole.length - 1 }, (_, i) => whole.slice(0, i + 1)).join('\n');
  const { recording, lines } = read(Buffer.from(`${whole}\n${text}\n${whole}`), 1 << 16);
  t.equal(recording.flows, 2);
  t.equal(lines.malformed, whole.length - 1);
});

t.test('more ends than are kept are all read', async (t) => {
  const [flow] = flowsOf({ from: web, to: api, port: 80 });
  const line = JSON.stringify({ flow, node_name: 'n', time: flow.time });
  const most = 17_000;
  const text = Array.from({ length: most }, (_, i) => line.replaceAll('app=web', `app=web-${i}`)).join('\n');
  const { recording } = read(Buffer.from(text), 1 << 20);
  t.equal(recording.connections().length, most);
});
