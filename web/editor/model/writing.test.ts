/** What a change of the value does to the text: only what changed is written, in the style of what stands around it. */
import t from 'tap';
import { change, convert, withDocument } from './changes.ts';
import type { Edit } from './edits.ts';
import { openText } from './policy-text.ts';

const COMMENTED = `# top
apiVersion: cilium.io/v2 # v2
kind: CiliumNetworkPolicy
metadata: { name: a, namespace: shop } # meta
spec:
    # who
    endpointSelector:
        matchLabels:
            app: web # the web

    ingress:
    # the clients
    - fromEndpoints:
      - matchLabels: {app: client} # one
      # two
      - matchLabels: {app: other}
      toPorts: # ports
      - ports:
        - {port: "80", protocol: TCP}
        # last
    # others
    - fromCIDR: [ 10.0.0.0/8, # ten
                  192.168.0.0/16 ] # rfc
    # end
`;
const ENTRY = ['spec', 'ingress', 0];
const CIDRS = ['spec', 'ingress', 1];

interface Case {
  readonly name: string;
  readonly edit: Edit;
  /** Lines that go, and lines that come in their place. */
  readonly from: string;
  readonly to: string;
}

const CASES: readonly Case[] = [
  {
    name: 'a name is changed between its ends',
    edit: { do: 'name', text: 'b' },
    from: '{ name: a,',
    to: '{ name: b,',
  },
  {
    name: 'an item goes with its line; the comment above the next one stays',
    edit: { do: 'remove-peer', entry: ENTRY, path: [...ENTRY, 'fromEndpoints', 0] },
    from: '      - matchLabels: {app: client} # one\n',
    to: '',
  },
  {
    name: 'an item goes from between brackets',
    edit: { do: 'remove-peer', entry: CIDRS, path: [...CIDRS, 'fromCIDR', 1] },
    from: '10.0.0.0/8, # ten\n                  192.168.0.0/16 ]',
    to: '10.0.0.0/8 # ten\n                  ]',
  },
  {
    name: 'an item comes between brackets, on a line of its own where the others have one',
    edit: { do: 'add-peer', entry: CIDRS, peer: { kind: 'cidr', cidr: '192.0.2.1/32', except: [] } },
    from: '192.168.0.0/16 ]',
    to: '192.168.0.0/16,\n                  192.0.2.1/32 ]',
  },
  {
    name: 'requests come behind the ports, before the comment that stands there',
    edit: { do: 'add-request', ports: [...ENTRY, 'toPorts', 0], parser: 'http', fields: { method: 'GET' } },
    from: 'TCP}\n',
    to: 'TCP}\n        rules:\n            http: [ { method: GET } ]\n',
  },
  {
    name: 'words that kubectl takes for booleans and numbers are quoted',
    edit: { do: 'select', rule: ['spec'], selector: { matchLabels: { app: 'no', version: '010', x: '12:30' } } },
    from: '            app: web # the web\n',
    to: '            app: "no" # the web\n            version: "010"\n            x: "12:30"\n',
  },
  {
    name: 'text that nobody can see is written as escapes',
    edit: { do: 'select', rule: ['spec'], selector: { matchLabels: { app: 'a\u202eb\u0007\u2028' } } },
    from: 'app: web',
    to: 'app: "a\\u202eb\\u0007\\u2028"',
  },
  {
    name: 'an annotation comes into the map that is in brackets',
    edit: { do: 'audit', isOn: true },
    from: 'namespace: shop }',
    to: 'namespace: shop, annotations: { sluice.io/audit: "true" } }',
  },
  {
    name: 'a flag comes behind the last field',
    edit: { do: 'default-deny', rule: ['spec'], direction: 'ingress', isOn: false },
    from: '] # rfc\n',
    to: '] # rfc\n    enableDefaultDeny: { ingress: false }\n',
  },
  {
    name: 'a field that is emptied keeps the comment beside it',
    edit: { do: 'select', rule: ['spec'], selector: {} },
    from: '\n        matchLabels:\n            app: web # the web',
    to: ' {} # the web',
  },
];

t.test('change() touches the lines that it is about, and no other', (t) => {
  for (const { name, edit, from, to } of CASES) {
    const result = change(openText(COMMENTED), 0, edit);
    t.equal(COMMENTED.split(from).length, 2, `${name}: stands there once`);
    t.same(result, { text: COMMENTED.replace(from, () => to) }, name);
  }
  t.end();
});

t.test('an entry that becomes a denial takes its comments along', (t) => {
  const result = change(openText(COMMENTED), 0, { do: 'turn-entry', entry: ENTRY });
  t.match(
    'text' in result && result.text,
    /# others\n.*\n.*\n {4}# one\n {4}# two\n {4}# ports\n {4}ingressDeny:\n {4}- fromEndpoints:\n/,
  );
  t.end();
});

