/** Pods leave by an address of the node: which port they get, how answers find them, and what does not leave. */
import t, { type Test } from 'tap';
import { ALLOW_ALL, ETH, parsed, type WorldPod, words } from '../../test/dataplane-world.ts';
import { icmpFrame, pingFrame, sctpFrame, tcpFrame, udpFrame } from '../../test/packets.ts';
import { endsOf, quartet, quotedOf, type ServiceWorld, VIP } from '../../test/service-world.ts';
import * as service from '../../policy-maps/service/service-map.ts';
import * as icmp from '../../wire/header/icmp.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { parse } from '../parse.ts';

const NODE = '192.0.2.1';
const NODE6 = '2001:db8::1';
const FAR = '198.51.100.7';
const FAR6 = '2001:db8:1::7';

interface Setting {
  world: ServiceWorld;
  client: WorldPod;
  other: WorldPod;
  one: WorldPod;
  /** What is outside: a port of the uplink, whose frames come from FAR. */
  outside: WorldPod;
}

function setting(t: Test, first = 40000, last = 40003): Setting {
  const { world, client, other, one } = quartet(t, { policy: ALLOW_ALL });
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  world.dataplane.ports.macHigh[uplink.index] = 0x0200;
  world.dataplane.ports.macLow[uplink.index] = 0x99;
  for (const address of [NODE, NODE6]) {
    world.maps.ipcache.upsert(words(address), 128, { identity: 1 });
    world.masquerade(address, first, last);
  }
  world.maps.config.bumpWorldGeneration();
  return { world, client, other, one, outside: { ...uplink, addresses: [FAR, FAR6] } };
}

t.test('a pod leaves as the node, and answers find it again', (t) => {
  for (const { far, node, own, at } of [
    { far: FAR, node: NODE, own: '10.0.0.2', at: (address: string, port: number) => `${address}:${port}` },
    { far: FAR6, node: NODE6, own: 'fd00::2', at: (address: string, port: number) => `[${address}]:${port}` },
  ]) {
    for (const [name, make] of Object.entries({ TCP: tcpFrame, UDP: udpFrame, SCTP: sctpFrame })) {
      const { world, client, outside } = setting(t, 40000, 40000);
      const there = make({ from: client, to: far, sport: 5000, dport: 443 });
      const back = make({ from: outside, to: node, sport: 443, dport: 40000, flags: tcp.SYN | tcp.ACK });
      for (const turn of ['first', 'again', 'after a publication']) {
        if (turn === 'after a publication') world.maps.config.bumpWorldGeneration();
        t.equal(world.pass(client, outside, there), `${at(node, 40000)}>${at(far, 443)}`, `${name} ${turn}`);
        t.equal(world.pass(outside, client, back), `${at(far, 443)}>${at(own, 5000)}`, `${name} ${turn}, back`);
      }
      const [row] = world.maps.nat.entries();
      t.same([row.kind, row.destinationPort, row.toPort], ['masquerade', 40000, 5000]);
    }
  }
  t.end();
});

t.test('an echo leaves with another identifier, and its reply comes back with its own', (t) => {
  for (const [far, node] of [
    [FAR, NODE],
    [FAR6, NODE6],
  ] as const) {
    const { world, client, other, outside } = setting(t, 40000, 40001);
    const ids = [client, other].map((pod) => {
      world.send(pod, pingFrame({ from: pod, to: far, id: 7 }));
      const [got] = world.received(outside);
      t.notMatch(endsOf(got), /wrong/);
      const f = parsed(got);
      return icmp.identifier(f.bytes, f.l4Offset);
    });
    t.same([...ids].sort(), [40000, 40001], 'two pods with one identifier');
    for (const [i, pod] of [client, other].entries()) {
      world.send(outside, pingFrame({ from: outside, to: node, id: ids[i], isReply: true }));
      const [got] = world.received(pod);
      t.notMatch(endsOf(got), /wrong/);
      const f = parsed(got);
      t.equal(icmp.identifier(f.bytes, f.l4Offset), 7);
    }
    t.equal(world.pass(client, outside, icmpFrame({ from: client, to: FAR, type: 13 })), 'drop 168', 'no identifier');
  }
  t.end();
});

