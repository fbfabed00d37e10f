/** Which frames a recording has, and what it says became of them. */
import t, { type Test } from 'tap';
import { join } from 'node:path';
import { mapFile } from './native/index.ts';
import { MIN_RECORDING_BYTES, RecordingMap } from '../policy-maps/recording-map.ts';
import { duo, entry, forAnyPeer, SERVER, SERVER6, type World } from '../test/dataplane-world.ts';
import { pingFrame, tcpFrame, udpFrame } from '../test/packets.ts';
import { decodeEvent, EVENT_DROP, EVENT_TRACE, type EventRecord, PAYLOAD_OFFSET } from '../wire/event.ts';
import { emitFrameRow, FRAME_DROPPED, FRAME_PASSED, FRAME_ROW_WORDS, type FrameRow } from '../wire/frame-filter.ts';
import { parsePrefix, maskWord } from '../wire/prefix.ts';
import { DROP_POLICY, DROP_TTL_EXCEEDED, DROP_VLAN_FILTERED } from '../wire/reasons.ts';

const ALL: FrameRow = { kinds: FRAME_PASSED | FRAME_DROPPED, source: {}, destination: {} };

function rowsOf(...rows: FrameRow[]): Int32Array {
  const words = new Int32Array(rows.length * FRAME_ROW_WORDS);
  rows.forEach((row, index) => emitFrameRow(words, index, row));
  return words;
}

/** Begins a recording in a world. @returns what it has, since the last call */
function record(world: World, { rows = [ALL], snap = 1 << 18 }: { rows?: FrameRow[]; snap?: number } = {}) {
  const map = RecordingMap.create(join(world.folder, 'recording'), { capacity: MIN_RECORDING_BYTES }, mapFile);
  map.begin(1, snap);
  map.setRows(rowsOf(...rows), rows.length);
  world.dataplane.recorder.frames.begin(map);
  const reader = map.reader();
  return {
    map,
    taken(): EventRecord[] {
      const records: EventRecord[] = [];
      reader.read(({ bytes, at, frameBytes }) => {
        const from = at + PAYLOAD_OFFSET;
        records.push({ ...decodeEvent(bytes, at), payload: bytes.slice(from, from + frameBytes) });
      }, Number.POSITIVE_INFINITY);
      return records;
    },
  };
}

const address = (text: string) => {
  const { words, bits } = parsePrefix(text, 'host');
  return { words, mask: [0, 1, 2, 3].map((index) => maskWord(bits, index)) };
};

t.test('a frame that passes is there whole, as it was sent, with both who let it pass', (t) => {
  const policy = (cookie: number, egress: boolean) => [
    ...forAnyPeer({ egress, cookie }),
    ...forAnyPeer({ egress: !egress }),
  ];
  const { world, client, server } = duo(t, { policy: policy(9, false) }, { policy: policy(7, true) });
  const { taken } = record(world);
  const payload = Uint8Array.from({ length: 1400 }, (_, i) => i & 255);
  for (const to of [SERVER, SERVER6]) {
    const frame = udpFrame({ from: client, to, sport: 4000, dport: 53, payload });
    world.send(client, frame);
    const [got, ...more] = taken();
    t.equal(more.length, 0);
    t.match(got, {
      type: EVENT_TRACE,
      subtype: 0,
      cookie: 9,
      otherCookie: 7,
      originalBytes: frame.length,
      ifindex: client.index,
    });
    t.match(got, { srcIdentity: client.identity, dstIdentity: server.identity, sourceEndpoint: client.endpoint });
    t.strictSame(got.payload, frame, 'with the hop count that it came with');
    t.equal(world.received(server)[0].length, frame.length);
  }
  t.end();
});

t.test('a frame that is dropped is there with its reason, one that could not be delivered once', (t) => {
  const { world, client } = duo(t, { policy: [entry({ egress: true })] });
  const { taken } = record(world);
  world.send(client, tcpFrame({ from: client, to: SERVER, sport: 1, dport: 80 }));
  t.match(taken(), [{ type: EVENT_DROP, subtype: DROP_POLICY, verdict: -DROP_POLICY }]);
  const open = duo(t);
  const second = record(open.world);
  open.world.send(open.client, udpFrame({ from: open.client, to: SERVER, sport: 1, dport: 2, ttl: 1 }));
  t.match(second.taken(), [{ type: EVENT_DROP, subtype: DROP_TTL_EXCEEDED }]);
  open.world.send(open.client, udpFrame({ from: open.client, to: SERVER, sport: 1, dport: 2 }));
  t.match(second.taken(), [{ type: EVENT_TRACE }], 'and its number was given back');
  t.end();
});

