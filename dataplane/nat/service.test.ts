/** Services on the way of a frame: what comes out at the backend, what the client gets back, and what is told of it. */
import t from 'tap';
import { ALLOW_ALL, entry, ETH, forAnyPeer, parsed, type WorldPod, words } from '../../test/dataplane-world.ts';
import { icmpFrame, pingFrame, sctpFrame, tcpFrame, udpFrame } from '../../test/packets.ts';
import {
  FAMILIES,
  LOOPBACK,
  LOOPBACK6,
  quartet,
  quotedOf,
  type ServiceOptions,
  ServiceWorld,
  VIP,
  withTtl,
} from '../../test/service-world.ts';
import { BACKEND_MAINTENANCE, BACKEND_TERMINATING } from '../../policy-maps/service/backend-map.ts';
import * as service from '../../policy-maps/service/service-map.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { verify } from '../../wire/offload.ts';
import { PROTO_SCTP, PROTO_TCP, PROTO_UDP } from '../../wire/protocols.ts';
import { parse } from '../parse.ts';

t.test('a connection goes to a backend and comes back from the service, in every protocol and family', (t) => {
  for (const { client: source, one: target, vip, at } of FAMILIES) {
    for (const [protocol, make] of [
      [PROTO_TCP, tcpFrame],
      [PROTO_UDP, udpFrame],
      [PROTO_SCTP, sctpFrame],
    ] as const) {
      const { world, client, one } = quartet(t);
      world.serve([at(target, 8080)], { vip, protocol });
      const there = { from: client, to: vip, sport: 4000, dport: 80 };
      const back = { from: one, to: source, sport: 8080, dport: 4000, flags: tcp.SYN | tcp.ACK };
      for (const turn of ['first', 'again', 'after a publication']) {
        if (turn === 'after a publication') world.maps.config.bumpWorldGeneration();
        const name = `${protocol} ${vip}, ${turn}`;
        const flags = turn === 'first' ? tcp.SYN : tcp.ACK;
        t.equal(world.pass(client, one, make({ ...there, flags })), `${at(source, 4000)}>${at(target, 8080)}`, name);
        t.equal(world.pass(one, client, make(back)), `${at(vip, 80)}>${at(source, 4000)}`, `${name}, back`);
      }
      const [row] = world.maps.nat.entries();
      t.same([row.kind, row.sourcePort, row.destinationPort, row.toPort], ['service', 4000, 80, 8080]);
      t.equal(world.maps.nat.count, 1);
    }
  }
  t.end();
});

t.test('policy sees the backend and its port, on both sides', (t) => {
  const cases: [string, Parameters<typeof quartet>[1], Parameters<typeof quartet>[2], string][] = [
    ['egress to the backend', {}, { policy: [entry({ egress: true, identity: 1002, protocol: 6, port: 8080 })] }, ''],
    [
      'egress to the port of the service',
      {},
      { policy: [entry({ egress: true, identity: 1002, protocol: 6, port: 80 })] },
      'drop 133',
    ],
    ['egress to the world', {}, { policy: [entry({ egress: true, identity: 2 })] }, 'drop 133'],
    ['ingress of the client', { policy: [entry({ identity: 1001, protocol: 6, port: 8080 })] }, {}, ''],
    ['ingress of another', { policy: [entry({ identity: 1003 })] }, {}, 'drop 133'],
  ];
  for (const [name, server, from, wanted] of cases) {
    const { world, client, one } = quartet(t, server, from);
    world.serve(['10.0.0.3:8080']);
    const got = world.pass(client, one, tcpFrame({ from: client, to: VIP, sport: 4000, dport: 80 }));
    t.equal(got, wanted === '' ? '10.0.0.2:4000>10.0.0.3:8080' : wanted, name);
    t.equal(world.maps.nat.count, wanted === '' ? 1 : 0, `${name}: a refused connection leaves nothing`);
  }
  t.end();
});

t.test('events say by which frontend a connection came', (t) => {
  const { world, client, one } = quartet(t);
  world.serve(['10.0.0.3:8080']);
  const [{ frontend }] = [...world.maps.services.entries()].filter(({ port }) => port === 80);
  world.events();
  world.pass(client, one, tcpFrame({ from: client, to: VIP, sport: 4000, dport: 80 }));
  world.pass(one, client, tcpFrame({ from: one, to: '10.0.0.2', sport: 8080, dport: 4000, flags: tcp.ACK | tcp.SYN }));
  const events = world.events();
  t.ok(events.length >= 4);
  t.same([...new Set(events.map((event) => event.frontend))], [frontend]);
  world.pass(client, one, tcpFrame({ from: client, to: '10.0.0.3', sport: 4001, dport: 8080 }));
  t.same([...new Set(world.events().map((event) => event.frontend))], [0], 'none for who goes there directly');
  t.end();
});

