/** Ways around a policy that have been tried, kept so that they stay closed: by the headers of a frame. The evader is the client. */
import t from 'tap';
import { ALLOW_ALL, entry, type WorldPod } from '../test/dataplane-world.ts';
import { attempt, EGRESS_OPEN, ETH, IP, SERVER, SERVER6, trio } from '../test/evader.ts';
import { pingFrame, tcpFrame, udpFrame } from '../test/packets.ts';
import { setU16, setU16le } from '../wire/bytes.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import * as tcp from '../wire/header/tcp.ts';
import * as vnet from '../wire/header/virtio-net.ts';
import { emitPackets } from './port/segment.ts';

t.test('a virtio-net header that would write elsewhere than into the checksum is refused', async (t) => {
  const policy = [
    ...EGRESS_OPEN,
    entry({ identity: 1001, protocol: 17, port: 53 }),
    entry({ identity: 1001, protocol: 6 }),
  ];
  const { world, client, server } = trio(t, { policy });
  const header = (fields: { flags?: number; gso?: number; size?: number; start?: number; offset?: number }) => {
    const bytes = new Uint8Array(10);
    bytes[0] = fields.flags ?? vnet.FLAG_NEEDS_CSUM;
    bytes[1] = fields.gso ?? vnet.GSO_NONE;
    setU16le(bytes, 4, fields.size ?? 0);
    setU16le(bytes, 6, fields.start ?? ETH + IP);
    setU16le(bytes, 8, fields.offset ?? 6);
    return bytes;
  };
  const udp = udpFrame({ from: client, to: SERVER, sport: 9, dport: 53, payload: new Uint8Array(64) });
  const segment = tcpFrame({ from: client, to: SERVER, sport: 9, dport: 80, payload: new Uint8Array(3000) });
  const datagrams = udpFrame({ from: client, to: SERVER, sport: 9, dport: 53, payload: new Uint8Array(3000) });
  const short = udp.slice();
  setU16(short, ETH + IP + 4, 8 + 32);
  const fragment = udp.slice();
  ipv4.setFragmentField(fragment, ETH, 0x2000);
  ipv4.fillChecksum(fragment, ETH);
  const arp = new Uint8Array(ETH + 28);
  arp.set(udp.subarray(0, 12));
  setU16(arp, 12, 0x0806);
  const cases: [string, Uint8Array, Uint8Array, number][] = [
    ['what a stack asks for', udp, header({}), 0],
    ['the destination port', udp, header({ offset: 2 }), 134],
    ['the source address', udp, header({ start: ETH, offset: 12 }), 134],
    ['the payload', udp, header({ start: ETH + IP + 8, offset: 4 }), 134],
    ['the TCP checksum of a UDP datagram', udp, header({ offset: 16 }), 134],
    ['beyond the frame', udp, header({ start: 60000, offset: 6 }), 134],
    ['the checksum of a fragment', fragment, header({}), 134],
    ['an ARP packet', arp, header({ start: ETH, offset: 6 }), 134],
    ['TCP segments, as a stack', segment, header({ gso: vnet.GSO_TCPV4, size: 1400, offset: 16 }), 0],
    ['TCP segments of IPv6', segment, header({ gso: vnet.GSO_TCPV6, size: 1400, offset: 16 }), 134],
    ['segments of no size', segment, header({ gso: vnet.GSO_TCPV4, size: 0, offset: 16 }), 134],
    ['datagrams cut from a TCP stream', segment, header({ gso: vnet.GSO_UDP_L4, size: 1400, offset: 16 }), 134],
    ['IP fragments made by others', udp, header({ gso: vnet.GSO_UDP, size: 1400 }), 134],
    ['an unknown kind of segments', udp, header({ gso: 9, size: 1400 }), 134],
    ['segments of no kind', segment, header({ gso: vnet.GSO_ECN, size: 1400, offset: 16 }), 134],
    ['segments of no kind, of no size', udp, header({ flags: 0, gso: vnet.GSO_ECN }), 134],
    ['datagrams marked for congestion', datagrams, header({ gso: vnet.GSO_UDP_L4 | vnet.GSO_ECN, size: 1400 }), 134],
    ['a checksum over more than the datagram', short, header({}), 134],
    ['datagrams made of what is behind one', short, header({ flags: 0, gso: vnet.GSO_UDP_L4, size: 16 }), 134],
    ['500 TCP segments', segment, header({ gso: vnet.GSO_TCPV4, size: 6, offset: 16 }), 0],
    ['600 TCP segments', segment, header({ gso: vnet.GSO_TCPV4, size: 5, offset: 16 }), 134],
    ['600 TCP segments, checksum done', segment, header({ flags: 0, gso: vnet.GSO_TCPV4, size: 5 }), 134],
    ['125 datagrams', datagrams, header({ gso: vnet.GSO_UDP_L4, size: 24 }), 0],
    ['131 datagrams', datagrams, header({ gso: vnet.GSO_UDP_L4, size: 23 }), 134],
  ];
  for (const [name, frame, vnetHeader, reason] of cases) {
    t.equal(attempt(world, client, server, frame, vnetHeader), reason, name);
  }
});

