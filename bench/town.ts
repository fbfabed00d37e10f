/** A hundred pods with traffic on each: a TCP stream between each two, all at once, from one program that is the same for all subjects. */
import { Cleanup, must } from '../test/command.ts';
import type { EndpointDocument } from '../api/shapes.ts';
import { crowdManifests } from '../test/crowd.ts';
import { SluiceInstance } from '../test/rig.ts';
import type { Build } from './builds.ts';
import { makeBridge, plugIntoBridge } from './kernel-bridge.ts';
import { memoryMiB, processCpuUs } from './machine.ts';
import { SOCKETS } from './messages.ts';
import type { Results } from './series.ts';
import { sluice } from './sluice.ts';
import { makeNamespaces, SOCKETS_PORT } from './subject.ts';

const PODS = 100;
const READY_MS = 120_000;
const WARM_UP_SEC = 1;
const METRIC = `town of ${PODS}`;

/** One that is up. */
interface Town {
  /** NETNS=ADDRESS of each pod. */
  readonly pods: readonly string[];
  pids(): number[];
}

interface TownSubject {
  readonly name: string;
  /** Builds it; what must be undone goes to `cleanup`. */
  up(cleanup: Cleanup): Promise<Town>;
}

const RULES = `
    ct state established,related accept
    ct state new ip saddr 10.99.0.0/24 ip daddr 10.99.0.0/24 tcp dport ${SOCKETS_PORT} accept
`;

const bridge: TownSubject = {
  name: 'bridge+nft',
  up: async (cleanup) => {
    const pods = Array.from({ length: PODS }, (_, index) => ({
      netns: `slb-p${index}`,
      address: `10.99.0.${index + 2}`,
    }));
    await makeNamespaces(cleanup, ...pods.map(({ netns }) => netns));
    await makeBridge(cleanup, RULES);
    for (const [index, { netns, address }] of pods.entries()) await plugIntoBridge(netns, `p${index}`, `${address}/24`);
    return { pods: pods.map(({ netns, address }) => `${netns}=${address}`), pids: () => [] };
  },
};

const ours = (build: Build | undefined): TownSubject => ({
  name: sluice('default', 0, build).name,
  up: async (cleanup) => {
    const instance = await SluiceInstance.start({
      ...{ name: 'slb', podCIDR4: '10.98.0.0/16', cleanup, netnsPrefix: 'slb-', createNamespaces: true },
      programs: build?.root,
    });
    await instance.send(crowdManifests('town', new Array<string>(PODS).fill('veth')));
    const names = Array.from({ length: PODS }, (_, index) => `town/p${index}`);
    await instance.untilReady(names, READY_MS);
    const addressOf = await addressesByPod(instance);
    return {
      pods: names.map((name) => `${instance.netnsOf(name)}=${addressOf.get(name)}`),
      pids: () => instance.pids(),
    };
  },
});

async function addressesByPod(instance: SluiceInstance): Promise<Map<string, string>> {
  const endpoints: readonly EndpointDocument[] = await instance.read('/v1/endpoints');
  return new Map(endpoints.map(({ namespace, pod, ipv4 = '' }) => [`${namespace}/${pod}`, ipv4]));
}

/** Bytes that arrived. @throws Error when a pod got none */
async function traffic(pods: readonly string[], seconds: number): Promise<number> {
  const argv = [...SOCKETS, 'town', String(SOCKETS_PORT), String(seconds), ...pods];
  const [bytes, ...starved] = (await must(argv, { timeoutMs: (seconds + 60) * 1000 })).trim().split(' ');
  if (starved.length > 0) throw new Error(`nothing arrived in ${starved.join(', ')}`);
  return Number(bytes);
}

async function takeTurn(subject: TownSubject, seconds: number, results: Results): Promise<void> {
  const cleanup = new Cleanup();
  try {
    const { pods, pids } = await subject.up(cleanup);
    await traffic(pods, WARM_UP_SEC);
    const cpuUs = () => pids().reduce((sum, pid) => sum + processCpuUs(pid), 0);
    const before = cpuUs();
    const bytes = await traffic(pods, seconds);
    const used = cpuUs() - before;
    results.add(subject.name, METRIC, (bytes * 8) / seconds / 1e9, 'Gbit/s');
    if (pids().length === 0) return;
    results.add(subject.name, `${METRIC}, own CPU`, used / (bytes / 2 ** 20), 'us/MiB');
    const resident = pids().reduce((sum, pid) => sum + memoryMiB(pid).rss, 0);
    results.add(subject.name, `${METRIC}: RSS of all`, resident, 'MiB');
  } finally {
    cleanup.finish();
  }
}

/** Each subject in turn, from nothing. @param other takes its turns too */
export async function measureTown(rounds: number, seconds: number, results: Results, other?: Build): Promise<void> {
  const subjects = [bridge, ours(undefined), ...(other === undefined ? [] : [ours(other)])];
  for (let round = 1; round <= rounds; round++) {
    console.error(`${METRIC} pods, round ${round} of ${rounds}`);
    for (const subject of subjects) await takeTurn(subject, seconds, results);
  }
}
