/** The agent's state as documents: what the API answers and `sluice status` prints. */
import type {
  AddressHealth,
  AuditDocument,
  CookieDocument,
  EndpointDocument,
  Enforcement,
  IdentityDocument,
  PolicyDocument,
  StatusDocument,
} from '../../api/shapes.ts';
import type { Agent } from '../agent.ts';
import { namesDocument } from './names.ts';
import type { HistoryStatus } from '../observe/history.ts';
import type { LocalPod } from '../attach/pod-reconciler.ts';
import { referenceOf } from '../source/text.ts';
import { counterText } from '../../policy-maps/counter.ts';
import { VERSION } from '../../linux/version.ts';

/** `GET /v1/status`. */
export function statusDocument(agent: Agent): StatusDocument {
  const { config, maps, observatory, reconciler, publisher } = agent;
  const pods = [...reconciler.pods.values()];
  const problems = agent.problems();
  const { heapBytes, ...flows } = observatory.counts;
  return {
    name: config.name,
    version: VERSION,
    state: problems.length === 0 ? 'ok' : 'degraded',
    agent: { pid: process.pid, uptimeSec: Math.floor((Date.now() - agent.startedMs) / 1000) },
    dataplane: agent.supervisor.status(),
    runDir: config.runDir,
    nodeName: config.nodeName,
    clusterName: config.clusterName,
    netnsPrefix: config.netnsPrefix,
    standIns: config.standIns,
    attach: config.attach,
    enforcement: config.policy['enable-policy'],
    policyRevision: publisher.revision,
    audit: auditDocument(agent, pods),
    restartPending: agent.restartPending,
    endpoints: { total: pods.length, ready: pods.filter((pod) => agent.states.of(pod) === 'ready').length },
    identities: [...agent.directory.identities()].length,
    policies: policyDocuments(agent).length,
    services: agent.services.counts(),
    ...(agent.offload.document !== undefined && { offload: agent.offload.document }),
    names: namesDocument(agent),
    dns: agent.names.status(),
    flows,
    ...(observatory.outlets.history !== undefined && { history: historyDocument(observatory.outlets.history) }),
    ...(agent.page.document !== undefined && { page: agent.page.document }),
    ...(agent.kubeApi.document !== undefined && { kubeApi: agent.kubeApi.document }),
    ...(agent.kubernetes.document !== undefined && { kubernetes: agent.kubernetes.document }),
    ...(observatory.api !== undefined && {
      hubble: { ...observatory.api, listeners: observatory.outlets.listeners },
    }),
    exports: observatory.outlets.exports,
    maps: [...maps.all()].map(([name, { file }]) => {
      const { capacity, full, evictions } = file.counters;
      // The table of ports is an array, which does not count.
      const count = name === 'ports' ? [...maps.ports.entries()].length : file.counters.count;
      return { name, count, capacity, pressure: capacity === 0 ? 0 : count / capacity, full, evictions };
    }),
    counters: [...maps.counters.entries()]
      .filter(({ value }) => value !== 0)
      .map((one) => ({ name: counterText(one), value: one.value, unit: one.unit })),
    controllers: [...agent.controllers.states(), ...agent.kubeApi.controllers],
    memory: { agentRssBytes: process.memoryUsage.rss(), observatoryHeapBytes: heapBytes },
    problems,
  };
}

/** Its problems are among those of the agent. */
function historyDocument(status: HistoryStatus): NonNullable<StatusDocument['history']> {
  const { bytes, flows, segments, oldestMs, lost } = status;
  return { bytes, flows, segments, lost, ...(oldestMs !== undefined && { oldestMs }) };
}

function auditDocument({ config, directory, store }: Agent, pods: readonly LocalPod[]): AuditDocument {
  const instance = config.policy['policy-audit-mode'];
  const isAudited = ({ numbers }: LocalPod) => directory.published.get(numbers.endpointId)?.audit === true;
  const policies = [...store.documents()].filter(({ policy }) => policy?.audit === true);
  return {
    instance,
    endpoints: instance ? [] : pods.filter(isAudited).map(({ plan }) => plan.key),
    policies: policies.map(referenceOf),
  };
}

/** `GET /v1/endpoints`. */
export function endpointDocuments(agent: Agent): EndpointDocument[] {
  return [...agent.reconciler.pods.values()].map((pod) => endpointDocument(agent, pod));
}

function endpointDocument(agent: Agent, pod: LocalPod): EndpointDocument {
  const { plan, numbers, spec } = pod;
  const problem = agent.states.problemOf(pod);
  const change = agent.directory.published.get(numbers.endpointId);
  const publishProblem = agent.publisher.problems.get(numbers.endpointId);
  const addressOf = (family: 4 | 6) => numbers.addresses.find((address) => address.family === family)?.text;
  const enforcement = (enforced: boolean | undefined): Enforcement =>
    enforced === true ? (change?.audit === true ? 'Disabled (Audit)' : 'Enabled') : 'Disabled';
  return {
    id: numbers.endpointId,
    namespace: plan.namespace,
    pod: plan.name,
    place: plan.place === 'external' ? 'external' : 'local',
    node: agent.config.nodeName,
    state: agent.states.of(pod),
    identity: change?.identity ?? 0,
    labels: change?.labels ?? [],
    ipv4: addressOf(4),
    ipv6: addressOf(6),
    mac: spec.mac,
    interface: spec.hostInterface === '' ? 'eth0 (TAP)' : spec.hostInterface,
    netns: spec.netns,
    port: numbers.port,
    health: healthDocument(agent, numbers.addresses),
    policy: {
      ingress: enforcement(change?.ingress.enforced),
      egress: enforcement(change?.egress.enforced),
      entries: change?.entries.length ?? 0,
      revision: agent.publisher.revision,
    },
    ...(problem !== '' && { problem }),
    ...(publishProblem !== undefined && { problem: publishProblem }),
  };
}

/** Of each address that has been probed. */
function healthDocument(agent: Agent, addresses: readonly { text: string }[]): EndpointDocument['health'] {
  const probed = addresses.map(({ text }) => [text, agent.prober.health(text)] as const);
  return Object.fromEntries(probed.filter((one): one is readonly [string, AddressHealth] => one[1] !== undefined));
}

/** `GET /v1/policies`: the objects of the policy kinds. */
export function policyDocuments(agent: Agent): PolicyDocument[] {
  return [...agent.store.documents()]
    .filter(({ policy }) => policy !== undefined)
    .map(({ kind, namespace, name, file, line, object }) => ({ kind, namespace, name, file, line, object }));
}

/** `GET /v1/cookies`. */
export function cookieDocuments(agent: Agent): CookieDocument[] {
  return [...agent.compilation.cluster.compiler.cookies.inUse()].map(([id, origins]) => ({ id, origins }));
}

/** `GET /v1/identities`. */
export function identityDocuments(agent: Agent): IdentityDocument[] {
  return [...agent.directory.identities()].map(([id, labels]) => ({ id, labels })).sort((a, b) => a.id - b.id);
}
