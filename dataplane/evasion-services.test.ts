/** Ways around services and translation that have been tried, kept so that they stay closed. */
import t from 'tap';
import { ALLOW_ALL, entry, forAnyPeer, parsed, words } from '../test/dataplane-world.ts';
import { icmpFrame, pingFrame, tcpFrame, udpFrame } from '../test/packets.ts';
import { randomFrom, SEED } from '../test/random.ts';
import { FAMILIES, LOOPBACK, quartet, ServiceWorld, VIP } from '../test/service-world.ts';
import * as service from '../policy-maps/service/service-map.ts';
import { CT_FLAG_PROXY_REDIRECT, CT_FLAGS } from '../policy-maps/conntrack-row.ts';
import type { Frame } from '../wire/frame.ts';
import * as tcp from '../wire/header/tcp.ts';
import { parse } from './parse.ts';
import type { Redirect } from './redirect.ts';

t.comment(`seed ${SEED}`);

const ONE = '10.0.0.3:8080';
const TWO = '10.0.0.4:8080';

t.test('nobody answers for a backend that was not chosen, nor for the service itself', (t) => {
  for (const { client: source, one: target, two: second, vip, at } of FAMILIES) {
    const { world, client, one, two } = quartet(t, {}, { policy: forAnyPeer({ egress: true }) });
    const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
    const host = world.add({ addresses: ['10.0.0.1', 'fd00::1'], identity: 1, role: 'host' });
    world.serve([at(target, 8080)], { vip });
    world.pass(client, one, tcpFrame({ from: client, to: vip, sport: 4000, dport: 80 }));
    const answer = { to: source, sport: 8080, dport: 4000, flags: tcp.SYN | tcp.ACK };
    t.equal(world.pass(two, client, tcpFrame({ ...answer, from: two })), 'drop 133', 'another backend, as itself');
    for (const srcAddress of [target, vip]) {
      for (const sport of [8080, 80]) {
        const forged = { ...answer, sport, srcAddress };
        t.equal(world.pass(two, client, tcpFrame({ ...forged, from: two })), 'drop 132', `as ${srcAddress}:${sport}`);
        for (const port of [uplink, host]) {
          const outside = { ...port, addresses: [second] };
          t.equal(world.pass(port, client, tcpFrame({ ...forged, from: outside })), 'drop 132', 'from outside');
        }
      }
    }
    t.equal(
      world.pass(one, client, tcpFrame({ ...answer, from: one })),
      `${at(vip, 80)}>${at(source, 4000)}`,
      'the chosen one',
    );
    t.equal(world.pass(one, client, tcpFrame({ ...answer, from: one, sport: 8081 })), 'drop 133', 'from another port');
  }
  t.end();
});

t.test("a forged client gets nothing, changes nothing, and ends no connection of the client's", (t) => {
  const { world, client, other, one } = quartet(t);
  const affinity = { flags: service.SERVICE_AFFINITY, affinitySec: 100 };
  world.serve([ONE], affinity);
  const forged = (fields: object) =>
    tcpFrame({ from: other, srcAddress: '10.0.0.2', to: VIP, sport: 4000, dport: 80, ...fields });
  t.equal(world.pass(other, one, forged({})), 'drop 132');
  t.equal(world.pass(other, one, forged({ dport: 81 })), 'drop 132', 'not even which ports there are');
  t.same([world.maps.nat.count, world.maps.affinity.count, world.maps.ctTcp.count], [0, 0, 0]);
  world.pass(client, one, tcpFrame({ from: client, to: VIP, sport: 4000, dport: 80 }));
  const ack = tcpFrame({ from: client, to: VIP, sport: 4000, dport: 80, flags: tcp.ACK });
  for (const flags of [tcp.SYN, tcp.ACK, tcp.FIN | tcp.ACK, tcp.RST]) {
    t.equal(world.pass(other, one, forged({ flags })), 'drop 132');
    t.equal(world.pass(client, one, ack), '10.0.0.2:4000>10.0.0.3:8080', 'it goes on');
  }
  world.serve([TWO], affinity);
  t.equal(world.pass(other, one, forged({ flags: tcp.ACK })), 'drop 132', 'when the backend has gone');
  world.serve([ONE], affinity);
  t.equal(
    world.pass(client, one, tcpFrame({ from: client, to: VIP, sport: 4001, dport: 80 })),
    '10.0.0.2:4001>10.0.0.3:8080',
  );
  t.end();
});

