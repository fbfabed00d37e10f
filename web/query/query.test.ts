import { deepStrictEqual, equal } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fromJson, type JsonValue } from '@bufbuild/protobuf';
import fc from 'fast-check';
import t from 'tap';
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import { OBSERVE_FLAGS, observeFilters, VALUELESS_FLAGS } from '../../hubble/filter/observe-filter.ts';
import type { Flow } from '../../hubble/flow.ts';
import { filterOf } from '../../hubble/message/filter.ts';
import { FlowFilterSchema } from '../../hubble/proto/flow/flow_pb.ts';
import { SEED } from '../../test/random.ts';
import { formatRoute, parseRoute } from '../shell/route.ts';
import { flagsLike, observeCommand, pastedQuery } from './observe-command.ts';
import { formatQuery, parseQuery, QueryError, queryTextOf } from './query.ts';
import { termsOfFilters } from './terms-of-filters.ts';
import { wantedBy } from './compiled.ts';
import { quoteWord, splitWords } from './words.ts';

const NOW = Date.parse('2026-01-31T12:00:00Z');

/** A value that makes sense, for each flag that takes one. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  type: ['drop', 'trace:to-endpoint', 'drop:133', '254'],
  verdict: ['DROPPED', 'FORWARDED'],
  'drop-reason-desc': ['POLICY_DENIED', 'policy_deny'],
  protocol: ['tcp', 'DNS'],
  'tcp-flags': ['SYN,ACK', 'rst'],
  'http-status': ['404', '5+'],
  'http-method': ['GET'],
  'http-path': ['^/a b$', "/it's"],
  'http-url': ['\\.html$'],
  'http-header': ['x-a:b:c'],
  'dns-query': ['^a\\.b'],
  'traffic-direction': ['ingress', 'EGRESS'],
  interface: ['eth0'],
  reply: ['true', 'false'],
  uuid: ['4f7ab4f2-8a1e'],
  'trace-id': ['abc'],
  'ip-trace-id': ['18446744073709551615'],
  'snat-ip': ['10.0.0.0/8'],
  'node-name': ['k8s*', 'default/n1'],
  'node-label': ['a in (b, c)'],
  'ip-version': ['4', 'v6', 'none'],
  allowlist: ['{"verdict":["DROPPED"]}'],
  denylist: ['{"source_ip":["::/0"]}'],
  ip: ['10.1.2.3', 'fd00::/8'],
  pod: ['shop/web', 'web', 'shop/'],
  namespace: ['shop'],
  label: ['k8s:app=web', 'app in (a, b)'],
  service: ['shop/api'],
  port: ['80', '8000-8100'],
  workload: ['Deployment/web', 'web', 'Job/'],
  identity: ['world', '1234'],
  fqdn: ['*.example.com'],
  cluster: ['c1', 'das Häuschen'],
};

const bare = (flag: string) => flag.replace(/^(from|to)-(?!all)/, '');
const flagDraw = fc.constantFrom(...OBSERVE_FLAGS.filter((flag) => flag !== 'not')).chain((flag) =>
  fc.record(
    {
      flag: fc.constant(flag),
      value: VALUELESS_FLAGS.includes(flag) ? fc.constant('') : fc.constantFrom(...VALUES[bare(flag)]),
      isNot: flag.endsWith('list') ? fc.constant(false) : fc.boolean(),
    },
    { noNullPrototype: true },
  ),
);
const wordDraw = fc.record(
  {
    flag: fc.constant('text'),
    value: fc.oneof(
      fc.string({ minLength: 1, unit: 'grapheme' }),
      fc.string({ minLength: 1, unit: fc.constantFrom(...Array.from(` ab'"\\-=!\t\n\u202e\u001b<>&+%#`)) }),
      fc.constantFrom('--pod', 'pod=x', "it's", '-', '!from:ip=1'),
    ),
    isNot: fc.boolean(),
  },
  { noNullPrototype: true },
);
const queryDraw = fc.record(
  {
    terms: fc.array(fc.oneof({ weight: 3, arbitrary: flagDraw }, { weight: 1, arbitrary: wordDraw }), { maxLength: 6 }),
    since: fc.constantFrom('', '10m', '2026-01-31T08:00Z'),
    until: fc.constantFrom('', '0s', '2099-01-31'),
    last: fc.constantFrom(1, 500, Number.POSITIVE_INFINITY),
  },
  { noNullPrototype: true },
);

const sorted = (list: readonly FlowFilter[]) =>
  list.map((filter) => Object.fromEntries(Object.entries(filter).sort(([a], [b]) => (a < b ? -1 : 1))));

t.test('every flag of observe with a value is a query', (t) => {
  for (const flag of OBSERVE_FLAGS.filter((one) => one !== 'not')) {
    const values = VALUELESS_FLAGS.includes(flag) ? [''] : VALUES[bare(flag)];
    for (const value of values) {
      const text = queryTextOf([[flag, value]]);
      const { filters } = parseQuery(text);
      t.strictSame(filters, observeFilters([[flag, value]]), text);
      const wire = [...filters.allow, ...filters.deny].map((filter) =>
        filterOf(fromJson(FlowFilterSchema, filter as JsonValue)),
      );
      t.equal(wire.length, filters.allow.length + filters.deny.length, 'and a message of the observer API');
    }
  }
  t.end();
});

t.test('a query means the same as text, as an address, as filters of the API, and as text again', (t) => {
  const wrong = fc.check(
    fc.property(queryDraw, (drawn) => {
      const text = formatQuery(drawn);
      let query: ReturnType<typeof parseQuery>;
      try {
        query = parseQuery(text);
      } catch (error) {
        // Flags that contradict each other: said where.
        return error instanceof QueryError && error.from < error.to && error.to <= text.length;
      }
      deepStrictEqual({ ...query, filters: undefined }, { ...drawn, filters: undefined });
      equal(formatQuery(query), text);
      const { params } = parseRoute(formatRoute({ view: 'flows', params: new Map([['q', text]]) }), ['flows']);
      equal(params.get('q') ?? '', text);
      const again = parseQuery(formatQuery({ ...query, terms: termsOfFilters(query.filters) })).filters;
      deepStrictEqual(
        [sorted(again.allow), sorted(again.deny)],
        [sorted(query.filters.allow), sorted(query.filters.deny)],
      );
      return true;
    }),
    { seed: SEED, numRuns: 400 },
  );
  t.notOk(wrong.failed, JSON.stringify(wrong.counterexample));
  t.end();
});

t.test('filters come back as the flags that a person would write', (t) => {
  for (const text of [
    '--pod shop/web --verdict DROPPED',
    '--namespace shop',
    '--type trace:0 --from-namespace shop --to-namespace db',
    '--label k8s:app=web --not --port 53',
    '--from-workload Deployment/web --unencrypted',
    '--http-header a:b:c --tcp-flags SYN,ACK',
  ]) {
    const { filters } = parseQuery(text);
    t.equal(formatQuery({ ...parseQuery(''), terms: termsOfFilters(filters) }), text);
  }
  const odd: FlowFilter = { source_pod: ['a/'], destination_ip: ['::1'], interface: [{ index: 3 }] };
  t.match(termsOfFilters({ allow: [odd], deny: [] }), [{ flag: 'allowlist', value: JSON.stringify(odd) }]);
  t.end();
});

t.test('words are what a shell makes of them', (t) => {
  const lines = [
    ...fc.sample(
      fc.array(fc.string({ unit: fc.constantFrom(...Array.from(`ab '"\\$\`-=é{}*~#;|&()<>!?[]`)) }), { maxLength: 4 }),
      {
        seed: SEED,
        numRuns: 200,
      },
    ),
    ['a b', '', "it's", '\\', '~', '#'],
  ].map((words) => words.map(quoteWord).join(' '));
  lines.push(`a"b c"d 'e'\\''f' "\\"g\\h\\$" i\\ j`);
  const script = lines.map((line) => `printf '%s\\n' ${line === '' ? '' : `${line} `}--end--`).join('\n');
  const heard = execFileSync('sh', ['-c', script], { encoding: 'utf8' });
  const ours = lines.map((line) => [...splitWords(line).map(({ text }) => text), '--end--', ''].join('\n')).join('');
  t.equal(ours, heard);
  t.end();
});

t.test('a name with control characters is no key when the command is pasted into a terminal', (t) => {
  const names = ['/a\x03rm -rf ~\n', "\x1b[201~'\r\\n", 'x\u0085\u2028y', '\x7f1', 'é\t'];
  const command = observeCommand(parseQuery(names.map((name) => `--http-path ${quoteWord(name)}`).join(' ')));
  // eslint-disable-next-line no-control-regex
  t.notMatch(command, /[\x00-\x1f\x7f-\x9f\u2028\u2029]/);
  t.same(
    parseQuery(pastedQuery(command)!).terms.map(({ value }) => value),
    names,
  );
  const words = names.map(quoteWord).join(' ');
  const heard = execFileSync('bash', ['-c', `printf '%s\\0' ${words}`], {
    encoding: 'utf8',
    env: { LC_ALL: 'C.UTF-8' },
  });
  t.same(heard.split('\0').slice(0, -1), names);
  t.end();
});

t.test('an error says what is wrong and where', (t) => {
  const cases: readonly [string, string, string][] = [
    ['--pod', '--pod', 'found nothing after --pod, wanted its value'],
    ['web --pdo x', '--pdo', 'found --pdo, wanted a filter of observe, such as --pod, or a word'],
    ['--reason x', '--reason', 'found --reason, wanted a filter of observe, such as --pod, or a word'],
    ['--desc x', '--desc', 'found --desc, wanted perhaps --drop-reason-desc'],
    ['--ver x', '--ver', 'found --ver, wanted perhaps --verdict'],
    ['a --verdict dropped b', '--verdict dropped', 'invalid --verdict value: dropped'],
    ['--pod a --verdict DROPPED --from-pod b', '--from-pod b', 'filters --from-pod and --pod cannot be combined'],
    ['--not', '--not', 'found nothing after --not, wanted a filter or a word'],
    ['--not --not a', '--not', 'found --not twice, wanted a filter after it'],
    ['--not --since 5m', '--since', 'found --not before --since, wanted a filter or a word after it'],
    ['--since soon', '--since soon', 'found soon, wanted a moment such as 10m or 2026-01-31T08:00Z'],
    ['--since 5m --until 10m', '--since 5m', 'found --since after --until'],
    ['--since 5m --since 6m', '--since', 'found --since twice'],
    ['--last 0', '--last 0', 'found --last 0, wanted a number from 1 on'],
    ['--ipv4=x', '--ipv4=x', 'found a value of --ipv4, which takes none'],
    ['x "a b', '"a b', 'found no second "'],
    ['pod=shop/web', 'pod=shop/web', 'found pod=shop/web, wanted --pod shop/web (or quotes, to search for it)'],
    [
      '!from:dns=*.a',
      '!from:dns=*.a',
      "found !from:dns=*.a, wanted --not --from-fqdn '*.a' (or quotes, to search for it)",
    ],
    ['--toString x', '--toString', 'found --toString, wanted a filter of observe, such as --pod, or a word'],
  ];
  for (const [text, where, message] of cases) {
    try {
      parseQuery(text);
      t.fail(text);
    } catch (error) {
      t.ok(error instanceof QueryError && error.message.startsWith(message), `${text}: ${(error as Error).message}`);
      const { from, to } = error as QueryError;
      t.equal(text.slice(from, to), where, text);
    }
  }
  t.throws(() => parseQuery('a '.repeat(65)), { message: 'found more than 64 filters and words' });
  t.throws(() => parseQuery('a'.repeat(8193)), { message: 'found 8193 characters, at most 8192' });
  t.end();
});

const FLOW: Flow = {
  time: '2026-01-31T11:59:00.5Z',
  verdict: 'DROPPED',
  drop_reason: 133,
  drop_reason_desc: 'POLICY_DENIED',
  IP: { source: '10.0.0.1', destination: '10.0.0.2', ipVersion: 'IPv4' },
  l4: { TCP: { source_port: 40_000, destination_port: 8080, flags: { SYN: true } } },
  source: { identity: 1000, namespace: 'shop', pod_name: 'web-0', labels: ['k8s:app=web'] },
  destination: { identity: 2 },
  destination_names: ['api.example.com'],
  Type: 'L3_L4',
  event_type: { type: 1, sub_type: 133 },
  traffic_direction: 'EGRESS',
  egress_denied_by: [{ name: 'no-way', namespace: 'shop', kind: 'NetworkPolicy' }],
};

t.test('wantedBy() holds flags, bounds and words against a flow', (t) => {
  const cases: Readonly<Record<string, boolean>> = {
    '': true,
    '--pod shop/web': true,
    '--pod shop/api': false,
    '--not --port 8080': false,
    'web-0 POLICY': true,
    'Policy denied': true,
    'NO-WAY': true,
    'api.example.com 8080': true,
    'web-0 nothing': false,
    '--not nothing': true,
    '--not no-way': false,
    '--since 5m': true,
    '--since 10s': false,
    '--until 30s': true,
    '--until 5m': false,
    '--since 2026-01-31T11:59Z --until 2026-01-31T12:00Z denied': true,
  };
  for (const [text, isWanted] of Object.entries(cases)) t.equal(wantedBy(parseQuery(text), NOW)(FLOW), isWanted, text);
  t.end();
});

t.test('a value that makes no sense is refused by the compiler, with its flag', (t) => {
  const cases: Readonly<Record<string, string>> = {
    '--port 80 --ip 1.2.3': '--ip 1.2.3: invalid IP address in filter: "1.2.3"',
    'word --not --port x --pod a': '--port x: invalid port filter: "x"',
    '--http-path (': "--http-path '(': invalid http path filter: (: ",
    '--http-status 200 --type drop':
      "filtering by http status code requires the event type filter to only match 'l7' events",
  };
  for (const [text, message] of Object.entries(cases))
    try {
      wantedBy(parseQuery(text), NOW);
      t.fail(text);
    } catch (error) {
      t.ok((error as Error).message.startsWith(message), (error as Error).message);
    }
  t.end();
});

t.test('a query and a flow as a command to paste, and a command as a query', (t) => {
  const commands: Readonly<Record<string, string>> = {
    '': 'sluice observe -f',
    '--pod a/b': 'sluice observe -f --pod a/b',
    "--http-path '^/a b' --since 5m": "sluice observe --http-path '^/a b' --since 5m",
    "timeout --not it\\'s --port 80": "sluice observe -f --port 80 | grep -iF -- timeout | grep -iFv -- 'it'\\''s'",
  };
  for (const [text, command] of Object.entries(commands)) t.equal(observeCommand(parseQuery(text)), command);
  const like = queryTextOf(flagsLike(FLOW));
  t.equal(like, '--from-pod shop/web-0 --to-ip 10.0.0.2 --protocol tcp --to-port 8080 --verdict DROPPED');
  t.ok(wantedBy(parseQuery(like), NOW)(FLOW));
  const reply: Flow = { ...FLOW, is_reply: true, l4: { UDP: { source_port: 53, destination_port: 40_000 } } };
  const likeReply = queryTextOf(flagsLike(reply));
  t.equal(likeReply, '--to-ip 10.0.0.2 --from-pod shop/web-0 --protocol udp --from-port 53 --verdict DROPPED');
  t.ok(wantedBy(parseQuery(likeReply), NOW)(reply));
  const pasted: readonly [string, string | undefined][] = [
    ['$ sluice observe --pod a/b\n', '--pod a/b'],
    ['hubble observe', ''],
    ['sudo /usr/bin/sluice observe -t l7', '-t l7'],
    ['{"allowlist":[{"source_ip":["1.2.3.4"]},{"destination_ip":["1.2.3.4"]}],"denylist":[]}', '--ip 1.2.3.4'],
    ['{"verdict":["DROPPED"]}', undefined],
    ['{"allowlist":"x"}', undefined],
    ['{', undefined],
    ['sluice observed', undefined],
    ['web', undefined],
  ];
  for (const [text, query] of pasted) t.equal(pastedQuery(text), query, text);
  t.end();
});
