import t from 'tap';
import {
  API,
  decode,
  decodeL7,
  directory,
  ENDS,
  envelope,
  flows,
  frame,
  HTTP,
  l7Records,
  options,
  recordOf,
  tcpOf,
  text,
  verdictSyn,
  WEB,
} from '../../test/events.ts';
import type { AccessLog } from '../../wire/access-log.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import * as event from '../../wire/event.ts';
import { L7_FORM } from '../../wire/l7-record.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { DROP_L7_DENIED } from '../../wire/reasons.ts';
import { compileFilter } from '../filter/filter.ts';
import type { FlowFilter } from '../filter/flow-filter.ts';
import { Monitor } from '../print/monitor.ts';
import { compactText } from '../print/print.ts';
import { Decoder } from './decoder.ts';
import type { Directory } from './directory.ts';
import { dissect } from './dissect.ts';
import { readEnvelope } from './read-envelope.ts';

t.test('json: fields and order of a drop', (t) => {
  t.equal(
    JSON.stringify(flows.dropped),
    '{"time":"2024-01-02T03:04:05.006Z","verdict":"DROPPED","drop_reason":133,' +
      '"ethernet":{"source":"02:00:00:00:00:01","destination":"02:00:00:00:00:02"},' +
      '"IP":{"source":"10.0.0.1","destination":"10.0.0.2","ipVersion":"IPv4"},' +
      '"l4":{"TCP":{"source_port":41000,"destination_port":8080,"flags":{"SYN":true}}},' +
      '"source":{"ID":10,"identity":1234,"cluster_name":"default","namespace":"shop",' +
      '"labels":["k8s:app=web","k8s:io.cilium.k8s.policy.cluster=default","k8s:io.kubernetes.pod.namespace=shop"],' +
      '"pod_name":"web-0","workloads":[{"name":"web","kind":"StatefulSet"}]},' +
      '"destination":{"ID":20,"identity":2345,"namespace":"shop","labels":["k8s:app=api"],"pod_name":"api-0"},' +
      '"Type":"L3_L4","node_name":"node-1","event_type":{"type":1,"sub_type":133},"traffic_direction":"INGRESS",' +
      '"drop_reason_desc":"POLICY_DENIED","interface":{"index":4,"name":"lxcabc"},"Summary":"TCP Flags: SYN",' +
      '"ingress_denied_by":[{"name":"default-deny","namespace":"shop","kind":"NetworkPolicy"}]}',
  );
  t.end();
});

