/** `sluice record`: what tshark reads of the files. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { agentSocket } from '../../api/sockets.ts';
import { mapFile } from '../../dataplane/native/index.ts';
import { EventRing } from '../../policy-maps/event-ring.ts';
import { PINNED, type PinnedName } from '../../policy-maps/pinned.ts';
import { PortMap } from '../../policy-maps/port-map.ts';
import { MIN_RECORDING_BYTES, RECORDING_FILE, RecordingMap } from '../../policy-maps/recording-map.ts';
import { testHost } from '../../test/cli-host.ts';
import { EGRESS } from '../../wire/direction.ts';
import {
  begin,
  capture,
  EVENT_DROP,
  EVENT_L7,
  EVENT_TRACE,
  FLAG_L3,
  PAYLOAD_OFFSET,
  setCookies,
  setDirection,
  setFlags,
  setIdentities,
  setIfindex,
  setOriginalBytes,
  setSourceEndpoint,
} from '../../wire/event.ts';
import { readPcapng } from '../../wire/pcapng.ts';
import { run } from '../program.ts';

const runDir = mkdtempSync(join(tmpdir(), 'sluice-record-'));
t.teardown(() => rmSync(runDir, { recursive: true }));
mkdirSync(join(runDir, 'maps'));
const pathOf = (name: PinnedName): string => join(runDir, 'maps', PINNED[name].file);
const ports = PortMap.create(pathOf('ports'), {}, mapFile);
const mac = { high: 0x0200, low: 1 };
ports.set(3, { kind: 'veth', ifname: 'sluice_3', ifindex: 9, mac, endpointId: 7, secId: 4711, mtu: 1500, flags: 0 });
const drops = EventRing.create(pathOf('dropEvents'), { capacity: 8 }, mapFile);

/** A TCP segment of 1000 bytes to a port, as it lies on the wire. */
function frameTo(port: number): Uint8Array {
  const frame = new Uint8Array(1014);
  frame.set(
    Buffer.from('0200000000020200000000010800450003e8000040004006000000000a0000010a000002', 'hex').subarray(0, 14),
  );
  frame.set(Buffer.from('450003e80000400040060000 0a000001 0a000002'.replaceAll(' ', ''), 'hex'), 14);
  frame.set([0x9c, 0x40, port >>> 8, port & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2], 34);
  return frame;
}

const BEGUN_MS = 1_770_000_000_000;
const POLICY_DENIED = 133;

function put(ring: EventRing, timeMs: number, port: number, flags = 0): void {
  const at = ring.next();
  const frame = frameTo(port);
  begin(ring.bytes, at, EVENT_DROP, POLICY_DENIED, timeMs);
  setFlags(ring.bytes, at, flags);
  setIdentities(ring.bytes, at, 4711, 4712);
  setIfindex(ring.bytes, at, 3);
  if (flags === FLAG_L3) capture(ring.bytes, at, frame, 14, frame.length - 14);
  else capture(ring.bytes, at, frame, 0, frame.length);
  ring.commit();
}

async function record(...words: string[]) {
  const { host, stdout, stderr } = testHost('', { SLUICE_RUN_DIR: runDir });
  const code = await run(['record', ...words], host);
  return { code, stdout: stdout(), stderr: stderr() };
}

/** Fields of each frame. */
function tshark(path: string, ...fields: string[]): string[][] {
  const list = fields.flatMap((field) => ['-e', field]);
  const text = execFileSync('tshark', ['-r', path, '-T', 'fields', '-E', 'separator=|', ...list], { encoding: 'utf8' });
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split('|'));
}

