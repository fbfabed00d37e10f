/** Why a stream under Kafka rules is refused, by number: indices of KAFKA_ERROR_KINDS (policy-maps/counters.ts). */
export const KAFKA_BAD_SIZE = 1;
export const KAFKA_BAD_HEADER = 2;
export const KAFKA_BAD_BODY = 3;
export const KAFKA_TRUNCATED = 4;
export const KAFKA_UNASKED = 5;
export const KAFKA_LATE_DENIAL = 6;
