/**
 * Policies out of random recorded flows: all that was recorded passes; without any rule, or any item of one, something that was recorded does
 * not; and between the parties that were seen nothing else passes than what was seen. What was seen is known here by the talks that
 * the flows are made of, not by the code that reads flows.
 */
import t, { type Test } from 'tap';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { flowWorld } from '../../explain/flows/flow-world.ts';
import { queryOf, Recording } from '../../explain/flows/recording.ts';
import { type Generated, generate, type GenerateOptions } from '../../explain/generate/generate.ts';
import { type FlowQuery, readQuery } from '../../explain/query.ts';
import { FlowJudge } from '../../explain/verdict.ts';
import { readDocuments } from '../../policy/document/document.ts';
import { entityEnd, flowsOf, podEnd, type RecordedEnd, type Talk, worldEnd } from '../recorded-flows.ts';
import { Draw, type Json } from './random-world.ts';

/** An end of a talk, and what policies can tell it apart by. */
interface Actor {
  readonly end: RecordedEnd;
  readonly kind: string;
  /** As a judge is asked about it. */
  readonly query: Json;
}

const BASE: GenerateOptions = {
  kind: 'CiliumNetworkPolicy',
  byWorkload: false,
  ports: 'exact',
  l7: 'exact',
  outside: 'addresses',
  includeDenied: false,
  namespaces: [],
  directions: [INGRESS, EGRESS],
};

const VALUES = ['web', 'db', 'api'];
const PORTS = [80, 443, 8080, 5432, 9000];
const PATHS = ['/', '/offers', '/offers?id=7', '/a.b*(c)', '/x/../y', '/?x=%2e', '/a//b', '/items/17'];

function drawPod(draw: Draw, number: number): Actor {
  const namespace = draw.of(['shop', 'bank']);
  const stable: Record<string, string> = {};
  if (draw.chance(85)) stable['app'] = draw.of(VALUES);
  if (draw.chance(30)) stable['canary'] = draw.of(['1', '2']);
  if (draw.chance(30)) stable['app.kubernetes.io/version'] = draw.of(['v1', 'v2']);
  const passing = draw.chance(50) ? { 'pod-template-hash': `h${number}`, 'job-name': `j-${number}` } : {};
  const isHere = draw.chance(80);
  const ip = `10.0.${number}.1`;
  const end = podEnd(`${namespace}/pod-${number}`, { ...stable, ...passing }, { id: isHere ? number : 0, ip });
  const labels = Object.entries(stable).map(([key, value]) => `k8s:${key}=${value}`);
  const kind = `${namespace} ${[...labels].sort().join()}`;
  return {
    end,
    kind,
    query: { labels: [...labels, ...Object.keys(passing).map((key) => `k8s:${key}=x`)], namespace },
  };
}

function drawActors(draw: Draw): Actor[] {
  const pods = Array.from({ length: 3 + draw.int(6) }, (_, i) => drawPod(draw, i + 1));
  const outside = ['192.0.2.1', '192.0.2.2', '2001:db8::1'].map((ip) => ({
    end: worldEnd(ip),
    kind: ip,
    query: { ip },
  }));
  const entities = [
    ['host', 1],
    ['remote-node', 6],
    ['kube-apiserver', 7],
  ] as const;
  const others = entities.map(([entity, id]) => ({
    end: entityEnd(entity, id),
    kind: entity,
    query: { entity },
  }));
  return [...pods, ...outside, ...others];
}

function drawTalk(draw: Draw, actors: readonly Actor[]): { from: Actor; to: Actor; talk: Talk } | undefined {
  const [from, to] = [draw.of(actors), draw.of(actors)];
  const isPod = ({ end }: Actor): boolean => end.endpoint.namespace !== undefined;
  if (from === to || !(isPod(from) || isPod(to))) return undefined;
  const rest = draw.of<Omit<Talk, 'from' | 'to'>>([
    { port: draw.of(PORTS) },
    { port: draw.of(PORTS), protocol: 'UDP' },
    { port: 8, protocol: 'ICMPv4' },
    { port: 128, protocol: 'ICMPv6' },
    { port: 80, request: { http: { method: draw.of(['GET', 'PUT']), url: `http://x${draw.of(PATHS)}` } } },
    { port: 443, request: { tlsSNI: draw.of(['a.example', 'b.example']) } },
    { port: 9092, request: { kafka: { api_key: draw.of(['produce', 'fetch']), topic: draw.of(['t1', 't2']) } } },
    { port: 53, protocol: 'UDP', request: { dns: { query: draw.of(['a.example.', 'b.example.']) } } },
  ]);
  const drop = draw.chance(15) ? draw.of(['egress', 'ingress'] as const) : undefined;
  const end = drop === 'egress' ? from : to;
  // Only an end that is here writes down what it drops.
  const isDropped = drop !== undefined && (end.end.endpoint.ID ?? 0) !== 0;
  return { from, to, talk: { ...rest, from: from.end, to: to.end, ...(isDropped && { droppedBy: drop }) } };
}