t.test('a refused connection leaves no row anywhere', (t) => {
  const { world, client, one } = quartet(t, { policy: [entry({ identity: 1003 })] });
  world.serve([ONE], { flags: service.SERVICE_AFFINITY, affinitySec: 100 });
  for (let sport = 1; sport < 50; sport++) {
    t.equal(world.pass(client, one, tcpFrame({ from: client, to: VIP, sport, dport: 80 })), 'drop 133');
  }
  t.same([world.maps.nat.count, world.maps.affinity.count, world.maps.ctTcp.count], [0, 0, 0]);
  t.end();
});

t.test('one tuple is one connection, by whichever address it was opened', (t) => {
  const direct = { to: '10.0.0.3', sport: 4000, dport: 8080 };
  const served = { to: VIP, sport: 4000, dport: 80 };
  const back = { to: '10.0.0.2', sport: 8080, dport: 4000, flags: tcp.SYN | tcp.ACK };
  for (const make of [tcpFrame, udpFrame]) {
    const protocol = make === tcpFrame ? 6 : 17;
    const first = quartet(t);
    first.world.serve([ONE], { protocol });
    first.world.pass(first.client, first.one, make({ ...served, from: first.client }));
    for (let turn = 0; turn < 2; turn++) {
      t.equal(
        first.world.pass(first.client, first.one, make({ ...direct, from: first.client })),
        'drop 249',
        'directly, after the service',
      );
      t.equal(first.world.pass(first.one, first.client, make({ ...back, from: first.one })), `${VIP}:80>10.0.0.2:4000`);
    }
    const second = quartet(t);
    second.world.serve([ONE], { protocol });
    second.world.pass(second.client, second.one, make({ ...direct, from: second.client }));
    for (let turn = 0; turn < 2; turn++) {
      t.equal(
        second.world.pass(second.client, second.one, make({ ...served, from: second.client })),
        'drop 249',
        'by the service, after directly',
      );
      t.equal(
        second.world.pass(second.one, second.client, make({ ...back, from: second.one })),
        '10.0.0.3:8080>10.0.0.2:4000',
      );
    }
    second.world.serve([ONE, TWO], { protocol });
    t.equal(
      second.world.pass(second.client, second.two, make({ ...served, from: second.client })),
      '10.0.0.2:4000>10.0.0.4:8080',
      'another backend is free',
    );
  }
  const reverse = quartet(t);
  reverse.world.serve([ONE]);
  reverse.world.serve(['10.0.0.2:4000'], { vip: '10.96.0.7', port: 9 });
  reverse.world.pass(reverse.client, reverse.one, tcpFrame({ ...served, from: reverse.client }));
  const crossed = { from: reverse.one, to: '10.96.0.7', sport: 8080, dport: 9 };
  for (const flags of [tcp.ACK, tcp.SYN | tcp.ACK, tcp.RST]) {
    t.equal(
      reverse.world.pass(reverse.one, reverse.client, tcpFrame({ ...crossed, flags })),
      'drop 249',
      'a backend by a service of its client',
    );
  }
  const late = quartet(t);
  late.world.serve([ONE]);
  late.world.serve(['10.0.0.2:4000'], { vip: '10.96.0.7', port: 9 });
  const early = tcpFrame({ from: late.one, to: '10.96.0.7', sport: 8080, dport: 9, flags: tcp.ACK });
  t.equal(late.world.pass(late.one, late.client, early), '10.0.0.3:8080>10.0.0.2:4000');
  for (const slot of [...late.world.maps.ctTcp.slots()]) late.world.maps.ctTcp.remove(slot);
  t.equal(
    late.world.pass(late.client, late.one, tcpFrame({ ...served, from: late.client })),
    '10.0.0.2:4000>10.0.0.3:8080',
    'the connection that the backend had is over',
  );
  t.equal(late.world.pass(late.one, late.client, early), 'drop 249', 'and its translation is no way into the new one');
  t.end();
});

