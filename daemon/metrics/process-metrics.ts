/** What the machine says of our processes, under the names that Prometheus' own clients use. */
import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Family, Read, type Reading } from '../../hubble/metrics/registry.ts';

/** USER_HZ, of times in /proc: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;
/** Fields of /proc/PID/stat behind the name, see proc_pid_stat(5). */
const UTIME = 11;
const STIME = 12;
const RSS = 21;
const LOOP_RESOLUTION_MS = 20;

/** @param dataplane pid of the dataplane, 0 = none */
export function processFamilies(startedMs: number, dataplane: () => number): Family[] {
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delay.enable();
  const gauge = (name: string, help: string, read: () => number) =>
    new Read({ name, help }, 'gauge', () => [[[], read()]]);
  const cpu = process.cpuUsage.bind(process);
  return [
    new Read({ name: 'process_cpu_seconds_total', help: 'CPU time of the agent.' }, 'counter', () => [
      [[], (cpu().user + cpu().system) / 1e6],
    ]),
    gauge('process_start_time_seconds', 'When the agent began, since 1970.', () => startedMs / 1000),
    gauge('process_resident_memory_bytes', 'Resident memory of the agent.', () => process.memoryUsage.rss()),
    gauge('process_open_fds', 'Open descriptors of the agent.', () => readdirSync('/proc/self/fd').length),
    gauge('sluice_agent_event_loop_delay_seconds', 'Longest wait of the event loop since the last scrape.', () => {
      const longest = delay.max;
      delay.reset();
      return Math.max(0, longest / 1e9 - LOOP_RESOLUTION_MS / 1000);
    }),
    new Read({ name: 'sluice_dataplane_cpu_seconds_total', help: 'CPU time of the dataplane.' }, 'counter', () =>
      statOf(dataplane(), (fields) => (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS_PER_SECOND),
    ),
    new Read(
      { name: 'sluice_dataplane_resident_memory_bytes', help: 'Resident memory of the dataplane.' },
      'gauge',
      () => statOf(dataplane(), (fields) => Number(fields[RSS]) * PAGE_BYTES),
    ),
  ];
}

/** Nothing when there is no such process. */
function statOf(pid: number, of: (fields: readonly string[]) => number): Reading[] {
  if (pid === 0) return [];
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return [[[], of(text.slice(text.lastIndexOf(')') + 2).split(' '))]];
  } catch {
    return [];
  }
}
