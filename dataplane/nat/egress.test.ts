/** Egress gateway policies: which pods leave to whom with which address, and who does not leave. */
import t, { type Test } from 'tap';
import { ALLOW_ALL, type WorldPod, words } from '../../test/dataplane-world.ts';
import { tcpFrame, udpFrame } from '../../test/packets.ts';
import { quartet, type ServiceWorld, VIP } from '../../test/service-world.ts';
import { EGRESS_ADDRESS, EGRESS_EXCLUDED, EGRESS_NO_GATEWAY } from '../../policy-maps/service/egress-map.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { parsePrefix } from '../../wire/prefix.ts';

const NODE = '192.0.2.1';
const OUT = '192.0.2.50';
const OUT6 = '2001:db8::50';
const FAR = '198.51.100.7';
const FAR6 = '2001:db8:1::7';
const OTHER_FAR = '198.51.101.7';
const NOBODY = [0, 0, 0, 0] as const;

interface Setting {
  world: ServiceWorld;
  client: WorldPod;
  other: WorldPod;
  one: WorldPod;
  outside: WorldPod;
}

function setting(t: Test): Setting {
  const { world, client, other, one } = quartet(t, { policy: ALLOW_ALL });
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  world.dataplane.ports.macHigh[uplink.index] = 0x0200;
  world.dataplane.ports.macLow[uplink.index] = 0x99;
  for (const address of [NODE, OUT, OUT6]) world.maps.ipcache.upsert(words(address), 128, { identity: 1 });
  world.masquerade(NODE, 40000, 40999);
  for (const address of [OUT, OUT6]) world.maps.addressFilter.add(words(address));
  return { world, client, other, one, outside: { ...uplink, addresses: [FAR, FAR6] } };
}

/** Says of a pod's way to a prefix what the agent would. */
function say(world: ServiceWorld, source: string, to: string, kind: number, address = ''): void {
  const { words: destination, bits: prefixLength } = parsePrefix(to);
  const given = address === '' ? NOBODY : words(address);
  world.maps.egress.put({ source: words(source), destination, prefixLength, kind, address: given });
  world.maps.config.bumpWorldGeneration();
}

const seenFrom = (text: string) => text.replace(/:4\d{4}>.*/, '');

function open({ world, outside }: Setting, from: WorldPod, to: string, sport = 5000): string {
  return seenFrom(world.pass(from, outside, tcpFrame({ from, to, sport, dport: 443 })));
}

t.test('the pods that are chosen leave with the address that is chosen, by the longest prefix', (t) => {
  const all = setting(t);
  const { world, client, other } = all;
  say(world, '10.0.0.2', '0.0.0.0/0', EGRESS_ADDRESS, OUT);
  say(world, '10.0.0.2', '198.51.101.0/24', EGRESS_ADDRESS, '192.0.2.60');
  say(world, '10.0.0.2', '198.51.101.128/25', EGRESS_EXCLUDED, OUT);
  say(world, 'fd00::2', '2001:db8:1::/48', EGRESS_ADDRESS, OUT6);
  t.equal(open(all, client, FAR), OUT);
  t.equal(open(all, client, OTHER_FAR), '192.0.2.60');
  t.equal(open(all, client, '198.51.101.200'), NODE, 'an exception leaves as everybody does');
  t.equal(open(all, other, FAR), NODE, 'so does another pod');
  t.equal(open(all, client, FAR6), `[${OUT6}]`);
  const beyond = tcpFrame({ from: client, to: '2001:db8:2::7', sport: 1, dport: 2 });
  t.equal(
    world.pass(client, all.outside, beyond),
    '[fd00::2]:1>[2001:db8:2::7]:2',
    'there is no masquerading of IPv6 here',
  );
  t.end();
});

