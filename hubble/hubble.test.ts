// Synthetic event records through decoder, filters, ring and printers; the expected lines are written out in full.
import t from 'tap';
import type { AccessLog } from '../wire/access-log.ts';
import { parseIp } from '../wire/address.ts';
import { EGRESS, INGRESS } from '../wire/direction.ts';
import * as ethernet from '../wire/header/ethernet.ts';
import * as event from '../wire/event.ts';
import * as icmp from '../wire/header/icmp.ts';
import * as icmpv6 from '../wire/header/icmpv6.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import * as sctp from '../wire/header/sctp.ts';
import * as tcp from '../wire/header/tcp.ts';
import * as udp from '../wire/header/udp.ts';
import { MATCH_L3_L4, MATCH_L4_ONLY } from '../wire/match.ts';
import { envelope, lostEnvelope } from './decode/decode.ts';
import { Decoder } from './decode/decoder.ts';
import { type Directory, EMPTY_DIRECTORY } from './decode/directory.ts';
import { dissect } from './decode/dissect.ts';
import { compileFilter, compileFilters } from './filter/filter.ts';
import type { Envelope, Flow } from './flow.ts';
import type { FlowFilter } from './filter/flow-filter.ts';
import { icmpName } from './print/icmp-names.ts';
import { compileSelector } from './filter/label-selector.ts';
import { Monitor, monitorLost, monitorMatches } from './print/monitor.ts';
import { compileNamePatterns, compileNodePatterns } from './filter/name-pattern.ts';
import { observeFilters } from './filter/observe-filter.ts';
import { compactText, FlowPrinter, type PrintOptions } from './print/print.ts';
import { readEnvelope } from './decode/read-envelope.ts';
import { Ring, select } from './ring.ts';
import { colorsOf, escapeControls } from './print/terminal.ts';
import { formatTime, parseMoment, rfc3339, TIME_FORMATS } from './time.ts';

/** Jan 2 2024, 03:04:05.006 UTC. */
const TIME_MS = 1704164645006;

const WEB = { id: 10, identity: 1234, ip: '10.0.0.1', mac: 1 };
const API = { id: 20, identity: 2345, ip: '10.0.0.2', mac: 2 };

const directory: Directory = {
  ...EMPTY_DIRECTORY,
  endpoint: (id) =>
    ({
      10: {
        namespace: 'shop',
        podName: 'web-0',
        identity: 1234,
        labels: ['k8s:io.cilium.k8s.policy.cluster=default', 'k8s:app=web', 'k8s:io.kubernetes.pod.namespace=shop'],
        workloads: [{ name: 'web', kind: 'StatefulSet' }],
      },
      20: { namespace: 'shop', podName: 'api-0', identity: 2345, labels: ['k8s:app=api'] },
    })[id],
  identityLabels: (identity) => ({ 2: ['reserved:world'], 1: ['reserved:host'] })[identity],
  pod: (ip) => (ip === '10.0.9.9' ? { namespace: 'far', podName: 'away-0' } : undefined),
  names: (ip) => (ip === '192.0.2.9' ? ['cdn.example', 'www.example'] : []),
  service: (ip, port) =>
    ip === '10.96.0.10' && port === 53 ? { name: 'kube-dns', namespace: 'kube-system' } : undefined,
  interface: (ifindex) => (ifindex === 4 ? { index: 4, name: 'lxcabc' } : undefined),
  policies: (cookie) =>
    cookie === 7
      ? [
          { name: 'allow-web', namespace: 'shop', kind: 'CiliumNetworkPolicy' },
          { name: 'base', kind: 'CiliumClusterwideNetworkPolicy' },
        ]
      : cookie === 8
        ? [{ name: 'default-deny', namespace: 'shop', kind: 'NetworkPolicy' }]
        : [],
  policyLog: (cookie) => (cookie === 7 ? ['audited-app'] : []),
};

const options = { directory, nodeName: 'node-1' };

interface L4 {
  readonly protocol: number;
  readonly bytes: Uint8Array;
}

function l4(protocol: number, size: number, emit: (bytes: Uint8Array) => void): L4 {
  const bytes = new Uint8Array(size);
  emit(bytes);
  return { protocol, bytes };
}

const tcpOf = (srcPort: number, dstPort: number, flags: number) =>
  l4(6, 20, (b) => tcp.emit(b, 0, { srcPort, dstPort, seq: 1, ack: 0, flags, window: 1000 }));
const udpOf = (srcPort: number, dstPort: number) => l4(17, 8, (b) => udp.emit(b, 0, { srcPort, dstPort }, 0));

/** A frame between two addresses of one family. */
function frame(from: string, to: string, { protocol, bytes }: L4): Uint8Array {
  const src = [0, 0, 0, 0];
  const dst = [0, 0, 0, 0];
  const family = parseIp(from, src);
  parseIp(to, dst);
  const out = new Uint8Array(14 + (family === 4 ? 20 : 40) + bytes.length);
  const etherType = family === 4 ? ethernet.ETHERTYPE_IPV4 : ethernet.ETHERTYPE_IPV6;
  ethernet.emit(out, 0, { dstMacHigh: 0x0200, dstMacLow: 2, srcMacHigh: 0x0200, srcMacLow: 1, etherType });
  if (family === 4) ipv4.emit(out, 14, { src: src[3], dst: dst[3], protocol, payloadLength: bytes.length });
  else ipv6.emit(out, 14, { src, dst, nextHeader: protocol, payloadLength: bytes.length });
  out.set(bytes, out.length - bytes.length);
  return out;
}

interface Event {
  readonly type: number;
  readonly subtype?: number;
  readonly packet?: Uint8Array;
  readonly flags?: number;
  readonly identities?: readonly [number, number];
  readonly endpoints?: readonly [number, number];
  readonly direction?: number;
  readonly verdict?: number;
  readonly match?: number;
  readonly auth?: number;
  readonly cookies?: readonly [number, number];
  readonly ifindex?: number;
  readonly traceReason?: number;
  readonly hash?: number;
  readonly protocol?: number;
  readonly timeMs?: number;
}

function recordOf(e: Event): event.EventRecord {
  const bytes = new Uint8Array(event.EVENT_BYTES);
  event.begin(bytes, 0, e.type, e.subtype ?? 0, e.timeMs ?? TIME_MS);
  event.setFlags(bytes, 0, e.flags ?? 0);
  event.setIdentities(bytes, 0, e.identities?.[0] ?? WEB.identity, e.identities?.[1] ?? API.identity);
  event.setSourceEndpoint(bytes, 0, e.endpoints?.[0] ?? WEB.id);
  event.setDestinationEndpoint(bytes, 0, e.endpoints?.[1] ?? API.id);
  event.setDirection(bytes, 0, e.direction ?? INGRESS);
  event.setVerdict(bytes, 0, e.verdict ?? 0);
  event.setMatchType(bytes, 0, e.match ?? 0);
  event.setAuthType(bytes, 0, e.auth ?? 0);
  event.setCookies(bytes, 0, e.cookies?.[0] ?? 0, e.cookies?.[1] ?? 0);
  event.setIfindex(bytes, 0, e.ifindex ?? 0);
  event.setTraceReason(bytes, 0, e.traceReason ?? 0);
  event.setHash(bytes, 0, e.hash ?? 0);
  event.setProtocol(bytes, 0, e.protocol ?? 6);
  const packet = e.packet ?? frame(WEB.ip, API.ip, tcpOf(41000, 8080, tcp.SYN));
  event.capture(bytes, 0, packet, 0, packet.length);
  return event.decodeEvent(bytes, 0);
}

