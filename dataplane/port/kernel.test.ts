import { execFileSync } from 'node:child_process';
import { PcapPort } from './pcap.ts';
import type { Port } from './port.ts';
import { largeFrame } from '../../test/port/frames.ts';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { forward } from '../../test/port/frames.ts';
import { Arena, Batch, SLOT_STRIDE } from './arena.ts';
import * as native from '../native/index.ts';
import { TapPort } from './tap.ts';
import { VethPort } from './veth.ts';

t.test('PcapPort refuses to be made outside the main thread', async (test) => {
  const source = `import(${JSON.stringify(new URL('./pcap.js', import.meta.url).href)}).then(({ PcapPort }) => {
    new PcapPort({}, { name: 'lo', index: 0, mtu: 1, mac: new Uint8Array(6), onFrame() {} }); });`;
  const worker = new Worker(source, { eval: true });
  const error = await new Promise<Error>((resolve) => worker.once('error', resolve));
  test.match(error.message, /^open lo: a pcap port works on the main thread only/);
});

// --- with root: two namespaces, slnat-PID-a and -b, whose eth0 end in ports of this process

const spaces = [`slnat-${process.pid}-a`, `slnat-${process.pid}-b`];

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function makeNamespaces(test: Test): void {
  for (const name of spaces) {
    ip('netns', 'add', name);
    test.teardown(() => ip('netns', 'del', name));
    execFileSync('ip', ['netns', 'exec', name, 'sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']);
  }
}

