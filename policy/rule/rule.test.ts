/** The vocabulary of rules: selectors, prefixes, ports, names, ICMP types. */
import t from 'tap';
import { Draw } from '../../test/policy/random-world.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { prefixFromLabelKey, prefixLabelKey } from './prefix-label.ts';
import { fqdnRegExp, normalizeName } from '../../wire/fqdn.ts';
import { icmpNames, icmpType } from './icmp-types.ts';
import { LabelSet } from './labels.ts';
import { portBlocks } from './port-range.ts';
import { isServiceName, parsePort } from './port.ts';
import { selectorFrom, selectorKey, selects } from './selector.ts';

t.test('selectors: equal keys for equal meanings', (t) => {
  const web = selectorFrom({ matchLabels: { app: 'web' } }, 'any');
  t.equal(
    selectorKey(web),
    selectorKey(selectorFrom({ matchExpressions: [{ key: 'app', operator: 'In', values: ['web', 'web'] }] }, 'any')),
  );
  t.not(selectorKey(web), selectorKey(selectorFrom({ matchLabels: { app: 'web' } }, 'k8s')));
  const empty = selectorFrom({ matchLabels: { role: '' } }, 'any');
  t.same([selects(empty, new LabelSet(['k8s:role'])), selects(empty, new LabelSet(['k8s:role=x']))], [true, false]);
  t.ok(selects([], new LabelSet([])));
  const notIn = selectorFrom({ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }, 'any');
  t.same([selects(notIn, new LabelSet([])), selects(notIn, new LabelSet(['k8s:app=web']))], [true, false]);
  t.end();
});

t.test('prefixes as keys of labels', (t) => {
  const keys: Record<string, string> = {
    '::1/128': '0--1/128',
    '2001:db8::/32': '2001-db8--0/32',
    '10.0.0.0/8': '10.0.0.0/8',
    '::/0': '0--0/0',
  };
  for (const [text, key] of Object.entries(keys)) {
    t.equal(prefixLabelKey(parsePrefix(text)), key);
    t.equal(prefixFromLabelKey(key)?.text, text);
  }
  t.end();
});

t.test('portBlocks() is minimal and exact', (t) => {
  t.same(portBlocks(8080, 8095), [{ port: 8080, prefix: 12 }]);
  t.same(portBlocks(80, 80), [{ port: 80, prefix: 16 }]);
  t.same(portBlocks(0, 65535), [{ port: 0, prefix: 0 }]);
  t.same(portBlocks(1, 65535).length, 16);
  const draw = new Draw(3);
  for (let i = 0; i < 200; i++) {
    const first = draw.int(65536);
    const last = first + draw.int(65536 - first);
    const blocks = portBlocks(first, last);
    let next = first;
    for (const { port, prefix } of blocks) {
      const size = 2 ** (16 - prefix);
      if (port !== next || port % size !== 0) t.fail(`${first}-${last}`);
      next = port + size;
    }
    if (next !== last + 1 || blocks.length > 30) t.fail(`${first}-${last}`);
  }
  t.end();
});

t.test('ports: numbers as Go reads them, names as IANA has them', (t) => {
  t.same(['80', '0', '65535', '65536', '010', '0b11', '', '-1', '1e3'].map(parsePort), [
    80,
    0,
    65535,
    undefined,
    8,
    3,
    undefined,
    undefined,
    undefined,
  ]);
  t.same(['http', 'a-b', '0x50', '80', 'a--b', '-a', 'a-', 'abcdefghijklmno', 'abcdefghijklmnop'].map(isServiceName), [
    true,
    true,
    true,
    false,
    false,
    false,
    false,
    true,
    false,
  ]);
  t.end();
});

t.test('names: patterns as Cilium reads them', (t) => {
  const matches = (pattern: string, ...names: string[]): string[] =>
    names.filter((name) => fqdnRegExp({ matchPattern: pattern }).test(normalizeName(name)));
  t.same(matches('*', 'a', 'a.b.c', ''), ['a', 'a.b.c', ''], 'a lone star is every name');
  t.same(matches('***.', 'a.b'), ['a.b']);
  t.same(
    matches('*.example.com', 'a.example.com', 'a.b.example.com', 'example.com'),
    ['a.example.com'],
    'a star never crosses a dot',
  );
  t.same(
    matches('**.example.com', 'a.example.com', 'a.b.example.com', 'example.com'),
    ['a.example.com', 'a.b.example.com'],
    '**. is one label or more',
  );
  t.same(matches('a**b.example', 'axyb.example', 'ab.example', 'a.b.example'), ['axyb.example', 'ab.example']);
  t.same(matches('A.Example', 'a.example.', 'a.EXAMPLE', 'axexample'), ['a.example.', 'a.EXAMPLE']);
  t.ok(fqdnRegExp({ matchName: 'A.b.' }).test(normalizeName('a.B')));
  t.notOk(fqdnRegExp({}).test('a.'));
  t.end();
});

t.test('ICMP types: every name of both families', (t) => {
  t.same(
    [
      icmpType('IPv4', 'EchoRequest'),
      icmpType('IPv6', 'EchoRequest'),
      icmpType('IPv4', '11'),
      icmpType('IPv4', 300),
      icmpType('IPv4', 'PacketTooBig'),
    ],
    [8, 128, 11, undefined, undefined],
  );
  t.equal(Object.keys(icmpNames('IPv4')).length, 14);
  t.ok(Object.values(icmpNames('IPv6')).every((type) => type >= 1 && type <= 161));
  t.end();
});
