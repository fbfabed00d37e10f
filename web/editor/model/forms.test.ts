/** Forms, and the texts that people type into them. */
import t from 'tap';
import { PEERS } from '../../../test/policy/every-edit.ts';
import { onTrial } from './changes.ts';
import { entryForm, isShown, peerForm, portForm, requestForm, type Values } from './forms.ts';
import { markOfLines, unixLines, withLineEnds } from './line-ends.ts';
import { peerText } from './peer-text.ts';
import { groupOf } from './peers.ts';
import { openText } from './policy-text.ts';
import { endText, queryOf } from './replayed.ts';
import { parsePorts, parseSelector, portText, selectorText } from './selector-text.ts';

t.test('a selector reads as it is typed', (t) => {
  const selector = {
    matchLabels: { app: 'web', 'k8s:a.b/c': '' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['a', 'b'] },
      { key: 'x', operator: 'NotIn', values: ['c'] },
      { key: 'there', operator: 'Exists' },
      { key: 'gone', operator: 'DoesNotExist' },
    ],
  };
  t.equal(selectorText(selector), 'app=web, k8s:a.b/c=, tier in (a, b), x notin (c), there, !gone');
  t.same(parseSelector(selectorText(selector)), selector);
  t.same(parseSelector(' app == web,x!=c '), {
    matchLabels: { app: 'web' },
    matchExpressions: [{ key: 'x', operator: 'NotIn', values: ['c'] }],
  });
  t.same(parseSelector(''), {});
  for (const text of ['a b', 'a=b=c', 'in (a)', 'a in b', '=', '!'])
    t.throws(() => parseSelector(text), { message: /wanted labels/ }, text);
  t.end();
});

t.test('ports read as they are typed', (t) => {
  for (const text of ['80/TCP', '1000-2000/UDP', 'http/TCP', '53/ANY', 'every port/SCTP'])
    t.same(parsePorts(text).map(portText), [text]);
  t.same(parsePorts('80, http').map(portText), ['80/TCP', 'http/TCP']);
  t.same(parsePorts(' '), []);
  for (const text of ['0', '65536', '20-10', 'http-20', '80/', '80//TCP', 'a b'])
    t.throws(() => parsePorts(text), { message: /wanted a port/ }, text);
  t.end();
});

t.test('a form that is opened for a peer and sent as it is changes nothing', (t) => {
  const entry = ['spec', 'egress', 0];
  for (const peer of PEERS) {
    const form = peerForm(
      entry,
      { group: groupOf(peer, 'shop'), namespace: 'shop' },
      { path: [...entry, 'x', 0], peer },
    );
    const values: Values = Object.fromEntries(form.fields.map(({ name, value }) => [name, value]));
    const shown = form.fields.filter((field) => isShown(field, values)).map(({ name }) => [name, values[name]]);
    t.match(form.edit(Object.fromEntries(shown) as Values), { do: 'set-peer', peer }, peerText(peer));
  }
  t.end();
});

t.test('forms say what is missing', (t) => {
  const where = { rule: ['spec'], direction: 'ingress', namespace: 'shop' } as const;
  const edit = (values: Values): unknown => entryForm({ ...where, group: 'outside' }).edit(values);
  t.throws(() => edit({ kind: 'addresses' }), { message: 'the prefix is missing' });
  t.throws(() => edit({ kind: 'a DNS name', name: ' ' }), { message: 'the name is missing' });
  t.throws(() => portForm(['spec', 'ingress', 0], undefined).edit({ ports: '1, 2' }), { message: /one port/ });
  t.throws(() => requestForm(['x'], 'dns').edit({ matchName: 'a', matchPattern: '*' }), { message: /one of the two/ });
  t.end();
});

t.test('a form for a request keeps the fields that it does not show', (t) => {
  const fields = { method: 'GET', headers: ['A: b', 'C'], headerMatches: [{ name: 'x' }] };
  const form = requestForm(['x'], 'http', { path: ['x', 0], fields });
  const values = Object.fromEntries(form.fields.map(({ name, value }) => [name, value]));
  t.equal(values['headers'], 'A: b | C');
  t.same(form.edit({ ...values, path: '/a' }), {
    do: 'set-request',
    path: ['x', 0],
    fields: { ...fields, path: '/a' },
  });
  t.end();
});

t.test('onTrial() puts every policy of a text on trial, or none', (t) => {
  const policy = (name: string): string =>
    `apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: ${name}}\nspec: {endpointSelector: {}}\n`;
  const result = onTrial(openText(`${policy('a')}---\n${policy('b')}`), [0, 1]);
  const trial = (name: string): string =>
    policy(name).replace(`{name: ${name}}`, `{name: ${name}, annotations: {sluice.io/audit: "true"}}`);
  t.same(result, { text: `${trial('a')}---\n${trial('b')}` });
  t.match(onTrial(openText(`${policy('a')}---\nb: [`), [0, 1]), { refused: /mistakes/ });
  t.end();
});

t.test('line ends are put back as most of them were', (t) => {
  for (const text of ['a\nb\n', 'a\r\nb\r\n', '', 'a']) t.equal(withLineEnds(unixLines(text), markOfLines(text)), text);
  t.equal(markOfLines('a\r\nb\nc\nd\n'), '\n');
  t.end();
});

t.test('ends and queries of a replay', (t) => {
  const to = { labels: ['k8s:app=x', 'k8s:io.kubernetes.pod.namespace=shop', 'k8s:tier=y'], namespace: 'shop' };
  t.equal(endText(to), 'shop/app=x,tier=y');
  const rest = { before: 'denied', after: 'allowed', isAudited: false, policies: [], flows: 1 } as const;
  const from = { ip: '192.0.2.1' };
  t.same(queryOf({ ...rest, from, to, protocol: 'ICMP', port: 8 }), { from, to, protocol: 'ICMP', icmp: 8 });
  const http = { method: 'GET' };
  t.same(queryOf({ ...rest, from, to, protocol: 'TCP', port: 80, http }), {
    from,
    to,
    protocol: 'TCP',
    port: 80,
    http,
  });
  t.end();
});
