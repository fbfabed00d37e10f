/** The way of a frame, without a kernel: what goes in at one pod, what comes out at another, what is told about it. */
import * as tcp from '../wire/header/tcp.ts';
import t from 'tap';
import {
  ALLOW_ALL,
  CLIENT,
  duo,
  ETH,
  parsed,
  SERVER,
  SERVER6,
  entry,
  forAnyPeer,
  ROUTER_MAC,
  type WorldPod,
  words,
} from '../test/dataplane-world.ts';
import { pingFrame, tcpFrame, udpFrame } from '../test/packets.ts';
import * as icmp from '../wire/header/icmp.ts';
import * as icmpv6 from '../wire/header/icmpv6.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import { complete, verify } from '../wire/offload.ts';
import { parse } from './parse.ts';

t.test('runFrame() forwards what both policies allow, as a router does', (t) => {
  for (const [family, to] of [
    ['IPv4', SERVER],
    ['IPv6', SERVER6],
  ] as const) {
    t.test(family, (t) => {
      const { world, client, server } = duo(t);
      const frames = {
        tcp: tcpFrame({ from: client, to, sport: 4000, dport: 80 }),
        udp: udpFrame({ from: client, to, sport: 4000, dport: 53 }),
        ping: pingFrame({ from: client, to, id: 9 }),
      };
      for (const [name, frame] of Object.entries(frames)) {
        world.send(client, frame);
        const [got, ...more] = world.received(server);
        t.equal(more.length, 0, `${name}: one frame out`);
        const f = parsed(got);
        t.equal(parse(f), 0, `${name}: parses`);
        t.equal(f.ttl, 63, `${name}: one hop less`);
        t.ok(verify(f), `${name}: L4 checksum still right`);
        if (family === 'IPv4') t.ok(ipv4.verifyChecksum(got, ETH), `${name}: header checksum right`);
        t.same([...got.subarray(0, 6)], server.mac, `${name}: to the server's MAC`);
        t.same([...got.subarray(6, 12)], ROUTER_MAC, `${name}: from the router's MAC`);
        t.same(got.subarray(f.l4Offset - 64), frame.subarray(f.l4Offset - 64), `${name}: L4 untouched`);
      }
      t.same(world.drops(), []);
      t.end();
    });
  }
  t.end();
});

t.test('ICMP errors', (t) => {
  const { world, client, server } = duo(t, { mtu: 1500 }, { mtu: 9000, policy: forAnyPeer({ egress: true }) });
  t.test('a hop too far is answered with time exceeded', (t) => {
    for (const to of [SERVER, SERVER6]) {
      world.send(client, udpFrame({ from: client, to, sport: 33434, dport: 33434, ttl: 1 }));
      t.same(world.drops(), [196]);
      const f = parsed(world.received(client)[0]);
      t.equal(parse(f), 0);
      t.equal(f.icmpType, to === SERVER ? 11 : 3);
      t.ok(verify(f));
      t.same([f.src0, f.src1, f.src2, f.src3], words(to === SERVER ? '10.0.0.1' : 'fd00::1'));
    }
    t.same(world.received(server), []);
    t.end();
  });
  t.test('a packet too big is answered with the MTU that it must fit', (t) => {
    const payload = new Uint8Array(4000);
    for (const to of [SERVER, SERVER6]) {
      world.send(client, udpFrame({ from: client, to, sport: 1, dport: 2, payload }));
      t.same(world.drops(), [136]);
      const f = parsed(world.received(client)[0]);
      t.equal(parse(f), 0);
      t.ok(verify(f));
      if (to === SERVER) t.equal(icmp.nextHopMtu(f.bytes, f.l4Offset), 1500);
      else t.equal(icmpv6.mtu(f.bytes, f.l4Offset), 1500);
    }
    t.end();
  });
  t.test('without DF, IPv4 is cut into fragments that add up', (t) => {
    const payload = Uint8Array.from({ length: 4000 }, (_, i) => i & 255);
    world.send(client, udpFrame({ from: client, to: SERVER, sport: 1, dport: 2, payload, dontFragment: false }));
    const pieces = world.received(server);
    t.equal(pieces.length, 3);
    const whole = new Uint8Array(4008);
    for (const piece of pieces) {
      t.ok(ipv4.verifyChecksum(piece, ETH));
      t.ok(ipv4.totalLength(piece, ETH) <= 1500);
      whole.set(piece.subarray(ETH + 20, ETH + ipv4.totalLength(piece, ETH)), ipv4.fragmentOffset(piece, ETH));
    }
    t.same(whole.subarray(8), payload);
    t.equal(ipv4.moreFragments(pieces[2], ETH), false);
    t.end();
  });
  t.test('an error about a connection passes to its sender, one about nothing is judged like any packet', (t) => {
    const original = udpFrame({ from: client, to: SERVER, sport: 700, dport: 800 });
    world.send(client, original);
    world.received(server);
    const error = (quoted: Uint8Array, from: WorldPod): Uint8Array => {
      const bytes = pingFrame({ from, to: CLIENT, id: 0, size: quoted.length - ETH });
      bytes.set(quoted.subarray(ETH), ETH + 28);
      bytes[ETH + 20] = 3;
      bytes[ETH + 21] = 3;
      return recomputed(bytes);
    };
    world.send(server, error(original, server));
    t.equal(world.received(client).length, 1, 'port unreachable about the datagram');
    world.send(server, error(udpFrame({ from: client, to: SERVER, sport: 701, dport: 800 }), server));
    t.same(world.drops(), [133], 'about a datagram that was never sent');
    const third = world.add({ addresses: ['10.0.0.4'], identity: 1003 });
    world.send(third, error(original, third));
    t.same(world.drops(), [132], "a pod may not report errors about somebody else's connection");
    t.end();
  });
  t.end();
});