interface World {
  readonly talks: readonly { from: Actor; to: Actor; talk: Talk }[];
  readonly recording: Recording;
}

function drawWorld(draw: Draw): World {
  const actors = drawActors(draw);
  const talks = Array.from({ length: 30 }, () => drawTalk(draw, actors)).filter((talk) => talk !== undefined);
  const recording = new Recording();
  for (const flow of talks.flatMap(({ talk }) => flowsOf(talk))) recording.add(flow);
  return { talks, recording };
}

function judgeOf(recording: Recording, objects: readonly object[]): FlowJudge {
  const { documents } = readDocuments(objects.map((one) => JSON.stringify(one)).join('\n---\n'), 'made');
  return new FlowJudge(flowWorld(recording, documents, {}));
}

/** @param worlds how many, from the seed on */
export function testGenerated({ seed, worlds }: { seed: number; worlds: number }): void {
  t.setTimeout(0);
  t.test(`policies of ${worlds} recordings are the least that allow what was recorded, seed ${seed}`, (t) => {
    const tally = { policies: 0, parts: 0, probes: 0, allowed: 0 };
    for (let number = 0; number < worlds; number++) {
      const world = drawWorld(new Draw(seed + number * 7919));
      if (world.talks.length === 0) continue;
      const made = generate(world.recording, BASE);
      const what = `world ${number}`;
      tally.policies += made.policies.length;
      for (const problem of made.problems) if (problem.severity === 'error') t.fail(`${what}: ${problem.message}`);
      for (const one of made.denied) t.fail(`${what}: denied ${JSON.stringify(queryOf(one))}\n${made.text}`);
      tally.parts += tryParts(t, world, made, what);
      tryProbes(t, world, made, { what, tally });
    }
    t.comment(JSON.stringify(tally));
    t.ok(tally.policies > worlds && tally.parts > worlds * 5 && tally.allowed > worlds * 5);
    t.end();
  });
}

/** Every list item of every rule, taken out, leaves something denied that was recorded. */
function tryParts(t: Test, { recording }: World, made: Generated, what: string): number {
  const objects = made.policies.map(({ object }) => object);
  const { documents } = readDocuments(made.text, 'made');
  t.same(
    documents.map(({ object }) => object),
    objects,
    `${what}: the text says what the objects say`,
  );
  const before = judgeOf(recording, objects);
  const wanted = recording
    .connections()
    .map(queryOf)
    .filter((query) => before.answer(query).verdict === 'allowed');
  let parts = 0;
  objects.forEach((object, at) => {
    for (const path of itemsOf(object.spec)) {
      parts++;
      const less = structuredClone(object) as unknown as { spec: Json };
      removeAt(less.spec, path);
      const judge = judgeOf(recording, objects.with(at, less as never));
      const isNeeded = wanted.some((query) => judge.answer(query).verdict === 'denied');
      if (!isNeeded) t.fail(`${what}: not needed: ${path.join('.')} of\n${JSON.stringify(object, null, 1)}`);
    }
  });
  return parts;
}

/** Paths of the items of all lists in the rules, but for those that only close a direction. */
function itemsOf(spec: Readonly<Record<string, unknown>>): string[][] {
  const found: string[][] = [];
  const walk = (value: unknown, path: readonly string[]): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, member] of Object.entries(value)) {
      if (key === 'matchLabels' || key === 'matchExpressions') continue;
      const isItem = Array.isArray(value) && JSON.stringify(member) !== '{}';
      if (isItem) found.push([...path, key]);
      walk(member, [...path, key]);
    }
  };
  for (const side of ['ingress', 'egress']) walk(spec[side], [side]);
  return found;
}

