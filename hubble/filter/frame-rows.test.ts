/** Rows choose every frame that the filters choose, and are never too many. */
import t from 'tap';
import { randomFrom, SEED } from '../../test/random.ts';
import { parseIp } from '../../wire/address.ts';
import { EVENT_DROP, EVENT_L7, EVENT_TRACE } from '../../wire/event.ts';
import {
  emitFrameRow,
  FRAME_DROPPED,
  FRAME_PASSED,
  FRAME_ROW_WORDS,
  frameMatches,
  MAX_FRAME_ROWS,
} from '../../wire/frame-filter.ts';
import { Frame } from '../../wire/frame.ts';
import type { Flow } from '../flow.ts';
import { compileFilters } from './filter.ts';
import type { FlowFilter } from './flow-filter.ts';
import { frameRows, type PlacedPod } from './frame-rows.ts';

const PODS: readonly PlacedPod[] = [
  { namespace: 'shop', name: 'web-0', endpoint: 7, addresses: ['10.0.0.7', 'fd00::7'] },
  { namespace: 'shop', name: 'web-1', endpoint: 8, addresses: ['10.0.0.8'] },
  { namespace: 'shop', name: 'db-0', endpoint: 9, addresses: ['10.0.0.9', 'fd00::9'] },
  { namespace: 'away', name: 'web-0', endpoint: 0, addresses: ['10.0.1.7'] },
];
const OUTSIDE = ['192.0.2.1', '2001:db8::1'];

/** The same frame as the dataplane and as the decoder has it. */
function seen(below: (most: number) => number): { frame: Frame; kind: number; flow: Flow } {
  const family = below(2) === 0 ? 4 : 6;
  const end = () => {
    const pod = below(4) === 0 ? undefined : PODS[below(PODS.length)];
    const own = pod?.addresses.find((text) => text.includes(':') === (family === 6));
    const ip = own ?? OUTSIDE[family === 4 ? 0 : 1];
    // Who is behind a port that lies about its address.
    return { pod, ip: below(8) === 0 ? OUTSIDE[family === 4 ? 0 : 1] : ip, port: [80, 443, 40_000][below(3)] };
  };
  const [from, to] = [end(), end()];
  const protocol = [6, 17, 1, 58][below(4)];
  const frame = new Frame(new Uint8Array(0));
  const words = new Int32Array(4);
  parseIp(from.ip, words);
  [frame.src0, frame.src1, frame.src2, frame.src3] = words;
  parseIp(to.ip, words);
  [frame.dst0, frame.dst1, frame.dst2, frame.dst3] = words;
  Object.assign(frame, { family, protocol, srcPort: from.port, dstPort: to.port });
  // A pod is known by its endpoint, or by its address.
  const named = ({ pod, ip }: typeof from) => (pod?.endpoint === 0 && !pod.addresses.includes(ip) ? undefined : pod);
  frame.srcEndpoint = named(from)?.endpoint ?? 0;
  frame.dstEndpoint = named(to)?.endpoint ?? 0;
  const isDropped = below(2) === 0;
  const ports = { source_port: from.port, destination_port: to.port };
  const place = (pod?: PlacedPod) => (pod === undefined ? {} : { namespace: pod.namespace, pod_name: pod.name });
  const flow = {
    verdict: isDropped ? 'DROPPED' : 'FORWARDED',
    ...(isDropped && { drop_reason_desc: 'POLICY_DENIED' }),
    IP: { source: from.ip, destination: to.ip, ipVersion: family === 4 ? 'IPv4' : 'IPv6' },
    l4:
      protocol === 6
        ? { TCP: ports }
        : protocol === 17
          ? { UDP: ports }
          : protocol === 1
            ? { ICMPv4: {} }
            : { ICMPv6: {} },
    source: place(named(from)),
    destination: place(named(to)),
    event_type: { type: isDropped ? EVENT_DROP : EVENT_TRACE },
  } as unknown as Flow;
  return { frame, kind: isDropped ? FRAME_DROPPED : FRAME_PASSED, flow };
}

