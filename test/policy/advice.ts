/**
 * The advice of `policy explain`, tried in random worlds: applied, it lets the flow pass; without any part of it the flow stays
 * denied; and of the flows that were denied it opens those alone that it names.
 */
import { EGRESS } from '../../wire/direction.ts';
import t, { type Test } from 'tap';
import type { Document } from '../../policy/document/document.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import { completeOptions } from '../../policy/rule/options.ts';
import { type Change, changed } from '../../explain/change.ts';
import { type FlowQuery, readQuery } from '../../explain/query.ts';
import { changeText, remediesFor } from '../../explain/remedy.ts';
import { type Answer, FlowJudge, type ResolvedEnd } from '../../explain/verdict.ts';
import { PolicyWorld } from '../../explain/world.ts';
import { documentOf, Draw, type Json, NAMESPACES, randomObject } from './random-world.ts';

const NAMES: ReadonlyMap<string, readonly string[]> = new Map([['x.example', ['198.51.100.7']]]);
const IPS = ['10.1.2.3', '192.0.2.1', '203.0.113.5', '198.51.100.7', '9.9.9.9', '2001:db8:1::99', '10.1.2.77'];
const ENTITIES = ['host', 'remote-node', 'world', 'kube-apiserver', 'health', 'world-ipv4'];
const CONFIGS: readonly PolicyConfig[] = [
  {},
  { semantics: 'kubernetes' },
  { 'policy-cidr-match-mode': ['nodes'] },
  { 'policy-default-local-cluster': false, 'dual-stack': true },
  { 'enable-policy': 'always' },
  { labels: ['!extra'] },
];

/** Labels that identities lack, and nodes for pods to be on. */
function withDetails(object: Json, draw: Draw): Json {
  if (object['kind'] !== 'Pod') return object;
  const { metadata, spec } = object as { metadata: { labels: Json }; spec: Json };
  if (draw.chance(50)) metadata.labels['pod-template-hash'] = `h${draw.int(3)}`;
  if (draw.chance(20)) metadata.labels['statefulset.kubernetes.io/pod-name'] = 'x';
  if (draw.chance(50)) spec['nodeName'] = draw.of(['localhost', 'far']);
  return object;
}

/** An object of one name comes once, as in a cluster. */
function drawDocuments(draw: Draw, config: PolicyConfig): Document[] {
  const documents = new Map<string, Document>();
  for (let i = 0; i < 30; i++) {
    const document = documentOf(withDetails(randomObject(draw), draw), config);
    if (document !== undefined) documents.set(`${document.kind}/${document.namespace}/${document.name}`, document);
  }
  return [...documents.values()];
}

function drawEnd(draw: Draw, pods: readonly string[]): Json {
  if (pods.length > 0 && draw.chance(65)) return { pod: draw.of(pods) };
  if (draw.chance(10)) return { labels: [`app=${draw.of(['web', 'new'])}`], namespace: draw.of(NAMESPACES) };
  return draw.chance(60) ? { ip: draw.of(IPS) } : { entity: draw.of(ENTITIES) };
}

function drawFlow(draw: Draw, pods: readonly string[]): FlowQuery {
  const ends = { from: drawEnd(draw, pods), to: drawEnd(draw, pods) };
  const rest = draw.of<Json>([
    {
      port: 80,
      http: { method: draw.of(['GET', 'PUT', 'POST']), path: draw.of(['/a', '/search?q=1', '/caf%C3%A9', '/b;v=1']) },
    },
    { port: 80, http: { path: '/a', host: 'x.example' } },
    { port: 53, protocol: 'UDP', dns: { query: draw.of(['x.example', 'other.test']) } },
    { port: 443, sni: 'x.example' },
    { port: draw.of([80, 81, 443, 8080, 9999]) },
    { port: draw.of([53, 80]), protocol: 'UDP' },
    { icmp: { family: 'IPv4', type: 8 } },
  ]);
  return readQuery({ ...ends, ...rest });
}

function judgeOf(documents: readonly Document[], config: PolicyConfig): FlowJudge {
  return new FlowJudge(new PolicyWorld(documents, config, { names: NAMES }));
}

function apply(documents: readonly Document[], changes: readonly Change[], config: PolicyConfig): readonly Document[] {
  return changes.reduce((all, change) => changed(all, change, completeOptions(config)) ?? all, documents);
}

/** Are these the packets that the rule is for? It says nothing of their requests. */
function isAlike(probe: FlowQuery, query: FlowQuery): boolean {
  return probe.protocol === query.protocol && probe.port === query.port;
}

/** Is this the request that was added? */
function asksTheSame(probe: FlowQuery, query: FlowQuery): boolean {
  const requestOf = ({ http, dns, sni }: FlowQuery): string => JSON.stringify({ http, dns, sni });
  return isAlike(probe, query) && requestOf(probe) === requestOf(query);
}