t.test('the ring of drops is recorded without the agent, as far back as it reaches', async (t) => {
  for (let i = 0; i < 12; i++) put(drops, BEGUN_MS + i + 0.5, 80 + i, i === 11 ? FLAG_L3 : 0);
  const file = join(runDir, 'drops.pcapng');
  const { code, stderr } = await record('--drops', '-w', file);
  t.equal(code, 0, stderr);
  t.equal(statSync(file).mode & 0o777, 0o600);
  const lines = tshark(
    file,
    'frame.comment',
    'tcp.dstport',
    'frame.len',
    'frame.cap_len',
    'frame.interface_name',
    'frame.time_epoch',
  );
  t.equal(lines.length, 8, 'what was overwritten is not there');
  t.match(lines[0][0], /^DROPPED POLICY_DENIED.*; identities 4711 -> 4712; .*10\.0\.0\.2:84/);
  t.strictSame(lines[0].slice(1), ['84', '1014', '192', 'sluice_3', '1770000000.004500000']);
  t.strictSame(lines[7].slice(1, 4), ['91', '1000', '192'], 'a frame without an Ethernet header');
  const some = join(runDir, 'some.pcapng');
  t.match(await record('--drops', '-w', some, '--to-port', '85', '--to-port', '86'), { code: 0, stderr: /^2 frames/ });
  t.match(await record('--drops', '-w', some, '-c', '1'), { code: 0, stderr: /^1 frame written/ });
  t.equal(readPcapng(readFileSync(some)).packets.length, 1);
});

/** An agent that has something recorded: what it is asked, and what it says. */
async function agent(t: Test, onAsked: (body: string, response: ServerResponse) => void): Promise<void> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => onAsked(body, response));
  });
  await new Promise<void>((resolve) => server.listen(agentSocket(runDir), resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
}

const shop = (podName: string, identity: number) => ({ namespace: 'shop', podName, labels: [], identity });
const DIRECTORY = {
  endpoints: [
    [7, shop('web-0', 4711)],
    [9, null],
  ],
  cookies: [[5, [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'closed\x1b[2J' }]]],
  interfaces: [[3, { index: 9, name: 'sluice_3' }]],
};

/** Writes frames to ports of TCP, some of them dropped. */
function putFrames(map: RecordingMap, ports: readonly (readonly [port: number, type: number])[]): void {
  const writer = map.writer();
  for (const [index, [port, type]] of ports.entries()) {
    const frame = frameTo(port);
    const at = writer.take(frame.length);
    if (at < 0) continue;
    begin(map.bytes, at, type, type === EVENT_DROP ? POLICY_DENIED : 0, BEGUN_MS + 1000 * index);
    setIdentities(map.bytes, at, 4711, 4712);
    setSourceEndpoint(map.bytes, at, 7);
    setIfindex(map.bytes, at, 3);
    setCookies(map.bytes, at, 5, 0);
    setDirection(map.bytes, at, EGRESS);
    setOriginalBytes(map.bytes, at, 2000);
    map.bytes.set(frame, at + PAYLOAD_OFFSET);
    writer.commit();
  }
}

/** Makes a recording of some frames when it is asked for. @returns what was asked */
async function recordedFrames(t: Test, ports: readonly (readonly [number, number])[]): Promise<{ asked: string }> {
  const seen = { asked: '' };
  await agent(t, (body, response) => {
    seen.asked = body;
    const path = join(runDir, 'maps', RECORDING_FILE);
    const map = RecordingMap.create(path, { capacity: MIN_RECORDING_BYTES }, mapFile);
    response.write(`${JSON.stringify({ recording: { file: RECORDING_FILE, number: 1 } })}\n`);
    response.write(`${JSON.stringify({ directory: DIRECTORY })}\n`);
    putFrames(map, ports);
  });
  return seen;
}

