/** Step 5: what policy says, and what is told of it. */
import { MATCH_ALL, MATCH_L3_L4 } from '../wire/match.ts';
import t from 'tap';
import { CLIENT, duo, SERVER, entry, forAnyPeer } from '../test/dataplane-world.ts';
import { pingFrame, tcpFrame } from '../test/packets.ts';
import { mapFile } from './native/index.ts';
import { PolicyMap } from '../policy-maps/policy-map.ts';
import * as event from '../wire/event.ts';
import * as tcp from '../wire/header/tcp.ts';

t.test('policy decides, and every decision is told', (t) => {
  const onlyHttp = [
    ...forAnyPeer({ egress: true }),
    entry({ identity: 1001, protocol: 6, port: 80, cookie: 7 }),
    entry({ identity: 1001, protocol: 6, port: 22, deny: true, cookie: 8 }),
  ];
  const { world, client, server } = duo(t, { policy: onlyHttp });
  const to = (dport: number, flags = tcp.SYN): Uint8Array =>
    tcpFrame({ from: client, to: SERVER, sport: 5000, dport, flags });

  world.send(client, to(80));
  t.equal(world.received(server).length, 1);
  const told = world.events();
  t.match(
    told.map((record) => [record.type, record.direction, record.verdict, record.matchType]),
    [
      [event.EVENT_POLICY_VERDICT, 2, 0, MATCH_ALL],
      [event.EVENT_POLICY_VERDICT, 1, 0, MATCH_L3_L4],
      [event.EVENT_TRACE, 1, 0, 0],
    ],
    'egress verdict, ingress verdict, trace to the endpoint',
  );
  t.equal(told[1].cookie, 7, 'the verdict leads to its rule');
  t.equal(told[2].subtype, event.TRACE_TO_ENDPOINT);

  world.send(client, to(443));
  t.same(world.drops(), [133]);
  world.send(client, to(22));
  t.same(world.drops(), [181]);
  world.send(client, pingFrame({ from: client, to: SERVER, id: 3 }));
  t.same(world.drops(), [133], 'a port rule never admits ICMP');
  t.same(world.received(server), []);

  t.test('replies skip policy, other traffic of the server does not', (t) => {
    world.send(server, tcpFrame({ from: server, to: CLIENT, sport: 80, dport: 5000, flags: tcp.SYN | tcp.ACK }));
    t.equal(world.received(client).length, 1);
    world.setPolicy(client, forAnyPeer({ egress: true }));
    world.send(server, tcpFrame({ from: server, to: CLIENT, sport: 80, dport: 5000, flags: tcp.ACK }));
    t.equal(world.received(client).length, 1, 'a reply passes although nothing may begin towards the client');
    world.send(server, tcpFrame({ from: server, to: CLIENT, sport: 81, dport: 5000, flags: tcp.SYN }));
    t.same(world.drops(), [133]);
    t.end();
  });

  t.test('a revoked policy bites on the next packet of an established connection', (t) => {
    world.send(client, to(80, tcp.ACK));
    t.equal(world.received(server).length, 1);
    world.setPolicy(server, forAnyPeer({ egress: true }));
    world.send(client, to(80, tcp.ACK));
    t.same(world.drops(), [133]);
    world.setPolicy(server, onlyHttp);
    world.send(client, to(80, tcp.ACK));
    t.equal(world.received(server).length, 1, 'and lives on when it is allowed again');
    t.end();
  });

  t.test('an endpoint without a published policy is closed', (t) => {
    const fresh = world.add({ addresses: ['10.0.0.9'], identity: 1009, policy: null });
    world.send(client, tcpFrame({ from: client, to: '10.0.0.9', sport: 1, dport: 80 }));
    t.same(world.drops(), [203]);
    world.send(fresh, tcpFrame({ from: fresh, to: SERVER, sport: 1, dport: 80 }));
    t.same(world.drops(), [203]);
    t.end();
  });

  t.test('audit mode lets pass what would be dropped, and says so', (t) => {
    world.dataplane.ports.isAudited[server.index] = 1;
    world.events();
    world.send(client, to(8443));
    t.equal(world.received(server).length, 1);
    t.same(world.drops(), []);
    const verdict = world.events().find((record) => record.direction === 1 && record.type === 5);
    t.equal(verdict?.verdict, -133);
    t.ok(((verdict?.flags ?? 0) & event.FLAG_AUDITED) !== 0);
    world.dataplane.ports.isAudited[server.index] = 0;
    t.end();
  });

  t.test('a policy under trial drops nothing, and tells what it would have dropped', (t) => {
    const trial = PolicyMap.create(`${world.folder}/policy_trial`, {}, mapFile);
    trial.publish([...forAnyPeer({ egress: true }), entry({ identity: 1001, protocol: 6, port: 25 })]);
    world.dataplane.ports.trial[server.index] = trial;
    world.events();
    world.send(client, tcpFrame({ from: client, to: SERVER, sport: 5001, dport: 80 }));
    t.equal(world.received(server).length, 1);
    const verdict = world.events().find((record) => record.direction === 1 && record.type === 5);
    t.equal(verdict?.verdict, -133);
    t.ok(((verdict?.flags ?? 0) & event.FLAG_AUDITED) !== 0);
    world.dataplane.ports.trial[server.index] = null;
    t.end();
  });
  t.end();
});
