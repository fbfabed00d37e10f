/** For a drawing, one edit of each kind that a person could make at each place of it. */
import { DIRECTIONS, type Drawing, type DrawnEntry, PARSERS } from '../../web/editor/model/drawing.ts';
import type { Edit } from '../../web/editor/model/edits.ts';
import type { Peer } from '../../web/editor/model/peers.ts';

export const PEERS: readonly Peer[] = [
  { kind: 'anyone' },
  { kind: 'pods', scope: { of: 'own' }, selector: { matchLabels: { app: 'fresh' } } },
  { kind: 'pods', scope: { of: 'any' }, selector: {} },
  { kind: 'pods', scope: { of: 'named', name: 'elsewhere' }, selector: { matchLabels: { app: 'fresh', tier: '010' } } },
  { kind: 'pods', scope: { of: 'labelled', selector: { matchLabels: { team: 'red' } } }, selector: {} },
  { kind: 'nodes', selector: { matchLabels: { zone: 'a' } } },
  { kind: 'cidr', cidr: '192.0.2.0/24', except: [] },
  { kind: 'cidr', cidr: '2001:db8::/32', except: ['2001:db8:1::/48'] },
  { kind: 'cidr-group', name: 'partners', except: [] },
  { kind: 'name', name: 'fresh.example' },
  { kind: 'pattern', pattern: '*.fresh.example' },
  { kind: 'entity', entity: 'world' },
  { kind: 'service', name: 'fresh', namespace: 'elsewhere' },
];

const PORTS = [
  { port: '8443', endPort: undefined, protocol: 'TCP' },
  { port: '1000', endPort: 2000, protocol: 'UDP' },
  { port: 'http', endPort: undefined, protocol: 'TCP' },
  { port: '', endPort: undefined, protocol: 'ANY' },
] as const;

const REQUESTS = {
  http: { method: 'GET', path: '/fresh(/.*)?' },
  dns: { matchName: 'a.example' },
  kafka: { topic: 't' },
};

export function everyEdit({ rules }: Drawing): Edit[] {
  const edits: Edit[] = [
    { do: 'name', text: 'other' },
    { do: 'namespace', text: 'no' },
    { do: 'audit', isOn: true },
    { do: 'audit', isOn: false },
  ];
  for (const rule of rules) {
    edits.push({ do: 'select', rule: rule.path, selector: { matchLabels: { app: 'x: y', 'a/b': '1' } } });
    edits.push({ do: 'select', rule: rule.path, selector: {} });
    for (const direction of DIRECTIONS) {
      for (const isOn of [true, false]) edits.push({ do: 'default-deny', rule: rule.path, direction, isOn });
      for (const isDeny of [false, true])
        PEERS.forEach((peer, i) => {
          const ports = i % 2 === 0 ? [] : [PORTS[i % 4]];
          edits.push({ do: 'add-entry', rule: rule.path, direction, isDeny, peer, ports });
        });
      for (const entry of rule[direction].entries) edits.push(...editsOfEntry(entry));
    }
  }
  return edits;
}

function editsOfEntry({ path: entry, peers, ports, icmps }: DrawnEntry): Edit[] {
  const edits: Edit[] = (['remove-entry', 'turn-entry', 'every-port'] as const).map((what) => ({ do: what, entry }));
  for (const peer of PEERS) edits.push({ do: 'add-peer', entry, peer });
  for (const { path } of peers) {
    edits.push({ do: 'remove-peer', entry, path });
    for (const peer of PEERS) edits.push({ do: 'set-peer', entry, path, peer });
  }
  for (const port of PORTS) edits.push({ do: 'add-port', entry, ports: undefined, port });
  for (const one of ports) {
    edits.push({ do: 'add-port', entry, ports: one.path, port: PORTS[0] }, { do: 'every-request', ports: one.path });
    edits.push({ do: 'server-names', ports: one.path, names: ['a.example', '*.b.example'] });
    edits.push({ do: 'server-names', ports: one.path, names: [] });
    for (const { path } of one.ports) {
      edits.push({ do: 'remove-port', path });
      for (const port of PORTS) edits.push({ do: 'set-port', path, port });
    }
    for (const parser of PARSERS) edits.push({ do: 'add-request', ports: one.path, parser, fields: REQUESTS[parser] });
    for (const { path } of one.requests)
      edits.push({ do: 'remove-request', path }, { do: 'set-request', path, fields: REQUESTS.http });
  }
  edits.push({ do: 'add-icmp', entry, family: 'IPv6', type: '128' });
  for (const { path } of icmps) edits.push({ do: 'remove-icmp', path });
  return edits;
}
