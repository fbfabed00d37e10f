import t from 'tap';
import { compileFilters } from './filter.ts';
import type { FlowFilter } from './flow-filter.ts';
import { observeFilters } from './observe-filter.ts';

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
