/**
 * What telling of flows costs those who forward: the same loads on one dataplane while the agent is started anew between bursts with
 * observability off, on, with a client that follows, and with the history written besides, A B C D D C B A.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hubbleSocket } from '../api/sockets.ts';
import { Cleanup } from '../test/command.ts';
import type { SluiceInstance } from '../test/rig.ts';
import { Follower } from './flow-follower.ts';
import type { Load } from './load.ts';
import { checkHttpRules, HTTP_LOADS, L4_LOADS, startServers } from './loads.ts';
import { runMeasured } from './measured.ts';
import type { Results } from './series.ts';
import { raiseSluice } from './sluice.ts';
import { CLIENT, IPERF_PORT, makeNamespaces, SERVER } from './subject.ts';
import { startHttp2Servers } from './http2.ts';

const BURSTS = 4;
const WARM_UP_SEC = 1;

/** A way to run the agent. */
interface Mode {
  readonly name: string;
  readonly config: string;
  readonly isFollowed: boolean;
}

/** @param directory for the history */
const modesOf = (directory: string): readonly Mode[] => [
  { name: 'flows off', config: 'hubble: { enabled: false }\n', isFollowed: false },
  { name: 'flows on', config: '', isFollowed: false },
  { name: 'a follower', config: '', isFollowed: true },
  {
    name: 'a follower, history',
    config: `hubble: { history: { enabled: true, directory: ${directory} } }\n`,
    isFollowed: true,
  },
];

/** The ports of iperf3, beside those under HTTP rules. */
const OPEN_IPERF = ['server', 'client']
  .map((pod) => {
    const [way, peer] = pod === 'server' ? ['ingress', 'fromEndpoints'] : ['egress', 'toEndpoints'];
    return `---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: iperf-${pod}, namespace: bench }
spec:
  endpointSelector: { matchLabels: { app: ${pod} } }
  ${way}:
    - ${peer}: [{ matchLabels: { app: ${pod === 'server' ? 'client' : 'server'} } }]
      toPorts: [{ ports: [{ port: "${IPERF_PORT}", protocol: ANY }] }]
`;
  })
  .join('');

const LOADS: readonly Load[] = [L4_LOADS['tcp'][0], ...L4_LOADS['udp'], HTTP_LOADS['http'][0]];

class Rig {
  readonly #instance: SluiceInstance;
  readonly #address: string;
  readonly #config: string;

  constructor(instance: SluiceInstance, address: string) {
    this.#instance = instance;
    this.#address = address;
    this.#config = readFileSync(instance.configFile, 'utf8');
  }

  /** Lets another agent take the dataplane over, and puts every load on it. */
  async burst({ name, config, isFollowed }: Mode, seconds: number, results: Results): Promise<void> {
    const instance = this.#instance;
    process.kill(instance.agent.pid, 'SIGUSR2');
    await instance.untilAgentEnded();
    writeFileSync(instance.configFile, this.#config + config);
    await instance.restartAgent();
    await instance.untilReady(['bench/client', 'bench/server']);
    const follower = isFollowed ? await Follower.start(hubbleSocket(instance.runDir)) : undefined;
    for (const load of LOADS) await this.#measure(load, name, seconds, results);
    if (follower !== undefined) await this.#tellLoss(follower, name, results);
  }

  async #measure(load: Load, name: string, seconds: number, results: Results): Promise<void> {
    const address = this.#address;
    await load.run(address, WARM_UP_SEC);
    const parts = {
      dataplane: () => this.#instance.dataplanePids(),
      agent: () => [this.#instance.agent.pid],
    };
    const raised = { address, pids: () => this.#instance.pids(), parts };
    for (const { metric, value, unit } of await runMeasured(load, raised, seconds))
      results.add(name, metric, value, unit);
  }

  async #tellLoss(follower: Follower, name: string, results: Results): Promise<void> {
    const { flows, lost } = await follower.counts();
    follower.stop();
    if (flows === 0) throw new Error(`${name}: the client that follows was told nothing`);
    results.add(name, 'flows that a client lost', (100 * lost) / (flows + lost), '%');
  }
}

/** Each round with a rig of its own. @param seconds of each load in each mode in all, at least one a burst */
export async function measureObservability(rounds: number, seconds: number, results: Results): Promise<void> {
  const burstSec = Math.max(1, Math.round(seconds / BURSTS));
  for (let round = 1; round <= rounds; round++) {
    const cleanup = new Cleanup();
    try {
      await makeNamespaces(cleanup, CLIENT, SERVER);
      const options = { attach: 'default', rules: 'http', bystanders: 0, more: OPEN_IPERF } as const;
      const { instance, address } = await raiseSluice(options, cleanup);
      await startServers(cleanup);
      await startHttp2Servers(cleanup);
      await checkHttpRules(address, true);
      const rig = new Rig(instance, address);
      const directory = mkdtempSync(join(tmpdir(), 'slb-history-'));
      cleanup.add(() => rmSync(directory, { recursive: true, force: true }));
      const modes = modesOf(directory);
      for (let burst = 0; burst < BURSTS; burst++) {
        console.error(`observability, round ${round} of ${rounds}, burst ${burst + 1} of ${BURSTS}`);
        for (const mode of burst % 2 === 0 ? modes : modes.toReversed()) await rig.burst(mode, burstSec, results);
      }
    } finally {
      cleanup.finish();
    }
  }
}