/** Takes an item out; a list that would be empty means everything in places, so what holds it goes too. */
function removeAt(spec: Json, path: readonly string[]): void {
  const parents = path.slice(0, -1);
  const list = parents.reduce<unknown>((value, key) => (value as Json)[key], spec) as unknown[];
  list.splice(Number(path.at(-1)), 1);
  if (list.length > 0) return;
  if (parents.length === 1) {
    spec[parents[0]] = [{}];
    return;
  }
  // ..., element, member [, item, member]: up to the next list
  let holder = [...parents];
  while (holder.length > 1 && !/^\d+$/.test(holder.at(-1) ?? '')) holder = holder.slice(0, -1);
  removeAt(spec, holder);
}

interface Probing {
  readonly what: string;
  readonly tally: { probes: number; allowed: number };
}

/** Between all that were seen, at every port: what passes was seen, as each end that has a policy saw it. */
function tryProbes(t: Test, { talks, recording }: World, made: Generated, { what, tally }: Probing): void {
  const judge = judgeOf(
    recording,
    made.policies.map(({ object }) => object),
  );
  // Of a pod that no flow shows nobody knows that it is to be told apart.
  const actors = new Set(talks.flatMap(({ from, to }) => [from, to]));
  const passed = talks.filter(({ from, to, talk }) => isPassed(from, to, talk, talks));
  const ends = passed.flatMap(({ from, to }) => [from, to]);
  const subjects = new Set(ends.filter(({ end }) => (end.endpoint.ID ?? 0) !== 0).map(({ kind }) => kind));
  const seen = new Set(passed.map(({ from, to, talk }) => `${from.kind}>${to.kind} ${packetText(talk)}`));
  for (const from of actors) {
    for (const to of actors) {
      for (const talk of packets(from, to)) {
        tally.probes++;
        const query = queryFor(from, to, talk);
        const { egress, ingress } = judge.answer(query);
        const wasSeen = kindsMeaning(from).some((source) =>
          kindsMeaning(to).some((target) => seen.has(`${source}>${target} ${packetText(talk)}`)),
        );
        const isEgressClosed = subjects.has(from.kind) && !wasSeen;
        const isIngressClosed = subjects.has(to.kind) && !wasSeen && from.kind !== 'host';
        if (wasSeen) tally.allowed++;
        if (isEgressClosed && egress?.verdict !== 'denied')
          t.fail(`${what}: egress of ${JSON.stringify(query)}\n${made.text}`);
        if (isIngressClosed && ingress?.verdict !== 'denied')
          t.fail(`${what}: ingress of ${JSON.stringify(query)}\n${made.text}`);
      }
    }
  }
}

/** The API server is a remote node, too. */
function kindsMeaning({ kind }: Actor): string[] {
  return kind === 'kube-apiserver' ? [kind, 'remote-node'] : [kind];
}

/** What one end let out and the other dropped has not passed, unless another talk of the same has. */
function isPassed(from: Actor, to: Actor, talk: Talk, talks: World['talks']): boolean {
  if (talk.droppedBy === undefined) {
    // Let out towards a pod that is elsewhere, and dropped there as another flow of the same says.
    return true;
  }
  return talks.some(
    (other) =>
      other.talk.droppedBy === undefined &&
      other.from.kind === from.kind &&
      other.to.kind === to.kind &&
      packetText(other.talk) === packetText(talk),
  );
}

function packetText({ protocol = 'TCP', port }: Pick<Talk, 'protocol' | 'port'>): string {
  return `${protocol}/${port}`;
}

function packets(from: Actor, to: Actor): Pick<Talk, 'protocol' | 'port'>[] {
  if (from.kind === to.kind && from !== to) return [];
  const ports = [...PORTS, 53, 9092, 81];
  return [
    ...ports.map((port) => ({ port })),
    ...ports.map((port) => ({ port, protocol: 'UDP' }) as const),
    { port: 8, protocol: 'ICMPv4' },
    { port: 128, protocol: 'ICMPv6' },
    { port: 0, protocol: 'ICMPv4' },
  ];
}

function queryFor(from: Actor, to: Actor, { protocol = 'TCP', port }: Pick<Talk, 'protocol' | 'port'>): FlowQuery {
  const isIcmp = protocol.startsWith('ICMP');
  const packet = isIcmp
    ? { icmp: { family: protocol === 'ICMPv4' ? 'IPv4' : 'IPv6', type: port } }
    : { protocol, port };
  return readQuery({ from: from.query, to: to.query, ...packet });
}
