/** Taps, packet sockets and bursts between namespaces. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import * as native from './index.ts';
import { Frames, HEADER, PATIENCE_MS, errorOf, inWorker, openFds, plainFrame } from '../../test/port/addon.ts';

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

// --- namespaces: slnat-PID-a and -b, joined by veth pairs whose ends are all called eth0 .. eth9

const spaces = { a: `slnat-${process.pid}-a`, b: `slnat-${process.pid}-b` };

function makeNamespaces(test: Test): void {
  for (const name of Object.values(spaces)) {
    ip('netns', 'add', name);
    test.teardown(() => ip('netns', 'del', name));
    execFileSync('ip', ['netns', 'exec', name, 'sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']);
  }
}

function makePair(name: string): void {
  ip('-n', spaces.a, 'link', 'add', name, 'type', 'veth', 'peer', 'name', name, 'netns', spaces.b);
  for (const netns of Object.values(spaces)) ip('-n', netns, 'link', 'set', name, 'up');
}

/** The namespaces joined by a pair, and an open port at each end: what leaves by `out` comes in at `port`. */
function joinedPorts(test: Test): { out: number; port: number } {
  makeNamespaces(test);
  makePair('eth0');
  const out = native.openPacket('eth0', { netns: spaces.a });
  const port = native.openPacket('eth0', { netns: spaces.b });
  for (const fd of [out, port]) test.teardown(() => native.closeFd(fd));
  return { out, port };
}

/** TCP over IPv4, checksum undone, with any number of payload bytes. */
function tcpFrame(payload: number): Uint8Array {
  const frame = new Uint8Array(54 + payload);
  const view = new DataView(frame.buffer);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45]);
  view.setUint16(16, frame.length - 14);
  view.setUint16(20, 0x4000);
  frame.set([64, 6], 22);
  frame.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
  view.setUint32(34, (4000 << 16) | 80);
  frame.set([0x50, 0x10], 46);
  return frame;
}

/** UDP over IPv4 or IPv6 as a sender's kernel leaves it: DF set, checksum undone. */
function udpFrame(family: 4 | 6, payload: number, mark: number): { frame: Uint8Array; header: Uint8Array } {
  const l4 = family === 4 ? 34 : 54;
  const frame = new Uint8Array(l4 + 8 + payload).fill(mark, l4 + 8);
  const view = new DataView(frame.buffer);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, family === 4 ? 8 : 0x86, family === 4 ? 0 : 0xdd]);
  if (family === 4) {
    frame.set([0x45, 0, 0, 0, 0, mark, 0x40, 0, 64, 17, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2], 14);
    view.setUint16(16, frame.length - 14);
  } else {
    frame.set([0x60, 0, 0, 0, 0, 0, 17, 64], 14);
    frame.set([0xfd, ...new Array(14).fill(0), 1, 0xfd, ...new Array(14).fill(0), 2], 22);
    view.setUint16(18, frame.length - 54);
  }
  view.setUint16(l4, 4000);
  view.setUint16(l4 + 2, 5000);
  view.setUint16(l4 + 4, 8 + payload);
  const header = new Uint8Array(HEADER);
  header[0] = 1;
  header[6] = l4;
  header[8] = 6;
  return { frame, header };
}

