/** Flows counted as Hubble counts them, and told as Prometheus reads them. */
import t from 'tap';
import type { Envelope, Flow } from '../flow.ts';
import { lostEnvelope } from '../decode/decode.ts';
import { FlowMetrics, metricProblem } from './flow-metrics.ts';
import { CONTENT_TYPES, Counter, formatOf, Histogram, Read, Registry } from './registry.ts';

const WEB = { ID: 1, identity: 1234, namespace: 'shop', pod_name: 'web-0', labels: ['k8s:app=web', 'k8s:tier=front'] };
const API = {
  ID: 2,
  identity: 2345,
  namespace: 'shop',
  pod_name: 'api-7f9c-x2',
  labels: ['k8s:app.kubernetes.io/name=api'],
  workloads: [{ name: 'api', kind: 'Deployment' }],
};
const WORLD = { identity: 2, labels: ['reserved:world'] };

const FLOW: Flow = {
  time: '2026-01-02T03:04:05.006Z',
  verdict: 'FORWARDED',
  IP: { source: '10.0.0.1', destination: '10.0.0.2', ipVersion: 'IPv4' },
  l4: { TCP: { source_port: 41000, destination_port: 8080, flags: { SYN: true } } },
  source: WEB,
  destination: API,
  Type: 'L3_L4',
  event_type: { type: 4 },
  traffic_direction: 'INGRESS',
  is_reply: false,
};

function lines(wanted: string[], flows: readonly Partial<Flow>[]): string[] {
  const registry = new Registry();
  const sink = new FlowMetrics(wanted, registry, () => 0);
  sink.take(flows.map((flow): Envelope => ({ flow: { ...FLOW, ...flow } })));
  return samples(registry.render('prometheus'));
}