function addAddresses(): void {
  spaces.forEach((name, i) => {
    ip('-n', name, 'addr', 'add', `10.77.0.${i + 1}/24`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
  });
}

/**
 * Pings from a to b while the given step is run over and over; resolves to the exit code. With -w, ping goes on until three
 * answers have come; without, it ends two round trips after the third request, answered or not.
 */
async function ping(size: number, step: () => void): Promise<number> {
  const { spawn } = await import('node:child_process');
  const options = `-q -c 3 -i 0.2 -w 60 -s ${size} 10.77.0.2`.split(' ');
  const args = ['netns', 'exec', spaces[0], 'ping', ...options];
  const child = spawn('ip', args, { stdio: 'ignore' });
  let code: number | null = null;
  child.on('exit', (exit) => {
    code = exit ?? 1;
  });
  while (code === null) {
    step();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return code;
}

function shovel(ports: readonly [Port, Port], batch: Batch): void {
  ports.forEach((port, i) => {
    port.receive(batch);
    forward(batch, ports[1 - i]);
  });
}

const options = (i: number) => ({ index: i, mtu: 1500, mac: new Uint8Array(6) });

t.test('TapPort carries pings of any size between two namespaces', async (test) => {
  makeNamespaces(test);
  const arena = new Arena();
  const taps = spaces.map((netns) => native.openTap('eth0', { netns }));
  const ports = taps.map((tap, i) => new TapPort(arena, { ...options(i), name: `tap${i}`, fd: tap.fd })) as [
    TapPort,
    TapPort,
  ];
  addAddresses();
  const batch = new Batch(arena);
  test.equal(await ping(56, () => shovel(ports, batch)), 0);
  test.equal(await ping(20_000, () => shovel(ports, batch)), 0, 'in fragments');
  const [left, right] = ports.map((port) => port.counters);
  test.ok(left.receivedFrames >= 3 && left.sentBytes > 60_000);
  test.equal(left.receivedFrames, right.sentFrames + right.sendDrops);
  for (const port of ports) {
    port.close();
    port.close();
  }
});

t.test('VethPort carries pings of any size between two namespaces', async (test) => {
  makeNamespaces(test);
  const arena = new Arena();
  const batch = new Batch(arena);
  spaces.forEach((name, i) => ip('-n', name, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', `host${i}`));
  for (const [i, name] of spaces.entries()) ip('-n', name, 'link', 'set', `host${i}`, 'up');
  addAddresses();
  const ports = spaces.map((netns, i) => new VethPort(arena, { ...options(i), name: `host${i}`, netns }));
  const pair = ports as unknown as [VethPort, VethPort];
  test.equal(await ping(56, () => shovel(pair, batch)), 0);
  test.equal(await ping(20_000, () => shovel(pair, batch)), 0, 'in fragments');
  for (const port of pair) {
    port.countDrops();
    test.equal(port.counters.receiveDrops, 0);
  }
  ip('-n', spaces[1], 'link', 'set', 'host1', 'down');
  pair[1].queue(arena.slotOffset(0), 60);
  test.equal(pair[1].flush(), 0);
  test.equal(pair[1].counters.sendDrops, 1);
  test.equal(pair[1].lastSendError, 100, 'ENETDOWN');
  for (const port of pair) port.close();
  test.throws(() => new VethPort(arena, { ...options(0), name: 'slnat-none' }), { code: 'ENODEV' });
});

t.test('VethPort counts what came while nobody read', (test) => {
  makeNamespaces(test);
  const [space] = spaces as [string, string];
  ip('-n', space, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'host0');
  for (const end of ['eth0', 'host0']) ip('-n', space, 'link', 'set', end, 'up');
  const arena = new Arena();
  const [read, inner] = ['host0', 'eth0'].map((name, i) => new VethPort(arena, { ...options(i), name, netns: space }));
  const before = native.packetDrops(read.fd); // what the kernel itself said as the link came up
  for (let frame = 0; frame < 64_000; frame++) inner.queue(arena.slotOffset(0), 60);
  inner.flush();
  read.countDrops();
  const { receiveDrops } = read.counters;
  test.ok(receiveDrops > 0 && receiveDrops < 64_000, `${receiveDrops} of 64,000 had no room, ${before} before`);
  read.countDrops();
  test.equal(read.counters.receiveDrops, receiveDrops, 'counted once');
  for (const port of [read, inner]) port.close();
  test.end();
});

t.test('PcapPort takes the first packet that comes, and none of its own end', async (test) => {
  makeNamespaces(test);
  const arena = new Arena();
  const host = `slnat${process.pid}`;
  ip('link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', spaces[0]);
  test.teardown(() => ip('link', 'del', host));
  execFileSync('sysctl', ['-qw', `net.ipv6.conf.${host}.disable_ipv6=1`]);
  ip('link', 'set', host, 'up');
  ip('-n', spaces[0], 'link', 'set', 'eth0', 'up');
  const received: number[] = [];
  const batch = new Batch(arena);
  let arrived = () => {};
  const port = new PcapPort(arena, {
    ...options(0),
    name: host,
    onFrame: (one) => {
      one.receive(batch);
      received.push(...batch.lengths.slice(0, batch.count));
      batch.reset();
      arrived();
    },
  });
  test.teardown(() => port.close()); // before its interface goes
  const here = native.openPacket(host);
  const there = native.openPacket('eth0', { netns: spaces[0] });
  const send = (fd: number, mac: Uint8Array, length: number) => {
    const offset = arena.scratch();
    arena.bytes
      .fill(0, offset - 10, offset + length)
      .fill(255, offset, offset + 6)
      .set(mac, offset + 6);
    arena.bytes.set([0x88, 0xb5], offset + 12);
    const [offsets, lengths] = [Int32Array.of(offset), Int32Array.of(length)];
    native.sendBatch(fd, native.KIND_PACKET, arena.bytes, offsets, lengths, 0, 1, new Int32Array(2));
    arena.reset();
  };
  send(here, native.interfaceInfo(host).mac, 70);
  const first = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  send(there, native.interfaceInfo('eth0', spaces[0]).mac, 80);
  await first;
  test.same(received, [80]);
  native.closeFd(here);
  native.closeFd(there);
});

t.test('PcapPort carries pings through libpcap, cutting large frames itself', async (test) => {
  makeNamespaces(test);
  const arena = new Arena();
  const batch = new Batch(arena);
  const host = `slnat${process.pid}`;
  const tap = native.openTap('eth0', { netns: spaces[0] });
  ip('link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', spaces[1]);
  test.teardown(() => ip('link', 'del', host));
  execFileSync('sysctl', ['-qw', `net.ipv6.conf.${host}.disable_ipv6=1`]);
  ip('link', 'set', host, 'up');
  addAddresses();
  const left = new TapPort(arena, { ...options(0), name: 'left', fd: tap.fd });
  let notTaken = 0;
  const right = new PcapPort(arena, {
    ...options(1),
    name: host,
    onFrame: (port) => {
      if (notTaken > 0) {
        notTaken--;
        return;
      }
      port.receive(batch);
      forward(batch, left);
    },
  });
  const step = () => {
    left.receive(batch);
    forward(batch, right);
  };
  test.equal(await ping(56, step), 0);
  test.equal(await ping(4000, step), 0, 'in fragments');
  test.ok(right.counters.receivedFrames >= 3 && right.counters.sentFrames >= 3);
  const large = largeFrame(4, true, 3000, 1448);
  arena.bytes.set(large.arena.bytes.subarray(large.offset - 10, large.offset + large.length), arena.slotOffset(0) - 10);
  const witness = native.openPacket('eth0', { netns: spaces[1] });
  const before = right.counters.sentFrames;
  right.queue(arena.slotOffset(0), large.length);
  test.equal(right.flush(), 1);
  test.equal(right.counters.sentFrames, before + 1, 'one frame');
  const lengths = new Int32Array(64);
  const arrived = (length: number) => lengths.filter((one) => one === length).length;
  for (let seen = 0; seen >= 0 && arrived(1502) + arrived(158) < 3 && native.waitReadable(witness, 60_000); ) {
    const room = lengths.length - seen;
    seen += native.receiveBatch(
      witness,
      native.KIND_PACKET,
      arena.bytes,
      128,
      SLOT_STRIDE,
      room,
      1 << 20,
      lengths,
      seen,
    );
  }
  test.same([arrived(1502), arrived(158)], [2, 1], 'in three packets');
  native.closeFd(witness);
  notTaken = 1;
  const drops = right.counters.receiveDrops;
  test.equal(await ping(56, step), 0);
  test.equal(right.counters.receiveDrops, drops + 1, 'a frame that the turn did not take');
  right.close();
  right.close();
  test.equal(right.receive(batch), 0);
  left.close();
  test.throws(() => new PcapPort(arena, { ...options(0), name: 'slnat-none', onFrame: () => {} }));
});
