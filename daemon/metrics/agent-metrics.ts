/** What the agent knows, as metrics: Cilium's names where Cilium has them (pkg/metrics/metrics.go), `sluice_` for the rest. */
import type { OffloadDocument } from '../../api/shapes-offload.ts';
import { type Family, Read, type Reading, Registry } from '../../hubble/metrics/registry.ts';
import { VERSION } from '../../linux/version.ts';
import { isLocalScope, IDENTITY_LAST_RESERVED } from '../../wire/identities.ts';
import type { Agent } from '../agent.ts';
import { policyDocuments } from '../serve/status.ts';
import { dataplaneFamilies, type Naming } from './dataplane-metrics.ts';
import { processFamilies } from './process-metrics.ts';

/** All that the agent's address tells. */
export function agentRegistry(agent: Agent): Registry {
  const prefix = agent.config['metrics-prefix'];
  const named: Naming = (name) => name.replace('cilium_', prefix);
  const { timings } = agent;
  const families = [
    ...policyFamilies(agent, named),
    ...endpointFamilies(agent, named),
    ...nameFamilies(agent, named),
    ...workFamilies(agent, named),
    ...flowFamilies(agent),
    ...offloadFamilies(agent),
    ...kubernetesFamilies(agent),
    ...dataplaneFamilies(agent.maps, named),
    ...processFamilies(agent.startedMs, () => agent.supervisor.status().pid),
    timings.compile,
    timings.publish,
    timings.changes,
  ];
  const registry = new Registry();
  for (const family of families) registry.add(family);
  return registry;
}

function gauge(name: string, help: string, read: () => number): Read {
  return new Read({ name, help }, 'gauge', () => [[[], read()]]);
}

function counter(name: string, help: string, read: () => number): Read {
  return new Read({ name, help }, 'counter', () => [[[], read()]]);
}

/** How many there are of each kind. */
function tally(kinds: Iterable<string>): Reading[] {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, count]) => [[kind], count]);
}

function policyFamilies(agent: Agent, named: Naming): Family[] {
  return [
    gauge(named('cilium_policy'), 'Policies that are loaded.', () => policyDocuments(agent).length),
    gauge(
      named('cilium_policy_max_revision'),
      'Publications of policy since the start.',
      () => agent.publisher.revision,
    ),
    new Read(
      {
        name: named('cilium_policy_endpoint_enforcement_status'),
        help: 'Endpoints by the directions in which they are enforced.',
        labels: ['enforcement'],
      },
      'gauge',
      () => tally(enforcements(agent)),
    ),
    new Read({ name: named('cilium_identity'), help: 'Identities in use.', labels: ['type'] }, 'gauge', () =>
      tally([...agent.directory.identities()].map(([id]) => identityType(id))),
    ),
  ];
}

function* enforcements({ directory }: Agent): Generator<string> {
  for (const { ingress, egress, audit } of directory.published.values()) {
    const both = ingress.enforced && egress.enforced;
    const one = ingress.enforced ? 'ingress' : egress.enforced ? 'egress' : 'none';
    const directions = both ? 'both' : one;
    yield audit && directions !== 'none' ? `audit-${directions}` : directions;
  }
}

function identityType(id: number): string {
  if (id <= IDENTITY_LAST_RESERVED) return 'reserved';
  return isLocalScope(id) ? 'node_local' : 'cluster_local';
}

function endpointFamilies(agent: Agent, named: Naming): Family[] {
  const pods = () => [...agent.reconciler.pods.values()];
  return [
    gauge(named('cilium_endpoint'), 'Endpoints of this machine.', () => pods().length),
    new Read(
      { name: named('cilium_endpoint_state'), help: 'Endpoints by their state.', labels: ['endpoint_state'] },
      'gauge',
      () => tally(pods().map((pod) => agent.states.of(pod))),
    ),
    gauge(
      named('cilium_unreachable_health_endpoints'),
      'Endpoints that do not answer probes.',
      () => pods().filter((pod) => agent.states.of(pod) === 'unreachable').length,
    ),
    new Read(
      { name: 'sluice_services', help: 'Services, their frontends and backends.', labels: ['kind'] },
      'gauge',
      () => Object.entries(agent.services.counts()).map(([kind, count]) => [[kind], count]),
    ),
  ];
}

