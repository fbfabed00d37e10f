/** Kafka rules: may this identity make this request? */
import type { KafkaRule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { firstAllowing, rulesFor } from '../offline.ts';
import type { OfflineRules } from '../protocol.ts';

/** A request, as far as rules see it. */
export interface KafkaRequest {
  /** Name or number; 'produce' when it is not said. */
  readonly apiKey?: string | number;
  readonly apiVersion?: string | number;
  readonly topic?: string;
  readonly clientID?: string;
}

/** The Kafka rules of one rule set for one remote: alternatives; one of them without a Kafka list allows everything. */
export function kafkaOffline(ruleSet: L7RuleSet, remote: number): OfflineRules<KafkaRequest> {
  const rules = rulesFor(ruleSet, remote);
  return (request) => firstAllowing(rules, ({ kafka }) => allowsRequest(kafka, request));
}

/** Request names by api key (kafka.apache.org/protocol#protocol_api_keys), in Cilium's spelling. */
const API_KEYS = (
  'produce fetch offsets metadata leaderandisr stopreplica updatemetadata controlledshutdown offsetcommit offsetfetch ' +
  'findcoordinator joingroup heartbeat leavegroup syncgroup describegroups listgroups saslhandshake apiversions ' +
  'createtopics deletetopics deleterecords initproducerid offsetforleaderepoch addpartitionstotxn addoffsetstotxn ' +
  'endtxn writetxnmarkers txnoffsetcommit describeacls createacls deleteacls describeconfigs alterconfigs'
).split(' ');
const ROLES = { produce: [0, 3, 18], consume: [1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 18] } as const;
/** Requests that name topics; a topic constraint says nothing about others. */
const TOPIC_KEYS = new Set([0, 1, 2, 3, 4, 5, 6, 8, 9, 19, 20, 21, 23, 24, 27, 28, 34, 35, 37]);

function allowsRequest(rules: readonly KafkaRule[] | null | undefined, request: KafkaRequest): boolean {
  if (rules === null || rules === undefined) return true;
  const { apiKey = 'produce' } = request;
  const key = typeof apiKey === 'number' ? apiKey : API_KEYS.indexOf(apiKey.toLowerCase());
  return rules.some((rule) => matches(rule, key, request));
}

/** All that the rule says must match; what it says empty, it does not say. */
function matches(rule: KafkaRule, key: number, { apiVersion, clientID, topic }: KafkaRequest): boolean {
  const { role, apiKey = '' } = rule;
  if (role !== undefined && !(ROLES[role] as readonly number[]).includes(key)) return false;
  if (apiKey !== '' && API_KEYS.indexOf(apiKey.toLowerCase()) !== key) return false;
  if ((rule.apiVersion ?? '') !== '' && String(apiVersion) !== rule.apiVersion) return false;
  if ((rule.clientID ?? '') !== '' && clientID !== rule.clientID) return false;
  return (rule.topic ?? '') === '' || !TOPIC_KEYS.has(key) || topic === rule.topic;
}
