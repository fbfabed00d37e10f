/** Ways around a policy that have been tried, kept so that they stay closed: by connections, fragments and errors. The evader is the client. */
import t from 'tap';
import { ALLOW_ALL, entry, type WorldPod } from '../test/dataplane-world.ts';
import { attempt, CLIENT, EGRESS_OPEN, ETH, INGRESS_OPEN, IP, SERVER, SERVER6, THIRD, trio } from '../test/evader.ts';
import { icmpFrame, pingFrame, tcpFrame, udpFrame } from '../test/packets.ts';
import { CONFIG_ALLOW_ICMP_FRAG_NEEDED } from '../policy-maps/config-map.ts';
import { setU16 } from '../wire/bytes.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import * as tcp from '../wire/header/tcp.ts';
import type { Redirect } from './redirect.ts';

t.test('an allowed ICMP type opens no other type and no other direction', async (t) => {
  for (const [family, to, back, echo, others] of [
    ['IPv4', SERVER, CLIENT, 8, [13, 5, 15, 17]],
    ['IPv6', SERVER6, 'fd00::2', 128, [139, 130, 150]],
  ] as const) {
    const protocol = family === 'IPv4' ? 1 : 58;
    const policy = [...EGRESS_OPEN, entry({ identity: 1001, protocol, port: echo })];
    for (const id of [0, 8, 13, 128, 256, 0xffff, 0xfffe]) {
      const { world, client, server } = trio(t, { policy });
      world.setPolicy(client, EGRESS_OPEN);
      t.equal(attempt(world, client, server, pingFrame({ from: client, to, id })), 0, `${family} echo ${id}`);
      const answer = pingFrame({ from: server, to: back, id, isReply: true });
      t.equal(attempt(world, server, client, answer), 0, 'and its reply');
      for (const type of others) {
        const other = icmpFrame({ from: client, to, type, rest: id << 16 });
        t.equal(attempt(world, client, server, other), 133, `type ${type} after echo ${id}`);
        const reverse = icmpFrame({ from: server, to: back, type, rest: id << 16 });
        t.equal(attempt(world, server, client, reverse), 133, `type ${type} as a reply to echo ${id}`);
      }
      for (const near of [id, (id + 1) & 0xffff, (id - 1) & 0xffff]) {
        const echoBack = pingFrame({ from: server, to: back, id: near });
        t.equal(attempt(world, server, client, echoBack), 133, `a request ${near} is no reply to request ${id}`);
      }
    }
  }
});

t.test('an ICMP error is judged by what it quotes, every time', async (t) => {
  const policy = [
    ...EGRESS_OPEN,
    entry({ identity: 1001, protocol: 1, port: 8 }),
    entry({ identity: 1001, protocol: 17 }),
  ];
  const { world, client, server, third } = trio(t, { policy });
  const quote = udpFrame({ from: server, to: THIRD, sport: 53, dport: 4000 });
  t.equal(attempt(world, server, third, quote), 0, 'server to third');
  t.equal(attempt(world, client, server, pingFrame({ from: client, to: SERVER, id: 3 })), 0);
  const forged = icmpFrame({ from: client, to: SERVER, type: 3, body: quote.subarray(ETH) });
  for (let turn = 0; turn < 3; turn++) t.equal(attempt(world, client, server, forged), 132, 'a forged error');
  const empty = icmpFrame({ from: client, to: SERVER, type: 3 });
  for (let turn = 0; turn < 3; turn++) t.equal(attempt(world, client, server, empty), 132, 'an error about nothing');

  const shrink = (body: Uint8Array) => icmpFrame({ from: client, to: SERVER, type: 3, code: 4, rest: 600, body });
  const shifted = quote.subarray(ETH).slice();
  ipv4.setFragmentField(shifted, 0, 1);
  const unknown = udpFrame({ from: server, to: THIRD, sport: 5, dport: 5 }).subarray(ETH);
  t.equal(attempt(world, client, server, shrink(quote.subarray(ETH))), 132, "somebody else's path");
  t.equal(attempt(world, client, server, shrink(shifted)), 132, 'quoted as a later fragment');
  t.equal(attempt(world, client, server, shrink(unknown)), 132, 'of a connection that nobody knows: the host has such');
  const own = udpFrame({ from: server, to: CLIENT, sport: 5, dport: 5 }).subarray(ETH);
  t.equal(attempt(world, client, server, shrink(own)), 133, 'of none of its own: judged like any packet');
  const host = world.add({ addresses: ['10.0.0.1'], identity: 1, role: 'host' });
  const query = udpFrame({ from: host, to: '198.51.100.1', sport: 40000, dport: 53 }).subarray(ETH);
  const unreachable = icmpFrame({ from: client, to: '10.0.0.1', type: 3, code: 3, body: query });
  t.equal(attempt(world, client, host, unreachable), 132, "a query of the host's to somebody else");

  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  const router = { ...uplink, addresses: ['192.0.2.1'] };
  const fromOutside = icmpFrame({ from: router, to: SERVER, type: 3, code: 4, rest: 600, body: unknown });
  t.equal(attempt(world, uplink, server, fromOutside), 133, 'from outside, with allow-icmp-frag-needed off');
  world.maps.config.store(CONFIG_ALLOW_ICMP_FRAG_NEEDED, 1);
  t.equal(attempt(world, uplink, server, fromOutside), 0, 'from outside, with it on');
});

