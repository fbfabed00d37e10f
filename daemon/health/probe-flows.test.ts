/** Events of health probes are told from all others by everything that a pod cannot know or choose. */
import t from 'tap';
import { addressWords } from '../../wire/address.ts';
import {
  EVENT_DROP,
  EVENT_L7,
  EVENT_POLICY_VERDICT,
  EVENT_TRACE,
  type EventRecord,
  FLAG_IPV6,
  FLAG_L3,
} from '../../wire/event.ts';
import { echoRequest } from './probe.ts';
import { ProbeFlows } from './probe-flows.ts';

const POD: Readonly<Record<4 | 6, string>> = { 4: '10.9.0.2', 6: 'fd00:9::2' };
const HOST: Readonly<Record<4 | 6, string>> = { 4: '10.9.0.1', 6: 'fd00:9::1' };

/** An IP packet from one address to another with an echo request, or the answer to it. */
function packet(
  family: 4 | 6,
  { from = HOST[family], to = POD[family], id = 77, sequence = 5, type = 0 } = {},
): Uint8Array {
  const message = echoRequest(family, id, sequence);
  if (type !== 0) message[0] = type === -1 ? 0 : type;
  const bytes = (text: string) => {
    const all = Buffer.alloc(16);
    addressWords(text).forEach((word, i) => all.writeInt32BE(word, 4 * i));
    return family === 4 ? all.subarray(12) : all;
  };
  const header = Buffer.alloc(family === 4 ? 12 : 8);
  header[0] = family === 4 ? 0x45 : 0x60;
  header[family === 4 ? 9 : 6] = family === 4 ? 1 : 58;
  return Buffer.concat([header, bytes(from), bytes(to), message]);
}

function event(family: 4 | 6, payload: Uint8Array, rest: Partial<EventRecord> = {}): EventRecord {
  const flags = FLAG_L3 | (family === 6 ? FLAG_IPV6 : 0);
  return { type: EVENT_TRACE, verdict: 0, flags, payload, ...rest } as EventRecord;
}

t.test('ProbeFlows has what was sent and its answer, in either family, with an Ethernet header or none', async (t) => {
  const flows = new ProbeFlows(77);
  for (const family of [4, 6] as const) {
    t.notOk(flows.has(event(family, packet(family))), 'nothing was sent');
    flows.note(5, POD[family]);
    const answer = packet(family, { from: POD[family], to: HOST[family], type: family === 4 ? -1 : 129 });
    for (const own of [packet(family), answer]) {
      t.ok(flows.has(event(family, own)));
      t.ok(flows.has(event(family, own, { type: EVENT_POLICY_VERDICT })));
      const frame = Buffer.concat([Buffer.alloc(14), own]);
      t.ok(flows.has(event(family, frame, { flags: family === 6 ? FLAG_IPV6 : 0 })));
    }
  }
});

t.test('ProbeFlows has nothing else: drops, other numbers, other pods, other messages, cut ones', async (t) => {
  const flows = new ProbeFlows(77);
  for (const family of [4, 6] as const) {
    flows.note(5, POD[family]);
    const own = packet(family);
    for (const other of [
      event(family, own, { type: EVENT_DROP }),
      event(family, own, { type: EVENT_L7 }),
      event(family, own, { type: EVENT_POLICY_VERDICT, verdict: -133 }),
      event(family, packet(family, { id: 78 })),
      event(family, packet(family, { sequence: 6 })),
      event(family, packet(family, { sequence: 5 + 8192 })),
      event(family, packet(family, { to: family === 4 ? '10.9.0.3' : 'fd00:9::3' })),
      event(family, packet(family, { from: POD[family], to: HOST[family] })),
      event(family, packet(family, { type: family === 4 ? 13 : 135 })),
      event(family, own.subarray(0, own.length - 28)),
      event(family, new Uint8Array(0)),
    ])
      t.notOk(flows.has(other));
  }
});
