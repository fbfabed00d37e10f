// What the owners count reaches the pinned counters, over restarts and ports that come and go.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { PortCounters } from '../../dataplane/port/port.ts';
import { PortTable } from '../../dataplane/port/table.ts';
import type { DnsOverUdp } from '../../l7proxy/dns/datagrams.ts';
import type { DnsOverTcp } from '../../l7proxy/dns/stream.ts';
import { L7Engine } from '../../l7proxy/engine.ts';
import type { HttpProtocol } from '../../l7proxy/http/protocol.ts';
import type { KafkaProtocol } from '../../l7proxy/kafka/protocol.ts';
import type { TlsProtocol } from '../../l7proxy/tls/protocol.ts';
import { NOBODY } from '../../l7proxy/parser.ts';
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { HTTP_ERRORS } from '../../l7proxy/http1/syntax.ts';
import { counterText } from '../../policy-maps/counter.ts';
import { COUNTERS, HTTP_ERROR_KINDS } from '../../policy-maps/counters.ts';
import { CountersMap } from '../../policy-maps/counters-map.ts';
import { memoryMapper } from '../../policy-maps/table/memory-mapper.ts';
import { dnsAgent } from '../../test/dns-agent.ts';
import { Counting, type CountingParts } from './counting.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-counting-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

function newOwners() {
  const recorder = { skipped: 0, dropsCounted: 0, access: { told: 0, cut: 0, skipped: 0 } };
  const uplinks = { dropped: 0, gateway4Drops: 0, gateway6Drops: 0 };
  const errors = { limited: 0 };
  const masquerade = { exhausted: 0, displaced: 0 };
  const conntrack = {
    tcp: { evictedIdle: 0, evictedOver: 0, evictedWithin: 0, evictedEndpoint: 0 },
    any: { evictedIdle: 0, evictedOver: 0, evictedWithin: 0, evictedEndpoint: 0 },
  };
  const ports = new PortTable();
  const loop = { idleMs: 0 };
  const words = new Int32Array(64);
  const ruleSet: L7RuleSet = { parser: 'dns', endpoint: 1, ingress: false, port: 53, rules: [] };
  const ruleSets = { generation: 1, get: () => ({ generation: 1, ruleSet }) };
  const teaching = dnsAgent().maps;
  const engine = new L7Engine({ words, anyWords: words, ruleSets, output: { send: () => {} }, teaching });
  const { counters: streams, pool, table } = engine.streams;
  const { counters: datagrams } = engine.datagrams;
  const http = (engine.protocols.streamNumbered(1) as HttpProtocol).shared;
  const dnsTcp = (engine.protocols.streamNumbered(2) as DnsOverTcp).shared.counters;
  const dnsUdp = (engine.protocols.datagramOf({ ...NOBODY, egressRuleSet: 1 }) as DnsOverUdp).parser;
  const { counted: tls } = engine.protocols.streamNumbered(3) as TlsProtocol;
  const { counted: kafka } = engine.protocols.streamNumbered(4) as KafkaProtocol;
  return {
    tls,
    kafka,
    taught: engine.teaching?.counters,
    dns: [dnsTcp, dnsUdp.counters],
    underWay: dnsUdp.underWay,
    recorder,
    uplinks,
    errors,
    conntrack,
    masquerade,
    ports,
    streams,
    datagrams,
    pool,
    table,
    http,
    parts: { dataplane: { recorder, uplinks, ports, errors, conntrack, masquerade }, engine, loop },
    loop,
  };
}

t.test('a counter goes on over a restart, a gauge begins anew', (t) => {
  const mapper = memoryMapper();
  const path = join(folder, 'restart');
  const map = CountersMap.create(path, {}, mapper);
  const first = newOwners();
  const counting = new Counting(map, first.parts as unknown as CountingParts);
  first.recorder.skipped = 3;
  first.streams.opened = 1;
  first.pool.shares.used = 4096;
  counting.tick();
  first.streams.opened = 2;
  counting.tick();
  map.close();
  const second = newOwners();
  const next = new Counting(
    CountersMap.open(path, mapper, { writable: true }),
    second.parts as unknown as CountingParts,
  );
  second.streams.opened = 1;
  second.http.errors[2] = 5;
  next.tick();
  next.tick();
  const found = [...CountersMap.open(path, mapper).entries()].filter(({ value }) => value !== 0);
  t.strictSame(Object.fromEntries(found.map((one) => [counterText(one), one.value])), {
    events_skipped: 3,
    l7_opened: 3,
    'http_errors{kind="bad-target"}': 5,
  });
  t.end();
});

t.test('the row of a port is that of the port that is open now', (t) => {
  const map = CountersMap.create(join(folder, 'ports'), {}, memoryMapper());
  const { ports, parts } = newOwners();
  const counting = new Counting(map, parts as unknown as CountingParts);
  const open = (sentFrames: number) => {
    const counters = Object.assign(new PortCounters(), { sentFrames, sentBytes: 60 * sentFrames });
    const countDrops = () => counters.receiveDrops++;
    ports.port[5] = { index: 5, counters, countDrops } as unknown as (typeof ports.port)[number];
  };
  open(9);
  counting.tick();
  t.match(map.port(5), { sentFrames: 9, sentBytes: 540, receiveDrops: 1 });
  ports.port[5] = null;
  counting.tick();
  t.match(map.port(5), { sentFrames: 9 }, 'stays until the index is used again');
  open(2);
  counting.tick();
  t.match(map.port(5), { sentFrames: 2, sentBytes: 120 });
  t.end();
});

t.test('every counter has an owner, and errors of HTTP/1 have the names that the parser gives them', (t) => {
  const map = CountersMap.create(join(folder, 'all'), {}, memoryMapper());
  const owners = newOwners();
  const counting = new Counting(map, owners.parts as unknown as CountingParts);
  Object.assign(owners.recorder.access, { told: 1, cut: 1, skipped: 1 });
  owners.recorder.skipped = owners.recorder.dropsCounted = owners.uplinks.dropped = owners.errors.limited = 1;
  owners.uplinks.gateway4Drops = owners.uplinks.gateway6Drops = 1;
  const { streams, datagrams, http, pool, table, conntrack, masquerade, dns, tls, kafka, taught, underWay } = owners;
  const l7 = [
    streams,
    datagrams,
    http,
    ...dns,
    tls,
    kafka,
    taught ?? {},
    underWay,
    pool,
    pool.shares,
    table,
    table.shares,
  ];
  for (const owner of [conntrack.tcp, masquerade, ...l7]) {
    for (const [field, value] of Object.entries(owner)) {
      if (typeof value === 'number') Object.assign(owner, { [field]: 1 });
    }
  }
  for (const { errors } of [owners.http, ...dns, tls, kafka]) errors.fill(1);
  taught?.unpublished.fill(1);
  owners.loop.idleMs = 0.001;
  counting.tick();
  t.strictSame(
    [...map.entries()].filter(({ value }) => value !== 1).map(counterText),
    [],
    'all of them, each from a field of its own kind',
  );
  t.equal(COUNTERS.filter(({ name }) => name === 'http_errors').length, HTTP_ERRORS.length - 1);
  t.strictSame(
    HTTP_ERRORS.map(({ name }) => name),
    [...HTTP_ERROR_KINDS],
  );
  t.end();
});