t.test('a new denial cuts both directions of what is established', async (t) => {
  for (const kind of ['UDP', 'TCP'] as const) {
    const frame = kind === 'UDP' ? udpFrame : tcpFrame;
    const policy = [...EGRESS_OPEN, entry({ identity: 1001, protocol: kind === 'UDP' ? 17 : 6, port: 53 })];
    const { world, client, server } = trio(t, { policy });
    world.setPolicy(client, EGRESS_OPEN);
    const forward = frame({ from: client, to: SERVER, sport: 4444, dport: 53 });
    const reply = frame({ from: server, to: CLIENT, sport: 53, dport: 4444, flags: tcp.SYN | tcp.ACK });
    t.equal(attempt(world, client, server, forward), 0, `${kind}: allowed`);
    t.equal(attempt(world, server, client, reply), 0, `${kind}: and answered, though the client lets nobody in`);
    world.maps.config.bumpWorldGeneration();
    t.equal(attempt(world, server, client, reply), 0, `${kind}: a change that does not concern it changes nothing`);
    world.setPolicy(server, EGRESS_OPEN);
    t.equal(attempt(world, server, client, reply), 133, `${kind}: nothing is answered any more`);
    t.equal(attempt(world, client, server, forward), 133, `${kind}: and nothing asked`);
    world.setPolicy(server, policy);
    world.setPolicy(client, INGRESS_OPEN);
    t.equal(attempt(world, server, client, reply), 133, `${kind}: the client may not ask, so it is not answered`);
  }
});

t.test('a new denial cuts the ICMP errors about what is established', async (t) => {
  for (const [kind, frame, protocol] of [
    ['UDP', udpFrame, 17],
    ['TCP', tcpFrame, 6],
    ['ping', pingFrame, 1],
  ] as const) {
    const policy = [...EGRESS_OPEN, entry({ identity: 1001, protocol, port: kind === 'ping' ? 8 : 53 })];
    const { world, client, server } = trio(t, { policy });
    const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
    const router = { ...uplink, addresses: ['192.0.2.1'] };
    world.setPolicy(client, EGRESS_OPEN);
    const forward = frame({ from: client, to: SERVER, sport: 4444, dport: 53, id: 9 });
    const reply = frame({
      from: server,
      to: CLIENT,
      sport: 53,
      dport: 4444,
      id: 9,
      isReply: true,
      flags: tcp.SYN | tcp.ACK,
    });
    t.equal(attempt(world, client, server, forward), 0);
    t.equal(attempt(world, server, client, reply), 0);
    const body = (whole: Uint8Array) => whole.subarray(ETH, ETH + IP + 8);
    const errors = [
      [
        'of the server to the client',
        server,
        client,
        icmpFrame({ from: server, to: CLIENT, type: 3, body: body(forward) }),
      ],
      [
        'of the client to the server',
        client,
        server,
        icmpFrame({ from: client, to: SERVER, type: 3, body: body(reply) }),
      ],
      [
        'of a router to the client',
        uplink,
        client,
        icmpFrame({ from: router, to: CLIENT, type: 11, body: body(forward) }),
      ],
      [
        'of a router to the server',
        uplink,
        server,
        icmpFrame({ from: router, to: SERVER, type: 11, body: body(reply) }),
      ],
    ] as const;
    for (const [name, from, to, error] of errors)
      t.equal(attempt(world, from, to, error.slice()), 0, `${kind}: ${name}`);
    world.setPolicy(server, EGRESS_OPEN);
    for (const [name, from, to, error] of errors) {
      const passes = from === uplink && to === client; // what the client may do has not changed
      t.equal(attempt(world, from, to, error.slice()), passes ? 0 : 133, `${kind}, denied at the server: ${name}`);
    }
    world.setPolicy(server, policy);
    world.setPolicy(client, INGRESS_OPEN);
    for (const [name, from, to, error] of errors) {
      const passes = from === uplink && to === server;
      t.equal(attempt(world, from, to, error.slice()), passes ? 0 : 133, `${kind}, denied at the client: ${name}`);
    }
  }
});