t.test('openTap() makes a device in another namespace that carries large frames both ways', (test) => {
  makeNamespaces(test);
  const tap = native.openTap('tap%d', { netns: spaces.a });
  test.equal(tap.name, 'tap0');
  test.notOk(native.interfaceInfo('tap0', spaces.a).isUp);
  test.equal(errorOf(() => native.interfaceInfo('tap0')).code, 'ENODEV', 'not here');
  const busy = errorOf(() => native.openTap('tap0', { netns: spaces.a }));
  test.match(busy.message, /ioctl TUNSETIFF tap0: EBUSY: another process holds it/);
  test.match(errorOf(() => native.openTap('lo', { netns: spaces.a })).message, /taken by an interface that is no TAP/);
  ip('-n', spaces.a, 'link', 'set', 'tap0', 'up');

  const peer = native.openPacket('tap0', { netns: spaces.a });
  const frames = new Frames();
  const large = udpFrame(4, 60_000, 5);
  frames.put(0, plainFrame(60, 1));
  frames.put(1, plainFrame(1514, 2));
  frames.put(2, large.frame, Uint8Array.of(1, 5, 42, 0, 0xe8, 3, 34, 0, 6, 0)); // UDP_L4, 1000 bytes each
  test.equal(frames.send(peer, native.KIND_PACKET, 3), 3);
  const got = new Frames();
  test.equal(got.receiveAll(tap.fd, native.KIND_TAP, 2, 2), 2);
  test.same([...got.lengths.subarray(0, 2)], [60, 1514]);
  test.same(got.frame(1), plainFrame(1514, 2));
  const pieces = tap.hasUdpOffload ? 1 : 60;
  test.equal(got.receiveAll(tap.fd, native.KIND_TAP, pieces), pieces, 'in one piece if the kernel can');
  if (tap.hasUdpOffload) test.equal(got.header(0).getUint16(4, true), 1000);
  test.equal(got.receive(tap.fd, native.KIND_TAP), 0);

  frames.put(0, plainFrame(700, 9));
  test.equal(frames.send(tap.fd, native.KIND_TAP, 1), 1);
  test.equal(got.receiveAll(peer, native.KIND_PACKET, 1), 1);
  test.same(got.frame(0), plainFrame(700, 9));

  ip('-n', spaces.a, 'link', 'set', 'tap0', 'down');
  test.equal(frames.send(tap.fd, native.KIND_TAP, 1), 1);
  test.same([...frames.outcome], [1, 5], 'refused with EIO while it is down');
  native.closeFd(tap.fd);
  native.closeFd(peer);
  test.equal(errorOf(() => native.interfaceInfo('tap0', spaces.a)).code, 'ENODEV', 'gone with its descriptor');
  test.end();
});

t.test('openTap() keeps a persistent device', (test) => {
  makeNamespaces(test);
  native.closeFd(native.openTap('keep0', { netns: spaces.a, persist: true }).fd);
  test.ok(native.interfaceInfo('keep0', spaces.a).index > 0);
  test.end();
});

t.test('an AF_PACKET port carries frames of every size in their order', (test) => {
  const { out, port } = joinedPorts(test);
  const frames = new Frames();
  const got = new Frames();
  const sizes = [60, 64, 1514, 1600, 1700, 9000, 60, 65_549, 14, 18, 30_000, 1514];
  const header = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  ip('-n', spaces.a, 'link', 'set', 'eth0', 'mtu', '65535');
  ip('-n', spaces.b, 'link', 'set', 'eth0', 'mtu', '65535');
  sizes.forEach((size, i) => {
    const frame = size < 18 ? plainFrame(18, i).subarray(0, size) : plainFrame(size, i);
    frames.put(i, frame, header);
  });
  test.equal(frames.send(out, native.KIND_PACKET, sizes.length), sizes.length);
  test.equal(frames.outcome[0], 0, `nothing refused (errno ${frames.outcome[1]})`);
  test.ok(native.waitReadable(port, PATIENCE_MS));
  test.equal(got.receive(port, native.KIND_PACKET, 64, 1), 1, 'a budget of one byte is one frame');
  test.same(got.frame(0), plainFrame(60, 0));
  test.equal(got.receiveAll(port, native.KIND_PACKET, sizes.length - 1), sizes.length - 1);
  for (let i = 1; i < sizes.length; i++) {
    test.equal(got.lengths[i - 1], sizes[i]);
    test.ok(Buffer.compare(got.frame(i - 1), frames.frame(i)) === 0, `frame ${i} of ${sizes[i]} bytes is whole`);
  }
  test.equal(got.receive(out, native.KIND_PACKET), 0, 'what a port sends it does not receive');
  test.end();
});