t.test('what a service does not have is dropped with its own reason', (t) => {
  const { world, client, one } = quartet(t);
  world.serve(['10.0.0.3:8080']);
  world.serve(['10.0.0.3:8080'], { vip: '10.0.0.1', port: 30080, isNodePort: true });
  const host = world.add({ addresses: ['10.0.0.1'], identity: 1, role: 'host' });
  const to = (frame: Uint8Array) => world.pass(client, one, frame);
  t.equal(to(tcpFrame({ from: client, to: VIP, sport: 1, dport: 81 })), 'drop 247', 'a port');
  t.equal(to(udpFrame({ from: client, to: VIP, sport: 1, dport: 80 })), 'drop 247', 'a protocol');
  t.equal(to(pingFrame({ from: client, to: VIP, id: 7 })), 'drop 247', 'an echo');
  world.serve([]);
  t.equal(to(tcpFrame({ from: client, to: VIP, sport: 1, dport: 80 })), 'drop 158', 'a backend');
  world.serve([{ at: '10.0.0.3:8080', state: BACKEND_MAINTENANCE }]);
  t.equal(to(tcpFrame({ from: client, to: VIP, sport: 1, dport: 80 })), 'drop 158', 'a backend that takes connections');
  t.equal(
    to(tcpFrame({ from: client, to: '10.0.0.1', sport: 1, dport: 30080 })),
    '10.0.0.2:1>10.0.0.3:8080',
    'a node port',
  );
  const ownPort = tcpFrame({ from: client, to: '10.0.0.1', sport: 1, dport: 22 });
  t.equal(world.pass(client, host, ownPort), '10.0.0.2:1>10.0.0.1:22', "the node's other ports are its own");
  t.end();
});

t.test('without backends a client is told so, if so configured', (t) => {
  for (const { vip, client: source, at } of FAMILIES) {
    const { world, client } = quartet(t);
    world.serve([], { vip });
    world.serve([], { vip, protocol: 17 });
    const syn = tcpFrame({ from: client, to: vip, sport: 4000, dport: 80, seq: 100 });
    t.equal(world.pass(client, client, syn), 'drop 158', 'nothing is said');
    world.settings.isRejecting = true;
    world.dataplane.refreshSettings();
    t.equal(world.pass(client, client, syn), `${at(vip, 80)}>${at(source, 4000)}`, 'a reset');
    world.send(client, syn);
    const reset = parsed(world.received(client)[0]);
    t.equal(reset.tcpFlags, tcp.RST | tcp.ACK);
    t.equal(tcp.ack(reset.bytes, reset.l4Offset), 101);
    t.same([...reset.bytes.subarray(reset.offset, reset.offset + 6)], client.mac);
    world.send(client, tcpFrame({ from: client, to: vip, sport: 4000, dport: 80, flags: tcp.RST }));
    t.same(world.received(client), [], 'no reset about a reset');
    world.send(client, udpFrame({ from: client, to: vip, sport: 4000, dport: 80 }));
    const error = parsed(world.received(client)[0]);
    t.equal(parse(error), 0);
    t.ok(verify(error));
    t.same([error.icmpType, error.icmpCode], vip === VIP ? [3, 3] : [1, 4]);
    const quoted = error.bytes.subarray(error.payloadOffset);
    const wanted = udpFrame({ from: client, to: vip, sport: 4000, dport: 80 }).subarray(ETH);
    t.same([...quoted.subarray(0, wanted.length)], [...wanted], 'about the packet as it was sent');
  }
  t.end();
});

let lastPort = 1024;

/** How many of so many new connections come out at each server. */
function distribution(world: ServiceWorld, client: WorldPod, servers: WorldPod[], to: string, count: number): number[] {
  for (const pod of servers) world.received(pod);
  for (let i = 0; i < count; i++) world.send(client, tcpFrame({ from: client, to, sport: lastPort++, dport: 80 }));
  return servers.map((pod) => world.received(pod).length);
}