/** What a receiver on a port that takes no offloads gets of the frames that came out at `pod`: the packets, one by one. */
function packetsAt(pod: WorldPod): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (const whole of pod.port.sent.splice(0)) {
    emitPackets(whole, 10, whole.length - 10, (bytes, at, length) => packets.push(bytes.slice(at, at + length)));
  }
  return packets;
}

function joined(packets: Uint8Array[], headerBytes: number): string {
  return Buffer.concat(packets.map((packet) => packet.subarray(headerBytes))).toString('latin1');
}

t.test('bytes behind the IP packet go nowhere, however the frame is sent', async (t) => {
  const judged = 'GET /public HTTP/1.1\r\nHost: web\r\n\r\n'.padEnd(120);
  const behind = 'GET /private HTTP/1.1\r\nHost: web\r\n\r\n'.padEnd(120);
  const { world, client, server } = trio(t, { policy: ALLOW_ALL });
  const hide = (frame: Uint8Array) => Buffer.concat([frame, Buffer.from(behind)]);
  const header = (l4: number, field: number, flags: number, gso: number, size: number) =>
    Uint8Array.of(flags, gso, 0, 0, size, 0, flags === 0 ? 0 : l4, 0, flags === 0 ? 0 : field, 0);
  for (const to of [SERVER, SERVER6]) {
    const isV4 = to === SERVER;
    const l4 = ETH + (isV4 ? IP : ipv6.HEADER_BYTES);
    const payload = Buffer.from(judged);
    const ends = { from: client, to, sport: 4000, dport: 80, payload };
    const kinds: [string, Uint8Array, number, number, number][] = [
      ['TCP', tcpFrame({ ...ends, flags: tcp.ACK | tcp.PSH }), 20, 16, isV4 ? vnet.GSO_TCPV4 : vnet.GSO_TCPV6],
      ['UDP', udpFrame(ends), 8, 6, vnet.GSO_UDP_L4],
    ];
    for (const [protocol, frame, headerBytes, field, gso] of kinds) {
      for (const flags of [0, vnet.FLAG_NEEDS_CSUM]) {
        for (const [gsoType, size] of [[vnet.GSO_NONE, 0], ...[120, 60, 7].map((size) => [gso, size])]) {
          const name = `${protocol} to ${to}, flags ${flags}, segments of ${size}`;
          world.send(client, hide(frame), header(l4, field, flags, gsoType, size));
          const [whole] = server.port.sent;
          t.same(world.drops(), [], name);
          t.equal(whole.length - 10, frame.length, `${name}: the frame ends with its packet`);
          const packets = packetsAt(server);
          t.equal(packets.length, size === 0 ? 1 : Math.ceil(120 / size), name);
          t.equal(joined(packets, l4 + headerBytes), judged, name);
        }
      }
    }
    world.send(client, hide(pingFrame({ from: client, to, id: 7 })));
    t.equal(packetsAt(server)[0].length, l4 + 8 + 56, `an echo request to ${to}`);
    const dying = tcpFrame({ ...ends, ttl: 1 });
    world.send(client, hide(dying));
    t.same(world.drops(), [196]);
    const [error] = packetsAt(client);
    t.equal(Buffer.from(error).includes('/private'), false, 'an error quotes no more than the packet');
    t.equal(error.length, l4 + 8 + dying.length - ETH);
  }
  const piece = udpFrame({ from: client, to: SERVER, sport: 4001, dport: 53, payload: Buffer.from(judged) });
  for (const [name, field] of [
    ['first', 0x2000],
    ['later', 0x2010],
    ['last', 0x0020],
  ] as const) {
    ipv4.setFragmentField(piece, ETH, field);
    ipv4.fillChecksum(piece, ETH);
    world.send(client, hide(piece));
    t.equal(packetsAt(server)[0]?.length, piece.length, `the ${name} fragment`);
  }
});