t.test('answers come back to the pod, over a service too', (t) => {
  const all = setting(t);
  const { world, client, outside } = all;
  say(world, '10.0.0.2', '0.0.0.0/0', EGRESS_ADDRESS, OUT);
  for (const make of [tcpFrame, udpFrame]) {
    const sport = 40007;
    t.equal(world.pass(client, outside, make({ from: client, to: FAR, sport, dport: 53 })), `${OUT}:40007>${FAR}:53`);
    const back = make({ from: outside, to: OUT, sport: 53, dport: 40007, flags: tcp.SYN | tcp.ACK });
    t.equal(world.pass(outside, client, back), `${FAR}:53>10.0.0.2:40007`);
  }
  world.serve([`${FAR}:8443`]);
  t.equal(
    world.pass(client, outside, tcpFrame({ from: client, to: VIP, sport: 40008, dport: 80 })),
    `${OUT}:40008>${FAR}:8443`,
  );
  t.end();
});

t.test('without a gateway or an address nothing leaves, and nothing is left behind', (t) => {
  const all = setting(t);
  const { world, client, one, outside } = all;
  say(world, '10.0.0.2', '198.51.100.0/24', EGRESS_NO_GATEWAY);
  say(world, '10.0.0.2', '198.51.101.0/24', EGRESS_ADDRESS);
  const rows = world.maps.ctTcp.count;
  t.equal(open(all, client, FAR), 'drop 194');
  t.equal(open(all, client, OTHER_FAR), 'drop 204');
  t.equal(world.maps.ctTcp.count, rows);
  say(world, '10.0.0.2', '0.0.0.0/0', EGRESS_NO_GATEWAY);
  t.equal(open(all, client, '203.0.113.1'), 'drop 194');
  t.equal(
    world.pass(client, one, tcpFrame({ from: client, to: '10.0.0.3', sport: 1, dport: 2 })),
    '10.0.0.2:1>10.0.0.3:2',
    'pods are no way out',
  );
  world.maps.ipcache.upsert(words('203.0.113.5'), 128, { identity: 1009 });
  t.equal(open(all, client, '203.0.113.5'), NODE, 'nor are pods elsewhere');
  const guest = tcpFrame({ from: outside, to: '10.0.0.2', sport: 9, dport: 80 });
  t.equal(world.pass(outside, client, guest), `${FAR}:9>10.0.0.2:80`);
  const answer = tcpFrame({ from: client, to: FAR, sport: 80, dport: 9, flags: tcp.ACK });
  t.equal(world.pass(client, outside, answer), `10.0.0.2:80>${FAR}:9`, 'nor is an answer');
  t.end();
});

t.test('a policy counts without masquerading, and for prefixes that are routed natively', (t) => {
  const all = setting(t);
  const { world, client, other } = all;
  world.settings.setNativePrefixes([{ address: words('198.51.0.0'), prefixLength: 112 }]);
  world.settings.setMasquerade(4, NOBODY);
  world.dataplane.refreshSettings();
  say(world, '10.0.0.2', '0.0.0.0/0', EGRESS_ADDRESS, OUT);
  t.equal(open(all, client, FAR), OUT);
  t.equal(open(all, client, '203.0.113.1'), OUT);
  t.match(open(all, other, FAR), /^10\.0\.0\.5:5000/);
  t.end();
});

t.test('a connection that is there gets the address that a new one would get, or ends', (t) => {
  const all = setting(t);
  const { world, client, outside } = all;
  const there = tcpFrame({ from: client, to: FAR, sport: 40001, dport: 443, flags: tcp.ACK });
  const send = () => seenFrom(world.pass(client, outside, there));
  t.equal(open(all, client, FAR, 40001), NODE);
  say(world, '10.0.0.2', '0.0.0.0/0', EGRESS_ADDRESS, OUT);
  t.equal(send(), OUT);
  t.equal(world.maps.nat.count, 1, 'the way back to the address before is gone');
  world.maps.config.bumpWorldGeneration();
  t.equal(send(), OUT, 'and stays as it is while nothing changes');
  const back = (to: string) => tcpFrame({ from: outside, to, sport: 443, dport: 40001, flags: tcp.ACK });
  t.equal(world.pass(outside, client, back(OUT)), `${FAR}:443>10.0.0.2:40001`);
  say(world, '10.0.0.2', '198.51.100.7/32', EGRESS_NO_GATEWAY);
  world.pass(outside, client, back(OUT)); // an answer decides nothing about the way out
  for (let frame = 0; frame < 3; frame++) t.equal(send(), 'drop 194', 'each of its frames');
  say(world, '10.0.0.2', '198.51.100.7/32', EGRESS_EXCLUDED);
  t.equal(send(), NODE);
  world.settings.setMasquerade(4, NOBODY);
  world.dataplane.refreshSettings();
  world.maps.config.bumpWorldGeneration();
  t.equal(world.pass(client, outside, there), `10.0.0.2:40001>${FAR}:443`, 'nobody is masqueraded any more');
  t.equal(world.maps.nat.count, 0);
  t.end();
});

