import t from 'tap';
import { API, decode, envelope, flows, frame, recordOf, tcpOf } from '../../test/events.ts';
import * as event from '../../wire/event.ts';
import { lostEnvelope } from '../decode/decode.ts';
import type { Flow } from '../flow.ts';
import { compileFilter, compileFilters } from './filter.ts';
import type { FlowFilter } from './flow-filter.ts';
import { compileSelector } from './label-selector.ts';
import { compileNamePatterns, compileNodePatterns } from './name-pattern.ts';

t.test('filters: each field', (t) => {
  const { allowed, dropped, request, response, replied, query, world } = flows;
  const tagged = { ...request, node_labels: ['zone=a'], trace_context: { parent: { trace_id: 'abc' } } };
  const elsewhere: Flow = {
    ...allowed,
    IP: { ...allowed.IP!, source_xlated: '192.0.2.1', encrypted: true },
    l4: { IGMP: { type: 17 } },
    ip_trace_id: { trace_id: '7' },
  };
  const many: Flow = {
    time: dropped.time,
    verdict: 'DROPPED',
    l4: { TCP: {} },
    source: dropped.source,
    destination: dropped.destination,
    Type: 'L3_L4',
    event_type: dropped.event_type,
    drop_reason_desc: 'POLICY_DENIED',
    aggregate: { ingress_flow_count: 9 },
  };
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
    [{ protocol: ['tcp'] }, many, true],
    [{ protocol: ['udp'] }, many, false],
    [{ destination_port: ['0-65535'] }, many, false],
    [{ source_port: ['0'] }, many, false],
    [{ destination_ip: ['0.0.0.0/0'] }, many, false],
    [{ verdict: ['DROPPED'], drop_reason_desc: ['POLICY_DENIED'], ip_version: ['IP_NOT_USED'] }, many, true],
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
    [{ source_ip_xlated: ['10.0.0.1'] }, allowed, false],
    [{ source_ip_xlated: ['192.0.2.0/24'] }, elsewhere, true],
    [{ encrypted: [true] }, allowed, false],
    [{ encrypted: [true] }, elsewhere, true],
    [{ encrypted: [false] }, allowed, true],
    [{ ip_trace_id: ['7'] }, allowed, false],
    [{ ip_trace_id: ['7'] }, elsewhere, true],
    [{ protocol: ['vrrp'] }, allowed, false],
    [{ protocol: ['igmp'] }, elsewhere, true],
    [{ experimental: {} }, allowed, true],
    [{ experimental: { cel_expression: [] } }, allowed, true],
    [{ traffic_direction: ['TRAFFIC_DIRECTION_UNKNOWN'] }, allowed, false],
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
    [{ experimental: { cel_expression: ['true'] } }, /CEL expressions are not supported/],
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
