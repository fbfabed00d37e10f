/** Drafts, cookies and rule sets, each by itself. */
import t from 'tap';
import type { Origin } from '../rule/rule.ts';
import { CookieJar } from './cookies.ts';
import { coverOf, type Draft, DraftGatherer, uncovered } from './map-state.ts';
import { RuleSetTable } from './rule-set-table.ts';

const origin = (name: string): Origin => ({ kind: 'K', namespace: '', name, path: '', file: '', line: 1 });

t.test('map state: higher precedence stays, equals join, the covered go', (t) => {
  const draft = (more: Partial<Draft>): Draft => ({
    egress: false,
    protocol: 6,
    port: 80,
    portPrefix: 16,
    naturalPrefix: more.portPrefix ?? 16,
    deny: false,
    ruleSet: 0,
    authType: 0,
    hasExplicitAuthType: false,
    precedence: 1,
    origins: [origin('a')],
    ...more,
  });
  const collect = (...drafts: Draft[]): Map<number, Draft> => {
    const gatherer = new DraftGatherer();
    for (const one of drafts) gatherer.add(one);
    return gatherer.drafts();
  };
  const joined = collect(draft({}), draft({ origins: [origin('b')], authType: 1, hasExplicitAuthType: true }));
  t.match([...joined.values()], [{ authType: 1, hasExplicitAuthType: true, origins: [{ name: 'a' }, { name: 'b' }] }]);
  t.match([...collect(draft({ precedence: 5, ruleSet: 9 }), draft({})).values()], [{ ruleSet: 9 }]);
  const left = (...drafts: Draft[]): number[] =>
    uncovered(collect(...drafts))
      .map(({ portPrefix }) => portPrefix)
      .sort((a, b) => a - b);
  const any = { protocol: 0, port: 0, portPrefix: 0 };
  t.same(left(draft({}), draft({ ...any, precedence: 9, deny: true })), [0], 'a broad deny covers a narrow allow');
  t.same(
    left(draft({ precedence: 9, deny: true }), draft({ ...any, precedence: 9, deny: true })),
    [0],
    'and a narrow deny',
  );
  t.same(left(draft({}), draft(any)), [0, 16], 'a broad allow does not cover an equal one');
  t.same(left(draft({ precedence: 9 }), draft(any)), [0, 16]);
  t.same(left(draft({ port: 81 }), draft({ port: 80, portPrefix: 15, precedence: 9 })), [15], 'by port prefix');
  t.same(left(draft({ port: 82 }), draft({ port: 80, portPrefix: 15, precedence: 9 })), [15, 16]);
  t.same(left(draft({ egress: true }), draft({ ...any, precedence: 9, deny: true })), [0, 16], 'directions do not mix');
  const wildcard = collect(draft({ ...any, precedence: 9, deny: true }));
  t.same(uncovered(collect(draft({})), coverOf(wildcard)), [], 'the wildcard covers too');
  t.end();
});

t.test('CookieJar remembers a while, and tells what is gone', (t) => {
  const jar = new CookieJar();
  const first = jar.acquire([origin('x'), origin('y')]);
  t.equal(jar.acquire([origin('y'), origin('x')]), first, 'order does not matter');
  t.equal(jar.acquire([]), 0);
  jar.release(first);
  jar.release(first);
  t.equal(jar.origins(first).length, 2, 'still known when nobody holds it');
  t.equal(jar.size, 0);
  t.same([...jar.takeChanges().added.keys()], [first]);
  for (let i = 0; i < 4096; i++) jar.release(jar.acquire([origin(`n${i}`)]));
  t.same(jar.origins(first), []);
  t.same(jar.takeChanges().removed, [first]);
  t.end();
});

t.test('RuleSetTable: an id never changes its content', (t) => {
  const table = new RuleSetTable();
  const ruleSet = (port: number) => ({ parser: 'http', endpoint: 0, ingress: true, port, rules: [] }) as const;
  const id = table.acquire(ruleSet(80));
  t.equal(table.acquire(ruleSet(80)), id);
  t.same([...table.takeChanges().put.keys()], [id]);
  table.release(id);
  t.same(table.takeChanges(), { put: new Map(), remove: [] });
  table.release(id);
  t.same(table.takeChanges().remove, [id]);
  const other = table.acquire(ruleSet(81));
  t.not(other, id, 'a freed id waits its turn');
  table.release(other);
  t.same(table.takeChanges(), { put: new Map(), remove: [] }, 'what was never published need not be removed');
  t.end();
});