t.test('backends are chosen at random, by weight, or by Maglev', (t) => {
  const { world, client, one, two } = quartet(t);
  const both = ['10.0.0.3:8080', '10.0.0.4:8080'];
  world.serve(both);
  const [first, second] = distribution(world, client, [one, two], VIP, 400);
  t.equal(first + second, 400);
  t.ok(first > 140 && first < 260, `random: ${first} and ${second}`);
  world.serve(
    [
      { at: both[0], weight: 30 },
      { at: both[1], weight: 10 },
    ],
    { vip: '10.96.0.2' },
  );
  const [heavy, light] = distribution(world, client, [one, two], '10.96.0.2', 400);
  t.ok(heavy > 250 && light > 60, `weights: ${heavy} and ${light}`);
  const maglev = { vip: '10.96.0.3', flags: service.SERVICE_MAGLEV, maglevTableSize: 251 };
  world.serve(both, maglev);
  const [a, b] = distribution(world, client, [one, two], '10.96.0.3', 400);
  t.ok(a > 140 && b > 140, `Maglev: ${a} and ${b}`);
  const again = quartet(t);
  again.world.serve(both, maglev);
  lastPort -= 400;
  const same = distribution(again.world, again.client, [again.one, again.two], '10.96.0.3', 400);
  t.same(same, [a, b], 'the same connections go to the same backends on another node');
  t.end();
});

t.test('a client with affinity keeps its backend for the time that the service says', (t) => {
  const { world, client, one, two, other } = quartet(t);
  const both = ['10.0.0.3:8080', '10.0.0.4:8080'];
  world.serve(both, { flags: service.SERVICE_AFFINITY, affinitySec: 100 });
  for (const from of [client, other]) {
    const shares = distribution(world, from, [one, two], VIP, 50);
    t.same(
      [...shares].sort((a, b) => a - b),
      [0, 50],
      'all to one',
    );
  }
  world.nowMs += 101_000;
  let changes = 0;
  let last = -1;
  for (let i = 0; i < 60; i++) {
    world.nowMs += 101_000;
    const [toOne] = distribution(world, client, [one, two], VIP, 1);
    if (last >= 0 && toOne !== last) changes++;
    last = toOne;
  }
  t.ok(changes > 5, `${changes} changes of 60 when the time is over`);
  const [isOne] = distribution(world, client, [one, two], VIP, 1);
  world.serve([isOne === 1 ? both[1] : both[0]], { flags: service.SERVICE_AFFINITY, affinitySec: 100 });
  t.same(
    distribution(world, client, [one, two], VIP, 1),
    isOne === 1 ? [0, 1] : [1, 0],
    'a backend that is gone is not kept',
  );
  t.equal(world.maps.affinity.count, 2);
  t.end();
});

t.test('inside and outside may have backends of their own, and outside may be shut out', (t) => {
  const { world, client, one, two } = quartet(t);
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  const outside = (address: string) => ({ ...uplink, addresses: [address] });
  const from = (address: string, to = VIP) =>
    world.pass(uplink, one, tcpFrame({ from: outside(address), to, sport: to === VIP ? 9 : 10, dport: 80 }));
  world.serve(['10.0.0.3:8080']);
  t.equal(from('192.0.2.9'), 'drop 174', 'a cluster address');
  const flags = service.SERVICE_ROUTABLE | service.SERVICE_TWO_SCOPES | service.SERVICE_EXTERNAL_LOCAL;
  world.serve(['10.0.0.4:8080'], { scope: service.SCOPE_INTERNAL });
  world.serve(['10.0.0.3:8080'], { flags });
  t.equal(from('192.0.2.9'), '192.0.2.9:9>10.0.0.3:8080', 'from outside, with its own address');
  t.equal(
    world.pass(client, two, tcpFrame({ from: client, to: VIP, sport: 9, dport: 80 })),
    '10.0.0.2:9>10.0.0.4:8080',
  );
  const back = tcpFrame({ from: one, to: '192.0.2.9', sport: 8080, dport: 9, flags: tcp.ACK });
  uplink.port.sent.length = 0;
  world.dataplane.ports.macHigh[uplink.index] = 0x0200;
  world.dataplane.ports.macLow[uplink.index] = 0x99;
  t.equal(world.pass(one, uplink, back), `${VIP}:80>192.0.2.9:9`, 'and back');
  const sourceRanges = [{ address: words('192.0.2.0'), prefixLength: 120 }];
  const ranged: ServiceOptions = { vip: '10.96.0.2', flags: service.SERVICE_ROUTABLE, sourceRanges };
  world.serve(['10.0.0.3:8080'], ranged);
  t.equal(from('192.0.2.9', '10.96.0.2'), '192.0.2.9:10>10.0.0.3:8080', 'in the range');
  t.equal(from('198.51.100.9', '10.96.0.2'), 'drop 177', 'not in the range');
  world.serve(['10.0.0.3:8080'], { ...ranged, flags: service.SERVICE_ROUTABLE | service.SERVICE_SOURCE_RANGE_DENY });
  t.equal(from('192.0.2.9', '10.96.0.2'), 'drop 177', 'denied, its connection too');
  t.equal(from('198.51.100.9', '10.96.0.2'), '198.51.100.9:10>10.0.0.3:8080');
  t.end();
});