/** The records of one access-log text. */
function l7Records(log: AccessLog, e: Omit<Event, 'type'> = {}): event.EventRecord[] {
  const text = new TextEncoder().encode(JSON.stringify(log));
  return Array.from({ length: event.partsOf(text.length) }, (_, part) => {
    const base = recordOf({ ...e, type: event.EVENT_L7 });
    const bytes = new Uint8Array(event.EVENT_BYTES);
    event.begin(bytes, 0, event.EVENT_L7, part, base.timeMs);
    event.setFlags(bytes, 0, e.flags ?? 0);
    event.capturePart(bytes, 0, text, part);
    const { subtype, originalBytes, flags, payload } = event.decodeEvent(bytes, 0);
    return { ...base, subtype, originalBytes, flags, payload };
  });
}

function decode(record: event.EventRecord): Flow {
  const flow = new Decoder(options).decode(record);
  if (flow === undefined) throw new Error('not decoded');
  return flow;
}

function decodeL7(log: AccessLog, e: Omit<Event, 'type'> = {}): Flow {
  const decoder = new Decoder(options);
  const flows = l7Records(log, e).map((record) => decoder.decode(record));
  return flows[flows.length - 1]!;
}

const verdictSyn: Event = { type: event.EVENT_POLICY_VERDICT, match: MATCH_L3_L4 };
const traceFlags = event.FLAG_REPLY_KNOWN;
const ENDS = {
  SourceEndpoint: { IPv4: WEB.ip, Port: 41000 },
  DestinationEndpoint: { IPv4: API.ip, Port: 8080 },
};
const HTTP = { Method: 'GET', URL: 'http://api:8080/x', Protocol: 'HTTP/1.1' };
const DNS = { Query: 'a.example.', QTypes: ['A'], ObservationSource: 'proxy' };
const DNS_ENDS = { SourceEndpoint: { IPv4: WEB.ip, Port: 50000 }, DestinationEndpoint: { IPv4: '10.0.9.9', Port: 53 } };

const flows = {
  allowed: decode(recordOf(verdictSyn)),
  denied: decode(recordOf({ ...verdictSyn, match: 0, verdict: -133, cookies: [8, 0] })),
  dropped: decode(recordOf({ type: event.EVENT_DROP, subtype: 133, verdict: -133, cookies: [8, 0], ifindex: 4 })),
  traced: decode(recordOf({ type: event.EVENT_TRACE, flags: traceFlags, ifindex: 4 })),
  replied: decode(
    recordOf({
      type: event.EVENT_TRACE,
      flags: traceFlags | event.FLAG_REPLY,
      traceReason: event.TRACE_REASON_REPLY,
      packet: frame(API.ip, WEB.ip, tcpOf(8080, 41000, tcp.SYN | tcp.ACK)),
      identities: [API.identity, WEB.identity],
      endpoints: [API.id, WEB.id],
    }),
  ),
  request: decodeL7({ Type: 'Request', Verdict: 'Forwarded', ...ENDS, HTTP }),
  response: decodeL7({
    Type: 'Response',
    Verdict: 'Forwarded',
    ...ENDS,
    LatencyNs: 5_400_000,
    HTTP: { ...HTTP, Code: 200 },
  }),
  query: decodeL7(
    { Type: 'Request', Verdict: 'Forwarded', ...DNS_ENDS, DNS },
    { protocol: 17, endpoints: [10, 0], identities: [1234, 4567] },
  ),
  answer: decodeL7(
    {
      Type: 'Response',
      Verdict: 'Forwarded',
      ...DNS_ENDS,
      DNS: { ...DNS, IPs: ['192.0.2.1'], TTL: 30, AnswerTypes: ['A'] },
    },
    { protocol: 17, endpoints: [10, 0], identities: [1234, 4567] },
  ),
  world: decode(
    recordOf({
      type: event.EVENT_DROP,
      subtype: 132,
      packet: frame('192.0.2.7', '10.0.0.3', tcpOf(443, 22, tcp.SYN)),
      identities: [2, 1],
      endpoints: [0, 0],
    }),
  ),
};