t.test('rows choose by end, address, port, protocol and outcome', (t) => {
  const { world, client, server } = duo(t);
  const send = () => {
    world.send(client, udpFrame({ from: client, to: SERVER, sport: 4000, dport: 53 }));
    world.send(server, udpFrame({ from: server, to: client.addresses[0], sport: 53, dport: 4000 }));
    world.send(client, pingFrame({ from: client, to: SERVER6, id: 9 }));
  };
  const cases: [name: string, row: FrameRow, frames: number][] = [
    ['everything', ALL, 3],
    ['dropped', { ...ALL, kinds: FRAME_DROPPED }, 0],
    ['from an endpoint', { ...ALL, source: { endpoint: client.endpoint } }, 2],
    ['to an endpoint', { ...ALL, destination: { endpoint: client.endpoint } }, 1],
    ['from an address', { ...ALL, source: { address: address(SERVER) } }, 1],
    ['to a prefix', { ...ALL, destination: { address: address('10.0.0.0/8') } }, 2],
    ['to a prefix of the other family', { ...ALL, destination: { address: address('fd00::/16') } }, 1],
    ['to a port', { ...ALL, destination: { ports: { from: 50, to: 53 } }, protocol: 17 }, 1],
    ['to no such port', { ...ALL, destination: { ports: { from: 54, to: 60 } }, protocol: 17 }, 0],
    ['a protocol', { ...ALL, protocol: 17 }, 2],
    ['a family', { ...ALL, family: 6 }, 1],
  ];
  for (const [name, row, frames] of cases) {
    const { taken } = record(world, { rows: [row] });
    send();
    t.equal(taken().length, frames, name);
  }
  const { map, taken } = record(world, { rows: [cases[1][1]] });
  map.setRows(rowsOf(cases[2][1], cases[3][1]), 2);
  send();
  t.equal(taken().length, 0, 'new rows count from the next look at them on');
  world.dataplane.recorder.frames.refreshRows();
  send();
  t.equal(taken().length, 3, 'one row is enough');
  t.end();
});

t.test(
  'who sends what cannot be parsed, lies about its address or fragments does not escape a recording of its pod',
  (t) => {
    const { world, client } = duo(t);
    const rows = [
      { ...ALL, source: { endpoint: client.endpoint }, destination: { ports: { from: 80, to: 80 } }, protocol: 6 },
    ];
    const { taken } = record(world, { rows });
    const frame = tcpFrame({ from: client, to: SERVER, sport: 1, dport: 80 });
    const broken: Record<string, Uint8Array> = {
      'a runt': frame.slice(0, 10),
      'a VLAN tag': Uint8Array.from([...frame.subarray(0, 12), 0x81, 0, 0, 1, ...frame.subarray(12)]),
      'a wrong header checksum': frame.map((byte, at) => (at === 24 ? byte ^ 255 : byte)),
      'a cut TCP header': recut(frame, 14 + 20 + 8),
      'another address': tcpFrame({ from: client, to: SERVER, srcAddress: '10.9.9.9', sport: 1, dport: 80 }),
    };
    for (const [name, bytes] of Object.entries(broken)) {
      world.send(client, bytes);
      t.match(taken(), [{ type: EVENT_DROP, sourceEndpoint: client.endpoint }], name);
    }
    t.match(world.drops().includes(DROP_VLAN_FILTERED), true);
    t.end();
  },
);

t.test('a flood loses frames of the recording, and none of the traffic', (t) => {
  const { world, client, server } = duo(t);
  const { map, taken } = record(world);
  const payload = new Uint8Array(1400);
  for (let i = 0; i < 2000; i++)
    world.send(client, udpFrame({ from: client, to: SERVER, sport: 1, dport: 2, payload }));
  t.equal(world.received(server).length, 2000);
  t.equal(taken().length + map.lost, 2000);
  t.ok(map.lost > 0);
  t.end();
});

t.test('no more of a frame is kept than asked for, and nothing when nobody records', (t: Test) => {
  const { world, client } = duo(t);
  const { taken } = record(world, { snap: 61 });
  const frame = udpFrame({ from: client, to: SERVER, sport: 1, dport: 2, payload: new Uint8Array(500) });
  world.send(client, frame);
  const [got] = taken();
  t.equal(got.originalBytes, frame.length);
  t.strictSame(got.payload, frame.subarray(0, 61));
  world.dataplane.recorder.frames.end();
  world.send(client, frame);
  t.strictSame(taken(), []);
  t.end();
});

/** A frame whose IP packet ends early, checksum done. */
function recut(frame: Uint8Array, length: number): Uint8Array {
  const cut = frame.slice(0, length);
  cut[17] = length - 14;
  cut[24] = cut[25] = 0;
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += (cut[at] << 8) | cut[at + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  cut[24] = ~sum >>> 8;
  cut[25] = ~sum;
  return cut;
}