t.test('a pod reaches itself through its service as somebody else', (t) => {
  for (const { client: source, vip, at } of FAMILIES) {
    const loopback = vip === VIP ? LOOPBACK : LOOPBACK6;
    const { world, client } = quartet(
      t,
      {},
      { policy: [entry({ egress: true, identity: 1003 }), entry({ identity: 1003 })] },
    );
    world.serve([at(source, 8080)], { vip });
    world.serve([at(source, 8080)], { vip, protocol: 17 });
    const there = { from: client, to: vip, sport: 4000, dport: 80 };
    t.equal(world.pass(client, client, tcpFrame(there)), `${at(loopback, 4000)}>${at(source, 8080)}`);
    const back = { from: client, to: loopback, sport: 8080, dport: 4000, flags: tcp.SYN | tcp.ACK };
    t.equal(world.pass(client, client, tcpFrame(back)), `${at(vip, 80)}>${at(source, 4000)}`);
    t.equal(
      world.pass(client, client, tcpFrame({ ...there, flags: tcp.ACK })),
      `${at(loopback, 4000)}>${at(source, 8080)}`,
    );
    t.equal(world.pass(client, client, tcpFrame({ ...back, dport: 4001 })), 'drop 250', 'an answer to nothing');
    const datagram = udpFrame({ from: client, to: vip, sport: 4000, dport: 80 });
    world.send(client, datagram);
    const [got] = world.received(client);
    const error = icmpFrame({
      from: client,
      to: loopback,
      type: vip === VIP ? 3 : 1,
      code: 3,
      body: got.subarray(ETH),
    });
    world.send(client, error);
    const [answer] = world.received(client);
    t.same([...quotedOf(answer)], [...withTtl(datagram, got)], 'the error is about what it sent');
  }
  t.end();
});

t.test('after a publication: what becomes of connections under way', (t) => {
  const ends = { to: VIP, sport: 4000, dport: 80 };
  const both = ['10.0.0.3:8080', '10.0.0.4:8080'];
  const begin = () => {
    const quartetOf = quartet(t);
    const { world, client, one } = quartetOf;
    world.serve(['10.0.0.3:8080']);
    world.serve(['10.0.0.3:8080'], { protocol: 17 });
    world.pass(client, one, tcpFrame({ ...ends, from: client }));
    world.pass(client, one, udpFrame({ ...ends, from: client }));
    return quartetOf;
  };
  const go = ({ world, client, one }: ReturnType<typeof begin>, flags = tcp.ACK) =>
    world.pass(client, one, tcpFrame({ ...ends, from: client, flags, seq: 5, ack: 77 }));
  const arrived = '10.0.0.2:4000>10.0.0.3:8080';

  const more = begin();
  more.world.serve([both[1]]);
  more.world.serve(both);
  t.equal(go(more), 'drop 248', 'its backend was gone for a while');

  const other = begin();
  other.world.serve(both);
  t.equal(go(other), arrived, 'another backend comes: it stays where it is');
  other.world.serve([{ at: both[0], state: BACKEND_TERMINATING }, both[1]]);
  t.equal(go(other), arrived, 'its backend is terminating: it goes on');
  t.equal(
    other.world.pass(other.client, other.two, tcpFrame({ ...ends, from: other.client, sport: 4001 })),
    '10.0.0.2:4001>10.0.0.4:8080',
    'a new one goes elsewhere',
  );

  const gone = begin();
  gone.world.serve([both[1]]);
  gone.world.serve([both[1]], { protocol: 17 });
  gone.world.received(gone.client);
  t.equal(go(gone), 'drop 248', 'its backend has gone');
  const reset = parsed(gone.world.received(gone.client)[0]);
  t.same(
    [reset.tcpFlags, reset.srcPort, reset.src3],
    [tcp.RST, 80, words(VIP)[3]],
    'the client is reset by the service',
  );
  t.equal(tcp.seq(reset.bytes, reset.l4Offset), 77, 'where it expects it');
  t.equal(
    gone.world.pass(gone.client, gone.two, udpFrame({ ...ends, from: gone.client })),
    '10.0.0.2:4000>10.0.0.4:8080',
    'UDP goes on with another',
  );
  t.equal(
    gone.world.pass(gone.client, gone.two, tcpFrame({ ...ends, from: gone.client })),
    '10.0.0.2:4000>10.0.0.4:8080',
    'a new connection on the same ports begins with another',
  );

  const closed = begin();
  closed.world.unserve();
  t.equal(go(closed), 'drop 248', 'the service has gone');
  t.equal(go(closed, tcp.SYN), 'drop 247', 'and cannot be reached');
  closed.world.serve(['10.0.0.3:8080']);
  t.equal(go(closed), 'drop 248', 'it is another one that has the address now');
  const back = tcpFrame({ from: closed.one, to: '10.0.0.2', sport: 8080, dport: 4000, flags: tcp.ACK });
  t.equal(closed.world.pass(closed.one, closed.client, back), 'drop 248', 'and replies have no way back');
  t.equal(go(closed, tcp.SYN), arrived, 'but a new connection has');
  t.end();
});

