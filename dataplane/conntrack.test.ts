/** Steps 2, 4 and 6: how long connections live, and when they are told of. */
import * as tcp from '../wire/header/tcp.ts';
import t from 'tap';
import { CLIENT, duo, SERVER, entry, forAnyPeer, World, type WorldPod } from '../test/dataplane-world.ts';
import { tcpFrame, udpFrame } from '../test/packets.ts';
import { CONFIG_TCP_NEEDS_SYN } from '../policy-maps/config-map.ts';
import * as event from '../wire/event.ts';
import { LIFETIME_ANY_SEC, LIFETIME_SYN_SEC, LIFETIME_TCP_SEC } from './connection-life.ts';

t.test('conntrack ages by the clock it is given', (t) => {
  const { world, client, server } = duo(
    t,
    { policy: [...forAnyPeer({ egress: true }), entry({ identity: 1001 })] },
    { policy: forAnyPeer({ egress: true }) },
  );
  const reply = (flags: number): void =>
    world.send(server, tcpFrame({ from: server, to: CLIENT, sport: 80, dport: 5000, flags }));
  const syn = tcpFrame({ from: client, to: SERVER, sport: 5000, dport: 80 });
  const passes = (): boolean => {
    const count = world.received(client).length;
    world.drops();
    return count === 1;
  };
  world.send(client, syn);
  world.nowMs += (LIFETIME_SYN_SEC + 1) * 1000;
  reply(tcp.SYN | tcp.ACK);
  t.notOk(passes(), 'a handshake that was not answered is forgotten');
  world.send(client, syn);
  reply(tcp.SYN | tcp.ACK);
  t.ok(passes());
  world.send(client, tcpFrame({ from: client, to: SERVER, sport: 5000, dport: 80, flags: tcp.ACK }));
  world.nowMs += (LIFETIME_TCP_SEC - 1) * 1000;
  reply(tcp.ACK);
  t.ok(passes(), 'an established connection lives 8000 s after its last packet');
  world.send(client, tcpFrame({ from: client, to: SERVER, sport: 5000, dport: 80, flags: tcp.FIN | tcp.ACK }));
  reply(tcp.FIN | tcp.ACK);
  t.ok(passes());
  world.nowMs += 11_000;
  reply(tcp.ACK);
  t.notOk(passes(), 'a closed one lives 10 s');
  world.send(client, udpFrame({ from: client, to: SERVER, sport: 6000, dport: 53 }));
  world.nowMs += LIFETIME_ANY_SEC * 1000;
  world.send(server, udpFrame({ from: server, to: CLIENT, sport: 53, dport: 6000 }));
  t.ok(passes(), 'UDP replies may come for 60 s');
  world.nowMs += (LIFETIME_ANY_SEC + 1) * 1000;
  world.send(server, udpFrame({ from: server, to: CLIENT, sport: 53, dport: 6000 }));
  t.notOk(passes(), 'and not later');
  t.end();
});

t.test('a reset before the handshake ends the entry, and a SYN on a closing one begins anew', (t) => {
  const { world, client, server } = duo(t, {}, { policy: forAnyPeer({ egress: true }) });
  world.send(client, tcpFrame({ from: client, to: SERVER, sport: 5000, dport: 80 }));
  world.send(server, tcpFrame({ from: server, to: CLIENT, sport: 80, dport: 5000, flags: tcp.RST | tcp.ACK }));
  t.equal(world.received(client).length, 1);
  world.setPolicy(server, forAnyPeer({ egress: true }));
  world.received(server);
  world.send(client, tcpFrame({ from: client, to: SERVER, sport: 5000, dport: 80 }));
  t.same(world.drops(), [133], 'judged as a new connection');
  t.end();
});

t.test('events are bounded by connections: first packet, new flag, every 5 s', (t) => {
  const { world, client } = duo(t);
  const send = (flags: number): number => {
    world.send(client, tcpFrame({ from: client, to: SERVER, sport: 5000, dport: 80, flags }));
    return world.events().filter((record) => record.type === event.EVENT_TRACE).length;
  };
  t.equal(send(tcp.SYN), 1);
  t.equal(send(tcp.ACK), 1, 'first ACK');
  t.equal(send(tcp.ACK), 0);
  t.equal(send(tcp.ACK | tcp.PSH), 1, 'first PSH');
  t.equal(send(tcp.ACK | tcp.PSH), 0);
  world.nowMs += 5000;
  t.equal(send(tcp.ACK), 1, 'interval');
  t.equal(send(tcp.ACK), 0);
  t.end();
});

t.test("a pod and its accomplice, who fill the table, end nobody's connection", (t) => {
  const world = new World({ ctCapacity: 1024 });
  t.teardown(() => world.close());
  const add = (n: number) => world.add({ addresses: [`10.0.0.${n}`], identity: 1000 + n });
  const [victim, server, attacker, accomplice] = [2, 3, 4, 5].map(add);
  const connect = (from: WorldPod, to: WorldPod, sport: number) => {
    const ask = { from, to: to.addresses[0], sport, dport: 80 };
    world.send(from, tcpFrame(ask));
    const answer = { from: to, to: from.addresses[0], sport: 80, dport: sport };
    world.send(to, tcpFrame({ ...answer, flags: tcp.SYN | tcp.ACK }));
    world.send(from, tcpFrame({ ...ask, flags: tcp.ACK }));
  };
  connect(victim, server, 5000);
  world.nowMs += 60_000;
  for (let port = 1; port <= 3000; port++) connect(attacker, accomplice, port);
  t.equal(world.maps.ctTcp.count, 1024);
  world.setPolicy(server, [...forAnyPeer({ egress: true }), entry({ identity: 1002, protocol: 6, port: 80 })]);
  world.setPolicy(victim, forAnyPeer({ egress: true }));
  world.drops();
  world.send(server, tcpFrame({ from: server, to: '10.0.0.2', sport: 80, dport: 5000, flags: tcp.ACK }));
  t.same(world.drops(), [], 'the server may still speak on the connection that it did not begin');
  t.equal(world.maps.ctTcp.evictedWithin, 0);
  t.equal(world.maps.ctTcp.evictedEndpoint, attacker.endpoint);
  t.end();
});

t.test('where a SYN is demanded, no connection is taken up in its middle', (t) => {
  const { world, client, server } = duo(t);
  const segment = (flags: number, sport = 5000) =>
    world.send(client, tcpFrame({ from: client, to: SERVER, sport, dport: 80, flags }));
  const passes = () => world.received(server).length === 1 && world.drops().length === 0;
  segment(tcp.ACK, 4000);
  t.ok(passes(), 'by default it is');
  world.maps.config.store(CONFIG_TCP_NEEDS_SYN, 1);
  world.dataplane.refreshSettings();
  segment(tcp.ACK, 4000);
  t.ok(passes(), 'what is known goes on');
  for (const flags of [tcp.ACK, tcp.SYN | tcp.ACK, tcp.FIN | tcp.ACK, tcp.RST, 0]) {
    segment(flags);
    t.same(world.drops(), [138], `flags ${flags}`);
  }
  t.same(world.received(server), []);
  segment(tcp.SYN);
  t.ok(passes());
  segment(tcp.ACK);
  t.ok(passes());
  world.nowMs += (LIFETIME_TCP_SEC + 1) * 1000;
  segment(tcp.ACK);
  t.same(world.drops(), [138], 'an entry that is over is none');
  world.send(client, udpFrame({ from: client, to: SERVER, sport: 1, dport: 2 }));
  t.ok(passes(), 'only TCP has beginnings');
  t.end();
});
