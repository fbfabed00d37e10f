/** Names against rules, on the wire form: what they say, and that it is what the patterns of addresses by name say. */
import t from 'tap';
import { nameBytes } from '../../test/dns-messages.ts';
import { randomFrom, SEED } from '../../test/random.ts';
import type { DnsRule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { DomainName } from '../../wire/dns/name.ts';
import { fqdnRegExp } from '../../wire/fqdn.ts';
import { NameRules } from './name-rules.ts';
import { dnsOffline } from './rules.ts';

function matches(rule: DnsRule, text: string): boolean {
  const name = new DomainName();
  return name.loadText(text) && new NameRules([rule], 1).matches(name);
}

t.test('what each kind of rule matches', async (t) => {
  const cases: readonly [DnsRule, readonly string[], readonly string[]][] = [
    [
      { matchName: 'Api.Example.' },
      ['api.example', 'API.EXAMPLE.'],
      ['example', 'x.api.example', 'api.exampl', 'api.example.x'],
    ],
    [{ matchPattern: '*.example' }, ['a.example', 'xn--bcher-kva.example'], ['example', 'a.b.example', 'aexample']],
    [{ matchPattern: 'a*c.example' }, ['ac.example', 'abc.example', 'acc.example'], ['a.c.example', 'ab.example']],
    [{ matchPattern: '*a*b*.x' }, ['ab.x', 'zazbz.x', 'aab.x'], ['ba.x', 'a.x', 'a.b.x']],
    [{ matchPattern: '**.example' }, ['a.example', 'a.b.c.example'], ['example', 'aexample']],
    [{ matchPattern: '***.example' }, ['a.b.example'], ['example']],
    [{ matchPattern: 'a.**.b' }, ['a.x.b'], ['a.b', 'a.x.y.b']],
    [{ matchPattern: '**a.b' }, ['a.b', 'xa.b'], ['x.a.b']],
    [{ matchPattern: '*' }, ['a', 'a.b.c', '.'], ['a b', 'bücher.example']],
    [{ matchPattern: '**.' }, ['a.b', '.'], []],
    [{ matchPattern: '.' }, ['.'], ['a']],
    [{ matchPattern: 'a..b' }, [], ['a.b', 'a.x.b']],
    [{}, [], ['a', '.']],
  ];
  for (const [rule, yes, no] of cases) {
    for (const name of yes) t.equal(matches(rule, name), true, `${JSON.stringify(rule)} matches ${name}`);
    for (const name of no) t.equal(matches(rule, name), false, `${JSON.stringify(rule)} does not match ${name}`);
  }
});

t.test('a dot inside a label is none between labels, and no other odd byte is a letter', async (t) => {
  const name = new DomainName();
  for (const label of ['a.b', 'a\0', 'a*', 'a ', '\xe1']) {
    const bytes = Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1'), nameBytes('example')]);
    t.equal(name.load(bytes, 0, bytes.length, 0), true);
    for (const rule of [{ matchName: 'a.b.example' }, { matchPattern: '*' }, { matchPattern: '**.example' }]) {
      t.equal(new NameRules([rule], 1).matches(name), false, `${JSON.stringify(label)} ${JSON.stringify(rule)}`);
    }
  }
});

t.test('a thousand names are told apart', async (t) => {
  const rules = new NameRules(
    Array.from({ length: 1000 }, (_, i) => ({ matchName: `n${i}.example` })),
    7,
  );
  const name = new DomainName();
  const found = (text: string) => name.loadText(text) && rules.matches(name);
  t.equal(Array.from({ length: 1000 }, (_, i) => found(`n${i}.example`)).every(Boolean), true);
  t.equal(Array.from({ length: 1000 }, (_, i) => found(`n${i + 1000}.example`)).some(Boolean), false);
});

t.test('rules and the patterns of addresses by name say the same of 20,000 drawn names', async (t) => {
  t.comment(`seed ${SEED}`);
  const draw = randomFrom(SEED);
  const pick = <T>(from: readonly T[]): T => from[draw(from.length)];
  const text = (letters: string, most: number) =>
    Array.from({ length: draw(most) }, () => pick(letters.split(','))).join('');
  let matched = 0;
  for (let i = 0; i < 20_000; i++) {
    const rule = draw(4) === 0 ? { matchName: text('a,b,.', 5) || 'a' } : { matchPattern: text('a,b,.,*,*', 7) };
    const name = text('a,b,.', 7).replace(/^\.+/, '').replace(/\.+/g, '.');
    if (/(^|[^*])\.\.|^\../.test(`${rule.matchName ?? ''}${rule.matchPattern ?? ''}`)) continue; // no names, refused as documents
    const wanted = fqdnRegExp(rule).test(name.endsWith('.') || name === '' ? name || '.' : `${name}.`);
    if (wanted) matched++;
    if (matches(rule, name) !== wanted) t.fail(`${JSON.stringify(rule)} ${JSON.stringify(name)}: wanted ${wanted}`);
  }
  t.ok(matched > 1000, `${matched} matched`);
});

t.test('rules of one remote are alternatives, and one without a list allows all', async (t) => {
  const ruleSet: L7RuleSet = {
    parser: 'dns',
    endpoint: 1,
    ingress: false,
    port: 53,
    rules: [
      { remotes: [5], dns: [{ matchName: 'a' }], cookie: 1 },
      { remotes: [5, 6], dns: [{ matchName: 'b' }, { matchPattern: '*.c' }], cookie: 2 },
      { remotes: [7], cookie: 3 },
    ],
  };
  const ask = (remote: number, query: string) => dnsOffline(ruleSet, remote)({ query });
  t.same(
    [ask(5, 'a'), ask(5, 'b'), ask(6, 'x.c'), ask(6, 'a'), ask(7, 'whatever w'), ask(8, 'a')],
    [1, 2, 2, -1, 3, -1],
  );
});
