import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import * as native from './index.ts';
import { Frames, PATIENCE_MS, errorOf, inWorker, openFds, plainFrame } from '../../test/port/addon.ts';

const directory = mkdtempSync(join(tmpdir(), 'slnat-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));

t.test('mapFile() shows one memory to all who map the file', (test) => {
  const path = join(directory, 'shared');
  writeFileSync(path, new Uint8Array(8192));
  const writer = new Int32Array(native.mapFile(path, 8192, true));
  const reader = new Int32Array(native.mapFile(path, 4096, false));
  writer[3] = 0x01020304;
  test.equal(Atomics.load(reader, 3), 0x01020304);
  test.equal(readFileSync(path).readInt32LE(12), 0x01020304);
  test.equal(reader.length, 1024);
  native.unmapFile(writer.buffer);
  test.equal(writer.length, 0, 'unmapped views are empty');
  test.equal(reader[3], 0x01020304, 'other mappings stay');
  test.end();
});

t.test('mapFile() keeps no descriptor', (test) => {
  const path = join(directory, 'many');
  writeFileSync(path, new Uint8Array(4096));
  const before = openFds();
  const maps = Array.from({ length: 50 }, () => native.mapFile(path, 4096, true));
  test.equal(openFds(), before);
  for (const map of maps) native.unmapFile(map);
  test.end();
});

t.test('mapFile() says what is wrong and what to do', (test) => {
  const path = join(directory, 'short');
  writeFileSync(path, new Uint8Array(100));
  const missing = errorOf(() => native.mapFile(join(directory, 'missing'), 1, false));
  test.match(missing, { code: 'ENOENT', errno: -2, syscall: 'open' });
  test.match(missing.message, /^open .*missing: ENOENT: it does not exist; check the name$/);
  const short = errorOf(() => native.mapFile(path, 101, false));
  test.equal(short.code, 'EINVAL');
  test.match(short.message, /shorter than the map/);
  test.match(errorOf(() => native.mapFile(directory, 10, false)).message, /not a regular file/);
  for (const bytes of [0, -1, 1.5, Number.NaN, 2 ** 40]) {
    test.throws(() => native.mapFile(path, bytes, false), RangeError, `bytes ${bytes}`);
  }
  test.throws(() => native.mapFile('a\0b', 10, false), TypeError);
  test.throws(() => native.mapFile('x'.repeat(300), 10, false), RangeError);
  test.throws(() => native.unmapFile({} as ArrayBuffer), TypeError);
  test.end();
});

t.test('Poller wait() reports keys of readable descriptors, and nothing after the timeout', (test) => {
  const poller = new native.Poller();
  const keys = new Int32Array(4);
  const event = native.eventfd();
  poller.add(event, -77);
  test.equal(poller.wait(0, keys), 0);
  native.eventfdSignal(event);
  test.equal(poller.wait(-1, keys, 20), 1);
  test.equal(keys[0], -77);
  test.equal(native.eventfdDrain(event), 1);
  test.equal(native.eventfdDrain(event), 0);
  poller.remove(event);
  native.eventfdSignal(event);
  test.equal(poller.wait(1, keys, 20), 0);
  test.equal(errorOf(() => poller.remove(event)).code, 'ENOENT');
  test.throws(() => poller.wait(0, new Int32Array(0)), RangeError);
  native.closeFd(event);
  poller.close();
  test.equal(errorOf(() => native.closeFd(event)).code, 'EBADF');
  test.end();
});

t.test('Poller wait() ends when another thread signals, and uses the signal up', async (test) => {
  const poller = new native.Poller();
  const keys = new Int32Array(4);
  const woken = inWorker(
    'native.eventfdSignal(workerData); parentPort.postMessage(native.monotonicSec());',
    poller.wakeFd,
  );
  test.ok(native.waitReadable(poller.wakeFd, PATIENCE_MS));
  test.equal(poller.wait(-1, keys), 1);
  test.equal(keys[0], native.WAKE_KEY);
  test.equal(poller.wait(0, keys), 0);
  test.type(await woken, 'number');
  poller.wake();
  test.equal(poller.wait(-1, keys), 1);
  poller.close();
});

t.test('sendFds() hands a working descriptor to recvFds(), message by message', (test) => {
  const before = openFds();
  const path = join(directory, 'control');
  const listener = native.unixListen(path);
  const client = native.unixConnect(path);
  const server = native.unixAccept(listener, PATIENCE_MS);
  const event = native.eventfd();
  test.equal(native.recvFds(server), null, 'nothing yet');
  native.sendFds(client, [event, event], new TextEncoder().encode('two'));
  native.sendFds(client, [], Uint8Array.of(7));
  const first = native.recvFds(server, PATIENCE_MS) as native.FdMessage;
  test.equal(new TextDecoder().decode(first.payload), 'two');
  test.equal(first.fds.length, 2);
  test.notOk(first.isClosed);
  native.eventfdSignal(first.fds[1]);
  test.equal(native.eventfdDrain(event), 1, 'both are the same eventfd');
  test.same(native.recvFds(server), { fds: [], payload: Uint8Array.of(7), isClosed: false });
  native.closeFd(client);
  test.ok((native.recvFds(server, PATIENCE_MS) as native.FdMessage).isClosed);
  test.equal(errorOf(() => native.sendFds(server, [], Uint8Array.of(1))).code, 'EPIPE');
  for (const fd of [...first.fds, event, server, listener]) native.closeFd(fd);
  test.equal(openFds(), before);
  test.end();
});

t.test('sendFds() and recvFds() refuse what they cannot carry whole, and leak nothing', (test) => {
  const before = openFds();
  const path = join(directory, 'limits');
  const listener = native.unixListen(path, { stream: true, backlog: 1 });
  test.equal(native.unixAccept(listener), -1);
  const client = native.unixConnect(path, { stream: true });
  const server = native.unixAccept(listener, PATIENCE_MS);
  test.throws(() => native.sendFds(client, new Array(65).fill(0), Uint8Array.of(1)), RangeError);
  test.throws(() => native.sendFds(client, [-1], Uint8Array.of(1)), RangeError);
  test.throws(() => native.sendFds(client, ['x' as unknown as number], Uint8Array.of(1)), TypeError);
  test.throws(() => native.sendFds(client, [], new Uint8Array(0)), RangeError);
  test.equal(errorOf(() => native.sendFds(client, [9999], Uint8Array.of(1))).code, 'EBADF');
  native.sendFds(client, new Array(64).fill(listener), Uint8Array.of(1));
  const all = native.recvFds(server, PATIENCE_MS) as native.FdMessage;
  test.equal(all.fds.length, 64);
  for (const fd of all.fds) native.closeFd(fd);
  test.equal(errorOf(() => native.unixListen(path)).code, 'EADDRINUSE');
  test.equal(errorOf(() => native.unixConnect(join(directory, 'nobody'))).code, 'ENOENT');
  test.throws(() => native.unixListen('/'.repeat(200)), RangeError);
  const full = errorOf(() => {
    for (;;) native.sendFds(client, [], new Uint8Array(4096), 5);
  });
  test.match(full.code, /ETIMEDOUT|EMSGSIZE/, 'a reader that does not read is an error after the timeout');
  for (const fd of [client, server, listener]) native.closeFd(fd);
  test.equal(openFds(), before);
  test.end();
});

t.test('unixConnect() gives up on a listener whose backlog is full', (test) => {
  const path = join(directory, 'busy');
  const listener = native.unixListen(path, { backlog: 1 });
  const clients: number[] = [];
  const error = errorOf(() => {
    for (;;) clients.push(native.unixConnect(path, { timeoutMs: 10 }));
  });
  test.equal(error.code, 'ETIMEDOUT');
  for (const fd of [...clients, listener]) native.closeFd(fd);
  test.end();
});

t.test('receiveBatch() refuses slots outside the arena before the kernel sees them', (test) => {
  const arena = new Uint8Array(100_000);
  const lengths = new Int32Array(4);
  const call = (first: number, stride: number, frames: number, from = 0, budget = 1000) =>
    native.receiveBatch(0, native.KIND_TAP, arena, first, stride, frames, budget, lengths, from);
  for (const [name, action] of Object.entries({
    'header before the arena': () => call(9, 2048, 1),
    'negative offset': () => call(-1, 2048, 1),
    'last slot past the end': () => call(10, 50_000, 3),
    'first slot past the end': () => call(99_000, 2048, 1),
    'no frames': () => call(128, 2048, 0),
    'too many frames': () => call(128, 512, 65),
    'stride without room': () => call(128, 64, 1),
    'no budget': () => call(128, 2048, 1, 0, 0),
    'lengths too short': () => call(128, 2048, 3, 2),
    'offset not a whole number': () => call(128.5, 2048, 1),
    'offset not finite': () => call(Number.NaN, 2048, 1),
    'kind unknown': () => native.receiveBatch(0, 2, arena, 128, 2048, 1, 1000, lengths, 0),
  })) {
    test.throws(action, RangeError, name);
  }
  const view = new Uint8Array(arena.buffer, 0, 1000);
  test.throws(
    () => native.receiveBatch(0, 0, view, 128, 2048, 1, 1000, lengths, 0),
    RangeError,
    'view of a larger buffer',
  );
  const wrong = new Uint16Array(10) as unknown as Uint8Array;
  test.throws(() => native.receiveBatch(0, 0, wrong, 128, 2048, 1, 1000, lengths, 0), TypeError);
  test.end();
});

t.test('sendBatch() refuses frames outside the arena before the kernel sees them', (test) => {
  const arena = new Uint8Array(1000);
  const send = (offset: number, length: number, first = 0, count = 1, outcome = new Int32Array(2)) =>
    native.sendBatch(0, native.KIND_TAP, arena, Int32Array.of(offset), Int32Array.of(length), first, count, outcome);
  for (const [name, action] of Object.entries({
    'header before the arena': () => send(9, 10),
    'negative offset': () => send(-5, 10),
    'frame past the end': () => send(500, 501),
    'negative length': () => send(500, -1),
    'largest numbers': () => send(0x7fffffff, 0x7fffffff),
    'more than the lists hold': () => send(100, 10, 0, 2),
    'first beyond the lists': () => send(100, 10, 2, 1),
    'negative first': () => send(100, 10, -1, 1),
    'no room for the outcome': () => send(100, 10, 0, 1, new Int32Array(1)),
  })) {
    test.throws(action, RangeError, name);
  }
  test.end();
});

t.test('bursts on a closed descriptor are told, not thrown', (test) => {
  const frames = new Frames();
  frames.put(0, plainFrame(60, 1));
  const fd = native.eventfd();
  native.closeFd(fd);
  test.equal(frames.receive(fd, native.KIND_TAP), -9);
  test.equal(frames.receive(fd, native.KIND_PACKET), -9);
  test.equal(frames.send(fd, native.KIND_PACKET, 1), 1);
  test.same([...frames.outcome], [1, 9], 'one frame refused, EBADF');
  test.end();
});

t.test('clocks advance and getrusage counts', (test) => {
  const before = native.monotonicMs();
  const used = native.getrusageSelf();
  test.ok(native.monotonicMs() >= before);
  const seconds = native.monotonicSec();
  test.ok(seconds >= Math.floor(before / 1000) && seconds <= native.monotonicMs() / 1000);
  test.ok(used.userUs > 0 && used.systemUs >= 0 && used.maxRssKb > 1000);
  test.ok(native.getrusageThread().userUs <= native.getrusageSelf().userUs);
  test.equal(native.truncatedFrames() >= 0, true);
  test.end();
});

t.test('interfaceInfo() and openers name what is missing', (test) => {
  test.match(native.interfaceInfo('lo'), { index: 1, mac: new Uint8Array(6) });
  test.equal(errorOf(() => native.interfaceInfo('slnat-none')).code, 'ENODEV');
  test.throws(() => native.interfaceInfo('sixteen-letters-'), RangeError);
  const before = openFds();
  const error = errorOf(() => native.openTap('slnat%d', { netns: 'slnat-none' }));
  test.equal(error.message, 'open /run/netns/slnat-none: ENOENT: no such network namespace; see ip netns');
  for (let i = 0; i < 20; i++) {
    errorOf(() => native.openPacket('slnat-none'));
    errorOf(() => native.openPacket('lo', { ringBytes: 1 }));
    errorOf(() => native.openTap('lo'));
    errorOf(() => native.openTap('slnat%d', { netns: '/proc/self/ns/uts' }));
    errorOf(() => native.setNetns('/dev/null'));
  }
  test.equal(openFds(), before, 'failures leave no descriptor open');
  test.end();
});
