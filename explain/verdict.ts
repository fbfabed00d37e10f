/**
 * The verdict on one flow: egress policy of its source, ingress policy of its destination, and what their L7 rules say.
 *
 *  1. Each end is turned into an identity: a pod has its own; an address that of the pod or node that has it, else that of
 *     the longest prefix known; an entity its number; labels that of a pod with these labels.
 *  2. A source that is a pod is asked for its egress verdict on the destination's identity, a destination that is a pod for
 *     its ingress verdict on the source's. Other ends have no policy of their own here.
 *  3. A verdict that redirects names a rule set; the request, if the query has one, must be allowed by the rule sets of
 *     both directions.
 *  4. A drop that audit mode turns into a pass is `allowed`, with `audited` true.
 *
 * A pod that speaks to itself does so inside its own network namespace: no policy ever sees that.
 */
import { type Direction, EGRESS, INGRESS } from '../wire/direction.ts';
import type { EndpointChange } from '../policy/cluster.ts';
import type { PodSpec } from '../policy/rule/spec.ts';
import type { Origin } from '../policy/rule/rule.ts';
import type { DirectionState } from '../policy/compile/endpoint-policy.ts';
import { IDENTITY_HOST, IDENTITY_REMOTE_NODE, reservedName } from '../wire/identities.ts';
import { parsePrefix } from '../wire/prefix.ts';
import { DROP_POLICY, DROP_POLICY_DENY } from '../wire/reasons.ts';
import { NAMESPACE_LABEL } from '../hubble/decode/decode.ts';
import { ApplicationJudge } from './application.ts';
import type { End, FlowQuery } from './query.ts';
import type { PolicyWorld, WorldPod } from './world.ts';

export interface DirectionAnswer {
  readonly verdict: 'allowed' | 'denied' | 'redirected';
  /** A policy applies in this direction. */
  readonly enforced: boolean;
  /** What kind of entry decided: `L3-L4`, `none`... */
  readonly match: string;
  /** Drop reason (133 no rule allows it, 181 denied by a rule, 189 authentication), 0 when it is not dropped. */
  readonly reason: number;
  /** `Kind/namespace/name` of the policies that decided; for a default deny those that closed the direction. */
  readonly policies: readonly string[];
  /** Would be dropped, and passes because of audit mode. */
  readonly audited?: true;
}

export interface Answer {
  readonly id: unknown;
  readonly verdict: 'allowed' | 'denied' | 'error';
  readonly egress?: DirectionAnswer;
  readonly ingress?: DirectionAnswer;
  readonly l7?: 'allowed' | 'denied' | 'none';
  readonly error?: string;
}

/** One end of a flow as the world knows it. */
export interface ResolvedEnd {
  readonly text: string;
  readonly identity: number;
  readonly spec: PodSpec | undefined;
  /** Given or known, for an end that is no pod of ours. */
  readonly address: string | undefined;
  readonly endpoint: EndpointChange | undefined;
}

/** The outcome of one direction with what is needed to explain it. */
export interface Outcome {
  readonly answer: DirectionAnswer;
  /** Leads to the rules that decided; of a default deny to those that closed the direction. */
  readonly cookie: number;
  /** Id of the rule set it is redirected to; 0 = none. */
  readonly ruleSet: number;
}

/** One direction that denies a flow. */
export interface Denial {
  readonly direction: Direction;
  readonly answer: DirectionAnswer;
  /** The packets pass, the request does not. */
  readonly isRequest: boolean;
  /** The end whose policy denies. */
  readonly subject: ResolvedEnd;
  readonly remote: ResolvedEnd;
  readonly query: FlowQuery;
  readonly port: number;
  /** The rules that decided; of a default deny those that closed the direction. */
  readonly origins: readonly Origin[];
}

interface Side {
  readonly subject: ResolvedEnd;
  readonly outcome: Outcome;
  /** The other end, as the rules of this side see it. */
  readonly remote: ResolvedEnd;
}