t.test('where TCP lies in a large frame is not for the virtio-net header to say', async (t) => {
  const { world, client, server } = trio(t, { policy: ALLOW_ALL });
  for (const to of [SERVER, SERVER6]) {
    const isV4 = to === SERVER;
    const payload = Buffer.alloc(3000, 'GET /public ');
    payload[80 + 12] = 0x50; // could be the header length of a TCP header at byte 80 of the payload
    const frame = tcpFrame({ from: client, to, sport: 4000, dport: 80, flags: tcp.ACK, payload });
    const headers = frame.length - payload.length;
    const header = new Uint8Array(10);
    header[1] = isV4 ? vnet.GSO_TCPV4 : vnet.GSO_TCPV6;
    setU16le(header, 4, 1000);
    for (const start of [0, headers + 80]) {
      setU16le(header, 6, start);
      setU16le(header, 8, 16);
      world.send(client, frame, header);
      const packets = packetsAt(server);
      t.equal(packets.length, 3, `${to}, checksum start ${start}`);
      t.equal(joined(packets, headers), payload.toString('latin1'), 'the bytes that were judged');
    }
  }
});

t.test('an IPv4 header that was changed on the way goes nowhere, on a known connection too', async (t) => {
  const { world, client, server } = trio(t, { policy: ALLOW_ALL });
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  const outside = { ...uplink, addresses: ['203.0.113.1'] };
  for (const from of [client, outside]) {
    const port = from === client ? client : uplink;
    const segment = (flags: number) => tcpFrame({ from, to: SERVER, sport: 7, dport: 80, flags });
    t.equal(attempt(world, port, server, segment(tcp.SYN)), 0);
    t.equal(attempt(world, server, port, tcpFrame({ from: server, to: from.addresses[0], sport: 80, dport: 7 })), 0);
    const bent = segment(tcp.ACK);
    ipv4.setIdentification(bent, ETH, 0x4242);
    t.equal(attempt(world, port, server, bent), 153, 'RFC 1812 section 5.2.2');
    ipv4.fillChecksum(bent, ETH);
    t.equal(attempt(world, port, server, bent), 0, 'and with its checksum it passes');
  }
});

t.test('a packet whose length says nothing is no packet: jumbograms', async (t) => {
  const { world, client, server } = trio(t, { policy: ALLOW_ALL });
  const payload = new Uint8Array(100);
  const v4 = tcpFrame({ from: client, to: SERVER, sport: 1, dport: 80, payload });
  ipv4.setTotalLength(v4, ETH, 0);
  ipv4.fillChecksum(v4, ETH);
  const v6 = tcpFrame({ from: client, to: SERVER6, sport: 1, dport: 80, payload });
  ipv6.setPayloadLength(v6, ETH, 0);
  const withOption = Buffer.alloc(v6.length + 8);
  withOption.set(v6.subarray(0, ETH + ipv6.HEADER_BYTES));
  withOption[ETH + 6] = ipv6.PROTOCOL_HOP_BY_HOP;
  withOption.set([6, 0, 0xc2, 4, 0, 0, 0, 128], ETH + ipv6.HEADER_BYTES); // of 128 bytes
  withOption.set(v6.subarray(ETH + ipv6.HEADER_BYTES), ETH + ipv6.HEADER_BYTES + 8);
  t.equal(attempt(world, client, server, v4), 134, 'as IPv4 (BIG TCP of Linux)');
  t.equal(attempt(world, client, server, v6), 135, 'without the option, as Linux has them between its own parts');
  t.equal(attempt(world, client, server, withOption), 156, 'RFC 2675');
});
