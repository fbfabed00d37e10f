/**
 * What would let a denied flow pass: rules to add where the direction is closed, a request to add to a list of requests, or
 * the denial that is in the way.
 *
 * No proposal is told that was not tried. `remediesFor` takes the smallest change that may help, applies it to the documents,
 * and judges the flow in the world that they make then; if nothing has moved it tries the next. So a proposal names nothing that
 * the policy cannot reach (a node by its address), and nothing that identities lack (`pod-template-hash`). A flow may need
 * several changes: one for each direction, one for a denial and one for what the denial hid. They are told in order.
 *
 * A proposal opens what it names and nothing else. Whether the flow ought to pass is not asked.
 */
import { EGRESS } from '../wire/direction.ts';
import { stringify } from 'yaml';
import { valueAt } from '../policy/document/document-path.ts';
import { LabelSet } from '../policy/rule/labels.ts';
import { selects } from '../policy/rule/selector.ts';
import type { Document } from '../policy/document/document.ts';
import { type Origin, originText, policyName } from '../policy/rule/rule.ts';
import { type Change, changed } from './change.ts';
import { escapeRegExp } from './literal.ts';
import { rulesFor } from './proposal.ts';
import type { FlowQuery } from './query.ts';
import { type Denial, FlowJudge } from './verdict.ts';
import { PolicyWorld } from './world.ts';

const DROP_DENY = 181;
const DROP_AUTH = 189;
/** Changes that one flow may need. */
const MOST_CHANGES = 12;

export interface Remedies {
  /** What to change, in order. Empty = nothing that was tried helps. */
  readonly changes: readonly Change[];
  /** Why there is no proposal. */
  readonly reason: string | undefined;
}

/** The changes that let a denied flow pass. @throws UnknownEndError when an end of the flow is not known */
export function remediesFor(judge: FlowJudge, query: FlowQuery): Remedies {
  const changes: Change[] = [];
  for (let current = judge; changes.length < MOST_CHANGES; ) {
    if (current.answer(query).verdict === 'allowed') return { changes, reason: undefined };
    const before = current.denials(query);
    const [denial] = before;
    if (denial === undefined) break;
    const obstacle = obstacleOf(denial);
    if (obstacle !== undefined) return { changes: [], reason: obstacle };
    const next = tryEach(current, query, proposalsFor(current.world, denial), before.length);
    if (next === undefined) {
      const demand = demandOf(current.world, denial);
      const several = `look at more than one rule: none that was tried lets it pass (${whatDenies(denial)})`;
      return { changes: [], reason: demand ?? several };
    }
    changes.push(next.change);
    current = next.judge;
  }
  return { changes: [], reason: 'too many rules are in its way' };
}

/** The first change after which the denial is another or gone. */
function tryEach(judge: FlowJudge, query: FlowQuery, proposals: readonly Change[], denials: number) {
  const { world } = judge;
  const before = signatureOf(judge, query);
  for (const change of proposals) {
    const documents = changed(world.given, change, world.cluster.options);
    if (documents === undefined) continue;
    const after = new FlowJudge(new PolicyWorld(documents, world.cluster.options, world.surroundings));
    // A new policy is among those that close the direction, whether it helps or not.
    const hasMoved =
      change.kind === 'create' ? after.denials(query).length < denials : signatureOf(after, query) !== before;
    if (hasMoved) return { change, judge: after };
  }
  return undefined;
}

/** What of the flow is denied, and by which rules. */
function signatureOf(judge: FlowJudge, query: FlowQuery): string {
  return judge
    .denials(query)
    .map(({ direction, answer, origins }) => `${direction} ${answer.reason} ${origins.map(originText).join()}`)
    .join(';');
}

/** What no document can change. */
function obstacleOf({ answer, origins }: Denial): string | undefined {
  if (answer.reason === DROP_DENY && origins.some(({ path }) => !path.includes('Deny['))) {
    return `take terminatingTLS and originatingTLS out of ${origins.map(originText).join(', ')}: TLS is not ended yet, so that its ports are closed`;
  }
  if (answer.reason === DROP_AUTH)
    return `${origins.map(originText).join(', ')} demands authentication, for which there is no backend yet`;
  return undefined;
}

