/** What wins where rules meet: allow, deny and L7; and the entries that say it. */
import t from 'tap';
import { World, cnp, ccnp, run, GET, PUT, http, CLIENT } from '../../test/policy/semantics.ts';

run('allow, deny and L7 precedence', [
  {
    name: 'a wildcard deny beats a specific allow, a broad deny a narrow allow',
    policy: cnp(
      `ingress: [{${CLIENT}toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]\ningressDeny: [{fromEntities: [all], toPorts: [{ports: [{port: "0", protocol: TCP}]}]}]`,
    ),
    expect: { 'ingress shop/client TCP/80': 'deny', 'ingress world TCP/80': 'deny', 'ingress world UDP/80': 'none' },
  },
  {
    name: 'a deny of one peer leaves the others',
    policy: cnp(`ingress: [{fromEntities: [all]}]\ningressDeny: [{${CLIENT.slice(0, -2)}}]`),
    expect: { 'ingress shop/client TCP/80': 'deny', 'ingress other/stranger TCP/80': 'allow' },
  },
  {
    name: 'a deny of one port inside an allow of all',
    policy: cnp(
      'ingress: [{fromEntities: [all]}]\ningressDeny: [{fromEntities: [all], toPorts: [{ports: [{port: "22", protocol: TCP}]}]}]',
    ),
    expect: { 'ingress world TCP/22': 'deny', 'ingress world TCP/23': 'allow', 'ingress shop/client TCP/22': 'deny' },
  },
  {
    name: 'plain and plain is plain',
    policy: `${cnp(http('80', '', CLIENT))}---${cnp(http('80', '', CLIENT), 'second')}`,
    expect: { 'ingress shop/client TCP/80': 'allow' },
  },
  {
    name: 'plain beside HTTP on one peer and port: proxied, every request allowed',
    policy: `${cnp(http('80', GET, CLIENT))}---${cnp(http('80', '', CLIENT), 'second')}`,
    expect: { 'ingress shop/client TCP/80': 'http [{"method":"GET"}] | everything' },
  },
  {
    name: 'two HTTP lists are united',
    policy: `${cnp(http('80', GET, CLIENT))}---${cnp(http('80', PUT, CLIENT), 'second')}`,
    expect: { 'ingress shop/client TCP/80': 'http [{"method":"GET"}] | [{"method":"PUT"}]' },
  },
  {
    name: 'HTTP for one peer, plain for everybody: the peer is proxied and lifted, others are plain',
    policy: `${cnp(http('80', GET, CLIENT))}---${cnp(http('80', ''), 'second')}`,
    expect: { 'ingress shop/client TCP/80': 'http [{"method":"GET"}] | everything', 'ingress world TCP/80': 'allow' },
  },
  {
    name: 'HTTP for everybody, plain for one peer: the redirect outranks the plain allow',
    policy: `${cnp(http('80', GET))}---${cnp(http('80', '', CLIENT), 'second')}`,
    expect: {
      'ingress shop/client TCP/80': 'http [{"method":"GET"}] | everything',
      'ingress world TCP/80': 'http [{"method":"GET"}]',
    },
  },
  {
    name: 'an all-ports allow of a peer lifts its HTTP list',
    policy: `${cnp(http('80', GET, CLIENT))}---${cnp('ingress: [{fromEndpoints: [{matchLabels: {app: client}}]}]', 'second')}`,
    expect: {
      'ingress shop/client TCP/80': 'http [{"method":"GET"}] | everything',
      'ingress shop/client TCP/81': 'allow',
    },
  },
  {
    name: 'a port range that covers the port lifts the HTTP list too',
    policy: `${cnp(http('80', GET, CLIENT))}---${cnp('ingress: [{fromEntities: [all], toPorts: [{ports: [{port: "70", endPort: 90, protocol: TCP}]}]}]', 'second')}`,
    expect: {
      'ingress shop/client TCP/80': 'http [{"method":"GET"}] | everything',
      'ingress shop/client TCP/79': 'allow',
    },
  },
  {
    name: 'an L7 range is cut where another rule begins',
    policy: `${cnp('ingress: [{toPorts: [{ports: [{port: "80", endPort: 90, protocol: TCP}], rules: {http: [{method: GET}]}}]}]')}---${cnp(http('85', PUT), 'second')}`,
    expect: {
      'ingress world TCP/84': 'http [{"method":"GET"}]',
      'ingress world TCP/85': 'http [{"method":"GET"}] | [{"method":"PUT"}]',
      'ingress world TCP/86': 'http [{"method":"GET"}]',
      'ingress world TCP/91': 'none',
    },
  },
  {
    name: 'deny wins over L7 on the same peer and port',
    policy: cnp(
      `${http('80', GET, CLIENT)}\ningressDeny: [{${CLIENT}toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]`,
    ),
    expect: { 'ingress shop/client TCP/80': 'deny' },
  },
  {
    name: 'server names redirect to the TLS parser, two lists are united',
    policy: `${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [a.example]}]}]')}---${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [b.example]}]}]', 'second')}`,
    expect: { 'egress world TCP/443': 'tls ["a.example"] | ["b.example"]' },
  },
  {
    name: 'server names bind a plain allow of the same peer and port',
    policy: `${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [a.example]}]}]')}---${cnp('egress: [{toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}]}]}]', 'second')}`,
    expect: { 'egress world TCP/443': 'tls ["a.example"]' },
  },
  {
    name: 'DNS and Kafka rules redirect to their parsers; DNS goes by its own port only',
    policy: cnp(
      'egress: [{toEntities: [world], toPorts: [{ports: [{port: "53", protocol: ANY}], rules: {dns: [{matchPattern: "*"}]}}]}, {toEntities: [world]}, {toEntities: [cluster], toPorts: [{ports: [{port: "9092", protocol: TCP}], rules: {kafka: [{role: produce}]}}]}]',
    ),
    expect: {
      'egress world UDP/53': 'dns [{"matchPattern":"*"}]',
      'egress world TCP/53': 'dns [{"matchPattern":"*"}]',
      'egress shop/client TCP/9092': 'kafka [{"role":"produce"}]',
      'egress world TCP/9092': 'allow',
    },
  },
  {
    name: 'neither a range nor every port lifts a DNS list, a plain rule for its port does',
    policy: cnp(
      'egress: [{toPorts: [{ports: [{port: "53"}], rules: {dns: [{matchName: a.b}]}}, {ports: [{port: "1", endPort: 1023}]}, {ports: [{port: "0"}]}]}, {toEntities: [host], toPorts: [{ports: [{port: "53", protocol: UDP}]}]}]',
    ),
    expect: {
      'egress world UDP/53': 'dns [{"matchName":"a.b"}]',
      'egress world TCP/53': 'dns [{"matchName":"a.b"}]',
      'egress host UDP/53': 'dns [{"matchName":"a.b"}] | everything',
      'egress world UDP/54': 'allow',
    },
  },
  {
    name: 'server names on every port; where requests are read they let all pass',
    policy: cnp(
      'egress: [{toPorts: [{ports: [{port: "0", protocol: TCP}], serverNames: [a.example]}, {ports: [{port: "80", protocol: TCP}], rules: {http: [{method: GET}]}}]}]',
    ),
    expect: {
      'egress world TCP/443': 'tls ["a.example"]',
      'egress world TCP/65535': 'tls ["a.example"]',
      'egress world TCP/80': 'http [{"method":"GET"}] | everything',
      'egress world UDP/443': 'none',
    },
  },
  {
    name: 'server names outrank a DNS list, which lets nothing pass then',
    policy: cnp(
      'egress: [{toPorts: [{ports: [{port: "0", protocol: TCP}], serverNames: [a.example]}, {ports: [{port: "53"}], rules: {dns: [{matchName: a.b}]}}]}]',
    ),
    expect: { 'egress world TCP/53': 'tls ["a.example"]', 'egress world UDP/53': 'dns [{"matchName":"a.b"}]' },
  },
  {
    name: 'authentication: required drops with 189 until a backend exists',
    policy: cnp(
      'ingress: [{fromEndpoints: [{}], authentication: {mode: required}}, {fromEntities: [world], authentication: {mode: disabled}}]',
    ),
    expect: { 'ingress shop/client TCP/80': 'auth', 'ingress world TCP/80': 'allow' },
  },
  {
    name: 'authentication: a mode that one rule leaves out is what the other says',
    policy: `${cnp('ingress: [{fromEndpoints: [{}], authentication: {mode: required}}]')}---${cnp('ingress: [{fromEndpoints: [{}]}]', 'second')}`,
    expect: { 'ingress shop/client TCP/80': 'auth' },
  },
  {
    name: 'authentication: what a rule asks of all ports holds for a port that another rule allows',
    policy: `${cnp('ingress: [{fromEndpoints: [{}], authentication: {mode: required}}]')}---${cnp('ingress: [{fromEndpoints: [{}], toPorts: [{ports: [{port: "80", protocol: TCP}]}]}, {fromEndpoints: [{}], toPorts: [{ports: [{port: "81", protocol: TCP}]}], authentication: {mode: disabled}}]', 'second')}`,
    expect: {
      'ingress shop/client TCP/80': 'auth',
      'ingress shop/client TCP/81': 'allow',
      'ingress shop/client TCP/82': 'auth',
    },
  },
  {
    name: 'authentication: of all ports, for a protocol of the same peer, and of a prefix',
    policy: `${cnp('ingress: [{fromCIDR: [198.51.100.0/24], authentication: {mode: required}}, {fromEntities: [all], toPorts: [{ports: [{port: "80", protocol: UDP}]}], authentication: {mode: required}}]')}---${cnp('ingress: [{fromCIDR: [198.51.100.0/24], toPorts: [{ports: [{port: "0", protocol: TCP}]}]}, {toPorts: [{ports: [{port: "0", protocol: UDP}]}]}]', 'second')}`,
    expect: {
      'ingress 198.51.100.1 TCP/80': 'auth',
      'ingress 203.0.113.1 UDP/80': 'auth',
      'ingress 203.0.113.1 UDP/81': 'allow',
    },
  },
  {
    name: 'authentication: what a plain rule asks holds for the HTTP rules of the same port',
    policy: cnp(
      `ingress: [{fromEndpoints: [{}], toPorts: [{ports: [{port: "80", protocol: TCP}]}], authentication: {mode: required}}, {${CLIENT}toPorts: [{ports: [{port: "80", protocol: TCP}], ${GET}}]}]`,
    ),
    expect: { 'ingress shop/client TCP/80': 'auth' },
  },
  {
    name: 'authentication: a range that was cut is no narrower for it',
    policy: cnp(
      'egress: [{toPorts: [{ports: [{port: "443", protocol: TCP}], serverNames: [a.example]}], authentication: {mode: required}}, {toEndpoints: [{}], toPorts: [{ports: [{port: "0", protocol: TCP}], serverNames: [b.example]}], authentication: {mode: disabled}}]',
    ),
    expect: { 'egress shop/client TCP/443': 'auth', 'egress shop/client TCP/444': 'tls ["b.example"]' },
  },
  {
    name: 'authentication: of two broader rules the narrower is heard, also where its range was cut',
    policy: cnp(
      `ingress: [{toPorts: [{ports: [{port: "1", endPort: 1023, protocol: TCP}]}], authentication: {mode: required}}, {toPorts: [{ports: [{port: "80", endPort: 90, protocol: TCP}], ${GET}}], authentication: {mode: disabled}}, {toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{method: PUT}]}}]}]`,
    ),
    expect: {
      'ingress shop/client TCP/79': 'auth',
      'ingress shop/client TCP/80': 'http [{"method":"GET"}] | [{"method":"PUT"}] | everything',
    },
  },
  {
    name: 'HTTP on a port, and a plain allow of the name that the port has for the peer',
    policy: cnp(
      'egress: [{toEndpoints: [{}], toPorts: [{ports: [{port: "9000", protocol: TCP}], rules: {http: [{method: GET}]}}]}, {toEndpoints: [{}], toPorts: [{ports: [{port: http, protocol: TCP}]}]}]',
    ),
    expect: { 'egress shop/client TCP/9000': 'http [{"method":"GET"}] | everything' },
  },
  {
    name: 'HTTP on a port name: for each peer on its own number',
    policy: cnp(
      'egress: [{toEndpoints: [{}], toPorts: [{ports: [{port: http, protocol: TCP}], rules: {http: [{method: GET}]}}]}, {toEndpoints: [{}], toPorts: [{ports: [{port: "9000", protocol: TCP}], rules: {http: [{method: PUT}]}}]}]',
    ),
    expect: {
      'egress shop/client TCP/9000': 'http [{"method":"GET"}] | [{"method":"PUT"}]',
      'egress shop/client TCP/8080': 'none',
    },
  },
  {
    name: 'terminatingTLS is not enforced yet: the port is closed to the peers',
    policy: cnp(
      'egress: [{toEntities: [all]}, {toEntities: [world], toPorts: [{ports: [{port: "443", protocol: TCP}], terminatingTLS: {secret: {name: x}}, rules: {http: [{method: GET}]}}]}]',
    ),
    expect: { 'egress world TCP/443': 'deny', 'egress shop/client TCP/443': 'allow', 'egress world TCP/80': 'allow' },
  },
]);

