/** Which rules an endpoint has, beyond those of its own policy: scopes, conflicts, limits, hosts, init, audit, origins. */
import t from 'tap';
import { World, cnp, ccnp } from '../../test/policy/semantics.ts';
import type { PolicyConfig } from '../rule/options.ts';
import { policyName } from '../rule/rule.ts';

t.test('subject scoping: a namespaced policy stays in its namespace', (t) => {
  const elsewhere = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: x, namespace: shop}
spec:
  endpointSelector: {matchLabels: {NAMESPACE: other}}
  ingress: [{}]
`;
  const overwritten = new World(elsewhere.replace('NAMESPACE', '"k8s:io.kubernetes.pod.namespace"'));
  t.equal(overwritten.ask('shop/web', 'ingress', 'world', 'TCP/80'), 'none', 'a k8s: label is overwritten');
  t.equal(overwritten.ask('other/stranger', 'ingress', 'world', 'TCP/80'), 'allow', 'the other namespace is untouched');
  const nobody = new World(elsewhere.replace('NAMESPACE', 'io.kubernetes.pod.namespace'));
  t.equal(nobody.ask('shop/web', 'ingress', 'world', 'TCP/80'), 'allow', 'a plain key is ANDed and selects nobody');
  t.end();
});

t.test('specs: every rule counts, spec and specs together', (t) => {
  const world = new World(`
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: many, namespace: shop}
spec: {endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}
specs:
- {endpointSelector: {matchLabels: {app: web}}, ingress: [{fromEntities: [world]}]}
- {endpointSelector: {matchLabels: {app: client}}, egress: [{}]}
`);
  t.equal(world.ask('shop/web', 'ingress', 'world', 'TCP/80'), 'allow');
  t.same(world.deciders(), ['CiliumNetworkPolicy/shop/many specs[0].ingress[0]']);
  t.equal(world.ask('shop/client', 'ingress', 'world', 'TCP/80'), 'none');
  t.equal(world.ask('shop/client', 'egress', 'world', 'TCP/80'), 'none');
  t.end();
});

t.test('conflicts between policies are reported, and the later rule loses its say', (t) => {
  const both = `${cnp(`egress: [{toEntities: [world], toPorts: [{ports: [{port: "53", protocol: TCP}], rules: {http: [{method: GET}]}}]}]`, 'a')}
---${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "53", protocol: TCP}], rules: {dns: [{matchName: x.example}]}}]}]', 'b')}`;
  const world = new World(both);
  t.equal(world.ask('shop/web', 'egress', 'world', 'TCP/53'), 'http [{"method":"GET"}]');
  t.match(world.changes.problems, [
    { document: 'CiliumNetworkPolicy/shop/b', code: 'conflict', severity: 'error', path: 'spec.egress[0]' },
  ]);
  const auth = new World(
    `${cnp('ingress: [{fromEndpoints: [{}], authentication: {mode: required}}]', 'a')}---${cnp('ingress: [{fromEndpoints: [{}], authentication: {mode: disabled}}]', 'b')}`,
  );
  t.match(auth.changes.problems, [{ document: 'CiliumNetworkPolicy/shop/b', code: 'conflict' }]);
  t.equal(auth.ask('shop/web', 'ingress', 'shop/client', 'TCP/80'), 'auth');
  const names = new World(
    `${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [a.example]}]}]', 'a')}---${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], rules: {http: [{method: GET}]}}]}]', 'b')}`,
  );
  t.match(names.changes.problems, [{ document: 'CiliumNetworkPolicy/shop/b', code: 'conflict' }]);
  t.equal(names.ask('shop/web', 'egress', 'world', 'TCP/443'), 'tls ["a.example"]');
  t.end();
});

