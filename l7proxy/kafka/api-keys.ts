/** What rules and answers make of the requests of Kafka, by number (wire/kafka.ts). */

export const PRODUCE = 0;
export const FETCH = 1;
export const METADATA = 3;
export const SASL_HANDSHAKE = 17;
export const API_VERSIONS = 18;

/** What a role may ask for. */
export const ROLES: { readonly [role in 'produce' | 'consume']: readonly number[] } = {
  produce: [0, 3, 18],
  consume: [1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 18],
};

/** Requests whose errors are of a consumer group. */
const GROUP_KEYS: ReadonlySet<number> = new Set([10, 11, 12, 13, 14, 15, 42]);

/**
 * Requests that have nothing to do with topics: rules that name a topic say nothing about them. All others name topics, or are
 * not known here and may.
 */
const TOPICLESS_KEYS: ReadonlySet<number> = new Set([
  7, 10, 11, 12, 13, 14, 15, 16, 17, 18, 22, 25, 26, 29, 30, 31, 36, 38, 39, 40, 41, 42, 48, 49, 50, 51, 60, 64, 65, 66,
  68, 69, 71, 72, 74, 76, 77,
]);

export function namesTopics(apiKey: number): boolean {
  return !TOPICLESS_KEYS.has(apiKey);
}

const TOPIC_AUTHORIZATION_FAILED = 29;
const GROUP_AUTHORIZATION_FAILED = 30;
const CLUSTER_AUTHORIZATION_FAILED = 31;

/** What a denied request is answered with (org.apache.kafka.common.protocol.Errors). */
export function denialError(apiKey: number): number {
  if (GROUP_KEYS.has(apiKey)) return GROUP_AUTHORIZATION_FAILED;
  return namesTopics(apiKey) ? TOPIC_AUTHORIZATION_FAILED : CLUSTER_AUTHORIZATION_FAILED;
}
