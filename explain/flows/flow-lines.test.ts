/** Lines that are counted without being parsed say what they would have said parsed. */
import t from 'tap';
import { flowsOf, podEnd, worldEnd } from '../../test/recorded-flows.ts';
import { Draw } from '../../test/policy/random-world.ts';
import { FlowLines } from './flow-lines.ts';
import { Recording } from './recording.ts';

const web = podEnd('shop/web-0', { app: 'web' });
const api = podEnd('shop/api-0', { app: 'api' }, { id: 2, ip: '10.0.0.2' });
const answer = { dns: { query: 'www.example.', ips: ['192.0.2.9'] } };

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
