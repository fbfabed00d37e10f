/** How long it takes from the request that changes one service of many until the dataplane's maps say so. */
import { performance } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { mapFile } from '../dataplane/native/index.ts';
import { PINNED } from '../policy-maps/pinned.ts';
import { SCOPE_EXTERNAL } from '../policy-maps/service/service-map.ts';
import type { SluiceInstance } from '../test/rig.ts';
import { addressWords } from '../wire/address.ts';
import { PROTO_TCP } from '../wire/protocols.ts';
import { processCpuUs } from './machine.ts';
import { CROWD, CROWD_PORT, crowdClusterIp, crowdSlice } from './crowd-services.ts';
import type { Results } from './series.ts';

const UPDATES = 60;
const STRIDE = 167; // from one service to the next that changes
const PATIENCE_MS = 10_000;

/** Changes one service after another. @throws Error when a change never comes */
export async function measureUpdates(instance: SluiceInstance, subject: string, results: Results): Promise<void> {
  const folder = `${instance.runDir}/maps`;
  const services = PINNED.services.map.open(`${folder}/${PINNED.services.file}`, mapFile);
  const slots = PINNED.slots.map.open(`${folder}/${PINNED.slots.file}`, mapFile);
  const backendsOf = (index: number): string => {
    const [a0, a1, a2, a3] = addressWords(crowdClusterIp(index));
    services.setAddress(a0, a1, a2, a3);
    if (!services.find(CROWD_PORT, PROTO_TCP, SCOPE_EXTERNAL)) return '';
    return String(slots.read(services.found.block, services.found.frontend)?.members);
  };
  const agent = instance.agent.pid;
  const times: number[] = [];
  const usedBefore = processCpuUs(agent);
  for (let update = 0; update < UPDATES; update++) {
    const index = (update * STRIDE) % CROWD;
    const before = backendsOf(index);
    const began = performance.now();
    const answer = instance.call('POST', '/v1/apply?file=update', JSON.stringify(crowdSlice(index, 1)));
    let now = began;
    while (backendsOf(index) === before && now - began < PATIENCE_MS) {
      await turn();
      now = performance.now();
    }
    times.push(now - began);
    const { status, text } = await answer;
    if (status !== 200 || before === '' || now - began >= PATIENCE_MS)
      throw new Error(`update of service ${index}: ${status}: ${text}; backends ${before}`);
  }
  const usedMs = (processCpuUs(agent) - usedBefore) / 1000 / UPDATES;
  results.add(subject, `one service of ${CROWD} changes, agent's CPU`, usedMs, 'ms');
  times.sort((a, b) => a - b);
  for (const percentile of [50, 90]) {
    const value = times[Math.floor((times.length * percentile) / 100)] ?? Number.NaN;
    results.add(subject, `one service of ${CROWD} changes, p${percentile}`, value, 'ms');
  }
}
