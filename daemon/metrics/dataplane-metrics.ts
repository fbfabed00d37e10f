/** What the dataplane counts in pinned maps, as metrics: those that Cilium has under Cilium's names, the others as `sluice_`. */
import { type Family, Read, type Reading } from '../../hubble/metrics/registry.ts';
import type { CounterEntry } from '../../policy-maps/counters-map.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { reasonText } from '../../wire/reasons.ts';
import type { PinnedMaps } from '../publish/pinned-maps.ts';

/** What Cilium calls its proxies, and the counters that say how they fare. */
const L7_COUNTERS = [
  { proxy: 'http', messages: 'http_requests', errors: 'http_errors' },
  { proxy: 'fqdn', messages: 'dns_queries', errors: 'dns_errors' },
  { proxy: 'kafka', messages: 'kafka_requests', errors: 'kafka_errors' },
  { proxy: 'tls', messages: 'tls_hellos', errors: 'tls_errors' },
] as const;

/** The name of a metric that Cilium has too, with the prefix of the configuration. */
export type Naming = (name: `cilium_${string}`) => string;

export function dataplaneFamilies(maps: PinnedMaps, named: Naming): Family[] {
  return [...frameFamilies(maps, named), ...tableFamilies(maps, named), ...portFamilies(maps), ...counters(maps)];
}

function frameFamilies({ metrics, counters }: PinnedMaps, named: Naming): Family[] {
  const cells = (isDropped: boolean) => [...metrics.entries()].filter(({ reason }) => (reason !== 0) === isDropped);
  const dropped = (unit: 'packets' | 'bytes') => (): Reading[] =>
    cells(true).map((cell) => [[reasonText(cell.reason), directionText(cell.direction)], cell[unit]]);
  const forwarded = (unit: 'packets' | 'bytes') => (): Reading[] =>
    cells(false).map((cell) => [[directionText(cell.direction)], cell[unit]]);
  const counter = (name: `cilium_${string}`, help: string, labels: readonly string[], read: () => Reading[]) =>
    new Read({ name: named(name), help, labels }, 'counter', read);
  const drops = ['reason', 'direction'];
  return [
    counter('cilium_drop_count_total', 'Packets dropped.', drops, dropped('packets')),
    counter('cilium_drop_bytes_total', 'Bytes dropped.', drops, dropped('bytes')),
    counter('cilium_forward_count_total', 'Packets forwarded.', ['direction'], forwarded('packets')),
    counter('cilium_forward_bytes_total', 'Bytes forwarded.', ['direction'], forwarded('bytes')),
    counter('cilium_policy_l7_total', 'Messages that L7 rules judged.', ['rule', 'proxy_type'], () => [
      ...l7Readings([...counters.entries()]),
    ]),
  ];
}

function directionText(direction: number): string {
  if (direction === INGRESS) return 'INGRESS';
  return direction === EGRESS ? 'EGRESS' : 'UNKNOWN';
}

function* l7Readings(entries: readonly CounterEntry[]): Generator<Reading> {
  const sum = (wanted: string, verdict?: string): number => {
    const own = entries.filter(
      ({ name, labels }) => name === wanted && (verdict ?? labels['verdict']) === labels['verdict'],
    );
    return own.reduce((total, { value }) => total + value, 0);
  };
  for (const { proxy, messages, errors } of L7_COUNTERS) {
    yield [['received', proxy], sum(messages)];
    yield [['forwarded', proxy], sum(messages, 'forwarded')];
    yield [['denied', proxy], sum(messages, 'denied')];
    yield [['parse_errors', proxy], sum(errors)];
  }
}

function tableFamilies(maps: PinnedMaps, named: Naming): Family[] {
  const tables = () => [...maps.all()].filter(([name, { file }]) => name !== 'ports' && file.capacity > 0);
  const read = (of: (file: { count: number; capacity: number; full: number; evictions: number }) => number) => () =>
    tables().map(([name, { file }]): Reading => [[name], of(file.counters)]);
  const labels = ['map_name'];
  return [
    new Read(
      { name: named('cilium_bpf_map_pressure'), help: 'How full tables are, 0 to 1.', labels },
      'gauge',
      read(({ count, capacity }) => (capacity === 0 ? 0 : count / capacity)),
    ),
    new Read(
      { name: 'sluice_map_entries', help: 'Entries of tables.', labels },
      'gauge',
      read(({ count }) => count),
    ),
    new Read(
      { name: 'sluice_map_capacity', help: 'Entries that tables have room for.', labels },
      'gauge',
      read(({ capacity }) => capacity),
    ),
    new Read(
      { name: 'sluice_map_full_total', help: 'Entries that found no room.', labels },
      'counter',
      read(({ full }) => full),
    ),
    new Read(
      { name: 'sluice_map_evictions_total', help: 'Entries that made room for others.', labels },
      'counter',
      read(({ evictions }) => evictions),
    ),
  ];
}

function portFamilies({ ports, counters }: PinnedMaps): Family[] {
  const read = (of: (row: ReturnType<typeof counters.port>) => readonly [received: number, sent: number]) => () =>
    [...ports.entries()].flatMap(({ index, ifname }): Reading[] => {
      const [received, sent] = of(counters.port(index));
      return [
        [[ifname, 'received'], received],
        [[ifname, 'sent'], sent],
      ];
    });
  const family = (name: string, help: string, readings: () => Reading[]) =>
    new Read({ name, help, labels: ['port', 'way'] }, 'counter', readings);
  return [
    family(
      'sluice_port_frames_total',
      'Frames that a port has received and sent.',
      read((row) => [row.receivedFrames, row.sentFrames]),
    ),
    family(
      'sluice_port_bytes_total',
      'Bytes that a port has received and sent, Ethernet header on.',
      read((row) => [row.receivedBytes, row.sentBytes]),
    ),
    family(
      'sluice_port_drops_total',
      'Frames lost in front of the dataplane, and frames that the other side did not take.',
      read((row) => [row.receiveDrops, row.sendDrops]),
    ),
  ];
}

/** One family for each name of policy-maps/counters.ts. */
function counters({ counters: map }: PinnedMaps): Family[] {
  const byName = new Map<string, CounterEntry[]>();
  for (const entry of map.entries()) {
    const rows = byName.get(entry.name) ?? [];
    byName.set(entry.name, [...rows, entry]);
  }
  return [...byName].map(([name, rows]) => {
    const [{ isGauge, meaning, labels }] = rows;
    const names = Object.keys(labels);
    const text = { name: `sluice_${name}${isGauge ? '' : '_total'}`, help: meaning, labels: names };
    const readings = () => rows.map((row): Reading => [names.map((label) => row.labels[label]), map.words[row.number]]);
    return new Read(text, isGauge ? 'gauge' : 'counter', readings);
  });
}