t.test('ports: its own if it can be, each one once towards a destination, and none left is 167', (t) => {
  const { world, client, other, outside } = setting(t);
  const open = (from: WorldPod, sport: number, dport = 443) =>
    world.pass(from, outside, tcpFrame({ from, to: FAR, sport, dport })).replace(`>${FAR}:${dport}`, '');
  t.equal(open(client, 40002), `${NODE}:40002`, 'its own');
  const ports = [open(other, 40002), open(client, 1), open(client, 2)];
  t.same([...ports].sort(), [`${NODE}:40000`, `${NODE}:40001`, `${NODE}:40003`], 'the others');
  t.equal(open(client, 3), 'drop 167');
  t.equal(world.dataplane.masquerade.exhausted, 1);
  const rows = world.maps.ctTcp.count;
  t.equal(open(client, 4), 'drop 167');
  t.equal(world.maps.ctTcp.count, rows, 'a refused connection leaves nothing');
  t.match(open(client, 3, 444), NODE, 'another destination has ports of its own');
  world.nowMs += 8_000_000; // SYNs live a minute
  t.match(open(client, 3), NODE, 'the ports of connections that are over are free');
  t.equal(world.maps.nat.count, 5);
  t.end();
});

t.test('who has taken every port towards a destination gives way to who has few', (t) => {
  for (const [far, node] of [
    [FAR, NODE],
    [FAR6, NODE6],
  ] as const) {
    const { world, client, other, outside } = setting(t, 40000, 40007);
    const open = (from: WorldPod, sport: number, flags: number = tcp.SYN) =>
      world.pass(from, outside, tcpFrame({ from, to: far, sport, dport: 443, flags }));
    const portOf = (text: string) => Number(/:(4000\d)>/.exec(text)?.[1]);
    const greedy = Array.from({ length: 8 }, (_, i) => portOf(open(client, 1000 + i)));
    for (const i of [0, 1, 2, 3, 4, 5, 6]) open(client, 1000 + i, tcp.ACK);
    t.equal(new Set(greedy).size, 8);
    const port = portOf(open(other, 2000));
    t.equal(port, greedy[7], 'the one that was never answered');
    for (const flags of [tcp.SYN, tcp.ACK, tcp.ACK]) t.equal(open(client, 1007, flags), 'drop 167', 'it gets no other');
    world.maps.config.bumpWorldGeneration();
    for (const flags of [tcp.ACK, tcp.ACK]) t.equal(open(client, 1007, flags), 'drop 167', 'nor its own way out');
    t.equal(open(client, 1008), 'drop 167', 'nor does the greedy one take from others');
    const back = { from: outside, to: node, sport: 443, dport: port, flags: tcp.SYN | tcp.ACK };
    t.match(world.pass(outside, other, tcpFrame(back)), /:2000$/, 'answers are for who has the port');
    for (const sport of [2001, 2002, 2003]) open(other, sport);
    t.equal(world.dataplane.masquerade.displaced, 3);
    t.equal(open(other, 2004), 'drop 167', 'a third is enough');
    const going = [0, 1, 2, 3, 4, 5, 6].filter((i) => open(client, 1000 + i, tcp.ACK).includes(node));
    t.equal(going.length, 5, 'others go on');
    t.match(
      world.pass(other, outside, tcpFrame({ from: other, to: far, sport: 2000, dport: 443, flags: tcp.ACK })),
      node,
    );
  }
  t.end();
});

t.test('who stays inside, or is known outside, keeps his address', (t) => {
  const { world, client, one, outside } = setting(t);
  const host = world.add({ addresses: ['10.0.0.1'], identity: 1, role: 'host' });
  const native = { address: words('198.51.0.0'), prefixLength: 112 };
  t.equal(
    world.pass(client, one, tcpFrame({ from: client, to: '10.0.0.3', sport: 1, dport: 2 })),
    '10.0.0.2:1>10.0.0.3:2',
  );
  t.equal(world.pass(client, host, tcpFrame({ from: client, to: NODE, sport: 1, dport: 2 })), `10.0.0.2:1>${NODE}:2`);
  world.settings.setNativePrefixes([{ address: words('2001:db8:2::'), prefixLength: 48 }, native]);
  world.dataplane.refreshSettings();
  t.equal(world.pass(client, outside, tcpFrame({ from: client, to: FAR, sport: 1, dport: 2 })), `10.0.0.2:1>${FAR}:2`);
  t.match(world.pass(client, outside, tcpFrame({ from: client, to: '198.52.0.1', sport: 1, dport: 2 })), NODE);
  t.match(world.pass(client, outside, tcpFrame({ from: client, to: FAR6, sport: 1, dport: 2 })), NODE6);
  t.equal(
    world.pass(client, outside, tcpFrame({ from: client, to: '2001:db8:2::9', sport: 1, dport: 2 })),
    '[fd00::2]:1>[2001:db8:2::9]:2',
  );
  t.equal(
    world.pass(outside, client, tcpFrame({ from: outside, to: '10.0.0.2', sport: 9, dport: 80 })),
    `${FAR}:9>10.0.0.2:80`,
    'from outside to a pod',
  );
  const back = tcpFrame({ from: client, to: FAR, sport: 80, dport: 9, flags: tcp.ACK });
  t.equal(world.pass(client, outside, back), `10.0.0.2:80>${FAR}:9`, 'and back: a reply is no way out');
  t.end();
});