const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  source_ip: ['10.0.0.7', '10.0.0.0/24', 'fd00::/64', '::/0', '0.0.0.0/0'],
  destination_ip: ['10.0.0.9', '192.0.2.0/24', '2001:db8::1'],
  source_pod: ['shop/web', '/web-0', 'shop/', 'away/w', 'nobody/x'],
  destination_pod: ['shop/db-0', 'shop/', '/web'],
  source_port: ['80', '400-500'],
  destination_port: ['443', '1-100'],
  protocol: ['tcp', 'UDP', 'icmp', 'http'],
  verdict: ['FORWARDED', 'DROPPED'],
  ip_version: ['IPv4', 'IPv6'],
  drop_reason_desc: ['POLICY_DENIED'],
  event_type: [{ type: EVENT_DROP }, { type: EVENT_TRACE }, { type: EVENT_L7 }],
  source_label: ['k8s:app=web'],
};

function compiled(filters: readonly FlowFilter[], pods = PODS): { words: Int32Array; count: number } {
  const rows = frameRows(filters, pods);
  const words = new Int32Array(rows.length * FRAME_ROW_WORDS);
  rows.forEach((row, index) => emitFrameRow(words, index, row));
  return { words, count: rows.length };
}

t.test('no frame that the filters choose is left out', (t) => {
  const below = randomFrom(SEED);
  t.comment(`SEED=${SEED}`);
  const names = Object.keys(VALUES);
  let [chosen, spared] = [0, 0];
  for (let round = 0; round < 3000; round++) {
    const filters = Array.from({ length: 1 + below(3) }, () => {
      const fields = Array.from({ length: 1 + below(3) }, () => names[below(names.length)]);
      return Object.fromEntries(
        fields.map((field) => [
          field,
          [0, 1].slice(0, 1 + below(2)).map(() => VALUES[field][below(VALUES[field].length)]),
        ]),
      );
    });
    const matches = compileFilters(filters, []);
    let rows: ReturnType<typeof compiled>;
    try {
      rows = compiled(filters);
    } catch {
      rows = { words: new Int32Array(0), count: 0 }; // it says that none can match
    }
    for (let i = 0; i < 20; i++) {
      const { frame, kind, flow } = seen(below);
      const isChosen = frameMatches(rows.words, rows.count, frame, kind);
      const isMeant = matches({ flow });
      if (isMeant && !isChosen) t.fail(`${JSON.stringify(filters)} leaves out ${JSON.stringify(flow)}`);
      if (isMeant) chosen++;
      else if (!isChosen) spared++;
    }
  }
  t.ok(chosen > 3000, `${chosen} frames chosen`);
  t.ok(spared > 3000, `${spared} frames spared in the dataplane`);
  t.end();
});

t.test('rows are bounded: what would be too many says less', (t) => {
  const pods = Array.from({ length: 3000 }, (_, i) => ({
    ...{ namespace: 'shop', name: `web-${i}`, endpoint: 1 + i },
    addresses: [`10.1.${i >> 8}.${i & 255}`],
  }));
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i + 1));
  for (const filters of [
    [{ source_pod: ['shop/web'] }],
    [{ source_port: many(64), destination_port: many(64), protocol: ['tcp', 'udp'] }],
    Array.from({ length: 64 }, () => ({ source_pod: ['shop/web-1'], protocol: ['tcp'] })),
    Array.from({ length: 300 }, () => ({ protocol: ['tcp', 'udp'] })),
  ]) {
    const rows = frameRows(filters, pods);
    t.ok(rows.length >= 1 && rows.length <= MAX_FRAME_ROWS, `${rows.length}`);
  }
  t.match(frameRows([{ source_pod: ['shop/web'], protocol: ['tcp'] }], pods), [{ protocol: 6, source: {} }]);
  t.strictSame(frameRows([{ source_pod: ['shop/later'] }], pods), [], 'a pod that may come yet');
  t.end();
});

t.test('filters that no frame can match are refused', (t) => {
  for (const filter of [{ protocol: ['http'] }, { verdict: ['ERROR'] }, { event_type: [{ type: EVENT_L7 }] }]) {
    t.throws(() => frameRows([filter], PODS), /no frame can match/);
  }
  t.throws(() => frameRows([{ verdict: ['FORWARDED'], drop_reason_desc: ['POLICY_DENIED'] }], PODS), SyntaxError);
  t.end();
});