t.test('the loopback address is nobody for others', (t) => {
  const { world, client, one } = quartet(t, {}, { policy: forAnyPeer({ egress: true }) });
  world.serve(['10.0.0.2:8080']);
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  world.pass(client, client, tcpFrame({ from: client, to: VIP, sport: 4000, dport: 80 }));
  const answer = { to: LOOPBACK, sport: 8080, dport: 4000, flags: tcp.ACK };
  t.equal(world.pass(one, client, tcpFrame({ ...answer, from: one })), 'drop 250', 'another pod answers');
  t.equal(
    world.pass(one, client, tcpFrame({ ...answer, from: one, srcAddress: '10.0.0.2' })),
    'drop 132',
    'in its name',
  );
  t.equal(
    world.pass(one, client, tcpFrame({ to: '10.0.0.2', sport: 4000, dport: 8080, from: one, srcAddress: LOOPBACK })),
    'drop 132',
    'as the loopback address',
  );
  const outside = { ...uplink, addresses: [LOOPBACK] };
  t.equal(
    world.pass(uplink, client, tcpFrame({ to: '10.0.0.2', sport: 4000, dport: 8080, from: outside })),
    'drop 133',
    'from outside it is like any address',
  );
  t.equal(
    world.pass(client, client, tcpFrame({ from: client, to: '10.0.0.2', sport: 1, dport: 2 })),
    'drop 150',
    'a pod does not reach itself by its own',
  );
  t.end();
});

t.test(
  'a full table of translations: the dead go first, then the oldest, and nobody is let through untranslated',
  (t) => {
    const world = new ServiceWorld({ natCapacity: 16 });
    t.teardown(() => world.close());
    const client = world.add({ addresses: ['10.0.0.2'], identity: 1001 });
    const one = world.add({ addresses: ['10.0.0.3'], identity: 1002 });
    world.serve([ONE]);
    const open = (sport: number, flags = tcp.SYN) =>
      world.pass(client, one, tcpFrame({ from: client, to: VIP, sport, dport: 80, flags }));
    for (let i = 0; i < 16; i++) {
      world.nowMs += 1000;
      open(100 + i);
    }
    for (const [slot] of [...world.maps.ctTcp.entries()]
      .filter(({ sourcePort }) => sourcePort === 110)
      .map(({ slot: n }) => [n]))
      world.maps.ctTcp.remove(slot);
    t.equal(open(200), '10.0.0.2:200>10.0.0.3:8080');
    t.notOk(
      [...world.maps.nat.entries()].some(({ sourcePort }) => sourcePort === 110),
      'of the connection that has gone',
    );
    open(201);
    t.notOk(
      [...world.maps.nat.entries()].some(({ sourcePort }) => sourcePort === 100),
      'the oldest',
    );
    t.equal(world.maps.nat.count, 16);
    t.equal(open(100, tcp.ACK), '10.0.0.2:100>10.0.0.3:8080', 'its connection finds its way again');
    const back = tcpFrame({ from: one, to: '10.0.0.2', sport: 8080, dport: 101, flags: tcp.ACK });
    t.equal(world.pass(one, client, back), `${VIP}:80>10.0.0.2:101`, 'replies need no row');
    for (let sport = 1000; sport < 1500; sport++) open(sport);
    t.equal(world.maps.nat.count, 16);
    t.end();
  },
);