t.test('an AF_PACKET port shows VLAN tags where they were', (test) => {
  const { out, port } = joinedPorts(test);
  const frames = new Frames();
  const got = new Frames();
  const tagged = (type: number, length: number) => {
    const frame = plainFrame(length, 3);
    new DataView(frame.buffer).setUint32(12, (type << 16) | 0xa064); // priority 5, VLAN 100
    return frame;
  };
  const udp = udpFrame(4, 100, 1);
  const behind = new Uint8Array(udp.frame.length + 4);
  behind.set(udp.frame.subarray(0, 12));
  behind.set([0x81, 0, 0, 100], 12);
  behind.set(udp.frame.subarray(12), 16);
  udp.header[6] += 4;
  frames.put(0, tagged(0x8100, 60));
  frames.put(1, tagged(0x88a8, 60));
  frames.put(2, tagged(0x8100, 1518));
  frames.put(3, behind, udp.header);
  frames.send(out, native.KIND_PACKET, 4);
  test.equal(got.receiveAll(port, native.KIND_PACKET, 4), 4);
  for (let i = 0; i < 4; i++) test.same(got.frame(i), frames.frame(i), `frame ${i}`);
  test.equal(got.header(3).getUint16(6, true), 38, 'the checksum starts four bytes later');
  test.end();
});

t.test('an AF_PACKET port counts what it cannot take whole or has no room for', (test) => {
  makeNamespaces(test);
  makePair('eth0');
  const out = native.openPacket('eth0', { netns: spaces.a });
  // The newest socket gets each frame first: what this one has, the port has been offered.
  const witness = native.openPacket('eth0', { netns: spaces.b });
  const port = native.openPacket('eth0', { netns: spaces.b, ringBytes: 65536 });
  const frames = new Frames();
  const seen = new Frames();
  [60, 1400, 1000, 1514, 61].forEach((size, i) => frames.put(i, plainFrame(size, i)));
  frames.send(out, native.KIND_PACKET, 5);
  test.equal(seen.receiveAll(witness, native.KIND_PACKET, 5), 5);
  const before = native.truncatedFrames();
  const small = new Uint8Array(8192);
  const lengths = new Int32Array(5);
  test.equal(native.receiveBatch(port, native.KIND_PACKET, small, 128, 1200, 4, 10_000, lengths, 1), 3);
  test.same([...lengths], [0, 60, 1000, 61, 0], 'slots of 1136 bytes take three of the five');
  test.equal(native.truncatedFrames() - before, 2);
  test.equal(native.packetDrops(port), 0);
  for (let i = 0; i < 60; i++) frames.put(i, plainFrame(60, i));
  frames.send(out, native.KIND_PACKET, 60);
  test.equal(seen.receiveAll(witness, native.KIND_PACKET, 60), 60);
  test.equal(frames.receive(port, native.KIND_PACKET), 37, 'a ring of one block holds 37');
  test.equal(native.packetDrops(port), 23);
  test.equal(native.packetDrops(port), 0, 'counted once');
  test.equal(errorOf(() => native.packetDrops(0)).syscall, 'getsockopt');
  native.closeFd(witness);
  native.closeFd(out);
  native.closeFd(port);
  test.end();
});

