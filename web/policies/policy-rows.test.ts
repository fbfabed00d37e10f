import t from 'tap';
import type { PolicyDocument } from '../../api/shapes.ts';
import { plainKey, policyKey } from '../controls/policy-key.ts';
import { filtered, rowsOf, sorted } from './policy-rows.ts';

const policy = (kind: string, namespace: string, name: string): PolicyDocument => ({
  kind,
  namespace,
  name,
  file: 'a.yaml',
  line: 1,
  object: { kind, metadata: { name } },
});
const policies = [
  policy('NetworkPolicy', 'shop', 'web'),
  policy('CiliumClusterwideNetworkPolicy', '', 'all'),
  policy('NetworkPolicy', 'db', '\u202e<b>'),
];
const decided = { allowed: 3, denied: 1, audited: 0, lastTime: '2026-01-01T00:00:00Z' };
const rows = rowsOf({
  policies,
  selected: [{ ...policies[0], pods: ['shop/web-0'], selectsNodes: false }],
  problems: [
    {
      file: 'a.yaml',
      line: 1,
      column: 1,
      path: '',
      severity: 'warning',
      message: 'm',
      code: 'c',
      document: 'CiliumClusterwideNetworkPolicy/all',
    },
  ],
  recent: new Map([['NetworkPolicy/shop/web', decided]]),
  ever: new Map([['NetworkPolicy/shop/web', decided]]),
});
const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);

t.test('rowsOf() joins what the agent, the judge and the stream know of each policy', (t) => {
  t.match(rows[0], { key: 'NetworkPolicy/shop/web', pods: ['shop/web-0'], ...decided, problems: [] });
  t.match(rows[1], { key: 'CiliumClusterwideNetworkPolicy/all', pods: undefined, allowed: 0, lastTime: '' });
  t.equal(rows[1].problems.length, 1);
  t.end();
});

t.test('rows are sorted by any column, both ways, and by name where they are alike', (t) => {
  t.same(names(sorted(rows, '')), ['all', '\u202e<b>', 'web']);
  t.same(names(sorted(rows, '-allowed')), ['web', 'all', '\u202e<b>']);
  t.same(names(sorted(rows, 'last')), ['all', '\u202e<b>', 'web']);
  t.same(names(sorted(rows, '-problems')), ['all', '\u202e<b>', 'web']);
  t.same(names(sorted(rows, 'no such')), names(sorted(rows, 'policy')));
  t.end();
});

t.test('every word of a filter must be found, in the name or in a pod', (t) => {
  t.same(names(filtered(rows, 'network SHOP')), ['web']);
  t.same(names(filtered(rows, 'web-0')), ['web']);
  t.same(names(filtered(rows, '<b>')), ['\u202e<b>']);
  t.equal(filtered(rows, '  '), rows);
  t.same(filtered(rows, 'nothing'), []);
  t.end();
});

t.test('a key is the same however its empty namespace is written', (t) => {
  t.equal(policyKey(policies[1]), 'CiliumClusterwideNetworkPolicy/all');
  t.equal(plainKey('CiliumClusterwideNetworkPolicy//all'), 'CiliumClusterwideNetworkPolicy/all');
  t.end();
});
