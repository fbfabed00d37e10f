/** What a dataplane killed with -9 costs: how long an established TCP connection stands still, and how long no ping passes. */
import { Cleanup, inNetns, run, waitFor } from '../test/command.ts';
import type { Build } from './builds.ts';
import { startServers } from './loads.ts';
import type { Results } from './series.ts';
import { sluice } from './sluice.ts';
import { CLIENT, IPERF_PORT, makeNamespaces, SERVER, type Subject } from './subject.ts';

const LOAD_SEC = 6;
const INTERVAL_SEC = 0.1;
const PING_INTERVAL_SEC = 0.01;

/** Longest row of iperf3's intervals without a byte, seconds. */
function longestPauseSec(report: string): number {
  const { error, intervals } = JSON.parse(report);
  if (error) throw new Error(`iperf3: ${error}`);
  let longest = 0;
  let current = 0;
  for (const { sum } of intervals) {
    current = sum.bytes === 0 ? current + sum.seconds : 0;
    longest = Math.max(longest, current);
  }
  return longest;
}

/** Longest time between two answers, seconds; each line of ping -D begins with the time. */
function longestGapSec(lines: string): number {
  const times = [...lines.matchAll(/^\[([\d.]+)\] \d+ bytes from/gm)].map((match) => Number(match[1]));
  return Math.max(...times.slice(1).map((time, index) => time - times[index]));
}

async function killOnce(subject: Subject, bystanders: number, cleanup: Cleanup, results: Results): Promise<void> {
  await makeNamespaces(cleanup, CLIENT, SERVER);
  const raised = await subject.up('l4', cleanup);
  await startServers(cleanup);
  const timeoutMs = (LOAD_SEC + 30) * 1000;
  const client = (...argv: string[]) => run(inNetns(CLIENT, [...argv, raised.address]), { timeoutMs });
  const pings = String(LOAD_SEC / PING_INTERVAL_SEC);
  const iperf = ['iperf3', '-p', String(IPERF_PORT), '-t', String(LOAD_SEC), '-i', String(INTERVAL_SEC), '-J', '-c'];
  const loads = [client(...iperf), client('ping', '-nD', '-i', String(PING_INTERVAL_SEC), '-c', pings)];
  const isUnderWay = async () =>
    (await run(inNetns(CLIENT, ['ss', '-Htn', `dport = :${IPERF_PORT}`]))).stdout.split('\n').length > 2;
  await waitFor('the connections', isUnderWay);
  const [agent, dataplane] = raised.pids();
  if (dataplane === undefined) throw new Error(`no dataplane beside agent ${agent}`);
  await waitFor(
    'another that stands by',
    async () => (await run(['pgrep', '-P', String(agent)])).stdout.split('\n').length > 2,
  );
  process.kill(dataplane, 'SIGKILL');
  const [tcp, ping] = await Promise.all(loads);
  const metric = `killed dataplane, ${bystanders + 2} pods`;
  results.add(subject.name, `${metric}: TCP stands still`, longestPauseSec(tcp.stdout), 's');
  results.add(subject.name, `${metric}: no ping passes`, longestGapSec(ping.stdout), 's');
}

/** Kills it once a round, each time in a rig of its own. @param other takes its turns too */
export async function measureRestart(
  rounds: number,
  bystanders: number,
  results: Results,
  other?: Build,
): Promise<void> {
  const subjects = [sluice('default', bystanders), ...(other ? [sluice('default', bystanders, other)] : [])];
  for (let round = 1; round <= rounds; round++) {
    console.error(`killed dataplane, round ${round} of ${rounds}`);
    for (const subject of subjects) {
      const cleanup = new Cleanup();
      try {
        await killOnce(subject, bystanders, cleanup, results);
      } finally {
        cleanup.finish();
      }
    }
  }
}