t.test('sendBatch() joins a run of UDP datagrams into one large frame', (test) => {
  const { out, port } = joinedPorts(test);
  for (const family of [4, 6] as const) {
    const frames = new Frames();
    const got = new Frames();
    const l4 = family === 4 ? 34 : 54;
    const sizes = [100, 100, 100, 100, 40, 100, 100, 100];
    sizes.forEach((size, i) => {
      const { frame, header } = udpFrame(family, size, i + 1);
      frames.put(i, frame, header);
    });
    const untouched = frames.arena.slice();
    test.equal(frames.send(out, native.KIND_PACKET, 8), 8);
    test.equal(Buffer.compare(frames.arena, untouched), 0, 'the frames themselves are left alone');
    test.equal(got.receiveAll(port, native.KIND_PACKET, 4), 4, 'five in one, then three alone');
    test.equal(got.lengths[0], l4 + 8 + 440);
    const view = new DataView(got.arena.buffer, 128);
    test.same([got.header(0).getUint8(0), got.header(0).getUint8(1)], [1, 5], 'UDP_L4, checksum undone');
    test.equal(got.header(0).getUint16(4, true), 100, 'payload of each');
    test.equal(view.getUint16(l4 + 4), 448, 'UDP length');
    if (family === 4) test.equal(view.getUint16(16), 468, 'IP length');
    if (family === 6) test.equal(view.getUint16(18), 448, 'IP payload length');
    const payload = [1, 2, 3, 4, 5].flatMap((mark, i) => new Array(sizes[i]).fill(mark));
    test.same([...got.frame(0).subarray(l4 + 8)], payload);
    test.same(got.frame(1), frames.frame(5));
  }
  test.end();
});

t.test('what an interface cannot cut up goes by its queue, whole', (test) => {
  const { out, port } = joinedPorts(test);
  const setOffloads = (value: string) => {
    const features = ['tso', value, 'gso', value, 'tx-udp-segmentation', value];
    execFileSync('ip', ['netns', 'exec', spaces.a, 'ethtool', '-K', 'eth0', ...features]);
  };
  const udp = new Frames();
  for (let i = 0; i < 20; i++) {
    const { frame, header } = udpFrame(4, 100, i);
    udp.put(i, frame, header);
  }
  for (let round = 0; round < 3; round++) {
    setOffloads(round === 1 ? 'on' : 'off');
    const got = new Frames();
    test.equal(udp.send(out, native.KIND_PACKET, 20), 20);
    test.same([...udp.outcome], [0, 0], 'nothing is refused');
    const frames = round === 1 ? 1 : 20;
    test.equal(got.receiveAll(port, native.KIND_PACKET, frames), frames, `round ${round}: every datagram arrives`);
    const segments = new Frames();
    segments.put(0, tcpFrame(10 * 1400), Uint8Array.of(1, 1, 54, 0, 1400 & 0xff, 1400 >> 8, 34, 0, 16, 0));
    test.equal(segments.send(out, native.KIND_PACKET, 1), 1);
    test.same([...segments.outcome], [0, 0], 'nothing is refused');
    const wanted = round === 1 ? 1 : 10;
    test.equal(got.receiveAll(port, native.KIND_PACKET, wanted), wanted, `round ${round}: every segment arrives`);
  }
  test.end();
});

t.test('sendBatch() joins only what belongs together', (test) => {
  const { out, port } = joinedPorts(test);
  const changes: Record<string, (frame: Uint8Array, header: Uint8Array) => void> = {
    'another port': (frame) => frame[35]++,
    'another address': (frame) => frame[33]++,
    'another MAC': (frame) => frame[5]++,
    'another TTL': (frame) => frame[22]--,
    'another class': (frame) => (frame[15] = 4),
    'may be fragmented': (frame) => (frame[20] = 0),
    'a fragment': (frame) => (frame[20] = 0x60),
    'checksum done': (_, header) => header.fill(0),
    'IP length of its own': (frame) => frame[17]--,
  };
  for (const [name, change] of Object.entries(changes)) {
    const frames = new Frames();
    const got = new Frames();
    for (let i = 0; i < 6; i++) {
      const { frame, header } = udpFrame(4, 50, i);
      if (i % 2 === 1) change(frame, header);
      frames.put(i, frame, header);
    }
    frames.send(out, native.KIND_PACKET, 6);
    test.equal(got.receiveAll(port, native.KIND_PACKET, 6), 6, name);
  }
  test.end();
});