t.test('a service whose backend is outside: both translations, and both undone', (t) => {
  const { world, client, outside } = setting(t, 40000, 40000);
  world.serve([`${FAR}:8443`]);
  const there = tcpFrame({ from: client, to: VIP, sport: 5000, dport: 80 });
  const back = tcpFrame({ from: outside, to: NODE, sport: 8443, dport: 40000, flags: tcp.ACK });
  for (let turn = 0; turn < 2; turn++) {
    t.equal(world.pass(client, outside, there), `${NODE}:40000>${FAR}:8443`);
    t.equal(world.pass(outside, client, back), `${VIP}:80>10.0.0.2:5000`);
  }
  world.serve([`${FAR}:8443`], { vip: '203.0.113.5', flags: service.SERVICE_ROUTABLE });
  const stranger = { ...outside, addresses: ['198.51.100.99'] };
  const guest = tcpFrame({ from: stranger, to: '203.0.113.5', sport: 77, dport: 80 });
  t.equal(world.pass(outside, outside, guest), 'drop 150', 'what comes from outside does not go back there');
  t.end();
});

t.test('ICMP errors about what has left', (t) => {
  const { world, client, outside } = setting(t, 40000, 40000);
  const sent = udpFrame({ from: client, to: FAR, sport: 5000, dport: 53 });
  world.send(client, sent);
  const [gone] = world.received(outside);
  const router = { ...outside, addresses: ['203.0.113.9'] };
  for (const [type, code] of [
    [3, 4],
    [11, 0],
  ]) {
    const error = icmpFrame({ from: router, to: NODE, type, code, body: gone.subarray(ETH) });
    world.send(outside, error);
    const [got] = world.received(client);
    const f = parsed(got);
    t.equal(parse(f), 0);
    t.same([f.src3, f.dst3], [words('203.0.113.9')[3], words('10.0.0.2')[3]], 'from the router, to the pod');
    const quoted = quotedOf(got);
    t.same([quoted[12], quoted[15], quoted[20], quoted[21]], [10, 2, 5000 >> 8, 5000 & 255], 'about what it sent');
  }
  const answer = udpFrame({ from: outside, to: NODE, sport: 53, dport: 40000 });
  world.send(outside, answer);
  const [atPod] = world.received(client);
  world.send(client, icmpFrame({ from: client, to: FAR, type: 3, code: 3, body: atPod.subarray(ETH) }));
  const [refusal] = world.received(outside);
  t.equal(parsed(refusal).src3, words(NODE)[3], 'an error of the pod leaves as the node');
  const quoted = quotedOf(refusal);
  t.same([quoted[16], quoted[19], (quoted[22] << 8) | quoted[23]], [192, 1, 40000], 'about what was sent to the node');
  const stray = udpFrame({ from: outside, to: '10.0.0.2', sport: 54, dport: 1 }).subarray(ETH);
  t.equal(
    world.pass(client, outside, icmpFrame({ from: client, to: FAR, type: 3, code: 3, body: stray })),
    'drop 168',
    'about nothing',
  );
  t.end();
});

t.test('fragments: with their first they leave as the node, before it not at all', (t) => {
  const { world, client, outside } = setting(t, 40000, 40000);
  const piece = (at: number, size: number, isLast: boolean): Uint8Array => {
    const whole = udpFrame({ from: client, to: FAR, sport: 5000, dport: 53, payload: new Uint8Array(64) });
    const bytes = new Uint8Array(ETH + 20 + size);
    bytes.set(whole.subarray(0, ETH + 20));
    bytes.set(whole.subarray(ETH + 20 + at, ETH + 20 + at + size), ETH + 20);
    ipv4.setTotalLength(bytes, ETH, 20 + size);
    ipv4.setIdentification(bytes, ETH, 9);
    ipv4.setFragmentField(bytes, ETH, (at >> 3) | (isLast ? 0 : 0x2000));
    ipv4.fillChecksum(bytes, ETH);
    return bytes;
  };
  t.equal(world.pass(client, outside, piece(40, 32, true)), 'drop 175');
  for (const bytes of [piece(0, 40, false), piece(40, 32, true)]) {
    world.send(client, bytes);
    const [got] = world.received(outside);
    t.equal(ipv4.src(got, ETH), words(NODE)[3]);
    t.ok(ipv4.verifyChecksum(got, ETH));
  }
  t.end();
});
