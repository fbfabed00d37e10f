/** The machine of a run, and the CPU time spent on it. */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { must } from '../test/command.ts';

/** Linux reports process times in ticks of 10 ms. */
const US_PER_TICK = 10_000;

/** What a reader needs to judge the figures by. */
export async function describeMachine(): Promise<Record<string, string | number>> {
  const version = async (...argv: string[]) => (await must(argv).catch(() => 'absent')).split('\n')[0].trim();
  const cores = cpus();
  return {
    date: new Date().toISOString(),
    cpu: cores[0]?.model ?? 'unknown',
    cores: cores.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    load: readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' '),
    commit: await version('git', 'rev-parse', '--short', 'HEAD'),
    iperf3: await version('iperf3', '--version'),
    ovs: await version('ovs-vswitchd', '--version'),
    nginx: await version('sh', '-c', 'nginx -v 2>&1'),
    haproxy: await version('haproxy', '-v'),
  };
}

/** CPU microseconds a process and its threads have used; 0 once it is gone. */
export function processCpuUs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
  } catch {
    return 0;
  }
}

/** CPU microseconds that all cores together were busy since boot, interrupts included. */
export function busyCpuUs(): number {
  const [user, nice, system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq) * US_PER_TICK;
}

/** CPU microseconds that the hypervisor gave to others since boot: the machine's own noise. */
export function stolenCpuUs(): number {
  return Number(readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/)[8]) * US_PER_TICK;
}

/** Frames (big ones count once) that a namespace's eth0 has received. */
export async function framesReceived(netns: string): Promise<number> {
  const [link] = JSON.parse(await must(['ip', '-n', netns, '-j', '-s', 'link', 'show', 'eth0']));
  return link.stats64.rx.packets;
}

/** Resident and proportional memory of a process in MiB. */
export function memoryMiB(pid: number): { rss: number; pss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024;
  return { rss: field('Rss'), pss: field('Pss') };
}
