/**
 * The tables full of what nobody asks for: what 100,000 policies and a million prefixes cost those who have nothing to do with them.
 * One rig, before they are applied, with them, and after they are deleted, so that a drift of the machine falls on both.
 */
import { Cleanup } from '../test/command.ts';
import { L4_LOADS, startServers } from './loads.ts';
import type { Results } from './series.ts';
import { raiseSluice } from './sluice.ts';
import { CLIENT, makeNamespaces, SERVER } from './subject.ts';
import { inTurn } from './turns.ts';

const POLICIES = 100_000;
const GROUPS = 1000;
const PREFIXES_A_GROUP = 1000;
const POLICIES_A_CALL = 5000;
const GROUPS_A_CALL = 50;
const NAMESPACES = 100;
const CONFIG = 'maps: { bpf-ipcache-map-max: 1048576 }\n';

/** Between two sorts of pods, neither of which is there. */
const policy = (index: number) => ({
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: { name: `p${index}`, namespace: `n${index % NAMESPACES}` },
  spec: {
    endpointSelector: { matchLabels: { app: `a${index}` } },
    ingress: [
      {
        fromEndpoints: [{ matchLabels: { app: `a${index + 1}` } }],
        toPorts: [{ ports: [{ port: '80', protocol: 'TCP' }] }],
      },
    ],
  },
});

/** From 20.0.0.0 on, a /24 each; a policy names them, or they would be in no table. */
function group(index: number): object[] {
  const prefix = (number: number) => `${20 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}.0/24`;
  const externalCIDRs = Array.from({ length: PREFIXES_A_GROUP }, (_, at) => prefix(index * PREFIXES_A_GROUP + at));
  const metadata = { name: `g${index}` };
  const spec = {
    endpointSelector: { matchLabels: { app: 'nobody' } },
    egress: [{ toCIDRSet: [{ cidrGroupRef: metadata.name }] }],
  };
  return [
    { apiVersion: 'cilium.io/v2alpha1', kind: 'CiliumCIDRGroup', metadata, spec: { externalCIDRs } },
    { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { ...metadata, namespace: 'n0' }, spec },
  ];
}

const textOf = (documents: readonly object[]) => documents.map((one) => JSON.stringify(one)).join('\n---\n');

/** The bodies of the calls that bring all of it in. */
function* bodies(): Generator<string> {
  const range = (from: number, length: number) => Array.from({ length }, (_, at) => from + at);
  for (let from = 0; from < POLICIES; from += POLICIES_A_CALL) yield textOf(range(from, POLICIES_A_CALL).map(policy));
  for (let from = 0; from < GROUPS; from += GROUPS_A_CALL) yield textOf(range(from, GROUPS_A_CALL).flatMap(group));
}

/** Half of the bursts of `empty` come before, half after those of `full`. */
export async function measureFullTables(seconds: number, results: Results): Promise<void> {
  const cleanup = new Cleanup();
  try {
    await makeNamespaces(cleanup, CLIENT, SERVER);
    const rig = { attach: 'default', rules: 'l4', bystanders: 0, config: CONFIG } as const;
    const { instance, address } = await raiseSluice(rig, cleanup);
    await startServers(cleanup);
    const { tcp, udp, crr, ping } = L4_LOADS;
    const loads = [tcp[0], ...udp, ...crr, ...ping];
    const way = (name: string) => [{ name, address, pids: () => instance.pids() }];
    await inTurn(way('sluice, empty tables'), loads, seconds, results);
    const began = performance.now();
    for (const body of bodies()) await instance.send(body);
    const spentSec = (performance.now() - began) / 1000;
    results.add(
      'sluice, full tables',
      `${POLICIES} policies, ${GROUPS * PREFIXES_A_GROUP} prefixes applied`,
      spentSec,
      's',
    );
    await inTurn(way('sluice, full tables'), loads, seconds, results);
    for (const body of bodies()) await instance.send(body, 'delete');
    await inTurn(way('sluice, empty tables'), loads, seconds, results);
  } finally {
    cleanup.finish();
  }
}
