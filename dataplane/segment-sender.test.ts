/** Frames around segments and datagrams that the L7 engine makes. */
import t from 'tap';
import { ALLOW_ALL, World } from '../test/dataplane-world.ts';
import { tcpFrame, udpFrame } from '../test/packets.ts';
import { endsOf, FAMILIES, quartet } from '../test/service-world.ts';
import { Frame } from '../wire/frame.ts';
import * as tcp from '../wire/header/tcp.ts';
import { PROTO_UDP } from '../wire/protocols.ts';
import { parse } from './parse.ts';

for (const [v, client, server] of [
  ['IPv4', '10.0.0.2', '10.0.0.3'],
  ['IPv6', 'fd00::2', 'fd00::3'],
] as const) {
  for (const hasTimestamps of [false, true]) {
    t.test(`${v}: selective acknowledgements ${hasTimestamps ? 'beside' : 'without'} timestamps`, async (t) => {
      const world = new World();
      t.teardown(() => world.close());
      const from = world.add({ addresses: [client], identity: 1001, policy: ALLOW_ALL });
      const to = world.add({ addresses: [server], identity: 1002, policy: ALLOW_ALL });
      world.send(from, tcpFrame({ from, to: server, sport: 4000, dport: 80 }));
      world.received(to);
      const [slot] = world.maps.ctTcp.slots();
      const sack = Int32Array.of(2000, 3000, -5, 7, 9, 11, 13, 15);
      const sackCount = hasTimestamps ? 3 : 4;
      const payload = new Uint8Array(0);
      world.dataplane.sender.send(slot, true, {
        ...{ seq: 5, ack: 1000, flags: tcp.ACK, window: 9, hasTimestamps, tsVal: 77, tsEcr: 78 },
        ...{ sackCount, sack, payload, start: 0, end: 0 },
      });
      world.dataplane.ports.flush();
      const [frame] = world.received(to);
      const bytes = new Uint8Array(64 + frame.length);
      bytes.set(frame, 64);
      const f = new Frame(bytes);
      f.offset = 64;
      f.length = frame.length;
      t.equal(parse(f), 0);
      const { l4Offset } = f;
      t.ok(tcp.optionsAreValid(bytes, l4Offset));
      t.equal(tcp.headerBytes(bytes, l4Offset), hasTimestamps ? 60 : 56);
      const at = tcp.findOption(bytes, l4Offset, tcp.OPTION_SACK);
      const blocks = Array.from({ length: tcp.sackCount(bytes, at) }, (_, i) => [
        tcp.sackLeft(bytes, at, i),
        tcp.sackRight(bytes, at, i),
      ]);
      t.same(blocks.flat(), [...sack.subarray(0, 2 * sackCount)]);
      const timestamps = tcp.timestamps(bytes, l4Offset);
      t.equal(timestamps > 0 ? tcp.timestampValue(bytes, timestamps) : 0, hasTimestamps ? 77 : 0);
      t.equal(f.payloadLength, 0);
    });
  }
}

t.test('an answer to a datagram comes from the address that was asked, a service too', async (t) => {
  for (const { client: source, one: target, vip, at } of FAMILIES) {
    for (const [to, port, answered] of [
      [target, 53, at(target, 53)],
      [vip, 80, at(vip, 80)],
    ] as const) {
      const { world, client, one } = quartet(t);
      world.serve([at(target, 53)], { vip, protocol: PROTO_UDP });
      world.send(client, udpFrame({ from: client, to, sport: 4000, dport: port }));
      t.equal(world.received(one).length, 1);
      const [slot] = world.maps.ctAny.slots();
      const payload = Buffer.from('..REFUSED..');
      t.equal(world.dataplane.datagramSender.sendDatagram(slot, false, payload, 2, 9), true);
      world.dataplane.ports.flush();
      const [frame] = world.received(client);
      t.equal(endsOf(frame), `${answered}>${at(source, 4000)}`, 'with a right checksum');
      t.equal(Buffer.from(frame.subarray(-7)).toString(), 'REFUSED');
      const tooLong = new Uint8Array(1500);
      t.equal(world.dataplane.datagramSender.sendDatagram(slot, false, tooLong, 0, 1500), false);
    }
  }
});
