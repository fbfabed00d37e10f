/** `sluice health`: whether each process runs and each pod answers, as `cilium-health status` tells of nodes. */
import { DaemonApi } from '../../api/daemon-api.ts';
import type { AddressHealth, EndpointDocument, StatusDocument } from '../../api/shapes.ts';
import { sentenceOf } from '../terminal/failure.ts';
import { printDocument } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import { type Column, renderTable } from '../terminal/table.ts';

/** What `-o json` shows. */
export interface HealthDocument {
  readonly ok: boolean;
  readonly processes: readonly ProcessHealth[];
  /** An address of a pod each; a pod without addresses, or that was not probed yet, has one without. */
  readonly pods: readonly PodHealth[];
  readonly problems: readonly string[];
}

interface ProcessHealth {
  readonly name: 'agent' | 'dataplane' | 'name server' | 'observatory';
  readonly ok: boolean;
  readonly state: string;
}

interface PodHealth extends Partial<AddressHealth> {
  readonly pod: string;
  readonly address?: string;
  /** Of its endpoint. */
  readonly state: string;
  /** It is ready, and has answered unless it was not probed yet. */
  readonly ok: boolean;
}

/**
 * Prints the health.
 * @returns whether all is well
 * @throws ApiError when no agent answers
 */
export async function printHealth(settings: Settings): Promise<boolean> {
  const api = new DaemonApi(settings);
  const [status, endpoints] = await Promise.all([api.status(), api.endpoints()]);
  const isObserved = status.flows.capacity > 0; // else it is switched off
  const processes = [...processesOf(status), ...(isObserved ? [await askObservatory(api)] : [])];
  const pods = endpoints.flatMap(podHealth);
  const { problems } = status;
  const ok = problems.length === 0 && processes.every((one) => one.ok) && pods.every((one) => one.ok);
  const document: HealthDocument = { ok, processes, pods, problems };
  if (settings.output !== 'table') await printDocument(settings, document);
  else settings.host.stdout.write(textOf(settings, document));
  return ok;
}

function processesOf({ agent, dataplane, dns }: StatusDocument): ProcessHealth[] {
  const { server } = dns;
  return [
    { name: 'agent', ok: true, state: `running, pid ${agent.pid}` },
    processHealth('dataplane', dataplane),
    ...(server.state === 'off' ? [] : [processHealth('name server', server)]),
  ];
}

function processHealth(
  name: ProcessHealth['name'],
  { state, pid, restarts }: { readonly state: string; readonly pid: number; readonly restarts: number },
): ProcessHealth {
  const ok = state === 'running';
  return { name, ok, state: `${state}${ok ? `, pid ${pid}` : ''}${restarts === 0 ? '' : `, restarts ${restarts}`}` };
}

/** The thread for flows runs when it answers. */
async function askObservatory(api: DaemonApi): Promise<ProcessHealth> {
  const name = 'observatory';
  try {
    await api.flows({ last: 0 }, new AbortController().signal, () => undefined);
    return { name, ok: true, state: 'answers' };
  } catch (error) {
    return { name, ok: false, state: sentenceOf(error) };
  }
}

function podHealth({ namespace, pod: name, state, health }: EndpointDocument): PodHealth[] {
  const base = { pod: `${namespace}/${name}`, state };
  const isReady = state === 'ready';
  const probes = Object.entries(health);
  if (probes.length === 0) return [{ ...base, ok: isReady }];
  return probes.map(([address, probe]) => ({ ...base, address, ...probe, ok: isReady && probe.isReachable }));
}

function textOf({ paint, headers }: Settings, { ok, processes, pods, problems }: HealthDocument): string {
  const colour = (isWell: boolean) => (isWell ? paint.green : paint.red);
  const processColumns: readonly Column<ProcessHealth>[] = [
    { header: 'PROCESS', cell: ({ name }) => name },
    { header: 'STATE', cell: ({ state }) => state, paint: (_, one) => colour(one.ok) },
  ];
  const podColumns: readonly Column<PodHealth>[] = [
    { header: 'POD', cell: ({ pod }) => pod },
    { header: 'STATE', cell: ({ state }) => state },
    { header: 'ADDRESS', cell: ({ address }) => address },
    { header: 'PROBE', cell: probeText, paint: (_, one) => colour(one.ok) },
  ];
  const text = [
    `Health: ${colour(ok)(ok ? 'ok' : 'degraded')}\n`,
    renderTable(processColumns, processes, { headers }),
    ...(pods.length === 0 ? [] : [renderTable(podColumns, pods, { headers })]),
    ...(problems.length === 0
      ? []
      : [renderTable([{ header: 'PROBLEMS', cell: (one) => one }], problems, { headers })]),
  ];
  return text.join('\n');
}

function probeText({ isReachable, rttMs }: PodHealth): string {
  if (isReachable === undefined) return 'not probed yet';
  if (!isReachable) return 'no answer';
  return rttMs === undefined ? 'ok' : `ok, RTT ${rttMs.toFixed(2)} ms`;
}