/** Indexed by match type (bpf/lib/policy.h). */
const MATCH_NAMES = ['none', 'L3-only', 'L3-L4', 'L4-only', 'all', 'L3-proto', 'proto-only'];

const OPEN: DirectionAnswer = { verdict: 'allowed', enforced: false, match: 'none', reason: 0, policies: [] };
const UNJUDGED: Outcome = { answer: OPEN, cookie: 0, ruleSet: 0 };

/** Judges flows in one world. */
export class FlowJudge {
  readonly world: PolicyWorld;
  readonly #application: ApplicationJudge;

  constructor(world: PolicyWorld) {
    this.world = world;
    this.#application = new ApplicationJudge(world.ruleSets);
  }

  /** The answer to a query; never throws for what a query says. */
  answer(query: FlowQuery): Answer {
    try {
      return this.#judge(query);
    } catch (error) {
      if (!(error instanceof UnknownEndError)) throw error;
      return { id: query.id, verdict: 'error', error: error.message };
    }
  }

  /** The rules that decide a query in either direction, L7 rules that allowed the request among them. */
  decidingOrigins(query: FlowQuery): readonly Origin[] {
    try {
      const cookies = this.#sides(query).map(({ outcome }) => outcome.cookie);
      return [...cookies.flatMap((cookie) => this.world.origins(cookie)), ...this.requestOrigins(query)];
    } catch (error) {
      if (error instanceof UnknownEndError) return [];
      throw error;
    }
  }

  /** The L7 rules that allowed the request. @throws UnknownEndError */
  requestOrigins(query: FlowQuery): readonly Origin[] {
    const judged = this.#sides(query).filter(({ outcome }) => outcome.ruleSet !== 0);
    return judged.flatMap(({ outcome, remote }) => {
      const { cookie } = this.#application.judge(outcome.ruleSet, remote.identity, query);
      return this.world.origins(cookie);
    });
  }

