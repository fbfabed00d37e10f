/**
 * Kafka rules: may this identity make this request? The only place that says so, on the wire and offline.
 *
 * A request is allowed when one rule matches it that names no topic, or when for each topic that it names a rule matches it that
 * names this one. What rules say of anything but topics depends on little of a request, so it is found out once for each kind
 * of request and kept (RequestPlan).
 */
import type { KafkaRule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { RuleJudge } from '../judge.ts';
import { rulesFor } from '../offline.ts';
import type { JudgeKey } from '../parser.ts';
import type { OfflineRules, ProtocolServices } from '../protocol.ts';
import { API_KEY_NAMES } from '../../wire/kafka.ts';
import { namesTopics, ROLES } from './api-keys.ts';
import { ByteStrings } from './byte-strings.ts';
import { HIDE_TOPICLESS, HIDE_TOPICS } from './waiting.ts';

/** A request, as far as rules see it. */
export interface KafkaRequest {
  /** Name or number; 'produce' when it is not said. */
  readonly apiKey?: string | number;
  readonly apiVersion?: string | number;
  readonly topic?: string;
  readonly clientID?: string;
}

/** No rule can name a request with this number or a higher one, and none is read here. */
const UNNAMED_KEY = 128;
/** A request that has nothing to do with topics, and that no rule can name. */
const SHARE_GROUP_HEARTBEAT = 76;
const MAX_VERSIONS = 0x10001;
/** Kinds of requests remembered for one judge. */
const MAX_PLANS = 4096;

/** What the rules of one end say of one kind of request. */
class EndPlan {
  /** Of the first rule that matches; -1 = none. */
  cookie = -1;
  /** A rule matches whatever the topics. */
  allowsEveryTopic = false;
  readonly topics = new ByteStrings();

  allow(rule: KafkaRule | null, cookie: number, hasTopics: boolean): void {
    if (this.cookie < 0) this.cookie = cookie;
    const topic = rule?.topic ?? '';
    if (topic === '' || !hasTopics) this.allowsEveryTopic = true;
    else this.topics.add(topic);
  }
}

/** The Kafka rules of one rule set for one remote: alternatives; one of them without a Kafka list allows everything. */
class RemoteRules {
  readonly clients = new ByteStrings();
  readonly #versions = new Set<number>();
  readonly #rules: { rule: KafkaRule | null; cookie: number }[] = [];
  /** Of the first rule: what denials are told with; 0 = no rule is for this remote. */
  readonly firstCookie: number;

  constructor(ruleSet: L7RuleSet, remote: number) {
    const rules = rulesFor(ruleSet, remote);
    this.firstCookie = rules[0]?.cookie ?? 0;
    for (const { kafka, cookie } of rules) {
      for (const rule of kafka ?? [null]) this.#rules.push({ rule, cookie });
    }
    for (const { rule } of this.#rules) {
      if ((rule?.clientID ?? '') !== '') this.clients.add(rule?.clientID ?? '');
      if ((rule?.apiVersion ?? '') !== '') this.#versions.add(Number(rule?.apiVersion));
    }
  }

  namesVersion(version: number): boolean {
    return this.#versions.has(version);
  }

  /** @param client number of the client's id in `clients`, -1 = no rule names it */
  plan(apiKey: number, version: number, client: number): EndPlan {
    const plan = new EndPlan();
    for (const { rule, cookie } of this.#rules) {
      if (rule === null || this.#matches(rule, apiKey, version, client)) plan.allow(rule, cookie, namesTopics(apiKey));
    }
    return plan;
  }

  /** All that the rule says, but for the topic, must match; what it says empty, it does not say. */
  #matches(rule: KafkaRule, key: number, version: number, client: number): boolean {
    const { role, apiKey = '', apiVersion = '', clientID = '' } = rule;
    if (role !== undefined && !ROLES[role].includes(key)) return false;
    if (apiKey !== '' && API_KEY_NAMES.indexOf(apiKey.toLowerCase()) !== key) return false;
    if (apiVersion !== '' && Number(apiVersion) !== version) return false;
    return clientID === '' || this.clients.text(client) === clientID;
  }
}

/** Judges offline. */
export function kafkaOffline(ruleSet: L7RuleSet, remote: number): OfflineRules<KafkaRequest> {
  const rules = new RemoteRules(ruleSet, remote);
  return ({ apiKey = 'produce', apiVersion, clientID, topic }) => {
    const key = typeof apiKey === 'number' ? apiKey : API_KEY_NAMES.indexOf(apiKey.toLowerCase());
    const client = clientID === undefined ? -1 : rules.clients.findText(clientID);
    const plan = rules.plan(key, Number(apiVersion ?? Number.NaN), client);
    const isAllowed = plan.allowsEveryTopic || (topic !== undefined && plan.topics.findText(topic) >= 0);
    return isAllowed ? plan.cookie : -1;
  };
}

/** What both ends' rules say of one kind of request. */
export class RequestPlan {
  /** No topic is asked about. */
  readonly allowsEveryTopic: boolean;
  /** A rule of each end matches, as far as topics say nothing. */
  readonly isPossible: boolean;
  readonly egressCookie: number;
  readonly ingressCookie: number;
  readonly #egress: EndPlan | null;
  readonly #ingress: EndPlan | null;
  /** Who denied what was asked last: 0 = nobody. */
  deniedBy = 0;

  /** null = this end has no rules. */
  constructor(egress: EndPlan | null, ingress: EndPlan | null) {
    this.#egress = egress;
    this.#ingress = ingress;
    this.allowsEveryTopic = (egress?.allowsEveryTopic ?? true) && (ingress?.allowsEveryTopic ?? true);
    this.egressCookie = egress?.cookie ?? 0;
    this.ingressCookie = ingress?.cookie ?? 0;
    this.deniedBy = this.egressCookie < 0 ? EGRESS : this.ingressCookie < 0 ? INGRESS : 0;
    this.isPossible = this.deniedBy === 0;
  }

  allowsTopic(bytes: Uint8Array, at: number, length: number): boolean {
    this.deniedBy = !allows(this.#egress, bytes, at, length)
      ? EGRESS
      : allows(this.#ingress, bytes, at, length)
        ? 0
        : INGRESS;
    return this.deniedBy === 0;
  }

  /** A request that nobody may make, whatever rules say. */
  denyAlways(): void {
    this.deniedBy = this.#egress === null ? INGRESS : EGRESS;
  }

  /** A request about all topics, or about one that is not known by name. */
  denyUnnamed(): boolean {
    this.deniedBy = this.#egress !== null && !this.#egress.allowsEveryTopic ? EGRESS : INGRESS;
    return false;
  }
}

function allows(end: EndPlan | null, bytes: Uint8Array, at: number, length: number): boolean {
  return end === null || end.allowsEveryTopic || end.topics.find(bytes, at, length) >= 0;
}

const NOTHING_ALLOWED = new EndPlan();

/** Both ends' rules must allow. */
export class KafkaJudge extends RuleJudge<RemoteRules> {
  readonly #plans = new Map<number, RequestPlan>();

  constructor(services: ProtocolServices, key: JudgeKey, nextId: () => number) {
    super(services, (ruleSet, remote) => new RemoteRules(ruleSet, remote), key, nextId);
  }

  protected override onChange(): void {
    this.#plans.clear();
  }

  /** @param length of the client's id; -1 = it says none */
  planOf(apiKey: number, version: number, bytes: Uint8Array, at: number, length: number): RequestPlan {
    this.refresh();
    const egressClient = this.egress?.clients.find(bytes, at, length) ?? -1;
    const ingressClient = this.ingress?.clients.find(bytes, at, length) ?? -1;
    const isNamed = this.egress?.namesVersion(version) === true || this.ingress?.namesVersion(version) === true;
    // Client ids, versions and requests that no rule can name are all of one kind.
    const client = (egressClient + 1) * ((this.ingress?.clients.count ?? 0) + 1) + ingressClient + 1;
    const kind =
      (client * MAX_VERSIONS + (isNamed ? version + 1 : 0)) * UNNAMED_KEY + Math.min(apiKey, UNNAMED_KEY - 1);
    let plan = this.#plans.get(kind);
    if (plan === undefined) {
      if (this.#plans.size === MAX_PLANS) this.#plans.clear();
      const egress = this.isEgressMissing
        ? NOTHING_ALLOWED
        : (this.egress?.plan(apiKey, version, egressClient) ?? null);
      const ingress = this.isIngressMissing
        ? NOTHING_ALLOWED
        : (this.ingress?.plan(apiKey, version, ingressClient) ?? null);
      plan = new RequestPlan(egress, ingress);
      if (Number.isSafeInteger(kind)) this.#plans.set(kind, plan);
    }
    return plan;
  }

  /** Which requests that are not read here a client may not make: HIDE_TOPICS, HIDE_TOPICLESS. Its id as in `planOf`. */
  hiddenFrom(bytes: Uint8Array, at: number, length: number): number {
    const allows = (apiKey: number) => this.planOf(apiKey, 0, bytes, at, length).allowsEveryTopic;
    return (allows(UNNAMED_KEY - 1) ? 0 : HIDE_TOPICS) | (allows(SHARE_GROUP_HEARTBEAT) ? 0 : HIDE_TOPICLESS);
  }

  /** What denials are told with. */
  firstCookie(direction: number): number {
    return (direction === EGRESS ? this.egress : this.ingress)?.firstCookie ?? 0;
  }
}
