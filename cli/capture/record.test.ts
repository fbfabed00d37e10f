/** `sluice record`: what tshark reads of the files. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { hubbleSocket } from '../../api/sockets.ts';
import { mapFile } from '../../dataplane/native/index.ts';
import { flowIds } from '../../hubble/flow-id.ts';
import { EventRing, L7EventRing } from '../../policy-maps/event-ring.ts';
import { PINNED, type PinnedName } from '../../policy-maps/pinned.ts';
import { PortMap } from '../../policy-maps/port-map.ts';
import { testHost } from '../../test/cli-host.ts';
import { flowsOf, podEnd } from '../../test/recorded-flows.ts';
import {
  begin,
  capture,
  EVENT_DROP,
  EVENT_L7,
  EVENT_TRACE,
  FLAG_L3,
  setFlags,
  setIdentities,
  setIfindex,
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
const events = EventRing.create(pathOf('events'), { capacity: 8 }, mapFile);
const drops = EventRing.create(pathOf('dropEvents'), { capacity: 8 }, mapFile);
L7EventRing.create(pathOf('l7Events'), { capacity: 8 }, mapFile);

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

function put(ring: EventRing, timeMs: number, port: number, { type = EVENT_TRACE, flags = 0 } = {}): number {
  const at = ring.next();
  const frame = frameTo(port);
  begin(ring.bytes, at, type, type === EVENT_DROP ? POLICY_DENIED : 0, timeMs);
  setFlags(ring.bytes, at, flags);
  setIdentities(ring.bytes, at, 4711, 4712);
  setIfindex(ring.bytes, at, 3);
  if (flags === FLAG_L3) capture(ring.bytes, at, frame, 14, frame.length - 14);
  else capture(ring.bytes, at, frame, 0, frame.length);
  ring.commit();
  return (ring.written - 1) >>> 0;
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
  for (let i = 0; i < 12; i++)
    put(drops, BEGUN_MS + i + 0.5, 80 + i, { type: EVENT_DROP, flags: i === 11 ? FLAG_L3 : 0 });
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

t.test('flows that the agent chooses are found in their rings', async (t) => {
  const web = podEnd('shop/web-0', { app: 'web' });
  const api = podEnd('shop/api-0', { app: 'api' }, { id: 2, ip: '10.0.0.2' });
  const [flow] = flowsOf({ from: web, to: api, port: 80 });
  const idOf = flowIds('vm', 0);
  const places: [number, number][] = [];
  for (let i = 0; i < 10; i++) places.push([BEGUN_MS + i, put(events, BEGUN_MS + i, 8080 + i)]);
  const denied = [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'closed\x1b[2J' }];
  const uuids = [
    idOf(...places[0]), // overwritten
    idOf(BEGUN_MS, 99), // of another ring's life
    idOf(BEGUN_MS, places[9][1]),
    idOf(...places[8]),
    flowIds('vm', 1)(BEGUN_MS + 11, 11), // in the ring of drops
    'of-somebody-else',
    flowIds('vm', 200)(BEGUN_MS, 0),
  ];
  let asked = '';
  const server = createServer((request, response) => {
    asked = decodeURIComponent(request.url ?? '');
    const flows = uuids.map((uuid) => ({ flow: { ...flow, uuid, ingress_denied_by: denied } }));
    response.end(flows.map((one) => `${JSON.stringify(one)}\n`).join(''));
  });
  await new Promise<void>((resolve) => server.listen(hubbleSocket(runDir), resolve));
  t.teardown(() => server.close());
  const file = join(runDir, 'followed.pcapng');
  const { code, stderr } = await record('-w', file, '--verdict', 'DROPPED', '--last', '5');
  t.equal(code, 0, stderr);
  t.match(stderr, /^2 frames written to .*, 3 records overwritten before they were read, 2 flows without a frame\n/);
  t.match(asked, 'follow=1&last=5&filter=[{"verdict":["DROPPED"]}]');
  const lines = tshark(file, 'tcp.dstport', 'frame.comment');
  t.strictSame(
    lines.map(([port]) => port),
    ['8088', '91'],
  );
  t.match(lines[0][1], /ingress denied by NetworkPolicy\/shop\/closed\\+x1b\[2J; .*shop\/web-0.*; uuid /);
  t.equal(readFileSync(file).includes('\x1b'), false);
  t.match(await record('-w', '/nonexistent/x'), { code: 1, stderr: /write \/nonexistent\/x: ENOENT/ });
  t.match(await record('-w', file, '--verdict', 'NONE'), { code: 2 });
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
