/** The requests of Kafka by number (kafka.apache.org/protocol#protocol_api_keys). */

/** In Cilium's spelling (pkg/policy/api/kafka), which ends with 33. */
export const API_KEY_NAMES: readonly string[] = (
  'produce fetch offsets metadata leaderandisr stopreplica updatemetadata controlledshutdown offsetcommit offsetfetch ' +
  'findcoordinator joingroup heartbeat leavegroup syncgroup describegroups listgroups saslhandshake apiversions ' +
  'createtopics deletetopics deleterecords initproducerid offsetforleaderepoch addpartitionstotxn addoffsetstotxn ' +
  'endtxn writetxnmarkers txnoffsetcommit describeacls createacls deleteacls describeconfigs alterconfigs'
).split(' ');

/** The name of a request; its number where it has none here. */
export function apiKeyText(apiKey: number): string {
  return API_KEY_NAMES[apiKey] ?? String(apiKey);
}
