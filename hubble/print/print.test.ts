// The expected lines are written out in full.
import t from 'tap';
import {
  API,
  decode,
  decodeL7,
  DNS,
  ENDS,
  envelope,
  flows,
  frame,
  FROM_ENDPOINT,
  HTTP,
  l4,
  recordOf,
  tcpOf,
  text,
  TIME_MS,
  traceFlags,
  udpOf,
  verdictSyn,
  WEB,
} from '../../test/events.ts';
import { randomFrom } from '../../test/random.ts';
import { randomEnvelope } from '../../test/random-flows.ts';
import { EGRESS } from '../../wire/direction.ts';
import * as event from '../../wire/event.ts';
import * as icmp from '../../wire/header/icmp.ts';
import * as icmpv6 from '../../wire/header/icmpv6.ts';
import * as sctp from '../../wire/header/sctp.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { MATCH_L4_ONLY } from '../../wire/match.ts';
import { lostEnvelope } from '../decode/decode.ts';
import { readEnvelope } from '../decode/read-envelope.ts';
import type { Flow } from '../flow.ts';
import { compileMask } from '../message/field-mask.ts';
import { compactText, FlowPrinter, printedFields, type PrintOptions } from './print.ts';
import { colorsOf, escapeControls } from './terminal.ts';

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
        DNS: { ...DNS, Query: 'a.', CNAMEs: ['b.', 'c.'], QTypes: ['A', 'AAAA'] },
      }),
      'shop/web-0:41000 (ID:1234) <- shop/api-0:8080 (ID:2345) dns-response proxy FORWARDED (DNS Answer CNAMEs: "b.,c." TTL: 0 (Proxy a. A,AAAA))',
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
          subtype: FROM_ENDPOINT,
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

t.test('what is printed needs no fields but those that are asked for', (t) => {
  const draw = randomFrom(11);
  const random = Array.from({ length: 2000 }, () => randomEnvelope(draw, TIME_MS)).flatMap(({ flow }) => flow ?? []);
  for (const output of ['compact', 'dict', 'table'] as const) {
    for (const more of [{}, { policyNames: true, nodeName: true }, { numeric: true }]) {
      const options = { output, ...more };
      const mask = compileMask(printedFields(options) ?? []);
      const printed = (all: readonly unknown[]): string => {
        let text = '';
        const take = (piece: string): void => void (text += piece);
        const printer = new FlowPrinter(options, take, take);
        for (const flow of all) printer.write(readEnvelope({ flow }) ?? {});
        printer.close();
        return text;
      };
      const all = [...Object.values(flows), ...random];
      t.equal(printed(all.map(mask)), printed(all), JSON.stringify(options));
    }
  }
  t.equal(printedFields({ output: 'json' }), undefined);
  t.end();
});