t.test('a change keeps carriage returns, JSON, a missing newline at the end, and other documents', (t) => {
  const edit: Edit = {
    do: 'add-peer',
    entry: ENTRY,
    peer: { kind: 'pods', scope: { of: 'own' }, selector: { matchLabels: { a: 'b' } } },
  };
  const block = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: a
spec:
  endpointSelector: {}
  ingress:
    - fromEndpoints:
        - matchLabels:
            app: client`;
  const added = '\n        - matchLabels:\n            a: b';
  const styled = { text: block + added };
  t.same(change(openText(block), 0, edit), styled, 'no newline at the end');
  const carried = block.replaceAll('\n', '\r\n');
  t.same(
    change(openText(`${carried}\r\n`), 0, edit),
    { text: `${(block + added).replaceAll('\n', '\r\n')}\r\n` },
    'CRLF',
  );
  const two = `%YAML 1.2\n--- # first\n${block}\n...\n--- # second\n${block}\n# end\n`;
  t.same(change(openText(two), 1, edit), { text: two.replace(/(client)(\n# end)/, `$1${added}$2`) }, 'the second');
  t.same(change(openText(two), 0, edit), { text: two.replace(/(client)(\n\.\.\.)/, `$1${added}$2`) }, 'the first');
  const json = JSON.stringify(
    {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNetworkPolicy',
      metadata: { name: 'a' },
      spec: { endpointSelector: {}, ingress: [{ fromEndpoints: [{ matchLabels: { app: 'client' } }] }] },
    },
    null,
    2,
  );
  const result = change(openText(json), 0, edit);
  const wanted = json.replace(/(\n {10}\})(\n {8}\])/, '$1,\n          { "matchLabels": { "a": "b" } }$2');
  t.same(result, { text: wanted }, 'JSON');
  t.doesNotThrow(() => JSON.parse(wanted));
  t.equal(withDocument('a: 1\r\n', 'b: 2\n'), 'a: 1\r\n---\r\nb: 2\r\n');
  t.equal(withDocument('a: 1', 'b: 2\n'), 'a: 1\n---\nb: 2\n');
  t.end();
});

t.test('a value is written in place of an alias; what an anchor shares is not touched', (t) => {
  const text = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: anchors}
spec:
  endpointSelector: &web {matchLabels: {app: web}}
  ingress:
  - fromEndpoints: [*web, {<<: *web}]
  - fromEndpoints:
    - *web # same
`;
  const peer = { kind: 'pods', scope: { of: 'own' }, selector: { matchLabels: { app: 'x' } } } as const;
  const set = (i: number): unknown => {
    const entry = ['spec', 'ingress', i];
    return change(openText(text), 0, { do: 'set-peer', entry, path: [...entry, 'fromEndpoints', 0], peer });
  };
  t.same(set(0), { text: text.replace('[*web', '[{matchLabels: {app: x}}') });
  t.same(set(1), { text: text.replace('- *web', '- {matchLabels: {app: x}}') });
  const shared = change(openText(text), 0, { do: 'select', rule: ['spec'], selector: peer.selector });
  t.match(shared, { refused: /aliases, anchors or merged maps/ });
  t.end();
});

t.test('a change of kind says what the other kind cannot say', (t) => {
  const refusal = (spec: string, kind: Parameters<typeof convert>[2]): unknown =>
    convert(
      openText(`apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: a, namespace: shop}\n${spec}`),
      0,
      kind,
    );
  const rule = (rest: string): string => `spec: {endpointSelector: {matchLabels: {app: web}}, ${rest}}`;
  for (const [rest, sentence] of [
    ['ingressDeny: [{fromEntities: [all]}]', /cannot deny/],
    ['ingress: [{fromEntities: [host]}]', /pods and prefixes/],
    ['egress: [{toFQDNs: [{matchName: a.b}]}]', /pods and prefixes/],
    ['ingress: [{icmps: [{fields: [{type: 8}]}]}]', /ICMP/],
    ['ingress: [{toPorts: [{ports: [{port: "80", protocol: TCP}], rules: {http: [{}]}}]}]', /application rules/],
    ['ingress: [{}], enableDefaultDeny: {ingress: false}', /closes one direction/],
    ['log: {value: x}, ingress: [{}]', /spec.log/],
    ['ingress: [{fromEndpoints: [{matchLabels: {"reserved:host": ""}}]}]', /no label reserved:host/],
  ] as const)
    t.match(refusal(rule(rest), 'NetworkPolicy'), { refused: sentence }, rest);
  t.match(
    refusal('specs: [{endpointSelector: {}, ingress: [{}]}, {endpointSelector: {}, egress: [{}]}]', 'NetworkPolicy'),
    {
      refused: /several/,
    },
  );
  t.end();
});