function nameFamilies({ learning }: Agent, named: Naming): Family[] {
  return [
    gauge(named('cilium_fqdn_active_names'), 'Names that are learnt.', () => learning.cache.size.names),
    gauge(
      named('cilium_fqdn_active_ips'),
      'Addresses that are learnt, with the name.',
      () => learning.cache.size.lookups,
    ),
    gauge(
      named('cilium_fqdn_alive_zombie_connections'),
      'Addresses that are kept for the connections to them.',
      () => learning.cache.size.zombies,
    ),
    counter(named('cilium_fqdn_gc_deletions_total'), 'Addresses whose time was over.', () => learning.counts.collected),
    counter('sluice_fqdn_guarded_total', 'Addresses that names may not teach.', () => learning.counts.guarded),
  ];
}

function workFamilies(agent: Agent, named: Naming): Family[] {
  const { controllers, supervisor } = agent;
  return [
    gauge(
      named('cilium_controllers_failing'),
      'Recurring work that failed the last time.',
      () => controllers.states().filter(({ lastError }) => lastError !== '').length,
    ),
    new Read(
      { name: named('cilium_controllers_runs_total'), help: 'Runs of recurring work.', labels: ['status'] },
      'counter',
      () => {
        const states = controllers.states();
        const failures = states.reduce((sum, one) => sum + one.failures, 0);
        const runs = states.reduce((sum, one) => sum + one.runs, 0);
        return [
          [['success'], runs - failures],
          [['failure'], failures],
        ];
      },
    ),
    new Read({ name: named('cilium_version'), help: 'Version of the agent.', labels: ['version'] }, 'gauge', () => [
      [[VERSION], 1],
    ]),
    gauge('sluice_dataplane_up', 'Whether a dataplane forwards.', () =>
      supervisor.status().state === 'running' ? 1 : 0,
    ),
    counter('sluice_dataplane_restarts_total', 'Dataplanes that died.', () => supervisor.status().restarts),
    gauge('sluice_problems', 'What is wrong now, as sluice status lists it.', () => agent.problems().length),
  ];
}

function kubernetesFamilies({ kubernetes }: Agent): Family[] {
  const sum = (field: 'objects' | 'lists' | 'watches' | 'events' | 'failures') => (): number =>
    kubernetes.document?.resources.reduce((total, one) => total + one[field], 0) ?? 0;
  return [
    gauge('sluice_kubernetes_objects', 'Objects of the Kubernetes API that are followed.', sum('objects')),
    gauge('sluice_kubernetes_refused', 'Objects of it that are refused.', () => kubernetes.document?.refused ?? 0),
    counter('sluice_kubernetes_lists_total', 'Lists that were begun.', sum('lists')),
    counter('sluice_kubernetes_watches_total', 'Watches that were begun.', sum('watches')),
    counter('sluice_kubernetes_events_total', 'Events of watches.', sum('events')),
    counter('sluice_kubernetes_failures_total', 'Requests that failed.', sum('failures')),
    counter(
      'sluice_kubernetes_restarts_total',
      'Threads that follow it that died.',
      () => kubernetes.document?.restarts ?? 0,
    ),
  ];
}

/** Of connections that the kernel forwards by itself; 0 where none are handed over. */
function offloadFamilies({ offload }: Agent): Family[] {
  const count = (key: keyof OffloadDocument) => () => offload.document?.[key] ?? 0;
  return [
    gauge('sluice_offload_connections', 'Connections that the kernel forwards by itself.', count('active')),
    counter('sluice_offload_taken_total', 'Connections that were handed to the kernel.', count('taken')),
    counter('sluice_offload_ended_total', 'Connections that were taken back.', count('ended')),
    counter('sluice_offload_refused_total', 'Connections that were no longer fit when looked at.', count('refused')),
    counter('sluice_offload_full_total', 'Connections for which there was no room.', count('full')),
  ];
}

function flowFamilies({ observatory, page }: Agent): Family[] {
  return [
    counter('sluice_flows_seen_total', 'Flows that the observatory has seen.', () => observatory.counts.seen),
    counter('sluice_flows_lost_total', 'Events that came faster than they were read.', () => observatory.counts.lost),
    gauge('sluice_flows_kept', 'Flows in memory.', () => observatory.counts.kept),
    gauge('sluice_observatory_heap_bytes', 'Heap of the observatory.', () => observatory.counts.heapBytes),
    counter('sluice_observatory_restarts_total', 'Observatories that died.', () => observatory.counts.restarts),
    counter('sluice_page_restarts_total', 'Threads of the page that died.', () => page.document?.restarts ?? 0),
    counter(
      'sluice_judge_deaths_total',
      'Judges of the page that were late or died.',
      () => page.document?.judgeDeaths ?? 0,
    ),
  ];
}