t.test('a SYN that is refused ends no connection, whoever forged it', async (t) => {
  const policy = [...EGRESS_OPEN, entry({ identity: 1001, protocol: 6, port: 80 })];
  const { world, client, server } = trio(t, { policy });
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  const outside = { ...uplink, addresses: ['203.0.113.1'] };
  world.setPolicy(client, EGRESS_OPEN);
  for (const [name, peer, to, port] of [
    ['outside', outside, '203.0.113.1', uplink],
    ['a pod', server, SERVER, server],
  ] as const) {
    const ask = (flags: number) => tcpFrame({ from: client, to, sport: 5000, dport: 80, flags });
    const answer = (flags: number) => tcpFrame({ from: peer, to: CLIENT, sport: 80, dport: 5000, flags });
    t.equal(attempt(world, client, port, ask(tcp.SYN)), 0, name);
    t.equal(attempt(world, port, client, answer(tcp.SYN | tcp.ACK)), 0);
    t.equal(attempt(world, client, port, ask(tcp.ACK)), 0);
    for (let turn = 0; turn < 2; turn++) {
      t.equal(
        attempt(world, port, client, answer(tcp.SYN)),
        133,
        `${name}: a SYN of the other side, which may not begin`,
      );
      world.maps.config.bumpWorldGeneration();
      t.equal(attempt(world, port, client, answer(tcp.ACK)), 0, `${name}: the connection goes on`);
      t.equal(attempt(world, client, port, ask(tcp.ACK)), 0, `${name}: both ways`);
    }
    world.setPolicy(client, ALLOW_ALL);
    t.equal(attempt(world, port, client, answer(tcp.SYN)), 0, `${name}: one that may begin, begins`);
    world.setPolicy(client, EGRESS_OPEN);
    t.equal(attempt(world, port, client, answer(tcp.ACK)), 133, `${name}: and the older connection has given way`);
  }
});

t.test('a pod that got the address of another does not get its connections', async (t) => {
  const { world, client, server } = trio(t, { policy: ALLOW_ALL });
  world.setPolicy(client, EGRESS_OPEN);
  const forward = udpFrame({ from: client, to: SERVER, sport: 4445, dport: 53 });
  t.equal(attempt(world, client, server, forward), 0);
  const heir = world.add({ addresses: [SERVER], identity: 1009 });
  const reply = udpFrame({ from: heir, to: CLIENT, sport: 53, dport: 4445 });
  t.equal(attempt(world, heir, client, reply), 133);
});

t.test('no fragment changes what was judged', async (t) => {
  const policy = [...EGRESS_OPEN, entry({ identity: 1001, protocol: 17, port: 53 })];
  const { world, client, server, third } = trio(t, { policy });
  const pieces = (from: WorldPod, dport: number, id: number, srcAddress = CLIENT, srcMac = from.mac): Uint8Array[] => {
    const whole = udpFrame({ from, to: SERVER, sport: 9, dport, srcAddress, srcMac, payload: new Uint8Array(64) });
    return [0, 40].map((at) => {
      const piece = new Uint8Array(ETH + IP + (at === 0 ? 40 : 32));
      piece.set(whole.subarray(0, ETH + IP));
      piece.set(whole.subarray(ETH + IP + at, ETH + IP + at + piece.length - ETH - IP), ETH + IP);
      ipv4.setTotalLength(piece, ETH, piece.length - ETH);
      ipv4.setIdentification(piece, ETH, id);
      ipv4.setFragmentField(piece, ETH, (at >> 3) | (at === 0 ? 0x2000 : 0));
      ipv4.fillChecksum(piece, ETH);
      return piece;
    });
  };
  const [first, later] = pieces(client, 53, 1);
  t.equal(attempt(world, client, server, first), 0);
  t.equal(
    attempt(world, third, server, pieces(third, 22, 1)[0]),
    132,
    "a spoofed first fragment of the client's datagram",
  );
  t.equal(attempt(world, client, server, later), 0, 'does not name the ports of the rest');

  t.test('IPv6: nothing stands between fragment header and ports', async (t) => {
    const whole = udpFrame({ from: client, to: SERVER6, sport: 9, dport: 53, payload: new Uint8Array(24) });
    const extended = new Uint8Array(whole.length + 16);
    extended.set(whole.subarray(0, ETH + ipv6.HEADER_BYTES));
    extended.set([60, 0, 0, 1, 0, 0, 0, 7, 17, 0, 1, 4, 0, 0, 0, 0], ETH + ipv6.HEADER_BYTES);
    extended.set(whole.subarray(ETH + ipv6.HEADER_BYTES), ETH + ipv6.HEADER_BYTES + 16);
    extended[ETH + 6] = 44;
    setU16(extended, ETH + 4, extended.length - ETH - ipv6.HEADER_BYTES);
    t.equal(attempt(world, client, server, extended), 156);
  });
});