t.test('a policy that changes cuts connections through services as it cuts others', (t) => {
  const { world, client, one } = quartet(t, { policy: ALLOW_ALL });
  world.serve(['10.0.0.3:8080']);
  const ends = { from: client, to: VIP, sport: 4000, dport: 80 };
  world.pass(client, one, tcpFrame(ends));
  const ack = tcpFrame({ ...ends, flags: tcp.ACK });
  const back = tcpFrame({ from: one, to: '10.0.0.2', sport: 8080, dport: 4000, flags: tcp.ACK });
  world.setPolicy(one, forAnyPeer({ egress: true }));
  t.equal(world.pass(client, one, ack), 'drop 133');
  t.equal(world.pass(one, client, back), 'drop 133');
  world.setPolicy(one, ALLOW_ALL);
  t.equal(world.pass(client, one, ack), '10.0.0.2:4000>10.0.0.3:8080');
  t.equal(world.pass(one, client, back), `${VIP}:80>10.0.0.2:4000`);
  world.dataplane.ports.isAudited[one.index] = 1;
  world.setPolicy(one, []);
  t.equal(world.pass(client, one, ack), '10.0.0.2:4000>10.0.0.3:8080', 'under audit it goes on');
  t.end();
});

t.test('whoever floods the table of translations loses rows of his own', (t) => {
  const world = new ServiceWorld({ natCapacity: 64 });
  t.teardown(() => world.close());
  const client = world.add({ addresses: ['10.0.0.2'], identity: 1001 });
  const other = world.add({ addresses: ['10.0.0.5'], identity: 1003 });
  const one = world.add({ addresses: ['10.0.0.3'], identity: 1002 });
  world.serve(['10.0.0.3:8080']);
  const talk = (from: typeof client, sport: number, isAnswered: boolean) => {
    world.send(from, tcpFrame({ from, to: VIP, sport, dport: 80 }));
    const back = { to: from.addresses[0], sport: 8080, dport: sport, flags: tcp.SYN | tcp.ACK };
    if (!isAnswered) return;
    world.send(one, tcpFrame({ from: one, ...back }));
    world.send(from, tcpFrame({ from, to: VIP, sport, dport: 80, flags: tcp.ACK }));
  };
  for (let sport = 1; sport <= 8; sport++) talk(other, sport, true);
  for (const isAnswered of [false, true]) {
    for (let sport = 1000; sport < 1500; sport++) {
      world.nowMs += 100;
      talk(client, isAnswered ? sport + 1000 : sport, isAnswered);
    }
    const left = [...world.maps.nat.entries()].filter(({ source }) => source[3] === words('10.0.0.5')[3]);
    t.equal(left.length, 8, isAnswered ? 'answered connections' : 'connections that nobody answers');
    t.equal(world.maps.nat.count, 64);
  }
  t.end();
});
