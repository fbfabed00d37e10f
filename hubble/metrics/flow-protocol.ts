/** What a flow speaks, as Hubble's metrics name it. */
import { EVENT_L7 } from '../../wire/event.ts';
import type { Flow } from '../flow.ts';

/** `TCP`, `ICMPv4`, `HTTP`; `Unknown L4` and the like when the flow does not say. */
export function flowProtocol({ event_type: { type }, l7, l4 }: Flow): string {
  if (type !== EVENT_L7) return Object.keys(l4 ?? {})[0] ?? 'Unknown L4';
  if (l7?.dns !== undefined) return 'DNS';
  if (l7?.http !== undefined) return 'HTTP';
  if (l7?.kafka !== undefined) return 'Kafka';
  return l7?.tlsSNI === undefined ? 'Unknown L7' : 'TLS';
}