/** `fromRequires` and `toRequires` bind every rule by labels, in whichever policy: no rule that is added gets past them. */
function demandOf(world: PolicyWorld, { direction, subject, remote }: Denial): string | undefined {
  const [own, other] = [subject, remote].map(({ endpoint }) => new LabelSet(endpoint?.labels ?? []));
  const rules = world.documents
    .flatMap(({ policy }) => policy?.rules ?? [])
    .filter((rule) => selects(rule.subject, own));
  const demands = rules
    .flatMap((rule) => (direction === EGRESS ? rule.egress : rule.ingress))
    .filter(({ requires }) => requires.length > 0 && !selects(requires, other));
  if (demands.length === 0 || remote.endpoint === undefined) return undefined;
  const field = direction === EGRESS ? 'toRequires' : 'fromRequires';
  const at = demands.map(({ origin }) => originText(origin)).join(', ');
  return `take ${field} out of ${at}, or give ${remote.text} the labels that it wants: it binds every rule by labels`;
}

function whatDenies({ direction, origins, subject }: Denial): string {
  const by = origins.length === 0 ? 'enable-policy' : origins.map(originText).join(', ');
  return `${direction === EGRESS ? 'egress' : 'ingress'} of ${subject.text} is denied by ${by}`;
}

function proposalsFor(world: PolicyWorld, denial: Denial): Change[] {
  const { answer, origins } = denial;
  if (denial.isRequest) return requestProposals(world, denial);
  if (answer.reason === DROP_DENY) return [{ kind: 'empty', origins }];
  return rulesFor(denial, world.cluster.options);
}

/** The request, added to each list of requests of the rules that redirect the flow. */
function requestProposals(world: PolicyWorld, { origins, query }: Denial): Change[] {
  return origins.flatMap((origin) => {
    return portRulesOf(world.given, origin).flatMap(({ rules = {}, serverNames }, i): Change[] => {
      const path = `${origin.path}.toPorts[${i}]`;
      const add = (list: string, item: unknown): Change => ({ kind: 'add', origin, path: `${path}.${list}`, item });
      if (query.http !== undefined && (rules['http'] ?? []).length > 0)
        return [add('rules.http', httpRule(query.http))];
      if (query.dns !== undefined && (rules['dns'] ?? []).length > 0)
        return [add('rules.dns', { matchName: query.dns.query })];
      if (query.kafka !== undefined && (rules['kafka'] ?? []).length > 0)
        return [add('rules.kafka', kafkaRule(query.kafka))];
      return query.sni !== undefined && serverNames !== undefined ? [add('serverNames', query.sni)] : [];
    });
  });
}

/** With its query string: a path rule is about both. */
function httpRule({ method = 'GET', path = '/', host }: NonNullable<FlowQuery['http']>): unknown {
  const isTunnel = method === 'CONNECT';
  return {
    method: escapeRegExp(method),
    ...(!isTunnel && { path: escapeRegExp(path) }),
    ...((host !== undefined || isTunnel) && { host: escapeRegExp(host ?? path) }),
  };
}

function kafkaRule({ apiKey = 'produce', topic, clientID, apiVersion }: NonNullable<FlowQuery['kafka']>): unknown {
  return {
    apiKey: String(apiKey),
    ...(topic !== undefined && { topic }),
    ...(clientID !== undefined && { clientID }),
    ...(apiVersion !== undefined && { apiVersion: String(apiVersion) }),
  };
}

interface PortRule {
  readonly rules?: Readonly<Record<string, readonly unknown[] | undefined>>;
  readonly serverNames?: readonly string[];
}

/** The port rules of the element that a rule came from. */
function portRulesOf(documents: readonly Document[], origin: Origin): readonly PortRule[] {
  const document = documents.find(({ policy }) => policy !== undefined && policyName(policy) === policyName(origin));
  const element = valueAt(document?.object, origin.path) as { toPorts?: readonly PortRule[] } | undefined;
  return element?.toPorts ?? [];
}

/** A change in words and YAML, ending in a newline. */
export function changeText(change: Change): string {
  switch (change.kind) {
    case 'empty':
      return `replace the deny rule ${change.origins.map(originText).join(', ')} by {}, or narrow it: a deny outranks every allow\n`;
    case 'create':
      return `apply this policy beside ${change.beside}:\n${indent(stringify(change.object))}`;
    case 'add': {
      const { origin, path, item } = change;
      return `add to ${path} of ${policyName(origin)} (${origin.file}:${origin.line}):\n${indent(stringify([item]))}`;
    }
  }
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}