t.test(
  'json: a drop reason of our own goes out as one that a stock client knows, with our text and name beside it',
  (t) => {
    const drop = { ...verdictSyn, type: event.EVENT_DROP, subtype: DROP_L7_DENIED, verdict: 0 };
    const own = decode(recordOf(drop));
    t.match(own, { drop_reason: 133, drop_reason_desc: 'POLICY_DENIED', event_type: { type: 1, sub_type: 133 } });
    t.match(own.Summary, /^Denied by L7 policy; TCP Flags/);
    const extensions = {
      '@type': 'type.googleapis.com/google.protobuf.StringValue',
      value: 'SLUICE_L7_DENIED',
    } as const;
    t.same(own.extensions, extensions);
    t.match(compactText(own, {}), /Denied by L7 policy DROPPED \(TCP Flags/, 'here it is shown as it is');
    const again = readEnvelope(JSON.parse(JSON.stringify({ flow: own })))?.flow;
    t.same(again?.extensions, extensions, 'a file has it too');
    for (const name of ['SLUICE_L7_DENIED', 'policy_denied']) {
      t.ok(compileFilter({ drop_reason_desc: [name] })(own), name);
    }
    t.notOk(compileFilter({ drop_reason_desc: ['SLUICE_PORT_FULL'] })(own));
    t.notOk(compileFilter({ drop_reason_desc: ['SLUICE_L7_DENIED'] })(flows.dropped));
    t.equal(flows.dropped.extensions, undefined);
    const odd = { ...own, extensions: { ...extensions, value: 'x\u001b[31m' } };
    t.match(
      compactText(odd, {}),
      /Policy denied DROPPED \(Denied by L7 policy; TCP/,
      'what is no name of ours is left',
    );
    t.end();
  },
);

t.test('json: what differs by event', (t) => {
  t.match(flows.allowed, { verdict: 'FORWARDED', is_reply: false, policy_match_type: 2, event_type: { type: 5 } });
  t.notOk('drop_reason' in flows.allowed);
  t.match(flows.denied, { verdict: 'DROPPED', drop_reason: 133, drop_reason_desc: 'POLICY_DENIED' });
  t.notOk('is_reply' in flows.denied);
  t.notOk('is_reply' in flows.dropped);
  t.match(flows.traced, {
    trace_observation_point: 'TO_ENDPOINT',
    trace_reason: 'NEW',
    is_reply: false,
    traffic_direction: 'INGRESS',
  });
  t.same(flows.traced.event_type, { type: 4 }, 'sub_type 0 is left out');
  t.match(
    flows.replied,
    { is_reply: true, reply: true, trace_reason: 'REPLY', traffic_direction: 'EGRESS' },
    'a reply is turned round',
  );
  t.match(flows.replied.source, { ID: 20 });
  t.match(decode(recordOf({ type: event.EVENT_TRACE })), { trace_observation_point: 'TO_ENDPOINT' });
  t.notOk('is_reply' in decode(recordOf({ type: event.EVENT_TRACE })), 'unknown unless the record knows');
  const toProxy = decode(recordOf({ type: event.EVENT_TRACE, subtype: event.TRACE_TO_PROXY, verdict: 12 }));
  t.match(toProxy, { trace_observation_point: 'TO_PROXY', proxy_port: 12 });
  t.match(decode(recordOf({ ...verdictSyn, auth: 2, verdict: -189 })), {
    auth_type: 'TEST_ALWAYS_FAIL',
    drop_reason_desc: 'AUTH_REQUIRED',
  });
  const both = decode(recordOf({ ...verdictSyn, cookies: [7, 8] }));
  t.match(both, { ingress_allowed_by: [{ name: 'allow-web' }, { name: 'base' }], policy_log: ['audited-app'] });
  t.match(both, { egress_allowed_by: [{ name: 'default-deny' }] }, 'the other direction let it through');
  const egress = decode(recordOf({ ...verdictSyn, verdict: -181, cookies: [8, 0], direction: EGRESS }));
  t.match(egress, { egress_denied_by: [{ name: 'default-deny' }], traffic_direction: 'EGRESS' });
  const audited = decode(recordOf({ ...verdictSyn, verdict: -133, flags: event.FLAG_AUDITED, cookies: [8, 0] }));
  t.match(audited, { verdict: 'AUDIT', ingress_denied_by: [{ name: 'default-deny' }] });
  t.notOk('drop_reason' in audited, 'nothing was dropped');
  t.notOk('interface' in decode(recordOf({ type: event.EVENT_DROP, subtype: 139, ifindex: 9 })), 'a port nobody knows');
  const stamped = new Decoder({ ...options, uuid: () => 'u-1', emitter: { name: 'sluice', version: '1' } });
  t.match(stamped.decode(recordOf(verdictSyn)), { uuid: 'u-1', emitter: { name: 'sluice', version: '1' } });
  t.equal(new Decoder(options).decode(recordOf({ type: 99 })), undefined, 'events of an unknown type are no flows');
  t.end();
});

t.test('json: protocols without ports, and the first chunk of SCTP', async (t) => {
  const l4Of = (protocol: number, bytes: number[]) =>
    decode(
      recordOf({ ...verdictSyn, protocol, packet: frame(WEB.ip, API.ip, { protocol, bytes: Uint8Array.from(bytes) }) }),
    ).l4;
  const sctpOf = (chunk: number) => l4Of(132, [0, 7, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, chunk, 0, 0, 4]);
  t.same(sctpOf(1), { SCTP: { source_port: 7, destination_port: 9, chunk_type: 'INIT' } });
  t.same(sctpOf(14), { SCTP: { source_port: 7, destination_port: 9, chunk_type: 'SHUTDOWN_COMPLETE' } });
  t.same(sctpOf(0), { SCTP: { source_port: 7, destination_port: 9 } }, 'data is not told');
  t.same(l4Of(112, [0x21, 51, 100, 1]), { VRRP: { type: 1, vrid: 51, priority: 100 } });
  t.same(l4Of(2, [0x16, 0, 0, 0, 224, 0, 0, 251]), { IGMP: { type: 0x16, group_address: '224.0.0.251' } });
  for (const [protocol, size] of [
    [112, 2],
    [2, 7],
    [132, 3],
  ])
    t.equal(l4Of(protocol, new Array<number>(size).fill(1)), undefined, 'cut');
});

t.test('json: what is known of a peer by its labels, and of this node', async (t) => {
  const labels = ['k8s:app=far', 'k8s:io.kubernetes.pod.namespace=shop', 'k8s:io.cilium.k8s.policy.cluster=east'];
  const more: Directory = {
    ...directory,
    identityLabels: (identity) => (identity === 999 ? labels : undefined),
    nodeLabels: () => ['zone=a'],
  };
  const decoder = new Decoder({ ...options, directory: more });
  const flow = decoder.decode(recordOf({ ...verdictSyn, identities: [999, API.identity], endpoints: [0, API.id] }));
  t.match(flow, { source: { identity: 999, namespace: 'shop', cluster_name: 'east' }, node_labels: ['zone=a'] });
});

t.test('json: what no rule allowed was closed by those that the directory knows', async (t) => {
  const more: Directory = {
    ...directory,
    defaultDeny: (endpoint, way) => (endpoint === API.id && way === INGRESS ? 8 : 0),
  };
  const decoder = new Decoder({ ...options, directory: more });
  const drop = { type: event.EVENT_DROP, subtype: 133, verdict: -133 };
  t.match(decoder.decode(recordOf(drop)), { ingress_denied_by: [{ name: 'default-deny' }] });
  t.notOk('egress_denied_by' in (decoder.decode(recordOf({ ...drop, direction: EGRESS })) ?? {}));
  t.match(decoder.decode(recordOf({ ...drop, cookies: [7, 0] })), { ingress_denied_by: [{ name: 'allow-web' }] });
  t.notOk('ingress_denied_by' in (decoder.decode(recordOf({ ...drop, subtype: 132, verdict: -132 })) ?? {}));
});

t.test('json: of a translated connection the service that the client asked for', (t) => {
  const flowOf = (frontend: number, flags: number) => decode(recordOf({ type: event.EVENT_TRACE, frontend, flags }));
  const reply = event.FLAG_REPLY_KNOWN | event.FLAG_REPLY;
  const web = { name: 'web', namespace: 'shop' };
  t.match(flowOf(7, 0), { source_service: undefined, destination_service: web });
  t.match(flowOf(7, reply), { source_service: web, destination_service: undefined, is_reply: true });
  t.equal(flowOf(8, 0).destination_service, undefined, 'one that has gone');
  t.end();
});

t.test('json: L7', (t) => {
  t.same(flows.request.l7, {
    type: 'REQUEST',
    http: { method: 'GET', url: 'http://api:8080/x', protocol: 'HTTP/1.1' },
  });
  t.match(flows.request, {
    Type: 'L7',
    is_reply: false,
    event_type: { type: 129 },
    l4: { TCP: { source_port: 41000 } },
  });
  t.match(flows.request.source, { ID: 10, pod_name: 'web-0' });
  t.same(flows.response.l7, {
    type: 'RESPONSE',
    latency_ns: '5400000',
    http: { code: 200, method: 'GET', url: 'http://api:8080/x', protocol: 'HTTP/1.1' },
  });
  t.match(flows.response, {
    is_reply: true,
    IP: { source: API.ip, destination: WEB.ip },
    l4: { TCP: { source_port: 8080 } },
  });
  t.match(flows.response.source, { pod_name: 'api-0' }, 'the sender of a response is the server');
  t.same(flows.query.l7, { type: 'REQUEST', dns: { query: 'a.example.', observation_source: 'proxy', qtypes: ['A'] } });
  t.match(flows.answer.l7, { dns: { ips: ['192.0.2.1'], ttl: 30, rrtypes: ['A'] } });
  t.match(flows.answer.l4, { UDP: { source_port: 53, destination_port: 50000 } });
  const headers = { traceparent: ['00-0123456789abcdef0123456789abcdef-0123456789abcdef-01'], 'X-A': ['1', '2'] };
  const traced = decodeL7(
    { Type: 'Request', Verdict: 'Denied', ...ENDS, HTTP: { ...HTTP, URL: 'http://u:secret@api/x', Headers: headers } },
    { cookies: [8, 0] },
  );
  t.same(traced.trace_context, { parent: { trace_id: '0123456789abcdef0123456789abcdef' } });
  t.equal(traced.l7?.http?.url, 'http://u:HUBBLE_REDACTED@api/x');
  t.equal(traced.Summary, 'HTTP/1.1 GET http://u:HUBBLE_REDACTED@api/x');
  t.same(traced.l7?.http?.headers?.slice(1, 3), [
    { key: 'X-A', value: '1' },
    { key: 'X-A', value: '2' },
  ]);
  t.match(traced.ingress_denied_by, [{ name: 'default-deny' }]);
  const v6 = { SourceEndpoint: { IPv6: 'fd00::1', Port: 1 }, DestinationEndpoint: { IPv6: 'fd00::2', Port: 80 } };
  t.match(decodeL7({ Type: 'Request', Verdict: 'Forwarded', ...v6, HTTP }, { flags: event.FLAG_IPV6 }).IP, {
    source: 'fd00::1',
    ipVersion: 'IPv6',
  });
  t.end();
});

t.test('json: the end of a tunnel, and a record that does not tell all', (t) => {
  const ended: AccessLog = {
    Type: 'Sample',
    Verdict: 'Forwarded',
    ...ENDS,
    LatencyNs: 2_500_000_000,
    Carried: { FromClient: 3, ToClient: 2 ** 40 },
    HTTP,
  };
  const flow = decodeL7(ended);
  t.match(flow, {
    verdict: 'FORWARDED',
    l7: {
      type: 'SAMPLE',
      latency_ns: '2500000000',
      http: {
        url: HTTP.URL,
        headers: [
          { key: 'Sluice-Bytes-Sent', value: '3' },
          { key: 'Sluice-Bytes-Received', value: '1099511627776' },
        ],
      },
    },
    Summary: 'HTTP/1.1 2500ms (GET http://api:8080/x) sent 3 bytes, received 1099511627776 bytes',
  });
  t.match(compactText(flow), / http-sample FORWARDED /);
  const long: AccessLog = { ...ended, HTTP: { ...HTTP, URL: `http://api/${'x'.repeat(5000)}` } };
  const cut = decodeL7(long);
  t.equal(cut.extensions?.value, 'SLUICE_RECORD_CUT');
  t.notMatch(compactText(cut), /SLUICE_RECORD_CUT/);
  t.equal(readEnvelope(JSON.parse(JSON.stringify(envelope(cut))))?.flow?.extensions?.value, 'SLUICE_RECORD_CUT');
  t.end();
});

t.test('parts in another order, twice, or of a record that is too long make no flow', (t) => {
  const path = 'abcdefgh'.repeat(130);
  const parts = l7Records({
    Type: 'Request',
    Verdict: 'Forwarded',
    ...ENDS,
    HTTP: { ...HTTP, URL: `http://api/${path}` },
  });
  t.equal(parts.length, 5);
  const told = (records: readonly event.EventRecord[]) => {
    const decoder = new Decoder(options);
    const flows = records.flatMap((record) => decoder.take(record) ?? []);
    return { flows: flows.length, dropped: decoder.dropped };
  };
  t.same(told(parts), { flows: 1, dropped: 0 });
  for (const order of [
    [0, 1, 1, 3, 4],
    [0, 2, 1, 3, 4],
    [0, 1, 2, 2, 4],
  ]) {
    const { flows, dropped } = told(order.map((index) => parts[index]));
    t.equal(flows, 0, order.join());
    t.ok(dropped > 0);
  }
  t.same(told([{ ...parts[0], originalBytes: 16_384 }]), { flows: 0, dropped: 1 }, 'it is not waited for');
  t.end();
});

t.test('access-log records in parts', (t) => {
  const long: AccessLog = {
    Type: 'Request',
    Verdict: 'Forwarded',
    ...ENDS,
    HTTP: { ...HTTP, URL: `http://api/${'x'.repeat(600)}é` },
  };
  const parts = l7Records(long);
  t.equal(parts.length, 3);
  const decoder = new Decoder(options);
  const decodeNext = (record: event.EventRecord) => {
    const taken = decoder.take(record);
    return taken && decoder.decode(taken);
  };
  const answers = parts.map(decodeNext);
  t.same(answers.slice(0, -1), new Array(parts.length - 1).fill(undefined), 'nothing until the last part');
  t.equal(answers[parts.length - 1]?.l7?.http?.url, long.HTTP!.URL);
  t.equal(decoder.dropped, 0);

  t.equal(decodeNext(parts[1]), undefined, 'a part without its first');
  t.equal(decoder.dropped, 1);
  decodeNext(parts[0]);
  decoder.gap();
  t.equal(decoder.dropped, 2, 'a gap forgets what was begun');
  for (const part of parts.slice(1)) t.equal(decodeNext(part), undefined);
  decodeNext(parts[0]);
  decodeNext(parts[2]);
  t.equal(decodeNext(l7Records({ Type: 'Request', Verdict: 'Forwarded', HTTP })[0])?.l7?.type, 'REQUEST', 'recovers');

  const before = decoder.dropped;
  const [first] = l7Records({ Type: 'Request', Verdict: 'Forwarded', HTTP });
  const json = new TextEncoder().encode('{"Type":"Request"}');
  t.equal(decodeNext({ ...first, payload: json }), undefined, 'the form of an older dataplane');
  t.equal(decodeNext({ ...first, originalBytes: 2 ** 32 - 1 }), undefined, 'more than a record may have');
  t.equal(decodeNext({ ...first, originalBytes: 3 }), undefined, 'less than is there');
  decoder.gap();
  t.equal(decoder.dropped, before + 3);
  const odd = first.payload.slice();
  odd[3] = 99;
  t.match(
    decodeNext({ ...first, payload: odd }),
    { verdict: 'ERROR', l7: { type: 'SAMPLE' } },
    'a verdict of the future',
  );
  t.end();
});

t.test('decoding never throws, whatever the record', (t) => {
  let state = 12345;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  const decoder = new Decoder(options);
  const monitor = new Monitor({ directory });
  for (let round = 0; round < 5000; round++) {
    const bytes = new Uint8Array(event.EVENT_BYTES).map(() => random(256));
    bytes[0] = [1, 4, 5, 129, random(256)][random(5)];
    if (random(2)) bytes.set([0x08, 0x00, 0x45], event.PAYLOAD_OFFSET + 12);
    if (random(3) === 0) bytes.set([0x86, 0xdd, 0x60], event.PAYLOAD_OFFSET + 12);
    if (random(2)) bytes[event.PAYLOAD_OFFSET] = L7_FORM;
    const record = event.decodeEvent(bytes, 0);
    const flow = decoder.decode(decoder.take(record) ?? record);
    if (flow !== undefined) compactText(flow);
    monitor.text(record);
  }
  t.pass('5000 records at random');
  const whole = frame(WEB.ip, API.ip, tcpOf(41000, 8080, tcp.SYN));
  const summaries = Array.from(
    { length: whole.length + 1 },
    (_, size) => dissect(whole.subarray(0, size), true).summary,
  );
  t.same([...new Set(summaries)], ['', 'Ethernet', 'IPv4', 'TCP Flags: SYN'], 'a capture may end anywhere');
  t.end();
});

t.test('readEnvelope(): what was written is read, and anything else does no harm', (t) => {
  for (const flow of Object.values(flows))
    t.same(readEnvelope(JSON.parse(JSON.stringify(envelope(flow)))), envelope(flow));
  const written = JSON.stringify(envelope(flows.request));
  t.equal(JSON.stringify(readEnvelope(JSON.parse(written))), written, 'in the same order');
  const { time } = flows.allowed;
  t.same(readEnvelope(flows.allowed), { flow: flows.allowed, time }, 'a flow without its envelope');
  t.same([null, 1, 'x', [], undefined].map(readEnvelope), new Array(5).fill(undefined));
  t.match(readEnvelope({ flow: { tunnel: { vni: 7 } } }), { flow: { tunnel: { vni: 7 } } }, 'unknown members are kept');
  t.same(readEnvelope({ node_status: {} }), { node_status: {} });
  const traced = readEnvelope({ flow: { verdict: 'TRACED', time: '2024-01-02T03:04:05Z', Summary: 'x' } });
  t.equal(compactText(traced!.flow!), 'Jan  2 03:04:05.000:  (unknown) <>  (unknown) UNKNOWN TRACED (x)');
  // Every member of every flow, one at a time, replaced by something of another type.
  const odd: readonly unknown[] = [null, 7, 'text\u001b', true, [], [null], [{}], {}, { a: 1 }];
  const everything: FlowFilter = {
    protocol: ['tcp', 'http'],
    source_label: ['a'],
    http_path: ['x'],
    source_pod: ['/'],
  };
  const matches = compileFilter({ ...everything, source_ip: ['::/0'], tcp_flags: [{ SYN: true }], node_name: ['*'] });
  const paths = (value: unknown): string[][] =>
    typeof value !== 'object' || value === null
      ? []
      : Object.entries(value).flatMap(([key, member]) => [[key], ...paths(member).map((rest) => [key, ...rest])]);
  for (const flow of Object.values(flows)) {
    for (const path of paths(flow)) {
      for (const value of odd) {
        const copy = structuredClone(flow) as unknown as Record<string, never>;
        const last = path[path.length - 1];
        path.slice(0, -1).reduce((at, key) => at[key], copy)[last] = value as never;
        const read = readEnvelope({ flow: copy })!;
        if (read.flow !== undefined) matches(read.flow);
        for (const output of ['compact', 'dict', 'table', 'json'] as const) text({ output, policyNames: true }, read);
      }
    }
  }
  t.pass('nothing threw');
  t.end();
});
