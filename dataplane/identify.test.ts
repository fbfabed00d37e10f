/** Step 3: who sends, to whom, by which port; neighbours and next hops. */
import * as tcp from '../wire/header/tcp.ts';
import t from 'tap';
import {
  CLIENT,
  CLIENT6,
  duo,
  ETH,
  parsed,
  SERVER,
  SERVER6,
  ROUTER_MAC,
  type WorldPod,
  words,
} from '../test/dataplane-world.ts';
import { tcpFrame } from '../test/packets.ts';
import * as arp from '../wire/header/arp.ts';
import { setU16 } from '../wire/bytes.ts';
import { EGRESS } from '../wire/direction.ts';
import * as icmpv6 from '../wire/header/icmpv6.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import { LOCAL_SCOPE } from '../wire/identities.ts';
import { CONFIG_POD_RANGE_IPV4, CONFIG_POD_RANGE_IPV6, POD_RANGE_BITS } from '../policy-maps/config-map.ts';
import { verify } from '../wire/offload.ts';
import { NeighborTable } from './neighbor-table.ts';
import { parse } from './parse.ts';

/** An ARP request for `target`. */
function arpAsk(pod: WorldPod, sender: string, target: string, mac = pod.mac): Uint8Array {
  const bytes = new Uint8Array(ETH + arp.PACKET_BYTES);
  bytes.fill(0xff, 0, 6);
  bytes.set(pod.mac, 6);
  setU16(bytes, 12, 0x0806);
  arp.emit(bytes, ETH, {
    operation: arp.OP_REQUEST,
    senderMacHigh: (mac[0] << 8) | mac[1],
    senderMacLow: (mac[2] << 24) | (mac[3] << 16) | (mac[4] << 8) | mac[5],
    senderIp: words(sender)[3],
    targetMacHigh: 0,
    targetMacLow: 0,
    targetIp: words(target)[3],
  });
  return bytes;
}

function withEtherType(frame: Uint8Array, etherType: number): Uint8Array {
  setU16(frame, 12, etherType);
  return frame;
}

t.test('identify() lets a pod speak only for itself', (t) => {
  const { world, client, server } = duo(t);
  const base = { from: client, to: SERVER, sport: 1, dport: 2 };
  const cases: [string, Uint8Array, number][] = [
    ['another MAC', tcpFrame({ ...base, srcMac: server.mac }), 132],
    ['an address nobody has', tcpFrame({ ...base, srcAddress: '10.0.0.99' }), 132],
    ["another pod's address", tcpFrame({ ...base, srcAddress: SERVER, to: CLIENT }), 132],
    ["another pod's IPv6 address", tcpFrame({ ...base, to: SERVER6, srcAddress: SERVER6 }), 132],
    ['a link-local address', tcpFrame({ ...base, to: SERVER6, srcAddress: 'fe80::1' }), 132],
    ["straight to the other pod's MAC", tcpFrame({ ...base, dstMac: server.mac }), 131],
    ['to itself', tcpFrame({ ...base, to: CLIENT }), 150],
    ['to nobody, without a route', tcpFrame({ ...base, to: '192.0.2.1' }), 169],
    ['to loopback', tcpFrame({ ...base, to: '127.0.0.1' }), 151],
    ['to a multicast address in a unicast frame', tcpFrame({ ...base, to: '224.0.0.5' }), 151],
    ['to IPv6 loopback', tcpFrame({ ...base, to: '::1' }), 151],
  ];
  for (const [name, frame, reason] of cases) {
    world.send(client, frame);
    t.same(world.drops(), [reason], name);
  }
  t.same(world.received(server), []);
  t.test('an established connection does not open the door to a spoofer', (t) => {
    const third = world.add({ addresses: ['10.0.0.4'], identity: 1003 });
    world.send(client, tcpFrame(base));
    world.drops();
    world.send(third, tcpFrame({ ...base, from: third, srcAddress: CLIENT, flags: tcp.ACK }));
    t.same(world.drops(), [132]);
    world.send(client, tcpFrame({ ...base, srcMac: third.mac, flags: tcp.ACK }));
    t.same(world.drops(), [132]);
    t.end();
  });
  t.end();
});