t.test('compact: one line for each kind of event', (t) => {
  const lines: readonly [string, Flow, string][] = [
    [
      'verdict allowed',
      flows.allowed,
      'shop/web-0:41000 (ID:1234) -> shop/api-0:8080 (ID:2345) policy-verdict:L3-L4 INGRESS ALLOWED (TCP Flags: SYN)',
    ],
    [
      'verdict denied',
      flows.denied,
      'shop/web-0:41000 (ID:1234) <> shop/api-0:8080 (ID:2345) policy-verdict:none INGRESS DENIED (TCP Flags: SYN)',
    ],
    [
      'drop',
      flows.dropped,
      'shop/web-0:41000 (ID:1234) <> shop/api-0:8080 (ID:2345) Policy denied DROPPED (TCP Flags: SYN)',
    ],
    [
      'trace',
      flows.traced,
      'shop/web-0:41000 (ID:1234) -> shop/api-0:8080 (ID:2345) to-endpoint FORWARDED (TCP Flags: SYN)',
    ],
    [
      'reply',
      flows.replied,
      'shop/web-0:41000 (ID:1234) <- shop/api-0:8080 (ID:2345) to-endpoint FORWARDED (TCP Flags: SYN, ACK)',
    ],
    [
      'http request',
      flows.request,
      'shop/web-0:41000 (ID:1234) -> shop/api-0:8080 (ID:2345) http-request FORWARDED (HTTP/1.1 GET http://api:8080/x)',
    ],
    [
      'http response',
      flows.response,
      'shop/web-0:41000 (ID:1234) <- shop/api-0:8080 (ID:2345) http-response FORWARDED (HTTP/1.1 200 5ms (GET http://api:8080/x))',
    ],
    [
      'dns request',
      flows.query,
      'shop/web-0:50000 (ID:1234) -> far/away-0:53 (ID:4567) dns-request proxy FORWARDED (DNS Query a.example. A)',
    ],
    [
      'dns response',
      flows.answer,
      'shop/web-0:50000 (ID:1234) <- far/away-0:53 (ID:4567) dns-response proxy FORWARDED (DNS Answer "192.0.2.1" TTL: 30 (Proxy a.example. A))',
    ],
    [
      'reserved identities',
      flows.world,
      '192.0.2.7:443 (world) <> 10.0.0.3:22 (host) Invalid source ip DROPPED (TCP Flags: SYN)',
    ],
    [
      'redirect',
      decode(recordOf({ ...verdictSyn, match: MATCH_L4_ONLY, verdict: 12, direction: EGRESS })),
      'shop/web-0:41000 (ID:1234) -> shop/api-0:8080 (ID:2345) policy-verdict:L4-Only EGRESS ALLOWED (TCP Flags: SYN)',
    ],
    [
      'audit',
      decode(recordOf({ ...verdictSyn, match: 0, verdict: -133, flags: event.FLAG_AUDITED })),
      'shop/web-0:41000 (ID:1234) -> shop/api-0:8080 (ID:2345) policy-verdict:none INGRESS AUDITED (TCP Flags: SYN)',
    ],
    [
      'authentication',
      decode(recordOf({ ...verdictSyn, verdict: -189, auth: 1 })),
      'shop/web-0:41000 (ID:1234) <> shop/api-0:8080 (ID:2345) policy-verdict:L3-L4 INGRESS DENIED (TCP Flags: SYN; Auth: SPIRE)',
    ],
    [
      'http denied',
      decodeL7({ Type: 'Request', Verdict: 'Denied', ...ENDS, HTTP: { ...HTTP, Method: 'PUT', Code: 403 } }),
      'shop/web-0:41000 (ID:1234) -> shop/api-0:8080 (ID:2345) http-request DROPPED (HTTP/1.1 PUT http://api:8080/x)',
    ],
    [
      'http error',
      decodeL7({ Type: 'Request', Verdict: 'Error', ...ENDS, HTTP }),
      'shop/web-0:41000 (ID:1234) -> shop/api-0:8080 (ID:2345) http-request ERROR (HTTP/1.1 GET http://api:8080/x)',
    ],
    [
      'dns refused',
      decodeL7({ Type: 'Response', Verdict: 'Denied', ...ENDS, DNS: { ...DNS, RCode: 5 } }),
      'shop/web-0:41000 (ID:1234) <- shop/api-0:8080 (ID:2345) dns-response proxy DROPPED (DNS Answer RCode: Query Refused TTL: 0 (Proxy a.example. A))',
    ],
    [
      'dns alias',
      decodeL7({
        Type: 'Response',
        Verdict: 'Forwarded',
        ...ENDS,
        DNS: { Query: 'a.', CNAMEs: ['b.', 'c.'], QTypes: ['A', 'AAAA'] },
      }),
      'shop/web-0:41000 (ID:1234) <- shop/api-0:8080 (ID:2345) dns-response  FORWARDED (DNS Answer CNAMEs: "b.,c." TTL: 0 (Query a. A,AAAA))',
    ],
    [
      'kafka',
      decodeL7({
        Type: 'Request',
        Verdict: 'Denied',
        ...ENDS,
        Kafka: { APIKey: 'produce', CorrelationID: 1, Topic: 't' },
      }),
      "shop/web-0:41000 (ID:1234) -> shop/api-0:8080 (ID:2345) kafka-request DROPPED (Kafka request produce correlation id 1 topic 't')",
    ],
    [
      'udp to a service',
      decode(
        recordOf({
          type: event.EVENT_TRACE,
          subtype: event.TRACE_FROM_ENDPOINT,
          packet: frame(WEB.ip, '10.96.0.10', udpOf(5353, 53)),
          endpoints: [10, 0],
          identities: [1234, 0],
        }),
      ),
      'shop/web-0:5353 (ID:1234) <> kube-system/kube-dns:53 (unknown) from-endpoint FORWARDED (UDP)',
    ],
    [
      'names',
      decode(
        recordOf({
          type: event.EVENT_TRACE,
          subtype: event.TRACE_TO_NETWORK,
          flags: traceFlags,
          packet: frame(WEB.ip, '192.0.2.9', tcpOf(1, 443, tcp.FIN | tcp.PSH | tcp.ACK)),
          endpoints: [10, 0],
          identities: [1234, 2],
          direction: EGRESS,
        }),
      ),
      'shop/web-0:1 (ID:1234) -> cdn.example,www.example:443 (world) to-network FORWARDED (TCP Flags: ACK, FIN, PSH)',
    ],
    [
      'icmp',
      decode(
        recordOf({
          type: event.EVENT_DROP,
          subtype: 181,
          packet: frame(
            WEB.ip,
            API.ip,
            l4(1, 8, (b) => icmp.emit(b, 0, 8, 0, 0)),
          ),
        }),
      ),
      'shop/web-0 (ID:1234) <> shop/api-0 (ID:2345) Policy denied by denylist DROPPED (ICMPv4 EchoRequest)',
    ],
    [
      'icmp error',
      decode(
        recordOf({
          type: event.EVENT_TRACE,
          flags: traceFlags,
          packet: frame(
            WEB.ip,
            API.ip,
            l4(1, 8, (b) => icmp.emit(b, 0, 3, 3, 0)),
          ),
        }),
      ),
      'shop/web-0 (ID:1234) -> shop/api-0 (ID:2345) to-endpoint FORWARDED (ICMPv4 DestinationUnreachable(Port))',
    ],
    [
      'icmpv6',
      decode(
        recordOf({
          type: event.EVENT_DROP,
          subtype: 176,
          endpoints: [0, 0],
          packet: frame(
            'fd00::1',
            'ff02::1',
            l4(58, 8, (b) => icmpv6.emit(b, 0, 134, 0, 0)),
          ),
        }),
      ),
      'fd00::1 (ID:1234) <> ff02::1 (ID:2345) Forbidden ICMPv6 message DROPPED (ICMPv6 RouterAdvertisement)',
    ],
    [
      'tcp over IPv6',
      decode(
        recordOf({
          type: event.EVENT_DROP,
          subtype: 133,
          endpoints: [0, 0],
          packet: frame('fd00::1', 'fd00::2', tcpOf(1, 2, tcp.RST)),
        }),
      ),
      '[fd00::1]:1 (ID:1234) <> [fd00::2]:2 (ID:2345) Policy denied DROPPED (TCP Flags: RST)',
    ],
    [
      'sctp',
      decode(
        recordOf({
          type: event.EVENT_DROP,
          subtype: 133,
          packet: frame(
            WEB.ip,
            API.ip,
            l4(132, 12, (b) => sctp.emit(b, 0, { srcPort: 7, dstPort: 9, verificationTag: 0 })),
          ),
        }),
      ),
      'shop/web-0:7 (ID:1234) <> shop/api-0:9 (ID:2345) Policy denied DROPPED (SCTP)',
    ],
    [
      'no IP',
      decode(
        recordOf({
          type: event.EVENT_DROP,
          subtype: 139,
          endpoints: [0, 0],
          identities: [0, 0],
          packet: Uint8Array.from([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xcc, 1, 2]),
        }),
      ),
      '02:00:00:00:00:01 (unknown) <> 02:00:00:00:00:02 (unknown) Unsupported L3 protocol DROPPED (Ethernet)',
    ],
    [
      'unknown reason',
      decode(recordOf({ type: event.EVENT_DROP, subtype: 159 })),
      'shop/web-0:41000 (ID:1234) <> shop/api-0:8080 (ID:2345) 159 DROPPED (TCP Flags: SYN)',
    ],
  ];
  for (const [name, flow, expected] of lines) t.equal(compactText(flow), `Jan  2 03:04:05.006: ${expected}`, name);
  t.end();
});

const text = (print: Partial<PrintOptions>, ...envelopes: Envelope[]) => {
  let out = '';
  let err = '';
  const printer = new FlowPrinter(
    { output: 'compact', ...print },
    (s) => (out += s),
    (s) => (err += s),
  );
  for (const one of envelopes) printer.write(one);
  printer.close();
  return [out, err];
};

t.test('options of the printer', (t) => {
  const named = decode(recordOf({ ...verdictSyn, cookies: [7, 0] }));
  const line = (flow: Flow, o: Omit<PrintOptions, 'output'>) =>
    compactText(flow, o).slice('Jan  2 03:04:05.006'.length);
  t.equal(
    line(named, { policyNames: true }),
    ': shop/web-0:41000 (ID:1234) -> shop/api-0:8080 (ID:2345) policy-verdict:L3-L4 INGRESS ALLOWED BY allow-web (CiliumNetworkPolicy), base (CiliumClusterwideNetworkPolicy) (TCP Flags: SYN)',
  );
  t.match(line(flows.denied, { policyNames: true }), 'INGRESS DENIED BY default-deny (NetworkPolicy) (TCP');
  t.match(line(flows.dropped, { policyNames: true }), 'Policy denied DROPPED BY default-deny (NetworkPolicy) (TCP');
  t.match(line(flows.traced, { policyNames: true }), 'to-endpoint FORWARDED (TCP', 'nobody to name');
  t.match(line(flows.world, { numeric: true }), ': 192.0.2.7:443 (ID:2) <> 10.0.0.3:22 (ID:1) Invalid');
  t.match(line(flows.traced, { numeric: true }), ': 10.0.0.1:41000 (ID:1234) -> 10.0.0.2:8080 (ID:2345)');
  t.match(line(flows.traced, { ipTranslation: false }), ': 10.0.0.1:41000 (ID:1234) ->');
  t.match(line(flows.traced, { nodeName: true }), / \[node-1\]: shop\/web-0/);
  t.match(compactText(flows.traced, { timeFormat: 'RFC3339Milli' }), /^2024-01-02T03:04:05\.006Z: /);
  const paint = (code: number) => (s: string) => `\u001b[${code}m${s}\u001b[0m`;
  const colors = colorsOf({ red: paint(31), green: paint(32), yellow: paint(33), magenta: paint(35), cyan: paint(36) });
  t.equal(
    line(flows.dropped, { colors, numeric: true }),
    ': \u001b[36m10.0.0.1:\u001b[33m41000\u001b[0m\u001b[0m \u001b[35m(ID:1234)\u001b[0m <> ' +
      '\u001b[36m10.0.0.2:\u001b[33m8080\u001b[0m\u001b[0m \u001b[35m(ID:2345)\u001b[0m Policy denied \u001b[31mDROPPED\u001b[0m (TCP Flags: SYN)',
  );
  t.end();
});