/** With the ICMP checksum made right again. */
function recomputed(bytes: Uint8Array): Uint8Array {
  const f = parsed(bytes);
  parse(f);
  complete(f);
  return f.bytes.slice(f.offset, f.offset + f.length);
}

t.test('fragments follow their first fragment', (t) => {
  const policy = [...forAnyPeer({ egress: true }), entry({ identity: 1001, protocol: 17, port: 53 })];
  const { world, client, server } = duo(t, { policy });
  const pieces = (dport: number, id: number): Uint8Array[] => {
    const whole = udpFrame({ from: client, to: SERVER, sport: 9, dport, payload: new Uint8Array(64) });
    return [0, 40].map((at) => {
      const piece = new Uint8Array(ETH + 20 + (at === 0 ? 40 : 32));
      piece.set(whole.subarray(0, ETH + 20));
      piece.set(whole.subarray(ETH + 20 + at, ETH + 20 + at + piece.length - ETH - 20), ETH + 20);
      ipv4.setTotalLength(piece, ETH, piece.length - ETH);
      ipv4.setIdentification(piece, ETH, id);
      ipv4.setFragmentField(piece, ETH, (at >> 3) | (at === 0 ? 0x2000 : 0));
      ipv4.fillChecksum(piece, ETH);
      return piece;
    });
  };
  for (const piece of pieces(53, 1)) world.send(client, piece);
  t.equal(world.received(server).length, 2, 'both parts of an allowed datagram');
  for (const piece of pieces(54, 2)) world.send(client, piece);
  t.same(world.drops(), [133, 157], 'no part of a denied one: its ports are not even noted');
  world.send(client, pieces(53, 3)[1]);
  t.same(world.drops(), [157], 'a part whose ports are unknown matches no port rule');
  world.setPolicy(server, ALLOW_ALL);
  world.send(client, pieces(53, 4)[1]);
  t.equal(world.received(server).length, 1, 'but it matches a rule for all ports');
  t.end();
});

t.test('an established flow allocates nothing', (t) => {
  const { world, client, server } = duo(t);
  for (const pod of [client, server]) pod.port.isDiscarding = true;
  const begin = tcpFrame({ from: client, to: SERVER, sport: 5000, dport: 80 });
  world.send(client, begin);
  client.port.repeat = true;
  client.port.deliver(tcpFrame({ from: client, to: SERVER, sport: 5000, dport: 80, flags: tcp.ACK }));
  const turns = (count: number): void => {
    for (let turn = 0; turn < count; turn++) world.turn(client);
  };
  turns(3000);
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('run this test with node --expose-gc, as scripts/test does');
  // The least of a few runs: the compiler's own work lands in some of them, a leak of 8 bytes a frame in all.
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 50 && least >= 100_000; attempt++) {
    gc();
    const before = process.memoryUsage().heapUsed;
    turns(1600);
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  t.ok(least < 100_000, `heap grew by ${least} bytes over ${1600 * 64} frames`);
  t.end();
});
