/** Frames of services that are more than a packet of a connection: ICMP errors, fragments, large frames. */
import t from 'tap';
import { ETH, parsed, words } from '../../test/dataplane-world.ts';
import { icmpFrame, tcpFrame, udpFrame } from '../../test/packets.ts';
import { FAMILIES, quartet, quotedOf, VIP, withTtl } from '../../test/service-world.ts';
import { setU16le } from '../../wire/bytes.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as tcp from '../../wire/header/tcp.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import { leaveUndone, verify } from '../../wire/offload.ts';
import { parse } from '../parse.ts';
import { emitPackets } from '../port/segment.ts';

t.test('ICMP errors speak of the addresses that their receiver knows', (t) => {
  for (const { client: source, one: target, vip, at } of FAMILIES) {
    const { world, client, one } = quartet(t);
    world.serve([at(target, 8080)], { vip, protocol: 17 });
    const type = vip === VIP ? 3 : 1;
    const request = udpFrame({ from: client, to: vip, sport: 4000, dport: 80 });
    world.send(client, request);
    const [atServer] = world.received(one);
    const unreachable = icmpFrame({ from: one, to: source, type, code: 3, body: atServer.subarray(ETH) });
    world.send(one, unreachable);
    const [atClient] = world.received(client);
    t.equal(parsed(atClient).src3, words(vip)[3], 'from the service, not from its backend');
    t.same([...quotedOf(atClient)], [...withTtl(request, atServer)], 'about what the client sent');
    const reply = udpFrame({ from: one, to: source, sport: 8080, dport: 4000 });
    world.send(one, reply);
    const [replyAtClient] = world.received(client);
    world.send(client, icmpFrame({ from: client, to: vip, type, code: 3, body: replyAtClient.subarray(ETH) }));
    const [errorAtServer] = world.received(one);
    t.same([...quotedOf(errorAtServer)], [...withTtl(reply, replyAtClient)], 'about what the backend sent');
    const stray = udpFrame({ from: one, to: source, sport: 8080, dport: 4999, srcAddress: vip });
    t.equal(
      world.pass(client, one, icmpFrame({ from: client, to: vip, type, code: 3, body: stray.subarray(ETH) })),
      'drop 250',
    );
  }
  t.end();
});

t.test('a hop too far, and a packet too big, are told with the packet as it was sent', (t) => {
  for (const { vip, one: target, at } of FAMILIES) {
    const { world, client } = quartet(t, { mtu: 1400 });
    world.serve([at(target, 8080)], { vip, protocol: 17 });
    for (const [name, frame] of [
      ['hop', udpFrame({ from: client, to: vip, sport: 1, dport: 80, ttl: 1 })],
      ['size', udpFrame({ from: client, to: vip, sport: 1, dport: 80, payload: new Uint8Array(1450) })],
    ] as const) {
      world.send(client, frame);
      const [error] = world.received(client);
      const quoted = quotedOf(error);
      t.same([...quoted], [...frame.subarray(ETH, ETH + quoted.length)], `${name}, ${vip}`);
    }
  }
  t.end();
});

t.test('fragments of a datagram to a service go to one backend; one before its first goes nowhere', (t) => {
  const { world, client, one, two } = quartet(t);
  world.serve(['10.0.0.3:8080', '10.0.0.4:8080'], { protocol: 17 });
  const pieces = (id: number, sport: number): Uint8Array[] => {
    const payload = Uint8Array.from({ length: 64 }, (_, i) => i);
    const whole = udpFrame({ from: client, to: VIP, sport, dport: 80, payload });
    return [0, 40].map((at) => {
      const piece = new Uint8Array(ETH + 20 + (at === 0 ? 40 : 32));
      piece.set(whole.subarray(0, ETH + 20));
      piece.set(whole.subarray(ETH + 20 + at, ETH + at + piece.length - ETH), ETH + 20);
      ipv4.setTotalLength(piece, ETH, piece.length - ETH);
      ipv4.setIdentification(piece, ETH, id);
      ipv4.setFragmentField(piece, ETH, (at >> 3) | (at === 0 ? 0x2000 : 0));
      ipv4.fillChecksum(piece, ETH);
      return piece;
    });
  };
  for (let id = 1; id <= 20; id++) {
    const [first, rest] = pieces(id, 5000 + id);
    world.send(client, rest);
    t.same(world.drops(), [157], `${id}: the second before the first`);
    world.send(client, first);
    world.send(client, rest);
    const got = [world.received(one), world.received(two)].filter((frames) => frames.length > 0);
    t.equal(got.length, 1, `${id}: both at one backend`);
    const whole = new Uint8Array(ETH + 20 + 72);
    whole.set(got[0][0]);
    whole.set(got[0][1].subarray(ETH + 20), ETH + 60);
    ipv4.setTotalLength(whole, ETH, 92);
    ipv4.setFragmentField(whole, ETH, 0);
    ipv4.fillChecksum(whole, ETH);
    const f = parsed(whole);
    t.ok(parse(f) === 0 && verify(f), `${id}: put together again it is whole`);
    t.equal(f.dstPort, 8080);
  }
  t.end();
});

t.test('large frames with their checksum undone', (t) => {
  for (const { vip, one: target, client: source, at } of FAMILIES) {
    const { world, client, one } = quartet(t);
    world.serve([at(target, 8080)], { vip });
    const ends = { from: client, to: vip, sport: 4000, dport: 80 };
    world.pass(client, one, tcpFrame(ends));
    const frame = tcpFrame({ ...ends, flags: tcp.ACK, payload: new Uint8Array(9000).fill(7) });
    const isV4 = vip === VIP;
    const undone = parsed(frame);
    const header = new Uint8Array(10);
    header[0] = vnet.FLAG_NEEDS_CSUM;
    header[1] = isV4 ? vnet.GSO_TCPV4 : vnet.GSO_TCPV6;
    setU16le(header, 4, 1400);
    setU16le(header, 6, undone.l4Offset - undone.offset);
    setU16le(header, 8, 16);
    leaveUndone(undone);
    frame.set(undone.bytes.subarray(undone.offset, undone.offset + undone.length));
    world.send(client, frame, header);
    const [whole] = one.port.sent.splice(0);
    t.same([...whole.subarray(0, 10)], [...header], 'the header is as it was');
    let pieces = 0;
    emitPackets(whole, 10, whole.length - 10, (bytes, from, length) => {
      const piece = parsed(bytes.slice(from, from + length));
      if (parse(piece) !== 0 || !verify(piece) || piece.dstPort !== 8080) t.fail(`piece ${pieces}`);
      pieces++;
    });
    t.equal(pieces, 7, source);
  }
  t.end();
});