t.test('dict, table, json and lost events', (t) => {
  const [a, b] = [envelope(flows.allowed), envelope(flows.dropped)];
  const lost = lostEnvelope('HUBBLE_RING_BUFFER', 1, 'node-1', TIME_MS);
  t.equal(
    text({ output: 'dict' }, a, b, lost)[0],
    `  TIMESTAMP: Jan  2 03:04:05.006
     SOURCE: shop/web-0:41000
DESTINATION: shop/api-0:8080
       TYPE: policy-verdict:L3-L4 INGRESS
    VERDICT: ALLOWED
    SUMMARY: TCP Flags: SYN
------------
  TIMESTAMP: Jan  2 03:04:05.006
     SOURCE: shop/web-0:41000
DESTINATION: shop/api-0:8080
       TYPE: Policy denied
    VERDICT: DROPPED
    SUMMARY: TCP Flags: SYN
------------
  TIMESTAMP: 
     SOURCE: HUBBLE_RING_BUFFER
       TYPE: EVENTS LOST
    VERDICT: 
    SUMMARY: CPU(0) - 1
`,
  );
  t.match(text({ output: 'dict', nodeName: true }, a)[0], /\n       NODE: node-1\n/);
  const table = `TIMESTAMP             SOURCE               DESTINATION       TYPE                           VERDICT   SUMMARY
Jan  2 03:04:05.006   shop/web-0:41000     shop/api-0:8080   policy-verdict:L3-L4 INGRESS   ALLOWED   TCP Flags: SYN
Jan  2 03:04:05.006   shop/web-0:41000     shop/api-0:8080   Policy denied                  DROPPED   TCP Flags: SYN
                      HUBBLE_RING_BUFFER                     EVENTS LOST                              CPU(0) - 1
`;
  t.equal(text({ output: 'table' }, a, b, lost)[0], table);
  t.equal(text({ output: 'tab' }, a, b, lost)[0], table);
  t.match(text({ output: 'table', nodeName: true }, a)[0], /^TIMESTAMP +NODE +SOURCE/);
  t.same(text({ output: 'compact' }, lost), ['', 'EVENTS LOST: HUBBLE_RING_BUFFER CPU(0) 1\n']);
  t.same(text({ output: 'json' }, lost), [
    '{"lost_events":{"source":"HUBBLE_RING_BUFFER","num_events_lost":"1"},"node_name":"node-1","time":"2024-01-02T03:04:05.006Z"}\n',
    '',
  ]);
  t.same(text({ output: 'compact' }, {}), ['', ''], 'an empty envelope prints nothing');
  t.equal(text({ output: 'jsonpb' }, b)[0], `${JSON.stringify(b)}\n`);
  t.end();
});

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
  t.match(
    decode(recordOf({ type: event.EVENT_DROP, subtype: 139, ifindex: 9 })).interface,
    { index: 9 },
    'a port nobody knows',
  );
  const stamped = new Decoder({ ...options, uuid: () => 'u-1', emitter: { name: 'sluice', version: '1' } });
  t.match(stamped.decode(recordOf(verdictSyn)), { uuid: 'u-1', emitter: { name: 'sluice', version: '1' } });
  t.equal(new Decoder(options).decode(recordOf({ type: 99 })), undefined, 'events of an unknown type are no flows');
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
  t.same(traced.l7?.http?.headers?.slice(0, 2), [
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

t.test('access-log records in parts', (t) => {
  const long: AccessLog = {
    Type: 'Request',
    Verdict: 'Forwarded',
    ...ENDS,
    HTTP: { ...HTTP, URL: `http://api/${'x'.repeat(600)}é` },
  };
  const parts = l7Records(long);
  t.ok(parts.length > 3);
  const decoder = new Decoder(options);
  const answers = parts.map((part) => decoder.decode(part));
  t.same(answers.slice(0, -1), new Array(parts.length - 1).fill(undefined), 'nothing until the last part');
  t.equal(answers[parts.length - 1]?.l7?.http?.url, long.HTTP!.URL);
  t.equal(decoder.dropped, 0);

  t.equal(decoder.decode(parts[1]), undefined, 'a part without its first');
  t.equal(decoder.dropped, 1);
  decoder.decode(parts[0]);
  decoder.gap();
  t.equal(decoder.dropped, 2, 'a gap forgets what was begun');
  for (const part of parts.slice(1)) t.equal(decoder.decode(part), undefined);
  decoder.decode(parts[0]);
  decoder.decode(parts[2]);
  t.equal(
    decoder.decode(l7Records({ Type: 'Request', Verdict: 'Forwarded', HTTP })[0])?.l7?.type,
    'REQUEST',
    'recovers with the next',
  );

  const before = decoder.dropped;
  const hostile: readonly unknown[] = [
    null,
    [],
    1,
    {},
    { Type: 'Request' },
    { Type: 'Request', Verdict: 'Forwarded', HTTP: 'x' },
    { Type: 'Request', Verdict: 'Forwarded', HTTP: { Method: 1, URL: 2 } },
    { Type: 'Request', Verdict: 'Forwarded', HTTP: { URL: '', Headers: { a: 'b' } } },
    { Type: 'Request', Verdict: 'Forwarded', DNS: { IPs: 'x' } },
    { Type: 'Request', Verdict: 'Forwarded', SourceEndpoint: null },
  ];
  for (const value of hostile) {
    const [record] = l7Records(value as AccessLog);
    t.equal(decoder.decode(record), undefined, `no flow of ${JSON.stringify(value)}`);
  }
  t.equal(decoder.dropped, before + hostile.length);
  t.equal(decodeL7({ Type: 'Odd', Verdict: 'Odd' } as unknown as AccessLog).verdict, 'VERDICT_UNKNOWN');
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
    const record = event.decodeEvent(bytes, 0);
    const flow = decoder.decode(record);
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

t.test('monitor lines', (t) => {
  const line = (e: Event, numeric = false) => new Monitor({ directory, numeric }).text(recordOf({ hash: 1, ...e }));
  const packet = frame(WEB.ip, API.ip, tcpOf(41000, 80, tcp.SYN));
  t.equal(
    line({ type: event.EVENT_DROP, subtype: 133, endpoints: [10, 20], ifindex: 4, packet }),
    'xx drop (Policy denied) flow 0x1 to endpoint 20, ifindex 4, file sluice:0, identity 1234->2345: 10.0.0.1:41000 -> 10.0.0.2:80 tcp SYN',
  );
  t.equal(
    line({ type: event.EVENT_TRACE, ifindex: 4, packet }),
    '-> endpoint 20 flow 0x1 , identity 1234->2345 state new ifindex lxcabc orig-ip 0.0.0.0: 10.0.0.1:41000 -> 10.0.0.2:80 tcp SYN',
  );
  t.equal(
    line({ type: event.EVENT_POLICY_VERDICT, verdict: -133, packet }),
    'Policy verdict log: flow 0x1 local EP ID 20, remote ID 1234, proto 6, ingress, action deny, auth: disabled, match none, 10.0.0.1:41000 -> 10.0.0.2:80 tcp SYN',
  );
  t.equal(
    line({
      type: event.EVENT_POLICY_VERDICT,
      verdict: 3,
      match: 2,
      direction: EGRESS,
      identities: [1234, 2],
      auth: 1,
      packet,
    }),
    'Policy verdict log: flow 0x1 local EP ID 10, remote ID world, proto 6, egress, action redirect, auth: spire, match L3-L4, 10.0.0.1:41000 -> 10.0.0.2:80 tcp SYN',
  );
  t.match(line({ type: event.EVENT_POLICY_VERDICT, identities: [2, 1] }, true), 'remote ID 2, proto');
  t.match(line({ type: event.EVENT_POLICY_VERDICT, verdict: -133, flags: event.FLAG_AUDITED }), 'action audit,');
  t.match(line({ type: event.EVENT_POLICY_VERDICT }), 'action allow,');
  t.match(
    line({
      type: event.EVENT_TRACE,
      subtype: event.TRACE_FROM_NETWORK,
      traceReason: 2,
      identities: [2, 1],
      flags: event.FLAG_IPV6,
      packet: frame('fd00::1', 'fd00::2', udpOf(1, 53)),
    }),
    '<- network flow 0x1 , identity world->host state reply ifindex 0 orig-ip ::: [fd00::1]:1 -> [fd00::2]:53 udp',
  );
  t.match(line({ type: event.EVENT_TRACE, subtype: event.TRACE_FROM_ENDPOINT }), /^<- endpoint 10 flow/);
  t.match(line({ type: event.EVENT_TRACE, subtype: event.TRACE_TO_PROXY, verdict: 12 }), /^-> proxy port 12 flow/);
  t.match(line({ type: event.EVENT_TRACE, subtype: event.TRACE_TO_HOST }), /^-> host from flow/);
  t.match(line({ type: event.EVENT_TRACE, subtype: 99 }), /^unknown trace flow/);
  t.match(
    line({
      type: event.EVENT_DROP,
      subtype: 133,
      packet: frame(
        WEB.ip,
        API.ip,
        l4(1, 8, (b) => icmp.emit(b, 0, 8, 0, 0)),
      ),
    }),
    ': 10.0.0.1 -> 10.0.0.2 EchoRequest',
  );
  t.match(
    line({
      type: event.EVENT_DROP,
      subtype: 133,
      packet: frame(
        WEB.ip,
        API.ip,
        l4(47, 4, () => undefined),
      ),
    }),
    /: 10\.0\.0\.1 -> 10\.0\.0\.2$/,
  );
  t.match(line({ type: event.EVENT_DROP, subtype: 139, packet: new Uint8Array(5) }), /: \[unknown\]$/);
  const hashes = [packet, frame(API.ip, WEB.ip, tcpOf(80, 41000, tcp.ACK))].map(
    (p) => /flow (0x\w+)/.exec(line({ type: event.EVENT_DROP, hash: 0, packet: p }) ?? '')?.[1],
  );
  t.equal(hashes[0], hashes[1], 'both directions have one hash');
  t.not(hashes[0], '0x0');

  const l7 = (log: AccessLog, e: Omit<Event, 'type'> = {}, form: 'line' | 'json' = 'line') =>
    l7Records(log, e).reduce<(string | undefined)[]>(
      (_, record, __, all) => [new Monitor({ directory, form }).text(all.length === 1 ? record : all[0])],
      [],
    )[0];
  t.equal(
    l7(
      {
        Type: 'Request',
        Verdict: 'Denied',
        HTTP: { Method: 'PUT', URL: 'http://api/x', Protocol: 'HTTP/1.1', Code: 403 },
      },
      { endpoints: [0, 20], identities: [2, 2345] },
    ),
    '<- Request http from 0 ([reserved:world]) to 20 ([k8s:app=api]), identity 2->2345, verdict Denied PUT http://api/x => 403',
  );
  t.equal(
    l7(
      { Type: 'Response', Verdict: 'Forwarded', DNS: { ...DNS, IPs: ['192.0.2.1'], TTL: 30 } },
      { direction: EGRESS, endpoints: [20, 0], identities: [2345, 1] },
    ),
    "-> Response dns to 0 ([reserved:host]) from 20 ([k8s:app=api]), identity 2345->1, verdict Forwarded DNS proxy: a.example. A TTL: 30 Answer: '192.0.2.1'",
  );
  t.match(JSON.parse(l7({ Type: 'Request', Verdict: 'Denied', HTTP }, {}, 'json')!), {
    type: 'logRecord',
    l7Proto: 'http',
    srcEpID: 10,
    verdict: 'Denied',
  });
  const json = (e: Event) => JSON.parse(new Monitor({ directory, form: 'json' }).text(recordOf({ hash: 1, ...e }))!);
  t.match(json({ type: event.EVENT_DROP, subtype: 133 }), {
    type: 'drop',
    mark: '0x1',
    reason: 'Policy denied',
    source: 10,
    srcLabel: 1234,
    dstID: 20,
    summary: { l3: { source: WEB.ip } },
  });
  t.match(json({ type: event.EVENT_TRACE }), {
    type: 'trace',
    state: 'new',
    observationPoint: 'to-endpoint',
    traceSummary: '-> endpoint 20',
  });
  t.match(json({ type: event.EVENT_POLICY_VERDICT, verdict: -181 }), {
    type: 'policy-verdict',
    action: 'deny',
    direction: 'ingress',
  });
  const verbose = (e: Event, hex = false) =>
    new Monitor({ directory, form: 'verbose', hex }).text(recordOf({ hash: 1, ...e }))!;
  t.equal(
    verbose({ type: event.EVENT_DROP, subtype: 133, packet }),
    `${'-'.repeat(78)}
CPU 00: MARK 0x1 FROM 10 DROP: 54 bytes, reason Policy denied, identity 1234->2345, to endpoint 20
Ethernet	02:00:00:00:00:01 -> 02:00:00:00:00:02
IPv4	10.0.0.1 -> 10.0.0.2
TCP	10.0.0.1:41000 -> 10.0.0.2:80 tcp SYN`,
  );
  t.match(
    verbose({ type: event.EVENT_TRACE, ifindex: 4, packet }),
    'to-endpoint: 54 bytes (54 captured), state new, interface lxcabc, identity 1234->2345, orig-ip 0.0.0.0, to endpoint 20',
  );
  t.match(
    verbose({ type: event.EVENT_TRACE, packet }, true),
    '00000000  02 00 00 00 00 02 02 00  00 00 00 01 08 00 45 00  |..............E.|',
  );
  t.match(verbose({ type: event.EVENT_POLICY_VERDICT, packet }), /^Policy verdict log: .*\nEthernet/);
  t.equal(monitorLost(5), 'CPU 00: Lost 5 events');
  const record = recordOf({ type: event.EVENT_DROP });
  t.same(
    [
      {},
      { types: [1] },
      { types: [4] },
      { from: [10] },
      { from: [20] },
      { to: [20] },
      { related: [20] },
      { related: [30] },
    ].map((f) => monitorMatches(record, f)),
    [true, true, false, true, false, true, true, false],
  );
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

t.test('foreign text cannot drive the terminal or forge a line', (t) => {
  t.equal(escapeControls('a\u001b[2J\r\nb\tc\u0000\u009b'), 'a^[[2J\\r\\nb\\tc\\x00\\x9b');
  const evil = decodeL7({
    Type: 'Request',
    Verdict: 'Forwarded',
    ...ENDS,
    HTTP: { ...HTTP, URL: 'http://x/\u001b[31m\nJan  2' },
  });
  for (const output of ['compact', 'dict', 'table'] as const) {
    const printed = text({ output }, envelope(evil))[0];
    t.notMatch(printed, /\u001b/, output);
    t.match(printed, 'http://x/^[[31m\\nJan  2', output);
  }
  t.end();
});

t.test('time', (t) => {
  t.equal(rfc3339(TIME_MS), '2024-01-02T03:04:05.006Z');
  t.equal(rfc3339(TIME_MS - 6), '2024-01-02T03:04:05Z', 'no fraction, no digits');
  t.equal(rfc3339(TIME_MS + 0.125), '2024-01-02T03:04:05.006125Z');
  t.equal(rfc3339(TIME_MS + 0.9999), '2024-01-02T03:04:05.007Z', 'rounds to whole microseconds');
  t.same([Number.NaN, Infinity, 1e18, -1e18].map(rfc3339), ['', '', '', '']);
  const time = '2024-02-29T03:04:05.1205Z';
  t.same(
    TIME_FORMATS.map((format) => formatTime(time, format)),
    [
      'Feb 29 03:04:05.120',
      '2024-02-29',
      '2024-02-29T03Z',
      '2024-02-29T03:04Z',
      '2024-02-29T03:04:05Z',
      '2024-02-29T03:04:05.12Z',
      '2024-02-29T03:04:05.1205Z',
      '2024-02-29T03:04:05.1205Z',
      'Thu, 29 Feb 2024 03:04:05 +0000',
    ],
  );
  t.equal(formatTime(undefined, 'RFC3339'), 'N/A');
  t.same(
    [
      '5m',
      '1h30m',
      '1.5s',
      '2024-01-02',
      '2024-01-02T03Z',
      '2024-01-02T03:04+01:00',
      '2024-01-02T03:04:05.006Z',
      '1704164645',
    ].map((s) => parseMoment(s, TIME_MS)),
    [
      TIME_MS - 300_000,
      TIME_MS - 5_400_000,
      TIME_MS - 1500,
      1704153600000,
      1704164400000,
      1704161040000,
      TIME_MS,
      1704164645000,
    ],
  );
  for (const bad of ['', 'yesterday', '5', '5 minutes', '2024-13-01', 'm5']) {
    t.throws(() => parseMoment(bad, TIME_MS), { message: `failed to convert ${bad} to time` }, bad);
  }
  t.same(
    [icmpName(4, 42, 1), icmpName(4, 8, 7), icmpName(6, 1, 9), icmpName(6, 3, 0)],
    ['42(1)', 'EchoRequest(Code: 7)', 'DestinationUnreachable(Code: 9)', 'TimeExceeded(HopLimitExceeded)'],
  );
  t.end();
});

t.test('filters: each field', (t) => {
  const { allowed, dropped, request, response, replied, query, world } = flows;
  const tagged = { ...request, node_labels: ['zone=a'], trace_context: { parent: { trace_id: 'abc' } } };
  const cases: readonly [FlowFilter, Flow, boolean][] = [
    [{}, allowed, true],
    [{ verdict: [] }, allowed, true],
    [{ verdict: ['DROPPED'] }, dropped, true],
    [{ verdict: ['DROPPED'] }, allowed, false],
    [{ verdict: ['DROPPED', 'FORWARDED'] }, allowed, true],
    [{ drop_reason_desc: ['POLICY_DENIED'] }, dropped, true],
    [{ drop_reason_desc: ['POLICY_DENY'] }, dropped, false],
    [{ source_ip: ['10.0.0.1'] }, allowed, true],
    [{ source_ip: ['10.0.0.0/30', '1.1.1.1'] }, allowed, true],
    [{ source_ip: ['10.0.0.9/29'] }, allowed, false],
    [{ destination_ip: ['fd00::/8'] }, allowed, false],
    [{ source_pod: ['shop/web'] }, allowed, true],
    [{ source_pod: ['shop/'] }, allowed, true],
    [{ source_pod: ['web'] }, allowed, false],
    [{ source_pod: ['/web'] }, allowed, true],
    [{ source_pod: ['/'] }, allowed, true],
    [{ source_pod: ['/'] }, world, false],
    [{ destination_pod: ['shop/api-0'] }, allowed, true],
    [{ destination_service: ['kube-system/kube-dns'] }, allowed, false],
    [{ source_label: ['app=web'] }, allowed, true],
    [{ source_label: ['k8s:app in (web, db),!canary'] }, allowed, true],
    [{ source_label: ['any:app=api'] }, allowed, false],
    [{ source_label: ['reserved:world'] }, world, true],
    [{ destination_label: ['app'] }, allowed, true],
    [{ source_workload: [{ name: 'web' }] }, allowed, true],
    [{ source_workload: [{ kind: 'Deployment' }] }, allowed, false],
    [{ source_cluster_name: ['default'] }, allowed, true],
    [{ destination_cluster_name: ['default'] }, allowed, false],
    [{ source_identity: [1234] }, allowed, true],
    [{ destination_identity: [1, 2] }, allowed, false],
    [{ source_port: ['41000'] }, allowed, true],
    [{ destination_port: ['8000-8100'] }, allowed, true],
    [{ destination_port: ['80'] }, allowed, false],
    [{ traffic_direction: ['INGRESS'] }, allowed, true],
    [{ traffic_direction: ['EGRESS'] }, allowed, false],
    [{ interface: [{ name: 'lxcabc' }] }, dropped, true],
    [{ interface: [{ name: 'eth0' }] }, dropped, false],
    [{ event_type: [{ type: 1 }] }, dropped, true],
    [{ event_type: [{ type: 1, match_sub_type: true, sub_type: 181 }] }, dropped, false],
    [{ event_type: [{ type: 4, match_sub_type: true, sub_type: 0 }] }, replied, true],
    [{ event_type: [{ type: 129 }] }, request, true],
    [{ http_status_code: ['2+'] }, response, true],
    [{ http_status_code: ['404', '20+'] }, response, true],
    [{ http_status_code: ['200'] }, request, false],
    [{ http_method: ['get'] }, request, true],
    [{ http_path: ['^/x$'] }, request, true],
    [{ http_path: ['^/y'] }, request, false],
    [{ http_url: ['api:8080'] }, request, true],
    [{ http_url: ['.'] }, allowed, false],
    [{ http_header: [{ key: 'a', value: 'b' }] }, request, false],
    [{ protocol: ['tcp'] }, allowed, true],
    [{ protocol: ['udp', 'DNS'] }, query, true],
    [{ protocol: ['http'] }, allowed, false],
    [{ protocol: ['icmp'] }, allowed, false],
    [{ reply: [false] }, dropped, true],
    [{ reply: [true] }, replied, true],
    [{ reply: [true] }, allowed, false],
    [{ dns_query: ['a\\.ex'] }, query, true],
    [{ dns_query: ['^b'] }, query, false],
    [{ tcp_flags: [{ SYN: true }] }, replied, true],
    [{ tcp_flags: [{ SYN: true, ACK: true }] }, allowed, false],
    [{ tcp_flags: [{ SYN: true, ACK: true }, { SYN: true }] }, allowed, true],
    [{ node_name: ['node-*'] }, allowed, true],
    [{ node_name: ['default/'] }, allowed, true],
    [{ node_name: ['prod/*'] }, allowed, false],
    [{ node_labels: ['zone=a'] }, tagged, true],
    [{ ip_version: ['IPv4'] }, allowed, true],
    [{ ip_version: ['IP_NOT_USED'] }, allowed, false],
    [{ trace_id: ['abc'] }, tagged, true],
    [{ uuid: ['x'] }, allowed, false],
    [{ source_fqdn: ['*.example'] }, allowed, false],
    [{ verdict: ['DROPPED'], source_pod: ['shop/web'] }, dropped, true],
    [{ verdict: ['DROPPED'], source_pod: ['shop/db'] }, dropped, false],
  ];
  for (const [filter, flow, expected] of cases) t.equal(compileFilter(filter)(flow), expected, JSON.stringify(filter));
  const named = decode(
    recordOf({ type: event.EVENT_DROP, packet: frame('192.0.2.9', API.ip, tcpOf(1, 2, 0)), endpoints: [0, 20] }),
  );
  t.equal(compileFilter({ source_fqdn: ['*.example'] })(named), true);
  t.end();
});

t.test('filters: what is refused', (t) => {
  const bad: readonly [unknown, RegExp][] = [
    [{ source_ip: ['10.0.0'] }, /invalid IP address in filter: "10\.0\.0"/],
    [{ source_ip: ['10.0.0.0/33'] }, /invalid CIDR in filter/],
    [{ source_pod: [''] }, /must be \[namespace\/\]\[<name>\], got ""/],
    [{ verdict: ['dropped'] }, /invalid verdict filter: "dropped"/],
    [{ drop_reason_desc: ['NO'] }, /invalid drop reason filter/],
    [{ source_port: ['70000'] }, /invalid port filter: "70000"/],
    [{ source_port: ['9-1'] }, /invalid port filter/],
    [{ http_status_code: ['600'] }, /invalid status code prefix: "600"/],
    [
      { http_method: ['get'], event_type: [{ type: 4 }] },
      /filtering by http method requires the event type filter to only match 'l7' events/,
    ],
    [{ http_path: ['('] }, /invalid http path filter: \(/],
    [{ protocol: ['gre'] }, /unknown protocol: "gre"/],
    [{ source_label: ['a=b,,c'] }, /has an empty requirement/],
    [{ source_label: ['a in b'] }, /"a in b" is no requirement/],
    [{ source_fqdn: [''] }, /empty pattern/],
    [{ node_name: ['a/b/c'] }, /too many slashes/],
    [{ ip_version: ['v4'] }, /invalid IP version filter/],
    [{ constructor: ['x'] }, /no such field "constructor"/],
    [{ source_ip: 'x' }, /found "x", wanted a list of strings/],
    [{ source_ip: [1] }, /found \[1\], wanted a list of strings/],
    [{ source_identity: ['1'] }, /wanted a list of numbers/],
    [{ event_type: [null] }, /wanted a list of objects/],
  ];
  for (const [filter, message] of bad)
    t.throws(() => compileFilter(filter as FlowFilter), { message }, JSON.stringify(filter));
  t.end();
});

t.test('filters: allow and deny', (t) => {
  const passes = (allow: FlowFilter[], deny: FlowFilter[]) =>
    [flows.allowed, flows.dropped, flows.request].map((flow) => compileFilters(allow, deny)(envelope(flow)));
  t.same(passes([], []), [true, true, true]);
  t.same(passes([{ verdict: ['DROPPED'] }, { protocol: ['http'] }], []), [false, true, true], 'one of allow is enough');
  t.same(passes([], [{ verdict: ['DROPPED'] }]), [true, false, true]);
  t.same(passes([{ source_pod: ['shop/'] }], [{ protocol: ['http'] }]), [true, true, false]);
  t.ok(
    compileFilters([{ verdict: ['DROPPED'] }], [])(lostEnvelope('HUBBLE_RING_BUFFER', 1, '', 0)),
    'lost events always pass',
  );
  t.end();
});

t.test('label selectors and name patterns', (t) => {
  const labels = ['k8s:app=web', 'k8s:app.kubernetes.io/name=w', 'reserved:world', 'k8s:empty='];
  const cases: readonly [string, boolean][] = [
    ['app=web', true],
    ['app==web', true],
    ['app = web', true],
    ['app!=web', false],
    ['app!=api', true],
    ['other!=x', true],
    ['app', true],
    ['!app', false],
    ['! other', true],
    ['app.kubernetes.io/name=w', true],
    ['k8s:app.kubernetes.io/name in (w)', true],
    ['app in (api, web)', true],
    ['app notin (api)', true],
    ['app notin (web)', false],
    ['missing notin (web)', true],
    ['empty=', true],
    ['reserved:world', true],
    ['reserved:app', false],
    ['any:app=web,reserved:world,!x', true],
  ];
  for (const [selector, expected] of cases) t.equal(compileSelector(selector)(labels), expected, selector);
  const names = (pattern: string, name: string) => compileNamePatterns([pattern])(name);
  t.same(
    [
      names('a.b', 'A.B.'),
      names('*.b', 'x.y.b'),
      names('a*b*c', 'axbxc'),
      names('a*b*c', 'acb'),
      names('*', ''),
      names('ab*ba', 'aba'),
      names('a', 'b'),
    ],
    [true, true, true, false, true, false, false],
  );
  t.equal(names('*a'.repeat(20), 'a'.repeat(20_000)), true, 'many stars take no time');
  t.same(
    [
      ['n1', 'n1'],
      ['c/n*', 'c/n1'],
      ['c/', 'c/n1'],
      ['/n1', 'c/n1'],
      ['n1', 'c/n2'],
      ['default/n1', 'n1'],
    ].map(([p, n]) => compileNodePatterns([p])(n)),
    [true, true, true, true, false, true],
  );
  t.end();
});

t.test('observe flags to filters', (t) => {
  const flags = (line: string): [string, string][] => {
    const out: [string, string][] = [];
    for (const word of line.split(' ').filter(Boolean)) {
      if (word.startsWith('--')) out.push([word.slice(2), '']);
      else out[out.length - 1][1] = word;
    }
    return out;
  };
  const cases: readonly [string, FlowFilter[], FlowFilter[]][] = [
    ['', [], []],
    ['--from-ip 1.2.3.4', [{ source_ip: ['1.2.3.4'] }], []],
    [
      '--from-ip 1.2.3.4 --from-ip 5.6.7.8 --not --to-ip 5.5.5.5 --verdict DROPPED --type l7',
      [{ source_ip: ['1.2.3.4', '5.6.7.8'], verdict: ['DROPPED'], event_type: [{ type: 129 }] }],
      [{ destination_ip: ['5.5.5.5'] }],
    ],
    [
      '--ip 1.2.3.4 --verdict DROPPED --not --pod deathstar --not --http-status 200 --node-name k8s*',
      [
        { source_ip: ['1.2.3.4'], verdict: ['DROPPED'], node_name: ['k8s*'] },
        { destination_ip: ['1.2.3.4'], verdict: ['DROPPED'], node_name: ['k8s*'] },
      ],
      [
        { source_pod: ['deathstar'], http_status_code: ['200'] },
        { destination_pod: ['deathstar'], http_status_code: ['200'] },
      ],
    ],
    [
      '--type 254 --type 255:127 --type trace:to-endpoint --type trace:from-endpoint --type drop:133',
      [
        {
          event_type: [
            { type: 254 },
            { type: 255, match_sub_type: true, sub_type: 127 },
            { type: 4, match_sub_type: true, sub_type: 0 },
            { type: 4, match_sub_type: true, sub_type: 5 },
            { type: 1, match_sub_type: true, sub_type: 133 },
          ],
        },
      ],
      [],
    ],
    ['--label a=b --label c', [{ source_label: ['a=b', 'c'] }, { destination_label: ['a=b', 'c'] }], []],
    [
      '--from-pod web --to-workload Deployment/app',
      [{ source_pod: ['web'], destination_workload: [{ kind: 'Deployment', name: 'app' }] }],
      [],
    ],
    ['--identity world --identity 1234', [{ source_identity: [2, 1234] }, { destination_identity: [2, 1234] }], []],
    ['--namespace shop', [{ source_pod: ['shop/'] }, { destination_pod: ['shop/'] }], []],
    ['--namespace shop --pod web', [{ source_pod: ['shop/web'] }, { destination_pod: ['shop/web'] }], []],
    ['--from-namespace shop --to-namespace db', [{ source_pod: ['shop/'], destination_pod: ['db/'] }], []],
    ['--from-namespace a --from-namespace b --from-service x', [{ source_service: ['a/x', 'b/x'] }], []],
    ['--all-namespaces --pod web', [{ source_pod: ['/web'] }, { destination_pod: ['/web'] }], []],
    ['--ipv4', [{ ip_version: ['IPv4'] }], []],
    ['--ip-version none --ip-version v6', [{ ip_version: ['IP_NOT_USED', 'IPv6'] }], []],
    ['--tcp-flags syn,ack --tcp-flags RST', [{ tcp_flags: [{ SYN: true, ACK: true }, { RST: true }] }], []],
    ['--http-header a:b:c --http-path ^/x', [{ http_header: [{ key: 'a', value: 'b:c' }], http_path: ['^/x'] }], []],
    [
      '--traffic-direction Ingress --interface eth0',
      [{ traffic_direction: ['INGRESS'], interface: [{ name: 'eth0' }] }],
      [],
    ],
    ['--drop-reason-desc policy_denied', [{ drop_reason_desc: ['POLICY_DENIED'] }], []],
    [
      '--port 80 --from-cluster c1',
      [
        { source_port: ['80'], source_cluster_name: ['c1'] },
        { source_cluster_name: ['c1'], destination_port: ['80'] },
      ],
      [],
    ],
    [
      '--uuid u --trace-id t --protocol tcp --reply false',
      [{ uuid: ['u'], trace_id: ['t'], protocol: ['tcp'], reply: [false] }],
      [],
    ],
    [
      '--allowlist {"verdict":["DROPPED"]} --denylist {"source_ip":["::/0"]}',
      [{ verdict: ['DROPPED'] }],
      [{ source_ip: ['::/0'] }],
    ],
  ];
  for (const [line, allow, deny] of cases) {
    const filters = observeFilters(flags(line));
    t.same(filters, { allow, deny }, line || 'no flags');
    compileFilters(filters.allow, filters.deny);
  }
  const bad: readonly [string, string][] = [
    ['--from-ip 1.2.3.4 --not', 'trailing --not found in the arguments'],
    ['--not --not --ip 1.2.3.4', 'consecutive --not statements'],
    ['--from-ip 1.2.3.4 --from-fqdn a.b', 'filters --from-fqdn and --from-ip cannot be combined'],
    ['--from-service foo --service bar', 'filters --service and --from-service cannot be combined'],
    ['--namespace a --all-namespaces', 'filters --namespace and --all-namespaces cannot be combined'],
    ['--pod a --from-pod b', 'filters --from-pod and --pod cannot be combined'],
    ['--port 1 --to-port 2', 'filters --port and --to-port cannot be combined'],
    ['--namespace a --from-pod b', 'filters --from-pod and --namespace cannot be combined'],
    ['--verdict dropped', 'invalid --verdict value: dropped'],
    ['--drop-reason-desc X', 'invalid --drop-reason-desc value: X'],
    ['--drop-reason-desc', 'empty --drop-reason-desc value'],
    ['--type nothing', "unable to parse type 'nothing', not a known type name and unable to parse as numeric value"],
    [
      '--type trace:nowhere',
      "unable to parse event sub-type 'nowhere', not a known sub-type name and unable to parse as numeric value",
    ],
    [
      '--type constructor',
      "unable to parse type 'constructor', not a known type name and unable to parse as numeric value",
    ],
    ['--tcp-flags syn,foo', 'unknown tcp flag: foo'],
    ['--http-header abc', 'invalid http-header value "abc", expected name:value'],
    ['--traffic-direction UP', 'up: invalid traffic direction, expected ingress or egress'],
    ['--from-namespace a --from-pod b/c', 'namespace conflict: "a" does not contain "b/c"'],
    ['--from-pod a/x --from-service b/y', 'namespace of service "b/y" conflict with pod "a"'],
    ['--denylist nope', "invalid --denylist flag: failed to decode 'nope': wanted a FlowFilter as JSON"],
    ['--from-verdict DROPPED', 'unknown filter flag --from-verdict'],
    ['--toString x', 'unknown filter flag --toString'],
  ];
  for (const [line, message] of bad) t.throws(() => observeFilters(flags(line)), { message }, line);
  t.throws(() => observeFilters([['identity', 'nobody']]), {
    message: /^invalid security identity, expected one of \[host world .* or a numeric value$/,
  });
  t.end();
});

t.test('ring: capacity, readers, and what they lost', (t) => {
  t.throws(() => new Ring({ capacity: 8, nodeName: 'n', nowMs: () => 0 }), {
    message: 'flow ring: capacity 8, wanted 2^n - 1 between 1 and 65535',
  });
  t.throws(() => new Ring({ capacity: 131071, nodeName: 'n', nowMs: () => 0 }), RangeError);
  t.equal(new Ring({ nodeName: 'n', nowMs: () => 0 }).capacity, 4095);
  const ring = new Ring({ capacity: 7, nodeName: 'node-1', nowMs: () => TIME_MS });
  const put = (n: number) => ring.write(envelope({ ...flows.allowed, time: rfc3339(TIME_MS + n), uuid: String(n) }));
  const ids = (list: readonly (Envelope | undefined)[]) =>
    list.map((e) => e?.flow?.uuid ?? e?.lost_events?.num_events_lost ?? '-');
  const slow = ring.reader(0);
  t.equal(slow.next(), undefined);
  t.same([ring.length, ring.oldest, ring.seen], [0, 0, 0]);
  for (let n = 0; n < 5; n++) put(n);
  const fresh = ring.reader();
  t.same(ids([slow.next(), slow.next(), fresh.next()]), ['0', '1', '-']);
  for (let n = 5; n < 12; n++) put(n);
  t.same([ring.length, ring.oldest, ring.seen], [7, 5, 12]);
  t.match(slow.next(), {
    lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '3' },
    node_name: 'node-1',
    time: '2024-01-02T03:04:05.006Z',
  });
  t.same(ids(Array.from({ length: 8 }, () => slow.next())), ['5', '6', '7', '8', '9', '10', '11', '-']);
  t.same(ids([fresh.next()]), ['5'], 'one that kept up lost nothing');
  t.equal(slow.position, 12);
  t.same([ring.at(4), ring.at(12)], [undefined, undefined]);
  let woken = 0;
  ring.onNextWrite(() => woken++);
  const cancel = ring.onNextWrite(() => (woken += 100));
  cancel();
  put(12);
  put(13);
  t.equal(woken, 1, 'woken once');

  const all = () => true;
  t.same(ids(select(ring, { number: 2 }, all)), ['12', '13'], 'the last ones, oldest first');
  t.same(ids(select(ring, { number: 2, first: true }, all)), ['7', '8']);
  t.same(ids(select(ring, {}, all)), ['7', '8', '9', '10', '11', '12', '13']);
  t.same(ids(select(ring, { sinceMs: TIME_MS + 9, untilMs: TIME_MS + 11 }, all)), ['9', '10', '11']);
  t.same(ids(select(ring, { number: 2 }, (e) => Number(e.flow?.uuid) % 2 === 0)), ['10', '12']);
  ring.write(ring.lost(9));
  t.same(ids(select(ring, { number: 1 }, all)), ['13', '9'], 'lost events come along uncounted');
  t.end();
});
