/** Flows of a city of 500 workloads in 25 namespaces, 1,500 pairs of which talk, with a few that are dropped: as much as the map must take. */
import type { Endpoint, Envelope } from '../../hubble/flow.ts';
import { rfc3339 } from '../../hubble/time.ts';
import { randomFrom } from '../random.ts';

const WORKLOADS = 500;
const NAMESPACES = 25;
const PAIRS = 1500;

export class CityFlows {
  readonly #draw = randomFrom(11);
  readonly #pairs: (readonly [Endpoint, Endpoint])[] = [];
  #count = 0;

  constructor() {
    const ends = Array.from({ length: WORKLOADS }, (_, index): Endpoint => {
      const namespace = `team-${index % NAMESPACES}`;
      const name = `service-${index}`;
      return {
        ID: 10 + index,
        identity: 1000 + index,
        namespace,
        labels: [`k8s:app=${name}`, `k8s:io.kubernetes.pod.namespace=${namespace}`],
        pod_name: `${name}-0`,
        workloads: [{ name, kind: 'Deployment' }],
      };
    });
    // Each calls somebody, so that all of them are on the map.
    for (let index = 0; index < PAIRS; index++)
      this.#pairs.push([ends[index % WORKLOADS], ends[this.#draw(WORKLOADS)]]);
  }

  next(timeMs: number): Envelope {
    const count = this.#count++;
    const pair = count < PAIRS ? count : this.#draw(PAIRS);
    const [source, destination] = this.#pairs[pair];
    const isDropped = pair % 50 === 0;
    const time = rfc3339(timeMs);
    return {
      flow: {
        time,
        uuid: `city-${count}`,
        verdict: isDropped ? 'DROPPED' : 'FORWARDED',
        IP: { source: '10.0.0.1', destination: '10.0.0.2', ipVersion: 'IPv4' },
        l4: { TCP: { source_port: 40_000, destination_port: 80 + (pair % 5), flags: { SYN: true } } },
        source,
        destination,
        Type: 'L3_L4',
        node_name: 'node-1',
        event_type: isDropped ? { type: 1, sub_type: 133 } : { type: 4 },
        traffic_direction: 'INGRESS',
        ...(isDropped ? { drop_reason_desc: 'POLICY_DENIED' } : { is_reply: false }),
        Summary: 'TCP Flags: SYN',
      },
      node_name: 'node-1',
      time,
    };
  }
}