/** Does a rule's list of peers name the other end? Written without the compiler: by what stands there. */
function names(rule: Json, remote: ResolvedEnd): boolean {
  const text = JSON.stringify(rule);
  const { spec, address } = remote;
  if (spec === undefined)
    return (
      !/Selector|Endpoints/.test(text) &&
      (address === undefined || /Entities|\/0/.test(text) || text.includes(`"${address}`))
    );
  const [, labels] = /"matchLabels":(\{[^}]*\})/.exec(text) ?? [];
  if (labels === undefined) return false;
  const wanted = Object.entries(JSON.parse(labels) as Record<string, string>);
  const inNamespace = wanted.filter(([key]) => !/kubernetes\.io\/metadata|io\.kubernetes\.pod/.test(key));
  return inNamespace.every(([key, value]) => spec.labels[key] === value);
}

/** What made the probe pass must be one of the changes. */
function isNamed(probe: FlowQuery, query: FlowQuery, before: FlowJudge, changes: readonly Change[]): boolean {
  const denials = before.denials(probe);
  return denials.every((denial) =>
    changes.some((change) => {
      if (change.kind === 'empty') return denial.answer.reason === 181;
      if (!isAlike(probe, query)) return false;
      if (change.kind === 'create') {
        const { spec } = change.object as { spec: Json };
        const [rule] = (spec[denial.direction === EGRESS ? 'egress' : 'ingress'] ?? []) as Json[];
        return rule !== undefined && names(rule, denial.remote);
      }
      const isRequest = /rules\.|serverNames/.test(change.path);
      return isRequest ? asksTheSame(probe, query) : names(change.item as Json, denial.remote);
    }),
  );
}

interface Tally {
  flows: number;
  advised: number;
  readonly kinds: Map<string, number>;
  readonly reasons: Map<string, number>;
}

/** @param worlds how many, from the seed on */
export function testAdvice({ seed, worlds }: { seed: number; worlds: number }): void {
  t.setTimeout(0);
  t.test(`advice on denied flows of ${worlds} worlds works, seed ${seed}`, (t) => {
    const tally: Tally = { flows: 0, advised: 0, kinds: new Map(), reasons: new Map() };
    for (let world = 0; world < worlds; world++) tryWorld(t, new Draw(seed + world * 7919), world, tally);
    t.comment(`${tally.flows} denied flows, ${tally.advised} advised`);
    for (const [kind, count] of [...tally.kinds, ...tally.reasons]) t.comment(`${count} ${kind}`);
    t.ok(tally.advised > tally.flows * 0.9, 'nearly every denied flow gets advice');
    t.end();
  });
}

function tryWorld(t: Test, draw: Draw, number: number, tally: Tally): void {
  const config = CONFIGS[number % CONFIGS.length];
  const documents = drawDocuments(draw, config);
  const judge = judgeOf(documents, config);
  const pods = [...judge.world.pods()].map(([reference]) => reference);
  const probes = Array.from({ length: 60 }, () => drawFlow(draw, pods));
  const answers = probes.map((probe) => judge.answer(probe));
  const denied = probes.filter((_, i) => answers[i].verdict === 'denied');
  for (const query of denied.slice(0, 4)) {
    tally.flows++;
    const { changes, reason } = remediesFor(judge, query);
    if (reason !== undefined) {
      count(tally.reasons, reason.replace(/ of .*| \S+\/.* demands/, ''));
      continue;
    }
    tally.advised++;
    for (const { kind } of changes) count(tally.kinds, kind);
    const what = `world ${number}: ${JSON.stringify(query)}: ${changes.map(changeText).join('; ')}`;
    const after = judgeOf(apply(documents, changes, config), config);
    if (after.answer(query).verdict !== 'allowed') t.fail(`not allowed: ${what}`);
    for (const change of changes) {
      const less = judgeOf(
        apply(
          documents,
          changes.filter((one) => one !== change),
          config,
        ),
        config,
      );
      if (less.answer(query).verdict === 'allowed') t.fail(`not needed: ${changeText(change)} of ${what}`);
    }
    tryProbes(t, { probes, answers, query, judge, after, changes, what });
  }
}

interface Trial {
  readonly probes: readonly FlowQuery[];
  readonly answers: readonly Answer[];
  readonly query: FlowQuery;
  readonly judge: FlowJudge;
  readonly after: FlowJudge;
  readonly changes: readonly Change[];
  readonly what: string;
}

function tryProbes(t: Test, { probes, answers, query, judge, after, changes, what }: Trial): void {
  for (const [i, probe] of probes.entries()) {
    if (answers[i].verdict !== 'denied' || after.answer(probe).verdict !== 'allowed') continue;
    if (!isNamed(probe, query, judge, changes)) t.fail(`opened ${JSON.stringify(probe)} too: ${what}`);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