t.test('masqueraded connections whose row made room leave as the node still', (t) => {
  const world = new ServiceWorld({ natCapacity: 16 });
  t.teardown(() => world.close());
  const client = world.add({ addresses: ['10.0.0.2'], identity: 1001 });
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  world.dataplane.ports.macHigh[uplink.index] = 0x0200;
  world.masquerade('192.0.2.1', 40000, 40999);
  const send = (sport: number, flags: number) =>
    world.pass(client, uplink, tcpFrame({ from: client, to: '198.51.100.7', sport, dport: 80, flags }));
  for (let i = 0; i < 40; i++) {
    world.nowMs += 1000;
    t.match(send(100 + i, tcp.SYN), /^192\.0\.2\.1:40/);
  }
  t.match(send(100, tcp.ACK), /^192\.0\.2\.1:40\d\d\d>198\.51\.100\.7:80$/);
  t.equal(world.maps.nat.count, 16);
  t.end();
});

t.test('a pod does not come back as the host, whoever turns its frames round', (t) => {
  const routes = [
    {
      node: '192.0.2.1',
      vip: VIP,
      inner: '10.96.0.9',
      target: '10.0.0.3',
      at: (a: string, port: number) => `${a}:${port}`,
    },
    {
      node: '2001:db8::1',
      vip: 'fd00:10:96::1',
      inner: 'fd00:10:96::9',
      target: 'fd00::3',
      at: (a: string, port: number) => `[${a}]:${port}`,
    },
  ];
  for (const { node, vip, inner, target, at } of routes) {
    const { world, client, one } = quartet(t, { policy: [entry({ identity: 1 })] });
    const host = world.add({ addresses: ['10.0.0.1', 'fd00::1'], identity: 1, role: 'host' });
    world.dataplane.ports.defaultPort = host.index;
    world.maps.ipcache.upsert(words(node), 128, { identity: 1 });
    world.masquerade(node, 40000, 40000);
    world.serve([at(target, 8080)], { vip: inner });
    world.serve([at(inner, 80)], { vip });
    const refused = tcpFrame({ from: client, to: inner, sport: 4000, dport: 80 });
    t.equal(world.pass(client, one, refused), 'drop 133', 'policy wants the host alone');
    world.pass(client, host, tcpFrame({ from: client, to: vip, sport: 4001, dport: 80 }));
    const asNode = { ...host, addresses: [node] };
    const turned = { from: asNode, sport: 40000 };
    for (const to of [inner, target]) {
      for (const flags of [tcp.SYN, tcp.ACK]) {
        const frame = tcpFrame({ ...turned, to, dport: to === inner ? 80 : 8080, flags });
        t.equal(world.pass(host, one, frame), 'drop 132', `what left comes back for ${to}`);
      }
      t.equal(world.pass(host, one, udpFrame({ ...turned, to, dport: 8080 })), 'drop 132');
    }
    t.equal(world.pass(host, one, pingFrame({ from: asNode, to: target, id: 40000 })), 'drop 132');
    const own = tcpFrame({ from: asNode, to: inner, sport: 39999, dport: 80 });
    t.equal(world.pass(host, one, own), `${at(node, 39999)}>${at(target, 8080)}`, 'the host itself');
    const ping = pingFrame({ from: client, to: node, id: 40000 });
    world.pass(client, host, ping);
    t.match(
      world.pass(
        host,
        client,
        pingFrame({ from: asNode, to: client.addresses[Number(node.includes(':'))], id: 40000, isReply: true }),
      ),
      node,
      'its answers to a ping',
    );
  }
  t.end();
});

t.test('where pods must not be seen outside, nothing of them leaves while there is no address to leave with', (t) => {
  const world = new ServiceWorld();
  t.teardown(() => world.close());
  const client = world.add({ addresses: ['10.0.0.2', 'fd00::2'], identity: 1001 });
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  world.dataplane.ports.macHigh[uplink.index] = 0x0200;
  world.settings.mustMasquerade = true;
  world.masquerade('192.0.2.1', 40000, 40999);
  const to = (address: string) =>
    world.pass(client, uplink, tcpFrame({ from: client, to: address, sport: 100, dport: 80, flags: tcp.SYN }));
  t.match(to('198.51.100.7'), /^192\.0\.2\.1:40/);
  t.match(to('2001:db8::7'), '169');
  t.equal(world.maps.nat.count, 1);
  t.end();
});

