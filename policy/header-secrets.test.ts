/** Header conditions that compare with secrets: what the dataplane is told, and what nobody else is. */
import t from 'tap';
import type { HttpRule } from '../policy-maps/l7-rules.ts';
import { ports } from '../test/policy/documents.ts';
import { Cluster } from './cluster.ts';
import { readDocuments } from './document/document.ts';
import { hasErrors } from './rule/problems.ts';
import { KUBERNETES } from './rule/rule.ts';

const MATCH = '{name: X-Token, secret: {name: token}}';
const NOTHING = [{ method: '[^\\s\\S]', headerMatches: [{ name: 'X-Token', isSecret: true }] }];

class SecretWorld {
  readonly cluster = new Cluster();
  rules: readonly HttpRule[] | null | undefined;

  readonly #file: string;

  constructor(match = MATCH, file = 'test') {
    this.#file = file;
    this.apply(
      'apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop, labels: {app: web}}\nspec: {containers: []}\n',
      ports(`ports: [{port: "80", protocol: TCP}]\nrules: {http: [{path: /, headerMatches: [${match}]}]}`),
    );
  }

  /** @returns what is wrong with its secrets */
  apply(...texts: string[]): string[] {
    for (const text of texts) {
      const { documents, problems } = readDocuments(text, this.#file);
      t.notOk(hasErrors(problems));
      for (const document of documents) this.cluster.apply(document, document.kind === 'Pod' ? 1 : 0);
    }
    return this.flush();
  }

  secret(fields: string, name = 'shop/token'): string[] {
    const [namespace, own] = name.split('/');
    return this.apply(`apiVersion: v1\nkind: Secret\nmetadata: {name: ${own}, namespace: ${namespace}}\n${fields}\n`);
  }

  flush(): string[] {
    for (const [, ruleSet] of this.cluster.flush().ruleSets.put) this.rules = ruleSet.rules[0].http;
    return this.cluster.policies.missingSecrets.map(({ message }) => message);
  }
}

const told = (what: string) => [`read secret shop/token for header X-Token: ${what}, wanted one value`];
const matching = (value: string) => [{ path: '/', headerMatches: [{ name: 'X-Token', value, isSecret: true }] }];

t.test('a rule without its secret matches nothing, and follows the secret as it comes, changes and goes', async (t) => {
  const world = new SecretWorld();
  t.same([world.flush(), world.rules], [told('found no such secret'), NOTHING]);
  t.same([world.secret('stringData: {any: one}'), world.rules], [[], matching('one')]);
  t.same([world.secret('stringData: {any: two}'), world.rules], [[], matching('two')]);
  t.same([world.secret('stringData: {other: x}', 'else/token'), world.rules], [[], matching('two')], 'its namespace');
  world.cluster.remove({ kind: 'Secret', namespace: 'shop', name: 'token' });
  t.same([world.flush(), world.rules], [told('found no such secret'), NOTHING]);
  world.cluster.removePolicy({ kind: 'CiliumNetworkPolicy', namespace: 'shop', name: 'test' });
  t.same(world.flush(), [], 'with the policy goes the complaint');
});

t.test('of several keys the one called as the secret counts; what fits no header is no value', async (t) => {
  const world = new SecretWorld();
  t.same([world.secret('stringData: {a: x, token: y}'), world.rules], [[], matching('y')]);
  for (const [fields, why] of [
    ['stringData: {a: x, b: y}', 'found 2 keys, none of them token'],
    ['stringData: {}', 'found 0 keys, none of them token'],
    ['stringData: {a: ""}', 'found an empty value'],
    ['stringData: {a: "x\\n"}', 'found a value with a line end or control character'],
    ['stringData: {a: "x\\r\\nX-Admin: yes"}', 'found a value with a line end or control character'],
  ]) {
    t.same([world.secret(fields), world.rules], [told(why), NOTHING], fields);
  }
});

t.test('a secret of files counts before an object, which counts again when they go', async (t) => {
  const world = new SecretWorld();
  world.secret('stringData: {a: object}');
  const file = { namespace: 'shop', name: 'token', values: new Map([['a', 'file']]) };
  world.cluster.secrets.setFiles([file]);
  t.same([world.flush(), world.rules], [[], matching('file')]);
  world.cluster.secrets.setFiles([{ ...file, values: new Map() }]);
  t.same([world.flush(), world.rules], [told('found 0 keys, none of them token'), NOTHING], 'unreadable is not absent');
  world.cluster.secrets.setFiles([]);
  t.same([world.flush(), world.rules], [[], matching('object')]);
});

t.test('the secret counts before a value, and its namespace may be another', async (t) => {
  const world = new SecretWorld('{name: X-Token, value: v, mismatch: REPLACE, secret: {namespace: else, name: token}}');
  world.secret('stringData: {a: s}', 'else/token');
  t.same(world.rules, [
    { path: '/', headerMatches: [{ name: 'X-Token', value: 's', mismatch: 'REPLACE', isSecret: true }] },
  ]);
});

t.test('a policy of a cluster that is followed has the secrets of its own namespace alone', async (t) => {
  const match = '{name: X-Token, value: v, mismatch: ADD, secret: {namespace: else, name: token}}';
  const world = new SecretWorld(match, KUBERNETES);
  const why = ['read secret else/token for header X-Token: found it in another namespace, wanted one value'];
  t.same([world.secret('stringData: {a: s}', 'else/token'), world.rules], [why, NOTHING]);
  const own = new SecretWorld(MATCH, KUBERNETES);
  t.same([own.secret('stringData: {a: s}'), own.rules], [[], matching('s')]);
});