  #judge(query: FlowQuery): Answer {
    const sides = this.#sides(query);
    const [egress, ingress] = sides.map(({ outcome }) => outcome.answer);
    const isDropped = egress.verdict === 'denied' || ingress.verdict === 'denied';
    const l7 = isDropped ? 'none' : this.#judgeRequest(query, sides);
    const verdict = isDropped || l7 === 'denied' ? 'denied' : 'allowed';
    return { id: query.id, verdict, egress, ingress, l7 };
  }

  /** Egress of the source, ingress of the destination. */
  #sides(query: FlowQuery): readonly [Side, Side] {
    const [source, destination] = this.ends(query);
    const port = this.portOf(query, destination);
    const isLoopback = this.isLoopback(query);
    const egress = isLoopback ? UNJUDGED : this.decide(source, destination, { query, port, direction: EGRESS });
    const ingress = isLoopback ? UNJUDGED : this.decide(destination, source, { query, port, direction: INGRESS });
    return [
      { subject: source, outcome: egress, remote: destination },
      { subject: destination, outcome: ingress, remote: source },
    ];
  }

  /** Does a pod talk to itself? Labels stand for any pod that has them, so two ends of one kind are two pods. @throws UnknownEndError */
  isLoopback(query: FlowQuery): boolean {
    const [source, destination] = this.ends(query);
    return source.spec !== undefined && source.spec === destination.spec && !('labels' in query.from);
  }

  /** What denies the flow, direction by direction; requests once the packets pass. @throws UnknownEndError */
  denials(query: FlowQuery): Denial[] {
    const sides = this.#sides(query);
    const port = this.portOf(query, this.ends(query)[1]);
    const isDropped = sides.some(({ outcome }) => outcome.answer.verdict === 'denied');
    return sides.flatMap(({ subject, remote, outcome }, i) => {
      const { answer, cookie } = outcome;
      const isDenied = isDropped ? answer.verdict === 'denied' : this.#refuses(outcome, remote, query);
      if (!isDenied) return [];
      const origins = this.world.origins(cookie);
      return [
        { direction: i === 0 ? EGRESS : INGRESS, isRequest: !isDropped, answer, subject, remote, query, port, origins },
      ];
    });
  }

  #refuses({ ruleSet }: Outcome, remote: ResolvedEnd, query: FlowQuery): boolean {
    return ruleSet !== 0 && this.#application.judge(ruleSet, remote.identity, query).verdict === 'denied';
  }

  #judgeRequest(query: FlowQuery, sides: readonly Side[]): 'allowed' | 'denied' | 'none' {
    const answers = sides
      .filter(({ outcome }) => outcome.ruleSet !== 0)
      .map(({ outcome, remote }) => this.#application.judge(outcome.ruleSet, remote.identity, query).verdict);
    if (answers.includes('denied')) return 'denied';
    return answers.includes('allowed') ? 'allowed' : 'none';
  }

  /**
   * One direction.
   * @param subject whose policy is asked
   * @param remote the other end
   */
  decide(
    subject: ResolvedEnd,
    remote: ResolvedEnd,
    { query, port, direction }: { query: FlowQuery; port: number; direction: Direction },
  ): Outcome {
    const { endpoint } = subject;
    if (endpoint === undefined) return UNJUDGED;
    const state = direction === EGRESS ? endpoint.egress : endpoint.ingress;
    const map = this.world.policyMap(endpoint);
    const verdict = map.lookup(remote.identity, direction, query.protocol, port);
    const match = MATCH_NAMES[map.matchType];
    if (verdict < 0) return this.#dropped(subject, -verdict, { match, cookie: map.cookie, state });
    const answer: DirectionAnswer = {
      verdict: verdict === 0 ? 'allowed' : 'redirected',
      enforced: state.enforced,
      match,
      reason: 0,
      policies: this.world.policyNames(map.cookie),
    };
    const { shadow } = endpoint;
    const isAudited = shadow !== undefined && this.#wouldDrop(endpoint, remote, { query, port, direction });
    return { answer: isAudited ? { ...answer, audited: true } : answer, cookie: map.cookie, ruleSet: verdict };
  }

  #dropped(
    subject: ResolvedEnd,
    reason: number,
    { match, cookie, state }: { match: string; cookie: number; state: DirectionState },
  ): Outcome {
    const deciding = reason === DROP_POLICY ? state.defaultDenyCookie : cookie;
    const policies = this.world.policyNames(deciding);
    const answer: DirectionAnswer = { verdict: 'denied', enforced: state.enforced, match, reason, policies };
    const isAudited = subject.endpoint?.audit === true && (reason === DROP_POLICY || reason === DROP_POLICY_DENY);
    const shown: DirectionAnswer = isAudited ? { ...answer, verdict: 'allowed', audited: true } : answer;
    return { answer: shown, cookie: deciding, ruleSet: 0 };
  }

  /** Whether the policies that are only audited would drop it. */
  #wouldDrop(
    { shadow = [], ...endpoint }: EndpointChange,
    remote: ResolvedEnd,
    { query, port, direction }: { query: FlowQuery; port: number; direction: Direction },
  ): boolean {
    const map = this.world.policyMap({ ...endpoint, shadow: undefined, entries: shadow });
    return map.lookup(remote.identity, direction, query.protocol, port) < 0;
  }

  /** Both ends of a query, source first. @throws UnknownEndError */
  ends({ from, to }: FlowQuery): readonly [ResolvedEnd, ResolvedEnd] {
    const source = this.#resolve(from, undefined);
    const destination = this.#resolve(to, source.spec);
    // A node's address means `host` to the pods of that node, so the source is looked at again from the destination.
    return [destination.spec === undefined ? source : this.#resolve(from, destination.spec), destination];
  }

  /** The port by number; a port name is the destination's. @throws UnknownEndError */
  portOf({ port, protocol }: FlowQuery, destination: ResolvedEnd): number {
    if (typeof port === 'number') return port;
    const found = destination.spec?.namedPorts?.find((one) => one.name === port && one.protocol === protocol);
    if (found !== undefined) return found.port;
    throw new UnknownEndError(`look up port '${port}': ${destination.text} has no container port of that name`);
  }

  #resolve(end: End, other: PodSpec | undefined): ResolvedEnd {
    if ('pod' in end) return this.#pod(end.pod, other);
    if ('ip' in end) return this.#address(end.ip, other);
    if ('entity' in end) return this.#entity(end.entity);
    return this.#labelled(end.labels, end.namespace);
  }

  #pod(reference: string, other: PodSpec | undefined): ResolvedEnd {
    const [outside] = this.world.outsider(reference) ?? [];
    if (outside !== undefined) return { ...this.#address(outside, other), text: reference };
    const pod = this.world.pod(reference);
    if (pod === undefined) throw new UnknownEndError(`find pod ${reference}: no such pod is known`);
    if (pod.spec.hostNetwork === true) return this.#node(reference, pod.spec.nodeName, other);
    return asEnd(reference, pod);
  }

  #address(text: string, other: PodSpec | undefined): ResolvedEnd {
    let address: string;
    try {
      address = parsePrefix(text, 'host').text;
    } catch {
      throw new UnknownEndError(`read address: found '${text}', wanted an IPv4 or IPv6 address`);
    }
    const pod = this.world.podAt(address);
    if (pod !== undefined) return this.#pod(pod, other);
    const node = this.world.nodeAt(address);
    const identity = this.world.cluster.addresses.lookup(text);
    const isLocal = node !== undefined && node === other?.nodeName;
    return isLocal ? this.#entity('host') : { text, identity, spec: undefined, address, endpoint: undefined };
  }

  /** The node under a pod of its own network: `host` to pods of the same node (pods without one share one), else remote. */
  #node(text: string, node: string | undefined, other: PodSpec | undefined): ResolvedEnd {
    const isLocal = other === undefined || other.nodeName === node;
    return isLocal
      ? this.#entity('host')
      : { text, identity: IDENTITY_REMOTE_NODE, spec: undefined, address: undefined, endpoint: undefined };
  }

  #entity(name: string): ResolvedEnd {
    const identity = ENTITIES.indexOf(name);
    if (identity < 1) {
      const wanted = ENTITIES.filter((one) => one !== '').join(', ');
      throw new UnknownEndError(
        `read entity: found '${name}', wanted one that a single packet can have: ${wanted}; a pod is namespace/name: default/${name}`,
      );
    }
    const endpoint = identity === IDENTITY_HOST ? this.world.hostEndpoint : undefined;
    return { text: name, identity, spec: undefined, address: undefined, endpoint };
  }

  #labelled(labels: readonly string[], namespace: string | undefined): ResolvedEnd {
    const reserved = labels.find((label) => label.startsWith('reserved:'));
    if (reserved !== undefined) return this.#entity(reserved.slice('reserved:'.length));
    const named = labels.find((label) => label.startsWith(NAMESPACE_LABEL))?.slice(NAMESPACE_LABEL.length);
    return asEnd(labels.join(','), this.world.podWithLabels(labels, namespace ?? named ?? 'default'));
  }
}

/** What a query names is not there, or cannot be an end of a flow. */
export class UnknownEndError extends Error {
  override readonly name = 'UnknownEndError';
}

/** Entities by identity; those that stand for many identities are left out. */
const ENTITIES = Array.from({ length: 11 }, (_, id) => (id === 0 ? '' : (reservedName(id) ?? '')));

function asEnd(text: string, { spec, endpoint }: WorldPod): ResolvedEnd {
  return { text, identity: endpoint?.identity ?? 0, spec, address: undefined, endpoint };
}