t.test(
  'what is refused before its sender is looked up is told with the pod and the port that it came from',
  async (t) => {
    const { world, client, server } = duo(t);
    const base = { from: client, to: SERVER, sport: 1, dport: 2 };
    const cases: [string, Uint8Array, number][] = [
      ['a runt', tcpFrame(base).subarray(0, 9), 134],
      ['another MAC', tcpFrame({ ...base, srcMac: server.mac }), 132],
      ["another pod's address", tcpFrame({ ...base, srcAddress: SERVER, to: CLIENT }), 132],
      ["another pod's address in ARP", arpAsk(client, SERVER, '10.0.0.1'), 132],
      ['a VLAN tag', withEtherType(tcpFrame(base), 0x8100), 182],
      ['no IP', withEtherType(tcpFrame(base), 0x88cc), 139],
    ];
    for (const [name, frame, reason] of cases) {
      // What went before it was another pod's.
      world.send(server, tcpFrame({ from: server, to: CLIENT, sport: 9, dport: 9 }));
      world.drops();
      world.send(client, frame);
      const { endpoint: sourceEndpoint, identity: srcIdentity, index: ifindex } = client;
      const told = {
        subtype: reason,
        sourceEndpoint,
        srcIdentity,
        ifindex,
        destinationEndpoint: 0,
        dstIdentity: 0,
        direction: EGRESS,
      };
      t.match(world.dropRecords(), [told], name);
    }
  },
);

t.test('ARP and neighbour discovery are answered for everything but the asker', (t) => {
  const { world, client } = duo(t);
  const ask = (sender: string, target: string, mac = client.mac): Uint8Array => arpAsk(client, sender, target, mac);
  for (const target of [SERVER, '10.0.0.1', '169.254.1.1', '8.8.8.8']) {
    world.send(client, ask(CLIENT, target));
    const [reply] = world.received(client);
    t.equal(arp.operation(reply, ETH), arp.OP_REPLY, `${target} is at the router`);
    t.equal(arp.senderIp(reply, ETH), words(target)[3]);
    t.same([...reply.subarray(ETH + 8, ETH + 14)], ROUTER_MAC);
    t.same([...reply.subarray(0, 6)], client.mac);
  }
  world.send(client, ask('0.0.0.0', CLIENT));
  world.send(client, ask(CLIENT, CLIENT));
  t.same(world.received(client), [], 'a probe for its own address is not answered');
  world.send(client, ask(SERVER, '10.0.0.1'));
  t.same(world.drops(), [132], 'a forged sender is a spoof');
  t.same(world.received(client), []);

  const solicit = (target: string, source = CLIENT6, hopLimit = 255): Uint8Array => {
    const bytes = new Uint8Array(ETH + ipv6.HEADER_BYTES + 32);
    bytes.set([0x33, 0x33, 0xff, 0, 0, 3], 0);
    bytes.set(client.mac, 6);
    setU16(bytes, 12, 0x86dd);
    ipv6.emit(bytes, ETH, {
      src: words(source),
      dst: words('ff02::1:ff00:3'),
      nextHeader: 58,
      payloadLength: 32,
      hopLimit,
    });
    icmpv6.emitNeighbor(bytes, ETH + 40, { type: 135, target: words(target), macHigh: 0x200, macLow: 0x100 });
    return bytes;
  };
  world.send(client, solicit(SERVER6));
  const [advertisement] = world.received(client);
  const f = parsed(advertisement);
  t.equal(parse(f), 0);
  t.equal(f.icmpType, 136);
  t.ok(verify(f), 'checksum');
  t.equal(f.ttl, 255);
  t.same([f.src0, f.src1, f.src2, f.src3], words(SERVER6), 'from the address that was asked for');
  const option = icmpv6.findOption(f.bytes, f.l4Offset, 32, icmpv6.OPTION_TARGET_LINK_ADDRESS);
  t.equal(icmpv6.optionMacLow(f.bytes, option), 1, "the router's MAC");
  world.send(client, solicit(CLIENT6, '::'));
  world.send(client, solicit(SERVER6, '::'));
  t.same(world.received(client), [], 'duplicate address detection is not disturbed');
  world.send(client, solicit(SERVER6, CLIENT6, 64));
  t.same(world.drops(), [176], 'a solicitation that crossed a router is refused');
  world.send(client, solicit('ff02::1'));
  t.same(world.drops(), [176], 'nobody is the neighbour with a multicast address');
  t.same(world.received(client), []);
  t.end();
});