t.test('a change counts whoever of the two speaks first after it', (t) => {
  const all = setting(t);
  const { world, client, outside } = all;
  world.settings.setNativePrefixes([{ address: words('198.51.0.0'), prefixLength: 112 }]);
  world.dataplane.refreshSettings();
  const send = () =>
    seenFrom(
      world.pass(client, outside, tcpFrame({ from: client, to: FAR, sport: 40001, dport: 443, flags: tcp.ACK })),
    );
  const answer = (to: string) =>
    world.pass(outside, client, tcpFrame({ from: outside, to, sport: 443, dport: 40001, flags: tcp.ACK }));
  t.match(open(all, client, FAR, 40001), /^10\.0\.0\.2/, 'it leaves as itself');
  say(world, '10.0.0.2', '0.0.0.0/0', EGRESS_ADDRESS, OUT);
  t.match(answer('10.0.0.2'), FAR);
  t.equal(send(), OUT);
  say(world, '10.0.0.2', '0.0.0.0/0', EGRESS_ADDRESS, '192.0.2.60');
  t.match(answer(OUT), FAR);
  t.equal(send(), '192.0.2.60');
  t.end();
});

t.test('while rows are missing, pods of which there is none do not leave', (t) => {
  const all = setting(t);
  const { world, client, other } = all;
  say(world, '10.0.0.2', '0.0.0.0/0', EGRESS_ADDRESS, OUT);
  world.settings.isEgressIncomplete = true;
  t.equal(open(all, client, FAR), OUT);
  t.equal(open(all, other, FAR), 'drop 194');
  world.settings.isEgressIncomplete = false;
  t.equal(open(all, other, FAR, 5001), NODE);
  t.end();
});

t.test('the next dataplane goes on with what it finds', (t) => {
  const all = setting(t);
  const { world, client, outside } = all;
  say(world, '10.0.0.2', '0.0.0.0/0', EGRESS_ADDRESS, OUT);
  t.equal(open(all, client, FAR, 40005), OUT);
  world.restart();
  world.dataplane.ports.macHigh[outside.index] = 0x0200;
  world.dataplane.ports.macLow[outside.index] = 0x99;
  const more = tcpFrame({ from: client, to: FAR, sport: 40005, dport: 443, flags: tcp.ACK });
  t.equal(world.pass(client, outside, more), `${OUT}:40005>${FAR}:443`);
  t.end();
});

t.test('what has left and comes back by the host is no frame of the host', (t) => {
  const all = setting(t);
  const { world, client, one } = all;
  const host = world.add({ addresses: ['10.0.0.1'], identity: 1, role: 'host' });
  const turned = tcpFrame({ from: { ...host, addresses: [OUT] }, to: '10.0.0.3', sport: 40010, dport: 80 });
  say(world, '10.0.0.2', '0.0.0.0/0', EGRESS_ADDRESS, OUT);
  t.equal(open(all, client, FAR, 40010), OUT);
  t.equal(world.pass(host, one, turned), 'drop 132');
  const own = tcpFrame({ from: { ...host, addresses: [OUT] }, to: '10.0.0.3', sport: 39999, dport: 80 });
  t.equal(world.pass(host, one, own), `${OUT}:39999>10.0.0.3:80`, "a port outside the range is the host's");
  t.end();
});