t.test('a dataplane that was killed goes on with the connections there are', (t) => {
  const { world, client, one, two } = quartet(t);
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  world.dataplane.ports.macHigh[uplink.index] = 0x0200;
  world.masquerade('192.0.2.1', 40000, 40999);
  world.serve([ONE, TWO]);
  const frames = Array.from({ length: 40 }, (_, i) => ({ from: client, to: VIP, sport: 100 + i, dport: 80 }));
  const backendOf = (frame: Uint8Array) => {
    const [first, second] = [one, two].map((pod) => world.received(pod).length);
    t.same(world.drops(), []);
    t.equal(first + second, 1, `${frame.length} bytes arrived once`);
    return first;
  };
  const before = frames.map((fields) => {
    const frame = tcpFrame(fields);
    world.send(client, frame);
    return backendOf(frame);
  });
  const out = tcpFrame({ from: client, to: '198.51.100.7', sport: 9, dport: 80 });
  const left = world.pass(client, uplink, out);
  world.restart();
  const after = frames.map((fields) => {
    const frame = tcpFrame({ ...fields, flags: tcp.ACK });
    world.send(client, frame);
    return backendOf(frame);
  });
  t.same(after, before, 'each to its own backend');
  t.equal(
    world.pass(client, uplink, tcpFrame({ from: client, to: '198.51.100.7', sport: 9, dport: 80, flags: tcp.ACK })),
    left,
  );
  const back = tcpFrame({ from: before[0] === 1 ? one : two, to: '10.0.0.2', sport: 8080, dport: 100, flags: tcp.ACK });
  t.equal(world.pass(before[0] === 1 ? one : two, client, back), `${VIP}:80>10.0.0.2:100`);
  t.end();
});

t.test('L7 rules and a service on one connection', (t) => {
  const seen: string[] = [];
  const describe = (f: Frame) => `${f.dst3 & 255}:${f.dstPort}`;
  const redirect: Redirect = {
    beginBatch: () => {},
    admit: (f) => {
      seen.push(`admit ${describe(f)}`);
      return 0;
    },
    segment: (f) => {
      seen.push(describe(f));
      return 0;
    },
    datagram: () => 180,
  };
  const world = new ServiceWorld({ makeRedirect: () => redirect });
  t.teardown(() => world.close());
  const client = world.add({ addresses: ['10.0.0.2'], identity: 1001 });
  const policy = [...forAnyPeer({ egress: true }), entry({ identity: 1001, protocol: 6, port: 8080, ruleSet: 7 })];
  const one = world.add({ addresses: ['10.0.0.3'], identity: 1002, policy });
  world.serve([ONE]);
  t.equal(
    world.pass(client, one, tcpFrame({ from: client, to: VIP, sport: 4000, dport: 80 })),
    '10.0.0.2:4000>10.0.0.3:8080',
  );
  const back = tcpFrame({ from: one, to: '10.0.0.2', sport: 8080, dport: 4000, flags: tcp.SYN | tcp.ACK });
  t.equal(world.pass(one, client, back), `${VIP}:80>10.0.0.2:4000`);
  t.same(seen, ['admit 3:8080', '3:8080', '2:4000'], 'the L7 engine sees the backend');
  const [slot] = world.maps.ctTcp.slots();
  t.not(world.maps.ctTcp.words[slot * 48 + CT_FLAGS] & CT_FLAG_PROXY_REDIRECT, 0);
  const segment = {
    seq: 1,
    ack: 2,
    flags: tcp.ACK,
    window: 9,
    hasTimestamps: false,
    tsVal: 0,
    tsEcr: 0,
    sackCount: 0,
    sack: new Int32Array(8),
  };
  const payload = Buffer.from('403');
  for (const [to, toResponder, wanted] of [
    [client, false, `${VIP}:80>10.0.0.2:4000`],
    [one, true, '10.0.0.2:4000>10.0.0.3:8080'],
  ] as const) {
    t.ok(world.dataplane.sender.send(slot, toResponder, { ...segment, payload, start: 0, end: 3 }));
    world.dataplane.ports.flush();
    t.equal(world.arrived(to), wanted, 'a segment of its own');
  }
  t.end();
});