t.test('more pairs of ports and peers than any map holds close the direction, and are not tried', (t) => {
  const cidrs = Array.from({ length: 400 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`).join(', ');
  const ports = Array.from({ length: 400 }, (_, i) => `{ports: [{port: "${i + 1}", protocol: TCP}]}`).join(', ');
  const world = new World(cnp(`ingress: [{fromCIDR: [${cidrs}], toPorts: [${ports}]}]\negress: [{toEntities: [all]}]`));
  t.match(world.changes.problems, [{ code: 'conflict', path: 'spec.ingress[0]', message: /found 160000 pairs/ }]);
  t.equal(world.ask('shop/web', 'ingress', '10.0.1.1', 'TCP/80'), 'none');
  t.equal(world.ask('shop/web', 'egress', '10.0.1.1', 'TCP/80'), 'allow');
  t.end();
});

t.test('host policies: only node rules, only with the host firewall', (t) => {
  const policy = ccnp(
    'ingress: [{fromEntities: [cluster], toPorts: [{ports: [{port: "22", protocol: TCP}]}]}]',
    'host',
    'nodeSelector: {matchLabels: {zone: a}}',
  );
  const off = new World(policy);
  t.equal(off.ask('host', 'ingress', 'world', 'TCP/80'), 'allow', 'off by default');
  const on = new World(`${policy}---${ccnp('ingress: [{}]', 'pods', 'endpointSelector: {}')}`, {
    'enable-host-firewall': true,
  });
  t.equal(on.ask('host', 'ingress', 'world', 'TCP/22'), 'none');
  t.equal(on.ask('host', 'ingress', 'shop/client', 'TCP/22'), 'allow');
  t.equal(on.ask('host', 'egress', 'world', 'TCP/22'), 'allow');
  t.equal(on.ask('shop/web', 'ingress', 'world', 'TCP/22'), 'none', 'endpointSelector {} selects pods, not the host');
  const elsewhere = new World(policy.replace('zone: a', 'zone: z'), { 'enable-host-firewall': true });
  t.equal(elsewhere.ask('host', 'ingress', 'world', 'TCP/80'), 'allow', 'another node’s policy');
  t.end();
});

t.test('reserved:init endpoints are enforced both ways, unless never', (t) => {
  const init = (policy: string, config: PolicyConfig = {}): World => {
    const world = new World(policy, config);
    world.cluster.setInitEndpoint(1001, ['10.0.0.9']);
    world.flush();
    return world;
  };
  const rule = ccnp(
    'egress: [{toEntities: [kube-apiserver]}, {toEndpoints: [{}]}]',
    'init',
    'endpointSelector: {matchLabels: {"reserved:init": ""}}',
  );
  const closed = init(cnp('ingress: [{}]'));
  t.same(
    [closed.ask('init', 'ingress', 'world', 'TCP/80'), closed.ask('init', 'egress', 'world', 'TCP/80')],
    ['none', 'none'],
  );
  const world = init(rule);
  t.equal(world.ask('init', 'egress', 'kube-apiserver', 'TCP/443'), 'allow');
  t.equal(world.ask('init', 'egress', 'shop/client', 'TCP/443'), 'allow');
  t.equal(world.ask('init', 'egress', 'world', 'TCP/443'), 'none', 'an empty selector still means this cluster');
  t.equal(world.ask('init', 'ingress', 'shop/client', 'TCP/80'), 'none');
  const peers = init(
    cnp('ingress: [{fromEntities: [init]}, {fromEntities: [world], toPorts: [{ports: [{port: "81"}]}]}]'),
  );
  t.equal(peers.ask('shop/web', 'ingress', '10.0.0.9', 'TCP/80'), 'allow', 'its address is known');
  peers.cluster.removeEndpoint(1001);
  peers.flush();
  t.equal(peers.ask('shop/web', 'ingress', '10.0.0.9', 'TCP/80'), 'none', 'and forgotten');
  t.equal(init(rule, { 'enable-policy': 'never' }).ask('init', 'ingress', 'world', 'TCP/80'), 'allow');
  t.end();
});

t.test('attribution: entries and default denies lead back to the rules', (t) => {
  const world = new World(
    `${cnp('ingress: [{fromEndpoints: [{matchLabels: {app: client}}]}]\nlog: {value: hello}', 'a')}---${cnp('ingress: [{fromEndpoints: [{matchLabels: {tier: front}}]}]', 'b')}`,
  );
  world.ask('shop/web', 'ingress', 'shop/client', 'TCP/80');
  t.same(world.deciders(), [
    'CiliumNetworkPolicy/shop/a spec.ingress[0]',
    'CiliumNetworkPolicy/shop/b spec.ingress[0]',
  ]);
  t.match(world.cluster.origins(world.cookie)[0], { file: 'world.yaml', log: 'hello' });
  t.ok(world.cluster.origins(world.cookie)[0].line > 1);
  const { ingress, egress } = world.endpoint('shop/web');
  t.same(world.cluster.origins(ingress.defaultDenyCookie).map(policyName), [
    'CiliumNetworkPolicy/shop/a',
    'CiliumNetworkPolicy/shop/b',
  ]);
  t.match(ingress, { enforced: true, defaultDeny: true });
  t.match(egress, { enforced: false, defaultDeny: false, defaultDenyCookie: 0 });
  world.ask('shop/web', 'egress', 'world', 'TCP/80');
  t.match(world.cluster.origins(world.cookie), [{ kind: 'reserved', name: 'allow-any-egress' }]);
  t.end();
});

t.test('audit: global, namespace, endpoint, and a single policy in the shadow', (t) => {
  t.equal(
    new World('{apiVersion: v1, kind: Namespace, metadata: {name: empty}}', { 'policy-audit-mode': true }).endpoint(
      'shop/web',
    ).audit,
    true,
  );
  const world = new World(
    `${cnp('ingress: [{fromEndpoints: [{}]}]', 'tried').replace('namespace: shop}', 'namespace: shop, annotations: {sluice.io/audit: "true"}}')}---${cnp('ingress: [{fromEntities: [all]}]', 'real')}`,
  );
  t.equal(world.endpoint('shop/web').audit, false);
  t.equal(world.ask('shop/web', 'ingress', 'world', 'TCP/80'), 'allow', 'the audited policy is not enforced');
  t.equal(world.ask('shop/web', 'ingress', 'world', 'TCP/80', true), 'allow', 'and in the shadow the other allows it');
  world.cluster.removePolicy({ kind: 'CiliumNetworkPolicy', namespace: 'shop', name: 'real' });
  world.flush();
  t.equal(world.ask('shop/web', 'ingress', 'world', 'TCP/80'), 'allow');
  t.equal(world.ask('shop/web', 'ingress', 'world', 'TCP/80', true), 'none', 'alone it would drop');
  t.equal(world.endpoint('shop/client').shadow, undefined, 'no shadow where no audited policy selects');
  world.apply('{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {sluice.io/audit: "true"}}}');
  t.equal(world.endpoint('shop/web').audit, true);
  t.equal(world.endpoint('other/stranger').audit, false);
  t.end();
});