function samples(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

t.test('which flows count, and under which labels', (t) => {
  const dropped = {
    verdict: 'DROPPED',
    event_type: { type: 1, sub_type: 133 },
    drop_reason_desc: 'POLICY_DENIED',
  } as const;
  const own = { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'SLUICE_L7_DENIED' } as const;
  const toWorld = { destination: WORLD } as const;
  const request = { method: 'GET', url: 'http://api/x', protocol: 'HTTP/1.1' } as const;
  const l7 = (type: 'REQUEST' | 'RESPONSE', fields: object): Partial<Flow> => ({
    event_type: { type: 129 },
    Type: 'L7',
    l7: { type, ...fields },
  });
  const dns = { query: 'a.example.', qtypes: ['A'] };
  const cases: [wanted: string, flow: Partial<Flow>, want: string[]][] = [
    ['drop', dropped, ['hubble_drop_total{reason="POLICY_DENIED",protocol="TCP"} 1']],
    ['drop', { ...dropped, extensions: own }, ['hubble_drop_total{reason="SLUICE_L7_DENIED",protocol="TCP"} 1']],
    [
      'drop',
      { ...dropped, aggregate: { ingress_flow_count: 40, unknown_direction_flow_count: 2 } },
      ['hubble_drop_total{reason="POLICY_DENIED",protocol="TCP"} 42'],
    ],
    ['drop', {}, []],
    [
      'flow',
      {},
      ['hubble_flows_processed_total{protocol="TCP",type="Trace",subtype="to-endpoint",verdict="FORWARDED"} 1'],
    ],
    ['flow', dropped, ['hubble_flows_processed_total{protocol="TCP",type="Drop",subtype="",verdict="DROPPED"} 1']],
    ['flows-to-world', toWorld, ['hubble_flows_to_world_total{protocol="TCP",verdict="FORWARDED"} 1']],
    ['flows-to-world:port', toWorld, ['hubble_flows_to_world_total{protocol="TCP",verdict="FORWARDED",port="8080"} 1']],
    ['flows-to-world', { ...toWorld, is_reply: true }, []],
    ['flows-to-world', { ...toWorld, ...dropped, drop_reason_desc: 'INVALID_PACKET_DROPPED' }, []],
    [
      'flows-to-world:any-drop',
      { ...toWorld, ...dropped, drop_reason_desc: 'INVALID_PACKET_DROPPED' },
      ['hubble_flows_to_world_total{protocol="TCP",verdict="DROPPED"} 1'],
    ],
    [
      'flows-to-world:port',
      { ...toWorld, ...dropped, l4: { TCP: {} }, aggregate: { egress_flow_count: 40 } },
      ['hubble_flows_to_world_total{protocol="TCP",verdict="DROPPED",port=""} 40'],
    ],
    ['flows-to-world:syn-only', { ...toWorld, l4: { UDP: { destination_port: 53 } } }, []],
    ['flows-to-world', {}, []],
    ['tcp', {}, ['hubble_tcp_flags_total{flag="SYN",family="IPv4"} 1']],
    [
      'tcp',
      { l4: { TCP: { flags: { SYN: true, ACK: true } } } },
      ['hubble_tcp_flags_total{flag="SYN-ACK",family="IPv4"} 1'],
    ],
    ['tcp', { l4: { TCP: { flags: { ACK: true } } } }, []],
    ['icmp', { l4: { ICMPv6: { type: 128 } } }, ['hubble_icmp_total{family="IPv6",type="EchoRequest"} 1']],
    ['port-distribution', {}, ['hubble_port_distribution_total{protocol="TCP",port="8080"} 1']],
    ['port-distribution', { is_reply: true }, []],
    [
      'port-distribution',
      { l4: { ICMPv4: { type: 8 } } },
      ['hubble_port_distribution_total{protocol="ICMPv4",port="0"} 1'],
    ],
    [
      'policy',
      { event_type: { type: 5 }, policy_match_type: 2 },
      ['hubble_policy_verdicts_total{direction="ingress",match="l3-l4",action="forwarded"} 1'],
    ],
    ['policy', { event_type: { type: 5 }, source: { identity: 1 } }, []],
    ['dns', l7('REQUEST', { dns }), ['hubble_dns_queries_total{rcode="",qtypes="A",ips_returned="0"} 1']],
    [
      'dns:query',
      { ...l7('RESPONSE', { dns: { ...dns, rcode: 3, rrtypes: ['A'] } }), is_reply: true },
      [
        'hubble_dns_responses_total{rcode="Non-Existent Domain",qtypes="A",ips_returned="0",query="a.example."} 1',
        'hubble_dns_response_types_total{type="A",qtypes="A",query="a.example."} 1',
      ],
    ],
    [
      'dns',
      { ...l7('REQUEST', { dns }), verdict: 'DROPPED' },
      ['hubble_dns_queries_total{rcode="Policy denied",qtypes="A",ips_returned="0"} 1'],
    ],
    ['dns:ignoreAAAA', l7('REQUEST', { dns: { ...dns, qtypes: ['AAAA'] } }), []],
    [
      'http',
      l7('REQUEST', { http: request }),
      ['hubble_http_requests_total{method="GET",protocol="HTTP/1.1",reporter="server"} 1'],
    ],
    [
      'kafka',
      l7('REQUEST', { kafka: { topic: 'orders', api_key: 'produce', error_code: 29 } }),
      ['hubble_kafka_requests_total{topic="orders",api_key="produce",error_code="29",reporter="server"} 1'],
    ],
    [
      'sctp',
      { l4: { SCTP: { destination_port: 1 } } },
      ['hubble_sctp_chunk_types_total{chunk_type="UNSUPPORTED",family="IPv4"} 1'],
    ],
  ];
  for (const [wanted, flow, want] of cases) t.same(lines([wanted], [flow]), want, `${wanted}: ${want[0] ?? 'nothing'}`);
  t.end();
});

t.test('a response is counted with its status, and its time goes into buckets', (t) => {
  const http = { method: 'GET', code: 200, protocol: 'HTTP/1.1' };
  const response: Partial<Flow> = {
    event_type: { type: 129 },
    l7: { type: 'RESPONSE', latency_ns: '7000000', http },
    trace_context: { parent: { trace_id: '4bf92f3577b34da6a3ce929d0e0e4736' } },
  };
  t.match(lines(['http'], [response]), [
    'hubble_http_responses_total{status="200",method="GET",reporter="server"} 1',
    'hubble_http_request_duration_seconds_bucket{method="GET",reporter="server",le="0.005"} 0',
    'hubble_http_request_duration_seconds_bucket{method="GET",reporter="server",le="0.01"} 1',
  ]);
  const registry = new Registry();
  const sink = new FlowMetrics(['httpV2:sourceContext=pod-name'], registry, () => 0);
  const asked = { method: 'GET', protocol: 'HTTP/1.1' };
  const denied = { verdict: 'DROPPED', event_type: { type: 129 }, l7: { type: 'REQUEST', http: asked } } as const;
  sink.take([{ flow: { ...FLOW, ...response, source: API, destination: WEB } }, { flow: { ...FLOW, ...denied } }]);
  const text = registry.render('openmetrics');
  t.match(
    text,
    'hubble_http_requests_total{source="web-0",method="GET",protocol="HTTP/1.1",status="200",reporter="server"} 1',
  );
  t.match(
    text,
    'hubble_http_requests_total{source="web-0",method="GET",protocol="HTTP/1.1",status="403",reporter="server"} 1',
  );
  t.match(text, 'le="0.01"} 1 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 0.007 1767323045.006');
  t.match(text, '# TYPE hubble_http_requests counter\n', 'the family of a counter has no _total in OpenMetrics');
  t.ok(text.endsWith('# EOF\n'));
  t.end();
});

t.test('contexts', (t) => {
  const label = (options: string, flow: Partial<Flow> = {}): string =>
    /\{(.*),flag=|\{flag="SYN",family="IPv4",(.*)\}/.exec(lines([`tcp:${options}`], [flow])[0])?.[2] ?? '';
  const cases: [string, string, Partial<Flow>?][] = [
    ['sourceContext=pod', 'source="shop/web-0"'],
    ['sourceContext=pod-name;destinationContext=workload-name', 'source="web-0",destination="api"'],
    ['destinationContext=workload', 'destination="shop/api"'],
    ['sourceContext=identity', 'source="k8s:app=web,k8s:tier=front"'],
    ['sourceContext=dns|ip', 'source="10.0.0.1"'],
    [
      'destinationContext=dns|ip',
      'destination="a.example,b.example"',
      { destination_names: ['a.example', 'b.example'] },
    ],
    ['destinationContext=app', 'destination="api"'],
    ['destinationContext=reserved-identity|namespace', 'destination="reserved:world"', { destination: WORLD }],
    ['destinationContext=reserved-identity|namespace', 'destination="shop"'],
    ['sourceEgressContext=ip;sourceIngressContext=pod', 'source="shop/web-0"'],
    ['sourceEgressContext=ip;sourceIngressContext=pod', 'source="10.0.0.1"', { traffic_direction: 'EGRESS' }],
    [
      'labelsContext=traffic_direction,destination_workload_kind,source_ip',
      'source_ip="10.0.0.1",destination_workload_kind="Deployment",traffic_direction="ingress"',
    ],
  ];
  for (const [options, want, flow] of cases) t.equal(label(options, flow), want, options);
  t.end();
});

t.test('what is wrong with the text of a metric', (t) => {
  t.equal(metricProblem('dns:query;ignoreAAAA;sourceContext=pod|ip'), undefined);
  t.match(metricProblem('dsn'), /metric "dsn": wanted one of dns, drop/);
  t.match(metricProblem('__proto__'), /metric "__proto__"/);
  t.match(metricProblem('dns:querry'), /metric dns: unknown option "querry"/);
  t.match(metricProblem('drop:sourceContext=pods'), /context "pods": wanted some of identity/);
  t.match(metricProblem('drop:labelsContext=source_port'), /labelsContext "source_port"/);
  t.throws(() => new FlowMetrics(['http', 'httpV2'], new Registry(), () => 0), /there are two of that name/);
  t.end();
});

t.test('what was lost is counted by where', (t) => {
  const registry = new Registry();
  new FlowMetrics([], registry, () => 0).take([lostEnvelope('HUBBLE_RING_BUFFER', 7, 'node', 0)]);
  t.same(samples(registry.render('prometheus')), ['hubble_lost_events_total{source="hubble_ring_buffer"} 7']);
  t.end();
});

t.test('series are bounded: the rest is one, and old ones make room', (t) => {
  let nowMs = 0;
  const counter = new Counter({ name: 'x_total', help: 'X.', labels: ['path'] }, () => nowMs, 3);
  for (const path of ['a', 'b', 'c', 'd', 'e', 'a']) counter.add([path]);
  const told = (): string[] => samples(counter.render('prometheus'));
  t.same(told(), ['x_total{path="a"} 2', 'x_total{path="b"} 1', 'x_total{path="c"} 1', 'x_total{path="other"} 2']);
  nowMs = 10 * 60_000;
  counter.add(['a']);
  counter.add(['other']);
  nowMs = 16 * 60_000;
  counter.add(['f']);
  t.same(told(), ['x_total{path="a"} 3', 'x_total{path="other"} 3', 'x_total{path="f"} 1']);
  t.end();
});

t.test('label values are foreign text', (t) => {
  const counter = new Counter({ name: 'x_total', help: 'a\\b\n"c"', labels: ['v'] }, () => 0);
  for (const value of ['"} 1\ny_total 9', 'back\\slash', 'half \ud800 pair', 'x'.repeat(1000)]) counter.add([value]);
  const text = counter.render('openmetrics');
  t.match(text, '# HELP x a\\\\b\\n\\"c\\"\n');
  t.match(text, 'x_total{v="\\"} 1\\ny_total 9"} 1\n');
  t.match(text, 'x_total{v="back\\\\slash"} 1\n');
  t.match(text, 'x_total{v="half � pair"} 1\n');
  t.match(text, `x_total{v="${'x'.repeat(255)}…"} 1\n`);
  t.end();
});

t.test('what is asked at the scrape, and which format is wanted', (t) => {
  const registry = new Registry();
  registry.add(new Read({ name: 'heap_bytes', help: 'Heap.' }, 'gauge', () => [[[], 12.5]]));
  registry.add(new Histogram({ name: 'took_seconds', help: 'T.' }, () => 0, [1, 2])).observe([], 2);
  t.same(samples(registry.render('openmetrics')), [
    'heap_bytes 12.5',
    'took_seconds_bucket{le="1.0"} 0',
    'took_seconds_bucket{le="2.0"} 1',
    'took_seconds_bucket{le="+Inf"} 1',
    'took_seconds_sum 2',
    'took_seconds_count 1',
  ]);
  t.equal(formatOf('application/openmetrics-text;version=1.0.0,text/plain;q=0.5'), 'openmetrics');
  t.equal(formatOf('*/*'), 'prometheus');
  t.match(CONTENT_TYPES.prometheus, /version=0\.0\.4/);
  t.end();
});
