import t from 'tap';
import type { EndpointDocument } from '../../api/shapes.ts';
import { complete } from './completion.ts';
import { knownValues } from './known-values.ts';
import { parseQuery } from './query.ts';

const endpoint = (namespace: string, pod: string, labels: readonly string[]) =>
  ({ namespace, pod, labels, ipv4: '10.0.0.1', ipv6: undefined }) as unknown as EndpointDocument;
const KNOWN = knownValues({
  endpoints: [
    endpoint('shop', 'web-0', ['k8s:app=web', 'k8s:x=a b']),
    endpoint('shop', 'api-0', ['k8s:app=api']),
    endpoint('db', 'pg-0', ['k8s:app=pg']),
  ],
  identities: [{ id: 1234, labels: ['k8s:app=web'] }],
});

/** `|` is the cursor; the answer is what the line becomes with each offer. */
const becomes = (line: string) => {
  const cursor = line.indexOf('|');
  const text = line.replace('|', '');
  const { from, to, offers } = complete(text, cursor, KNOWN);
  return offers.map(({ insert }) => text.slice(0, from) + insert + text.slice(to));
};

t.test('complete() offers flags, and values after them', (t) => {
  const cases: readonly [string, readonly string[]][] = [
    ['--verd|', ['--verdict ']],
    ['--pod shop/w|', ['--pod shop/web-0 ']],
    ['--pod=shop/w|', ['--pod=shop/web-0 ']],
    ['--from-pod shop/|', ['--from-pod shop/api-0 ', '--from-pod shop/web-0 ']],
    ['-n |', ['-n db ', '-n shop ']],
    ['--not --namespace d|', ['--not --namespace db ']],
    ['--verdict DROP| --port 80', ['--verdict DROPPED  --port 80']],
    ['--verdict D|ROP', ['--verdict DROPPED ', '--verdict FORWARDED ', '--verdict AUDIT ', '--verdict REDIRECTED ']],
    ["--label 'k8s:app=w|", ['--label k8s:app=web ']],
    ['--drop-reason-desc policy_den|', ['--drop-reason-desc POLICY_DENIED ', '--drop-reason-desc POLICY_DENY ']],
    ['--traffic-direction |', ['--traffic-direction ingress ', '--traffic-direction egress ']],
    ['pg|', ['--pod db/pg-0 ', '--label k8s:app=pg ']],
    ["'pg|", []],
    ['--pod --verd|', []],
  ];
  for (const [line, wanted] of cases) t.strictSame(becomes(line), wanted, line);
  t.ok(becomes('|').includes('--pod '), 'an empty line offers the flags');
  t.equal(becomes('|')[0], '--namespace ', 'those that most look for first');
  t.ok(becomes('--pod a |').includes('--pod a --verdict '));
  t.ok(becomes('verd|').includes('--verdict '), 'dashes can be left out');
  t.end();
});

t.test('what is offered parses', (t) => {
  for (const line of ['--label |', '--pod |', '--identity |', '--protocol |', '--drop-reason-desc |', '--since |'])
    for (const text of becomes(line)) t.doesNotThrow(() => parseQuery(text), text);
  for (const text of becomes('eb|').filter((one) => !/--\S+ $/.test(one))) t.doesNotThrow(() => parseQuery(text), text);
  t.end();
});