t.test('a next hop is asked for from an address of our own, and frames that wait in vain are drops', (t) => {
  const { world, client } = duo(t);
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  const { ports, uplinks } = world.dataplane;
  ports.macHigh[uplink.index] = ports.macLow[uplink.index] = 0;
  ports.gateway6.set(words('2001:db8:f::1'), uplink.index * 4);
  const out = () => tcpFrame({ from: client, to: '2001:db8:9::9', sport: 5, dport: 80 });
  const source = (frame: Uint8Array) => [0, 1, 2, 3].map((word) => ipv6.src(frame, ETH, word));
  uplinks.own6.set(uplink.index, new Int32Array(4)); // as for an interface without an address
  world.send(client, out());
  const [first] = world.received(uplink);
  t.same(source(first), words('fe80::ff:fe00:1'), 'the link-local address of its MAC 02:00:00:00:00:01');
  const f = parsed(first);
  t.equal(parse(f), 0);
  t.equal(f.icmpType, 135);
  t.ok(verify(f), 'checksum');
  t.ok(uplinks.isOwnAddress(uplink.index, ...words('fe80::ff:fe00:1')), 'for which it answers');
  uplinks.own6.set(uplink.index, Int32Array.from(words('2001:db8:f::2')));
  world.nowMs += 1000;
  for (let i = 0; i < 4; i++) world.send(client, out());
  const [second] = world.received(uplink);
  t.same(source(second), words('2001:db8:f::2'), 'its own address as soon as it has one');
  t.same(world.drops(), [169], 'five wait, one too many');
  uplinks.tick(world.nowMs / 1000 + 10);
  t.same(world.drops(), [169, 169, 169, 169], 'the gateway does not answer');
  t.equal(uplinks.gateway6Drops, 5);
  t.equal(uplinks.gateway4Drops, 0);
  world.send(client, out());
  uplinks.forget(uplink.index);
  t.same(world.drops(), [169], 'nor does one whose port is gone');
  t.end();
});

t.test('a flood of unknown neighbours pushes out no neighbour that answers', (t) => {
  const given: unknown[] = [];
  const table = new NeighborTable((frame) => given.push(frame));
  const known = [1, 2, 3].map((n) => Int32Array.of(0, 0, 0xffff, n));
  for (const [w0, w1, w2, w3] of known) {
    table.lookup(0, w0, w1, w2, w3, 100);
    table.confirm(0, [w0, w1, w2, w3], 2, w3, 100);
  }
  for (let n = 100; n < 20_000; n++) table.lookup(0, 0, 0, 0xffff, n, 110);
  for (const [w0, w1, w2, w3] of known) {
    const slot = table.lookup(0, w0, w1, w2, w3, 110);
    t.ok(table.isReachable(slot, 110));
    t.equal(table.macLow[slot], w3);
  }
  table.forgetPort(0);
  t.notOk(table.isReachable(table.lookup(0, 0, 0, 0xffff, 1, 110), 110), 'all are forgotten with their port');
  t.end();
});

t.test('nobody knows which next hops share a set', (t) => {
  const slots = () => {
    const table = new NeighborTable(() => {});
    return Array.from({ length: 64 }, (_, n) => table.lookup(0, 0, 0, 0xffff, n, 100));
  };
  t.notSame(slots(), slots(), 'each table has a key of its own');
  t.end();
});

