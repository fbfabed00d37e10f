import t from 'tap';
import {
  API,
  directory,
  DNS,
  type Event,
  frame,
  FROM_ENDPOINT,
  FROM_NETWORK,
  HTTP,
  l4,
  l7Records,
  recordOf,
  tcpOf,
  udpOf,
  WEB,
} from '../../test/events.ts';
import type { AccessLog } from '../../wire/access-log.ts';
import { EGRESS } from '../../wire/direction.ts';
import * as event from '../../wire/event.ts';
import * as icmp from '../../wire/header/icmp.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { Monitor, monitorLost, monitorMatches } from './monitor.ts';

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
      subtype: FROM_NETWORK,
      traceReason: 2,
      identities: [2, 1],
      flags: event.FLAG_IPV6,
      packet: frame('fd00::1', 'fd00::2', udpOf(1, 53)),
    }),
    '<- network flow 0x1 , identity world->host state reply ifindex 0 orig-ip ::: [fd00::1]:1 -> [fd00::2]:53 udp',
  );
  t.match(line({ type: event.EVENT_TRACE, subtype: FROM_ENDPOINT }), /^<- endpoint 10 flow/);
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
