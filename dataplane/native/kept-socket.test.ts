/** Packet sockets that outlive their reader, and descriptors that are closed beside the thread that gives them up. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import t, { type Test } from 'tap';
import { waitFor } from '../../test/command.ts';
import { errorOf, Frames, PATIENCE_MS, plainFrame } from '../../test/port/addon.ts';
import * as native from './index.ts';

const [near, far] = [`slks${process.pid}a`, `slks${process.pid}b`].map((name) => name.slice(0, 15)) as [string, string];
const RING_BYTES = 65536; // one block: 37 slots
const LONG_MS = 3_600_000;

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** A pair here, quiet, and what sends into its near end: frames come out at the far one. */
function makePair(test: Test): number {
  ip('link', 'add', near, 'mtu', '9000', 'type', 'veth', 'peer', 'name', far, 'mtu', '9000');
  test.teardown(() => execFileSync('sh', ['-c', `ip link delete ${near} 2>/dev/null || true`]));
  for (const name of [near, far]) {
    execFileSync('sysctl', ['-qw', `net.ipv6.conf.${name}.disable_ipv6=1`]);
    ip('link', 'set', name, 'up');
  }
  const out = native.openPacket(near);
  test.teardown(() => native.closeFd(out));
  return out;
}

/** Sends frames of these sizes, told apart by their content. */
function send(out: number, sizes: readonly number[], firstMark = 0): void {
  const frames = new Frames();
  for (const [i, size] of sizes.entries()) frames.put(i, plainFrame(size, firstMark + i));
  frames.send(out, native.KIND_PACKET, sizes.length);
}

const socketLinks = () =>
  readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // of readdir itself
    }
  });

t.test('the next reader of a ring goes on where the one before left off', async (test) => {
  const out = makePair(test);
  const fd = await native.openSocket(far, 0, RING_BYTES);
  test.teardown(() => native.closeFd(fd));
  test.equal(native.boundIndex(fd), native.interfaceInfo(far).index);
  const got = new Frames();
  let mark = 0;
  // 23 times through 37 slots: the ring is left at every place, the last and the first among them
  for (let round = 0; round < 37; round++, mark += 23) {
    test.equal(native.mapRing(fd, RING_BYTES, LONG_MS), 0, 'nothing is thrown away');
    const sizes = Array.from({ length: 23 }, (_, i) => (i % 5 === 4 ? 4000 : 60 + i)); // some wait in the queue beside
    send(out, sizes, mark);
    if (!test.equal(got.receiveAll(fd, native.KIND_PACKET, 12, 12), 12)) return;
    for (let i = 0; i < 12; i++)
      test.ok(Buffer.compare(got.frame(i), plainFrame(sizes[i], mark + i)) === 0, `frame ${i}`);
    native.mapRing(fd, RING_BYTES, LONG_MS); // as another process does when the reader has died
    if (!test.equal(got.receiveAll(fd, native.KIND_PACKET, 11), 11)) return;
    for (let i = 0; i < 11; i++)
      test.ok(Buffer.compare(got.frame(i), plainFrame(sizes[12 + i], mark + 12 + i)) === 0, `frame ${12 + i}`);
  }
  test.equal(native.packetDrops(fd), 0);
});

t.test('without a reader a socket keeps a ring of frames; what waited too long is not read', async (test) => {
  const out = makePair(test);
  const fd = await native.openSocket(far, 0, RING_BYTES);
  test.teardown(() => native.closeFd(fd));
  // The newest socket gets each frame first: what the witness has, the other has been offered.
  const witness = native.openPacket(far);
  test.teardown(() => native.closeFd(witness));
  const seen = new Frames();
  for (let i = 0; i < 3; i++) {
    send(
      out,
      Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? 8000 : 60)),
    );
    test.equal(seen.receiveAll(witness, native.KIND_PACKET, 20, 20), 20);
  }
  await waitFor('the last frame to be offered', () => native.packetDrops(fd) > 0);
  test.equal(native.mapRing(fd, RING_BYTES, -1), 37, 'a ring of one block holds 37, thrown away whatever their age');
  test.equal(seen.receive(fd, native.KIND_PACKET), 0);
  send(out, [8000, 100, 7000], 50);
  test.equal(seen.receiveAll(fd, native.KIND_PACKET, 3), 3, 'what comes afterwards is taken');
  for (const [i, size] of [8000, 100, 7000].entries()) test.same(seen.frame(i), plainFrame(size, 50 + i));
});

t.test('a socket whose interface has gone is bound to nothing, also when the name comes back', async (test) => {
  makePair(test);
  const fd = await native.openSocket(far, 0, RING_BYTES);
  test.teardown(() => native.closeFd(fd));
  ip('link', 'delete', far);
  test.equal(native.boundIndex(fd), 0);
  makePair(test);
  test.equal(native.boundIndex(fd), 0);
  test.equal(native.boundIndex(0), 0, 'what is no packet socket neither');
});

t.test('openSocket() and mapRing() say what is wrong', async (test) => {
  await test.rejects(native.openSocket('slks-none', 0, RING_BYTES), { code: 'ENODEV', syscall: 'if_nametoindex' });
  test.equal(errorOf(() => void native.openSocket('lo', 0, 1)).code, 'ERR_OUT_OF_RANGE');
  const fd = await native.openSocket('lo', 0, RING_BYTES);
  test.teardown(() => native.closeFd(fd));
  test.equal(errorOf(() => native.mapRing(fd, 2 * RING_BYTES, 0)).code, 'EINVAL', 'a ring of another size');
  test.equal(
    native.receiveBatch(fd, native.KIND_PACKET, new Uint8Array(4096), 128, 2048, 1, 1, new Int32Array(1), 0),
    -9,
  );
});

t.test('closeFdBeside() closes every descriptor, many at once', async (test) => {
  const before = socketLinks().filter((link) => link.startsWith('socket:')).length;
  const fds = await Promise.all(Array.from({ length: 50 }, () => native.openSocket('lo', 0, RING_BYTES)));
  for (const fd of fds.slice(0, 25)) native.mapRing(fd, RING_BYTES, 0);
  test.equal(socketLinks().filter((link) => link.startsWith('socket:')).length, before + 50);
  for (const fd of fds) native.closeFdBeside(fd);
  await waitFor(
    'all to be closed',
    () => socketLinks().filter((link) => link.startsWith('socket:')).length === before,
    PATIENCE_MS,
  );
  test.equal(errorOf(() => native.closeFdBeside(fds[0])).code, 'EBADF', 'a second time is an error');
});

t.test('isTapThere() sees that a TAP was deleted under its descriptor', (test) => {
  const { fd, name } = native.openTap(`slks${process.pid}t`);
  test.teardown(() => native.closeFd(fd));
  test.equal(native.isTapThere(fd), true);
  ip('link', 'delete', name);
  test.equal(native.isTapThere(fd), false);
  test.equal(native.isTapThere(0), false);
  test.end();
});
