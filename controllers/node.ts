/** The Node of this machine: a stored object, so that it can be labelled, tainted and cordoned; what it is the machine tells. */
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, networkInterfaces, release, totalmem } from 'node:os';
import { type Condition, conditionOf, withCondition } from '../apiserver/resources/conditions.ts';
import { type KubeObject, timestamp } from '../apiserver/storage/kube-object.ts';
import type { Controller, Surroundings } from './controller.ts';
import { NODE_LABEL } from '../policy/egress-table.ts';
import { NODE_OBJECTS } from './scheduler.ts';

/** What the agent tells of this machine. */
export interface NodeFacts {
  /** Of its interfaces unless told; the first of each family is the one that pods are told. */
  readonly addresses?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly podCIDRs?: readonly string[];
  /** What `kubectl get nodes` shows as VERSION. */
  readonly version?: string;
  /** `sluice://0.1.0` */
  readonly runtime?: string;
}

/** Go's names, which labels and images have. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm' };
const KIB = 1024;

/** @param facts asked for each time: they may change */
export function node(surroundings: Surroundings, facts: () => NodeFacts): Controller {
  const { storage, nodeName } = surroundings;
  return {
    name: 'node-controller',
    watches: { [NODE_OBJECTS]: ({ object }) => (object.metadata.name === nodeName ? [nodeName] : []) },
    start: () => [nodeName],
    work: () => {
      if (storage.isMirrored(NODE_OBJECTS, '', nodeName)) return undefined;
      if (storage.get(NODE_OBJECTS, '', nodeName) === undefined)
        storage.create(NODE_OBJECTS, { apiVersion: 'v1', kind: 'Node', metadata: { name: nodeName }, spec: {} });
      storage.update(NODE_OBJECTS, '', nodeName, (one) => told(one, facts(), surroundings));
      return undefined;
    },
  };
}

/** The addresses of this machine, but for those that only its own links know. */
function hostAddresses(): string[] {
  const found = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return found.filter(({ internal, scopeid }) => !internal && (scopeid ?? 0) === 0).map(({ address }) => address);
}

/** The Node with what is so now; what people write into it stays. */
function told(before: KubeObject, facts: NodeFacts, { nodeName, room, clock }: Surroundings): KubeObject {
  const { addresses = hostAddresses(), labels = {}, podCIDRs = [], version = '', runtime = 'sluice://' } = facts;
  const architecture = ARCHITECTURES[arch()] ?? arch();
  const own = { [NODE_LABEL]: nodeName, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': architecture };
  const resources = {
    cpu: String(availableParallelism()),
    memory: `${Math.floor(totalmem() / KIB)}Ki`,
    pods: String(room.maxPods),
  };
  const internal = addresses.map((address) => ({ type: 'InternalIP', address }));
  return {
    ...before,
    metadata: { ...before.metadata, labels: { ...labels, ...before.metadata.labels, ...own } },
    spec: {
      ...(before['spec'] as object | undefined),
      ...(podCIDRs.length > 0 && { podCIDR: podCIDRs[0], podCIDRs }),
    },
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: conditionsNow(before, clock.nowMs()),
      addresses: [...internal, { type: 'Hostname', address: nodeName }],
      daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
      nodeInfo: {
        ...{ architecture, operatingSystem: 'linux', kernelVersion: release(), osImage: osImage() },
        ...{ containerRuntimeVersion: runtime, kubeletVersion: version, kubeProxyVersion: '' },
        ...{ machineID: firstLine('/etc/machine-id'), systemUUID: '' },
        bootID: firstLine('/proc/sys/kernel/random/boot_id'),
      },
    },
  };
}

const CONDITIONS = [
  ['MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'pods are not limited by memory here'],
  ['DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'pods are not limited by disks here'],
  ['PIDPressure', 'False', 'KubeletHasSufficientPID', 'pods are not limited by processes here'],
  ['Ready', 'True', 'KubeletReady', 'pods run here'],
] as const;

/** There is no heartbeat: who reads the Node reads it from the machine itself. */
function conditionsNow(before: KubeObject, nowMs: number): readonly object[] {
  const ready = conditionOf(before, 'Ready') as { lastHeartbeatTime?: string } | undefined;
  const lastHeartbeatTime = ready?.lastHeartbeatTime ?? timestamp(nowMs);
  const { conditions = [] } = (before['status'] ?? {}) as { conditions?: readonly Condition[] };
  const now = CONDITIONS.reduce<readonly Condition[]>(
    (all, [type, status, reason, message]) => withCondition(all, { type, status, reason, message }, nowMs),
    conditions,
  );
  return now.map((one) => ({ lastHeartbeatTime, ...one }));
}

function osImage(): string {
  return /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(textOf('/etc/os-release'))?.[1] ?? '';
}

function firstLine(path: string): string {
  return textOf(path).split('\n')[0];
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
