/** Step 1: what is a frame, and what never becomes one. */
import t from 'tap';
import { duo, ETH, parsed, SERVER, SERVER6 } from '../test/dataplane-world.ts';
import { pingFrame, tcpFrame, udpFrame } from '../test/packets.ts';
import { setU16 } from '../wire/bytes.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import { parse } from './parse.ts';

t.test('parse() refuses what hides or lies', (t) => {
  const { client } = duo(t);
  const good = tcpFrame({ from: client, to: SERVER, sport: 1, dport: 2 });
  const good6 = tcpFrame({ from: client, to: SERVER6, sport: 1, dport: 2 });
  const edit = (base: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array => {
    const copy = base.slice();
    change(copy);
    if (base === good) ipv4.fillChecksum(copy, ETH);
    return copy;
  };
  const bent = (base: Uint8Array, at: number, by: number): Uint8Array => {
    const copy = base.slice();
    copy[at] ^= by;
    return copy;
  };
  const cases: [string, Uint8Array, number][] = [
    ['shorter than an Ethernet header', good.subarray(0, 13), 134],
    ['802.1Q tag', edit(good, (b) => setU16(b, 12, 0x8100)), 182],
    ['802.1ad tag', edit(good, (b) => setU16(b, 12, 0x88a8)), 182],
    ['LLC/SNAP length instead of a type', edit(good, (b) => setU16(b, 12, 40)), 166],
    ['unknown ethertype', edit(good, (b) => setU16(b, 12, 0x88cc)), 139],
    ['IPv4 with version 6', edit(good, (b) => (b[ETH] = 0x65)), 134],
    ['IPv4 header length 4', edit(good, (b) => (b[ETH] = 0x41)), 134],
    ['total length beyond the frame', edit(good, (b) => setU16(b, ETH + 2, 1400)), 134],
    ['total length below the header', edit(good, (b) => setU16(b, ETH + 2, 19)), 134],
    ...[1, 4, 8, 10, 11, 12, 19].map((at): [string, Uint8Array, number] => [
      `IPv4 header of which byte ${at} was changed on the way`,
      bent(good, ETH + at, 1),
      153,
    ]),
    ['TCP header beyond the packet', edit(good, (b) => (b[ETH + 20 + 12] = 0xf0)), 135],
    ['TCP header of 16 bytes', edit(good, (b) => (b[ETH + 20 + 12] = 0x40)), 135],
    ['cut TCP header', edit(good, (b) => setU16(b, ETH + 2, 39)), 135],
    ['GRE', edit(good, (b) => (b[ETH + 9] = 47)), 137],
    ['ICMPv6 in IPv4', edit(good, (b) => (b[ETH + 9] = 58)), 137],
    ['later TCP fragment at 8 bytes (RFC 3128)', edit(good, (b) => setU16(b, ETH + 6, 1)), 157],
    ['IPv6 shorter than its payload length', edit(good6, (b) => setU16(b, ETH + 4, 900)), 134],
    [
      'v4-mapped source on the wire',
      edit(good6, (b) => b.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], ETH + 8)),
      134,
    ],
    ['IPv6 ending inside an extension header', edit(good6, (b) => (b[ETH + 6] = 60)), 156],
    ['ARP cut short', edit(good, (b) => setU16(b, 12, 0x0806)).subarray(0, 30), 134],
  ];
  for (const [name, bytes, reason] of cases) t.equal(parse(parsed(bytes)), reason, name);
  t.test('padding behind the IP length never counts', (t) => {
    const padded = new Uint8Array(good.length + 6);
    padded.set(good);
    const f = parsed(padded);
    t.equal(parse(f), 0);
    t.equal(f.payloadLength, 0);
    t.equal(f.length, good.length, 'and is no part of the frame from here on');
    t.end();
  });
  t.test('a UDP datagram may be shorter than its packet: then its payload ends there', (t) => {
    const ends = { from: client, sport: 9, dport: 53, payload: new Uint8Array(64) };
    for (const to of [SERVER, SERVER6]) {
      const udp = udpFrame({ ...ends, to });
      const l4 = udp.length - 72;
      const cases: [string, number, number, number][] = [
        ['all of it', 72, 0, 64],
        ['all but 32 bytes', 40, 0, 32],
        ['only the header', 8, 0, 0],
        ['less than the header', 7, 135, -1],
        ['more than the packet', 73, 135, -1],
        ['not said', 0, 0, 64],
      ];
      for (const [name, declared, reason, payloadLength] of cases) {
        const f = parsed(edit(udp, (b) => setU16(b, l4 + 4, declared)));
        t.equal(parse(f), reason, name);
        if (reason !== 0) continue;
        t.equal(f.payloadLength, payloadLength, name);
        t.equal(f.length, udp.length, 'the packet goes on as it is');
      }
    }
    const first = (declared: number) =>
      parsed(
        edit(udpFrame({ ...ends, to: SERVER }), (b) => {
          ipv4.setFragmentField(b, ETH, 0x2000);
          ipv4.fillChecksum(b, ETH);
          setU16(b, ETH + 20 + 4, declared);
        }),
      );
    for (const [declared, reason, payloadLength] of [
      [2000, 0, 64],
      [40, 0, 32],
      [7, 135, -1],
    ]) {
      const f = first(declared);
      t.equal(parse(f), reason, `a first fragment of a datagram of ${declared}`);
      if (reason === 0) t.equal(f.payloadLength, payloadLength);
    }
    t.end();
  });
  t.end();
});

t.test('hostile bytes: one outcome each, no exception, no slot lost', (t) => {
  const { world, client } = duo(t);
  const seed = Number(process.env.SEED ?? 20261121);
  t.comment(`SEED=${seed}`);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const corpus = [
    tcpFrame({ from: client, to: SERVER, sport: 1, dport: 80, payload: new Uint8Array(40) }),
    tcpFrame({ from: client, to: SERVER6, sport: 1, dport: 80 }),
    udpFrame({ from: client, to: SERVER, sport: 1, dport: 53 }),
    udpFrame({ from: client, to: SERVER6, sport: 1, dport: 53 }),
    pingFrame({ from: client, to: SERVER, id: 1 }),
    pingFrame({ from: client, to: SERVER6, id: 1 }),
  ];
  let received = 0;
  const count = (): number => {
    let total = 0;
    for (const cell of world.maps.metrics.entries()) {
      const isForwardedIngress = cell.reason === 0 && cell.direction === 2;
      if (!isForwardedIngress) total += cell.packets;
    }
    return total;
  };
  const rounds = 20_000;
  for (let round = 0; round < rounds; round++) {
    const frame = corpus[random(corpus.length)].slice();
    for (let edits = random(6); edits >= 0; edits--)
      frame[random(2) === 0 ? 12 + random(50) : random(frame.length)] = random(256);
    const cut = random(4) === 0 ? frame.subarray(0, random(frame.length + 1)) : frame;
    world.send(client, cut);
    for (const pod of world.pods) received += world.received(pod).length;
  }
  t.equal(count(), rounds, 'each frame was counted exactly once');
  t.equal(world.arena.scratchUsed, 0);
  t.ok(received > 0);
  t.end();
});