/** An L7 engine that lets everything pass, and counts. */
function countingProxy(): { proxy: Redirect; seen: () => number } {
  let count = 0;
  const pass = (): number => {
    count++;
    return 0;
  };
  const proxy: Redirect = { admit: () => 0, segment: pass, datagram: pass, beginBatch: () => {} };
  return { proxy, seen: () => count };
}

t.test('datagrams under L7 rules go to the L7 engine or nowhere, the first as well as the next', async (t) => {
  const policy = [...EGRESS_OPEN, entry({ identity: 1001, protocol: 17, port: 53, ruleSet: 7 })];
  const query = (from: WorldPod) => udpFrame({ from, to: SERVER, sport: 4000, dport: 53 });
  const answer = (from: WorldPod) => udpFrame({ from, to: CLIENT, sport: 53, dport: 4000 });
  const { world, client, server } = trio(t, { policy });
  for (const nth of ['first', 'second', 'third']) t.equal(attempt(world, client, server, query(client)), 180, nth);
  t.equal(attempt(world, server, client, answer(server)), 180, 'nor an answer');
  t.equal(world.maps.ctAny.count, 1, 'though the connection is tracked');

  const counting = countingProxy();
  const judged = trio(t, { policy }, () => counting.proxy);
  for (const nth of [1, 2, 3]) {
    t.equal(attempt(judged.world, judged.client, judged.server, query(judged.client)), 0, `query ${nth}`);
    t.equal(counting.seen(), nth);
  }
});

t.test('who began a connection is not for the other side to decide', async (t) => {
  const counting = countingProxy();
  const policy = [...EGRESS_OPEN, entry({ identity: 1001, protocol: 6, port: 80, ruleSet: 7 })];
  const { world, client, server } = trio(t, { policy }, () => counting.proxy);
  const late = tcpFrame({ from: server, to: CLIENT, sport: 80, dport: 4000, flags: tcp.FIN | tcp.ACK });
  t.equal(attempt(world, server, client, late), 243, 'a late packet of a stream that had L7 rules makes no connection');
  const syn = tcpFrame({ from: client, to: SERVER, sport: 4000, dport: 80 });
  t.equal(attempt(world, client, server, syn), 0);
  t.equal(counting.seen(), 1, 'the SYN of the client went to the L7 engine');

  const other = tcpFrame({ from: server, to: CLIENT, sport: 81, dport: 4000, flags: tcp.FIN | tcp.ACK });
  t.equal(attempt(world, server, client, other), 0, 'a stream without L7 rules is taken up in its middle');
  const answer = tcpFrame({ from: client, to: SERVER, sport: 4000, dport: 81, flags: tcp.ACK });
  t.equal(attempt(world, client, server, answer), 0, 'and answered');
  const again = tcpFrame({ from: client, to: SERVER, sport: 4000, dport: 81 });
  t.equal(attempt(world, client, server, again), 133, 'but a SYN of the other side is judged for itself');
});

t.test('L7 rules that come later find the streams that are there', async (t) => {
  const counting = countingProxy();
  const { world, client, server } = trio(t, { policy: ALLOW_ALL }, () => counting.proxy);
  const late = tcpFrame({ from: server, to: CLIENT, sport: 80, dport: 4000, flags: tcp.ACK });
  const answer = tcpFrame({ from: client, to: SERVER, sport: 4000, dport: 80, flags: tcp.ACK });
  t.equal(attempt(world, server, client, late), 0, 'taken up in its middle, from the side of the server');
  t.equal(attempt(world, client, server, answer), 0);
  world.setPolicy(server, [...EGRESS_OPEN, entry({ identity: 1001, protocol: 6, port: 80, ruleSet: 7 })]);
  t.equal(attempt(world, client, server, answer), 243, 'what the client says now would have to be read');
  t.equal(attempt(world, server, client, late), 243);
});