t.test('frames as they pass: whole, with who and why; the exact filter is applied here', async (t) => {
  const seen = await recordedFrames(t, [
    [8080, EVENT_TRACE],
    [8081, EVENT_DROP],
    [9000, EVENT_TRACE],
    [8082, EVENT_TRACE],
  ]);
  const file = join(runDir, 'whole.pcapng');
  writeFileSync(file, 'what was there before', { mode: 0o644 });
  const { code, stderr } = await record('-w', file, '--to-port', '8080-8090', '-c', '3');
  t.equal(code, 0, stderr);
  t.match(stderr, /^recording into .*\n3 frames written to .*whole.pcapng\n$/);
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.match(JSON.parse(seen.asked), { allow: [{ destination_port: ['8080-8090'] }], deny: [], snapBytes: 262_144 });
  const lines = tshark(
    file,
    'tcp.dstport',
    'frame.cap_len',
    'frame.len',
    'frame.interface_description',
    'frame.comment',
  );
  t.strictSame(
    lines.map((line) => line.slice(0, 4)),
    ['8080', '8081', '8082'].map((port) => [port, '1014', '2000', 'shop/web-0, endpoint 7']),
  );
  t.match(lines[0][4], /^FORWARDED EGRESS; identities 4711 \(shop\/web-0\) -> 4712; egress allowed by NetworkPolicy/);
  t.match(lines[1][4], /^DROPPED POLICY_DENIED EGRESS; .*egress denied by NetworkPolicy\/shop\/closed\\+x1b\[2J; /);
  t.equal(readFileSync(file).includes('\x1b'), false);
});

t.test('--before-drop writes drops that are meant, and what led to them', async (t) => {
  const seen = await recordedFrames(t, [
    [1, EVENT_TRACE],
    [2, EVENT_TRACE],
    [3, EVENT_DROP],
    [4, EVENT_TRACE],
    [5, EVENT_TRACE],
    [6, EVENT_DROP],
  ]);
  const file = join(runDir, 'led.pcapng');
  const words = ['--before-drop', '1500ms', '--verdict', 'DROPPED', '--drop-reason-desc', 'POLICY_DENIED'];
  const { code, stderr } = await record('-w', file, ...words, '-c', '4');
  t.equal(code, 0, stderr);
  t.match(JSON.parse(seen.asked), { allow: [], deny: [] }, 'frames that pass are chosen too');
  const lines = tshark(file, 'tcp.dstport', 'frame.comment');
  t.strictSame(
    lines.map(([port]) => port),
    ['2', '3', '5', '6'],
    'not what is too old, nor twice',
  );
  t.match(lines[0][1], /^1\.000 s before a drop; FORWARDED/);
});

t.test('limits end it, and what it lost is told', async (t) => {
  const many = Array.from({ length: 1100 }, () => [80, EVENT_TRACE] as const);
  await recordedFrames(t, many);
  const file = join(runDir, 'small.pcapng');
  const small = await record('-w', file, '--max-size', '20k');
  t.match(small.stderr, /\n1\d frames written to .*, ended by --max-size, 1\d\d frames lost: they came faster/);
  t.ok(statSync(file).size <= 20_480);
  t.equal(readPcapng(readFileSync(file)).problem, null);
  t.match(await record('-w', file, '--duration', '50ms'), { code: 0, stderr: /, ended by --duration/ });
  for (const words of [
    ['--duration', '25h'],
    ['--max-size', '1x'],
    ['--buffer', '3MiB'],
    ['--snaplen', '0'],
    ['--before-drop', '6m'],
    ['--verdict', 'NONE'],
  ]) {
    t.equal((await record('-w', file, ...words)).code, 2, words.join(' '));
  }
  t.match(await record('-w', '/nonexistent/x'), { code: 1, stderr: /write \/nonexistent\/x: ENOENT/ });
});

t.test('a recording that cannot be opened is told as what it is', async (t) => {
  rmSync(join(runDir, 'maps', RECORDING_FILE), { force: true });
  await agent(t, (_, response) => void response.write(`${JSON.stringify({ recording: {} })}\n`));
  const { code, stderr } = await record('-w', join(runDir, 'none.pcapng'));
  t.equal(code, 1);
  t.match(stderr, /open map .*maps\/recording: .*ENOENT/);
});

t.test('an agent that goes ends it, and the file has what there was', async (t) => {
  await agent(t, (_, response) => {
    const map = RecordingMap.create(join(runDir, 'maps', RECORDING_FILE), { capacity: MIN_RECORDING_BYTES }, mapFile);
    response.write(`${JSON.stringify({ recording: {} })}\n${JSON.stringify({ directory: DIRECTORY })}\n`);
    putFrames(map, [[80, EVENT_TRACE]]);
    setTimeout(() => response.destroy(), 50);
  });
  const file = join(runDir, 'gone.pcapng');
  t.match(await record('-w', file), { code: 3, stderr: /recording/ });
  t.equal(readPcapng(readFileSync(file)).packets.length, 1);
});

t.test('a ring with records that nobody wrote well is no danger', async (t) => {
  for (let i = 0; i < 8; i++) {
    const at = drops.next();
    drops.bytes.fill(i % 2 === 0 ? 255 : EVENT_L7, at, at + 256);
    if (i === 2) drops.bytes[at] = EVENT_DROP;
  }
  drops.commit();
  const { code, stderr } = await record('--drops', '-w', join(runDir, 'odd.pcapng'));
  t.equal(code, 0, stderr);
  t.equal(readPcapng(readFileSync(join(runDir, 'odd.pcapng'))).problem, null);
});