t.test('a port whose interface goes down tells so once, and works when it is up again', (test) => {
  const { out, port } = joinedPorts(test);
  const poller = new native.Poller();
  const keys = new Int32Array(4);
  const frames = new Frames();
  poller.add(port, 1);
  ip('-n', spaces.b, 'link', 'set', 'eth0', 'down');
  test.equal(poller.wait(PATIENCE_MS, keys), 1);
  test.equal(frames.receive(port, native.KIND_PACKET), -100, 'ENETDOWN');
  test.equal(frames.receive(port, native.KIND_PACKET), 0);
  test.equal(poller.wait(0, keys), 0, 'the poller can sleep again');
  frames.put(0, plainFrame(60, 1));
  test.equal(frames.send(port, native.KIND_PACKET, 1), 1);
  test.same([...frames.outcome], [1, 100], 'refused with ENETDOWN');
  ip('-n', spaces.b, 'link', 'set', 'eth0', 'up');
  test.equal(frames.send(out, native.KIND_PACKET, 1), 1);
  test.equal(frames.receiveAll(port, native.KIND_PACKET, 1), 1);
  ip('-n', spaces.b, 'link', 'del', 'eth0');
  test.equal(poller.wait(PATIENCE_MS, keys), 1);
  test.equal(frames.receive(port, native.KIND_PACKET), -100);
  test.equal(poller.wait(0, keys), 0);
  poller.remove(port);
  poller.close();
  test.end();
});

t.test('large frames that wait while the interface goes down arrive whole', (test) => {
  makeNamespaces(test);
  makePair('eth0');
  for (const netns of Object.values(spaces)) ip('-n', netns, 'link', 'set', 'eth0', 'mtu', '9000');
  const out = native.openPacket('eth0', { netns: spaces.a });
  const witness = native.openPacket('eth0', { netns: spaces.b });
  const port = native.openPacket('eth0', { netns: spaces.b });
  const frames = new Frames();
  const got = new Frames();
  [9000, 60, 5000, 2000].forEach((size, i) => frames.put(i, plainFrame(size, i)));
  // The newest socket gets each frame first: what this one has, the port has.
  test.equal(frames.send(out, native.KIND_PACKET, 4), 4);
  test.equal(new Frames().receiveAll(witness, native.KIND_PACKET, 4), 4);
  ip('-n', spaces.b, 'link', 'set', 'eth0', 'down');
  test.equal(got.receive(port, native.KIND_PACKET), 4);
  for (let i = 0; i < 4; i++) test.same(got.frame(i), frames.frame(i), `frame ${i}`);
  test.equal(got.receive(port, native.KIND_PACKET), -100, 'then ENETDOWN');
  native.closeFd(witness);
  native.closeFd(out);
  native.closeFd(port);
  test.end();
});

t.test('setNetns() moves its own thread only', async (test) => {
  makeNamespaces(test);
  makePair('slnat-inner');
  const index = await inWorker(
    'native.setNetns(workerData); parentPort.postMessage(native.interfaceInfo("slnat-inner").index);',
    spaces.a,
  );
  test.equal(index, native.interfaceInfo('slnat-inner', spaces.a).index);
  test.equal(errorOf(() => native.interfaceInfo('slnat-inner')).code, 'ENODEV');
});

t.test('openPacket() takes an index and closes with its ring', (test) => {
  makeNamespaces(test);
  makePair('eth0');
  const before = openFds();
  const { index } = native.interfaceInfo('eth0', spaces.a);
  for (let i = 0; i < 20; i++) native.closeFd(native.openPacket(index, { netns: spaces.a, promiscuous: true }));
  test.equal(openFds(), before);
  const maps = readFileSync('/proc/self/maps', 'utf8').split('\n');
  test.equal(maps.filter((line) => line.includes('socket:')).length, 0, 'no ring is left mapped');
  test.equal(errorOf(() => native.openPacket(999_999)).code, 'ENODEV');
  test.end();
});
