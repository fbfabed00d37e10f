/** Addresses that are announced: who is answered on which link, with which MAC, and what is told unasked. */
import t, { type Test } from 'tap';
import { ETH, World, type WorldPod, words } from '../test/dataplane-world.ts';
import { Frame } from '../wire/frame.ts';
import * as arp from '../wire/header/arp.ts';
import * as ethernet from '../wire/header/ethernet.ts';
import * as icmpv6 from '../wire/header/icmpv6.ts';
import { emitRequest } from './neighbor.ts';

const VIP = '192.0.2.80';
const VIP6 = '2001:db8::80';
/** MAC of a link of the host's, and of who asks there. */
const LINK = { high: 0x0a00, low: 0x77 };
const ASKER = { macHigh: 0x0a00, macLow: 0x55, v4: words('192.0.2.7')[3], v6: words('2001:db8::7') };
const V6 = ETH + 40;

/** A question about an address, as it comes by the host's port from a link, or from the link itself. */
function question(address: string, dst: { high: number; low: number }): Uint8Array {
  const f = new Frame(new Uint8Array(256));
  f.offset = 64;
  const [w0, w1, w2, w3] = words(address);
  emitRequest(f, { w0, w1, w2, w3 }, ASKER);
  ethernet.setDstMac(f.bytes, f.offset, dst.high, dst.low);
  return f.bytes.slice(f.offset, f.offset + f.length);
}

const macOf = (bytes: Uint8Array, at: number) => [ethernet.dstMacHigh(bytes, at), ethernet.dstMacLow(bytes, at)];

function answers(world: World, port: WorldPod, address: string, dst: { high: number; low: number }): Uint8Array[] {
  world.received(port);
  world.send(port, question(address, dst));
  return world.received(port);
}

function setting(t: Test) {
  const world = new World();
  t.teardown(() => world.close());
  const host = world.add({ addresses: ['10.0.0.1'], identity: 1, role: 'host' });
  const uplink = world.add({ addresses: [], identity: 0, role: 'uplink' });
  world.dataplane.ports.macHigh.fill(0);
  world.dataplane.ports.macLow.fill(0);
  const own = { high: 0x0200, low: 1 };
  return { world, host, uplink, own };
}

t.test('on a link of the host an announced address is at the MAC of the link, on an uplink at ours', (t) => {
  const { world, host, uplink, own } = setting(t);
  const row = (address: string, mac: typeof own) => ({ address: words(address), mac });
  world.maps.l2.set([row(VIP, LINK), row(VIP6, LINK), row(VIP, own), row(VIP6, own)]);
  for (const [port, mac, dst] of [
    [host, LINK, LINK],
    [uplink, own, { high: 0xffff, low: -1 }],
  ] as const) {
    const [reply] = answers(world, port, VIP, dst);
    t.equal(arp.operation(reply, ETH), arp.OP_REPLY);
    t.same([arp.senderMacHigh(reply, ETH), arp.senderMacLow(reply, ETH)], [mac.high, mac.low]);
    t.equal(arp.senderIp(reply, ETH), words(VIP)[3]);
    t.same(macOf(reply, 0), [ASKER.macHigh, ASKER.macLow]);
    t.same([ethernet.srcMacHigh(reply, 0), ethernet.srcMacLow(reply, 0)], [mac.high, mac.low]);
    const [advert] = answers(world, port, VIP6, port === host ? LINK : { high: 0x3333, low: 0xff000080 | 0 });
    t.equal(icmpv6.type(advert, V6), icmpv6.NEIGHBOR_ADVERTISEMENT);
    const option = icmpv6.findOption(advert, V6, 32, icmpv6.OPTION_TARGET_LINK_ADDRESS);
    t.same([icmpv6.optionMacHigh(advert, option), icmpv6.optionMacLow(advert, option)], [mac.high, mac.low]);
  }
  t.same(answers(world, host, VIP, { high: 0x0a00, low: 0x78 }), [], 'another link');
  t.same(answers(world, host, VIP, { high: 0xffff, low: -1 }), [], 'the host itself asks for it elsewhere');
  t.same(answers(world, host, '192.0.2.81', LINK), []);
  world.maps.l2.set([row(VIP6, LINK)]);
  t.same([...answers(world, host, VIP, LINK), ...answers(world, uplink, VIP, { high: 0xffff, low: -1 })], []);
  t.end();
});

t.test('who asks on a link of the host is no neighbour on the way to the host', (t) => {
  const { world, host } = setting(t);
  world.maps.l2.set([{ address: words(VIP), mac: LINK }]);
  const learnt: string[] = [];
  world.dataplane.uplinks.learnV4 = () => learnt.push('v4');
  answers(world, host, VIP, LINK);
  t.same(learnt, []);
  answers(world, host, '10.0.0.9', { high: 0xffff, low: -1 });
  t.same(learnt, ['v4']);
  t.end();
});

t.test('new addresses are told three times, a second apart, where they are', (t) => {
  const { world, host, uplink, own } = setting(t);
  const tell = (sec: number) => {
    world.dataplane.announcer.tick(sec);
    world.dataplane.ports.flush();
    return [host, uplink].map((port) => world.received(port));
  };
  t.same(tell(1), [[], []]);
  world.maps.l2.set([
    { address: words(VIP), mac: LINK },
    { address: words(VIP6), mac: LINK },
    { address: words(VIP), mac: own },
  ]);
  const [[four, six], [up]] = tell(1);
  t.same([arp.senderIp(four, ETH), arp.targetIp(four, ETH)], [words(VIP)[3], words(VIP)[3]]);
  t.same([arp.senderMacHigh(four, ETH), arp.senderMacLow(four, ETH)], [LINK.high, LINK.low]);
  t.same(
    [ethernet.srcMacHigh(four, 0), ethernet.srcMacLow(four, 0), ...macOf(four, 0)],
    [LINK.high, LINK.low, 0xffff, -1],
  );
  t.equal(icmpv6.type(six, V6), icmpv6.NEIGHBOR_ADVERTISEMENT);
  t.same(macOf(six, 0), [0x3333, 1]);
  t.equal(icmpv6.neighborFlags(six, V6) & icmpv6.FLAG_SOLICITED, 0);
  t.same([arp.senderMacHigh(up, ETH), arp.senderMacLow(up, ETH)], [own.high, own.low]);
  t.same(tell(1), [[], []], 'not twice in a second');
  t.same(
    [2, 3, 4].map((sec) => tell(sec).flat().length),
    [3, 3, 0],
  );
  world.maps.l2.set([
    { address: words(VIP), mac: LINK },
    { address: words('192.0.2.81'), mac: LINK },
  ]);
  const [later] = tell(4);
  t.same(
    later.map((bytes) => arp.senderIp(bytes, ETH)),
    [words('192.0.2.81')[3]],
    'only what is new',
  );
  t.end();
});