t.test('an uplink learns its next hops, and frames wait for them', (t) => {
  const { world, client } = duo(t);
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  const { ports, uplinks } = world.dataplane;
  ports.macHigh[uplink.index] = 0;
  ports.macLow[uplink.index] = 0;
  uplinks.own4.set(uplink.index, words('192.0.2.1')[3]);
  const out = tcpFrame({ from: client, to: '192.0.2.7', sport: 5, dport: 80 });
  world.send(client, out);
  const [request, ...rest] = world.received(uplink);
  t.equal(rest.length, 0);
  t.equal(arp.operation(request, ETH), arp.OP_REQUEST);
  t.equal(arp.targetIp(request, ETH), words('192.0.2.7')[3]);
  const reply = new Uint8Array(ETH + arp.PACKET_BYTES);
  reply.set([0x02, 0, 0, 0, 0, 1, 0x02, 0xaa, 0, 0, 0, 7], 0);
  setU16(reply, 12, 0x0806);
  const macs = { senderMacHigh: 0x2aa, senderMacLow: 7, targetMacHigh: 0x200, targetMacLow: 1 };
  arp.emit(reply, ETH, { operation: 2, ...macs, senderIp: words('192.0.2.7')[3], targetIp: words('192.0.2.1')[3] });
  world.send(uplink, reply);
  const [waited] = world.received(uplink);
  t.same([...waited.subarray(0, 6)], [2, 0xaa, 0, 0, 0, 7], 'the frame that waited goes to the MAC that answered');
  world.send(client, tcpFrame({ from: client, to: '192.0.2.7', sport: 5, dport: 80, flags: tcp.ACK }));
  t.equal(world.received(uplink).length, 1, 'the next one goes at once');
  t.test('identity of outsiders comes from the ipcache, else it is world', (t) => {
    world.maps.ipcache.upsert(words('192.0.2.0'), 96 + 24, { identity: 16777217 });
    world.maps.config.bumpWorldGeneration();
    world.events();
    world.send(client, tcpFrame({ from: client, to: '192.0.2.7', sport: 6, dport: 80 }));
    t.equal(world.events()[0].dstIdentity, 16777217);
    world.send(client, tcpFrame({ from: client, to: '198.51.100.1', sport: 6, dport: 80 }));
    t.equal(world.events()[0].dstIdentity, 2);
    t.end();
  });
  t.test('outsiders may not use addresses from inside', (t) => {
    const outside = { ...uplink, addresses: ['192.0.2.7'] };
    world.drops();
    world.send(uplink, tcpFrame({ from: outside, to: CLIENT, srcAddress: SERVER, sport: 1, dport: 2 }));
    t.same(world.drops(), [132]);
    t.end();
  });
  t.end();
});

t.test('an address of the pod ranges that no pod has is nobody', (t) => {
  const { world, client } = duo(t);
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  const host = world.add({ addresses: ['10.0.0.1'], identity: 1, role: 'host' });
  const outside = { ...uplink, addresses: ['192.0.2.7', '2001:db8::7'] };
  const { config, ipcache } = world.maps;
  const known: [string, number, number][] = [
    ['10.0.7.8', 128, 1044], // a pod of another node
    ['10.0.0.0', 104, LOCAL_SCOPE + 1], // prefixes that some policy names
    ['fd00::', 8, LOCAL_SCOPE + 2],
  ];
  const free = ['10.0.0.99', '10.0.255.255', 'fd00::99', 'fd00::ffff:0:0:99'];
  const others = ['10.0.7.8', '10.1.0.0', '9.255.255.255', '192.0.2.7', 'fd00:0:0:1::99', 'fcff::1'];
  const from = (srcAddress: string, port: WorldPod) => {
    const to = srcAddress.includes(':') ? CLIENT6 : CLIENT;
    world.send(port, tcpFrame({ from: outside, to, srcAddress, sport: 1, dport: 2 }));
    return world.drops().join();
  };
  const towards = (to: string) => {
    world.send(client, tcpFrame({ from: client, to, sport: 3, dport: 4 }));
    return world.drops().join();
  };
  for (const address of [...free, ...others]) {
    t.equal(from(address, uplink), '', `${address}: while no range is known, outside is outside`);
  }
  config.setAddress(CONFIG_POD_RANGE_IPV4, words('10.0.0.0'));
  config.store(CONFIG_POD_RANGE_IPV4 + POD_RANGE_BITS, 96 + 16);
  config.setAddress(CONFIG_POD_RANGE_IPV6, words('fd00::'));
  config.store(CONFIG_POD_RANGE_IPV6 + POD_RANGE_BITS, 64);
  world.dataplane.refreshSettings();
  ipcache.upsert(words(known[0][0]), known[0][1], { identity: known[0][2] });
  for (const isNamed of [false, true]) {
    for (const [address, bits, identity] of isNamed ? known : []) ipcache.upsert(words(address), bits, { identity });
    config.bumpWorldGeneration();
    const when = isNamed ? 'though a policy names a prefix around it' : 'of the range';
    for (const address of free) {
      t.equal(from(address, uplink), '132', `from ${address}, ${when}`);
      t.equal(from(address, host), '132', `from ${address} by the host, ${when}`);
      t.equal(towards(address), '151', `to ${address}, ${when}`);
    }
    for (const address of others) {
      t.equal(from(address, uplink), '', `from ${address}, which is another's`);
      t.equal(towards(address), '', `to ${address}, which is another's`);
    }
  }
  t.equal(towards('10.0.0.1'), '', "the router's own address is the host's");
  t.end();
});