t.test('map state: precedence words, aggregates, covered entries, rule sets shared', (t) => {
  const world = new World(cnp('ingress: [{toPorts: [{ports: [{port: "8080", endPort: 8095, protocol: TCP}]}]}]'));
  const entries = world.endpoint('shop/web').entries.filter(({ egress, protocol }) => !egress && protocol === 6);
  t.same(
    entries.map(({ identity }) => identity).sort((a, b) => a - b),
    [0, 11, 12, 13, 14],
    'a rule for everybody is stored under all aggregates',
  );
  t.ok(
    entries.every(({ port, portPrefix }) => port === 8080 && portPrefix === 12),
    'a range is one block of 12 bits',
  );
  t.ok(
    entries.every(({ precedence }) => precedence === 0xffffff01),
    'plain allow',
  );
  const deny = new World(cnp(`${http('80', GET, CLIENT)}\ningressDeny: [{fromEntities: [all]}]`));
  t.same(
    new Set(
      deny
        .endpoint('shop/web')
        .entries.filter(({ egress }) => !egress)
        .map(({ precedence }) => precedence),
    ),
    new Set([0xffffffff]),
    'what a broad deny covers is dropped',
  );
  const proxied = new World(
    `${cnp(http('80', GET, CLIENT))}---${ccnp(http('80', GET, 'fromEndpoints: [{matchLabels: {app: client, "k8s:io.kubernetes.pod.namespace": shop}}], '), 'w', 'endpointSelector: {matchLabels: {tier: front}}')}`,
  );
  const redirects = ['shop/web', 'shop/client'].map((pod) =>
    proxied.endpoint(pod).entries.find(({ ruleSet }) => ruleSet > 0),
  );
  t.equal(redirects[0]?.precedence, ((0xffffff << 8) | 154) >>> 0, 'HTTP is listener priority 101');
  t.not(redirects[0]?.ruleSet, redirects[1]?.ruleSet, 'rules of other origins are other rule sets');
  const cluster = new World(cnp('ingress: [{fromEntities: [cluster]}]'));
  const ids = cluster
    .endpoint('shop/web')
    .entries.filter(({ egress }) => !egress)
    .map(({ identity }) => identity);
  t.notOk(ids.includes(cluster.identity('shop/client')), 'what the aggregate says is not said again for each pod');
  t.ok(ids.includes(11));
  t.equal(cluster.ask('shop/web', 'ingress', 'shop/client', 'TCP/1'), 'allow');
  t.end();
});
