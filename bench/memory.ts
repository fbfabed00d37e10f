/** Resident memory of agent and dataplane with a hundred pods, policies on all of them, and default table sizes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Cleanup } from '../test/command.ts';
import { SluiceInstance } from '../test/rig.ts';
import type { Build } from './builds.ts';
import { memoryMiB } from './machine.ts';
import type { Results } from './series.ts';
import { sluice } from './sluice.ts';

const PODS = 100;
const APPS = 10;

const podName = (index: number) => `pod-${index}`;

function manifests(): string {
  const pods = Array.from(
    { length: PODS },
    (_, index) => `---
apiVersion: v1
kind: Pod
metadata:
  name: ${podName(index)}
  namespace: bench
  labels: { app: app-${index % APPS} }
`,
  );
  const policies = Array.from(
    { length: APPS },
    (_, index) => `---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: allow-${index}, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: app-${index} } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: app-${(index + 1) % APPS} } }]
      toPorts:
        - ports: [{ port: "8080", protocol: TCP }]
          rules: { http: [{ method: GET, path: "/public(/.*)?" }] }
`,
  );
  return `apiVersion: v1\nkind: Namespace\nmetadata: { name: bench }\n${pods.join('')}${policies.join('')}`;
}

/** Raises the pods, reads both processes' memory, takes all down again. @param other measured after it */
export async function measureMemory(results: Results, other?: Build): Promise<void> {
  await measureOne(sluice('default').name, undefined, results);
  if (other !== undefined) await measureOne(sluice('default', 0, other).name, other, results);
}

async function measureOne(subject: string, build: Build | undefined, results: Results): Promise<void> {
  const cleanup = new Cleanup();
  try {
    const dir = mkdtempSync('/tmp/slb-mem-');
    cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
    const file = join(dir, 'pods.yaml');
    writeFileSync(file, manifests());
    const instance = await SluiceInstance.start({
      ...{ name: 'slb', cleanup, netnsPrefix: 'slb-', createNamespaces: true },
      programs: build?.root,
    });
    await instance.apply(file);
    await instance.untilReady(
      Array.from({ length: PODS }, (_, index) => `bench/${podName(index)}`),
      120_000,
    );
    const each = instance.pids().map(memoryMiB);
    const sum = (kind: 'rss' | 'pss') => each.reduce((total, memory) => total + memory[kind], 0);
    results.add(subject, `memory, ${PODS} pods: RSS of all`, sum('rss'), 'MiB');
    results.add(subject, `memory, ${PODS} pods: shared counted once`, sum('pss'), 'MiB');
  } finally {
    cleanup.finish();
  }
}