t.test('frames of any kind to and from services: one outcome each, and no exception', (t) => {
  const { world, client, one, two, other } = quartet(t, { policy: ALLOW_ALL });
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  world.masquerade('192.0.2.1', 40000, 40010);
  const below = randomFrom(SEED);
  const pods = [client, one, two, other, uplink];
  for (const { vip, one: target, two: second, at } of FAMILIES) {
    for (const protocol of [6, 17])
      world.serve([at(target, 8080), at(second, 8080)], {
        vip,
        protocol,
        flags: below(2) * service.SERVICE_AFFINITY,
        affinitySec: 5,
      });
  }
  const outside = { ...uplink, addresses: ['198.51.100.7', '2001:db8::7'] };
  const count = () => [...world.maps.metrics.entries()].reduce((sum, { packets }) => sum + packets, 0);
  let kept: Uint8Array | undefined;
  for (let round = 0; round < 6000; round++) {
    const pod = pods[below(pods.length)];
    const from = pod === uplink ? outside : pod;
    const { vip, client: source, one: target } = FAMILIES[below(2)];
    const to = [
      vip,
      vip,
      source,
      target,
      vip === VIP ? '192.0.2.1' : '2001:db8::9',
      vip === VIP ? LOOPBACK : 'fd00:42::1',
    ][below(6)];
    const fields = {
      from,
      to,
      sport: [4000, 8080, 80, 40000][below(4)],
      dport: [80, 8080, 4000, 40001][below(4)],
      flags: below(64),
    };
    const body = kept ?? new Uint8Array(40);
    const frame = [
      () => tcpFrame({ ...fields, payload: new Uint8Array(below(40)) }),
      () => udpFrame(fields),
      () =>
        icmpFrame({
          from,
          to,
          type: to.includes(':') ? 1 + below(4) : [3, 11, 8, 0][below(4)],
          code: below(5),
          body: body.subarray(14),
        }),
    ][below(3)]();
    for (let flips = below(3) === 0 ? 1 + below(4) : 0; flips > 0; flips--)
      frame[14 + below(frame.length - 14)] ^= 1 << below(8);
    if (below(500) === 0) world.maps.config.bumpWorldGeneration();
    const before = count();
    world.send(pod, frame);
    const events = count() - before;
    if (events < 1 || events > 2) return t.fail(`round ${round}: ${events} outcomes`);
    for (const receiver of pods) {
      for (const got of world.received(receiver)) {
        kept = got;
        if (parse(parsed(got)) !== 0) return t.fail(`round ${round}: what came out cannot be parsed`);
      }
    }
    world.nowMs += below(20);
  }
  t.ok(world.maps.nat.count > 20, 'some of them were translated');
  return t.end();
});

t.test('an established flow through a service allocates nothing', (t) => {
  const { world, client, one } = quartet(t);
  world.serve([ONE]);
  for (const pod of [client, one]) pod.port.isDiscarding = true;
  world.send(client, tcpFrame({ from: client, to: VIP, sport: 5000, dport: 80 }));
  for (const pod of [client, one]) pod.port.repeat = true;
  client.port.deliver(tcpFrame({ from: client, to: VIP, sport: 5000, dport: 80, flags: tcp.ACK }));
  one.port.deliver(tcpFrame({ from: one, to: '10.0.0.2', sport: 8080, dport: 5000, flags: tcp.ACK }));
  const turns = (count: number): void => {
    for (let turn = 0; turn < count; turn++) {
      world.turn(client);
      world.turn(one);
    }
  };
  turns(2000);
  t.same(world.drops(), []);
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('run this test with node --expose-gc, as scripts/test does');
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 50 && least >= 100_000; attempt++) {
    gc();
    const before = process.memoryUsage().heapUsed;
    turns(800);
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  t.ok(least < 100_000, `heap grew by ${least} bytes over ${1600 * 64} frames`);
  t.end();
});
