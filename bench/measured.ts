/** One load, and the CPU time that it took for each unit of work: in the subject's processes, and in all. */
import type { Load, Reading } from './load.ts';
import { busyCpuUs, framesReceived, processCpuUs } from './machine.ts';
import { CLIENT, type Raised, SERVER } from './subject.ts';

/** What the load says, and after it "own CPU" where the subject has processes, what its parts have of that, and "all CPU". */
export async function runMeasured(load: Load, raised: Raised, seconds: number): Promise<Reading[]> {
  const pids = raised.pids();
  const cpuOf = (of: readonly number[]) => of.reduce((sum, pid) => sum + processCpuUs(pid), 0);
  const own = () => cpuOf(pids);
  const parts = Object.entries(raised.parts ?? {}).map(([name, pidsOf]) => ({ name, pids: pidsOf() }));
  const partsBefore = parts.map((part) => cpuOf(part.pids));
  const frames = async () => (await framesReceived(CLIENT)) + (await framesReceived(SERVER));
  const before = { own: own(), busy: busyCpuUs(), frames: await frames() };
  const readings = await load.run(raised.address, seconds);
  const used = { own: own() - before.own, busy: busyCpuUs() - before.busy };
  const partsUsed = parts.map((part, index) => cpuOf(part.pids) - partsBefore[index]);
  const [first] = readings;
  if (load.perUnit === 'none' || first === undefined) return readings;
  const units = load.perUnit === 'frame' ? (await frames()) - before.frames : first.value * 1000 * seconds;
  const unit = `us/${load.perUnit}`;
  const ownCpu = { metric: `${first.metric}, own CPU`, value: used.own / units, unit };
  const allCpu = { metric: `${first.metric}, all CPU`, value: used.busy / units, unit };
  const partCpu = parts.map(({ name }, index) => {
    return { metric: `${first.metric}, ${name} CPU`, value: partsUsed[index] / units, unit };
  });
  return [...readings, ...(pids.length > 0 ? [ownCpu] : []), ...partCpu, allCpu];
}
