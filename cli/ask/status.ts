/** `sluice status`: the agent's word on itself, in lines of key and value. */
import { setTimeout as pause } from 'node:timers/promises';
import { ciliumStatus } from './cilium-status.ts';
import { counted } from '../terminal/counted.ts';
import { DaemonApi } from '../../api/daemon-api.ts';
import type { AuditDocument, NamesDocument, StatusDocument } from '../../api/shapes.ts';
import { printDocument } from '../terminal/output.ts';
import { listRigs } from '../rig/rig-state.ts';
import { type RigSummary, rigSummary } from '../rig/rig-summary.ts';
import type { Settings } from '../terminal/settings.ts';
import { type Column, printable, renderTable } from '../terminal/table.ts';

export interface StatusOptions {
  /** The lines of an agent of Cilium's. */
  readonly format?: 'cilium';
  /** One line. */
  readonly brief?: boolean;
  /** Also maps and settings. */
  readonly verbose?: boolean;
  /** Until the dataplane runs, as long as the daemon may take. */
  readonly wait?: boolean;
}

const STATUS_LOOK_MS = 100;

const KEY_WIDTH = 16;
/** From here on a map's fill is shown in red. */
const PRESSURE_HIGH = 0.9;

/** Prints the status. @returns whether all is well */
export async function printStatus(settings: Settings, options: StatusOptions): Promise<boolean> {
  const api = new DaemonApi(settings);
  let status = await api.status();
  const untilMs = performance.now() + settings.timeoutMs;
  while (options.wait === true && status.dataplane.state !== 'running' && performance.now() < untilMs) {
    await pause(STATUS_LOOK_MS);
    status = await api.status();
  }
  const { state } = status.dataplane;
  const isTold = state === 'running' || status.problems.some((problem) => problem.startsWith('dataplane is '));
  const problems = isTold ? status.problems : [`dataplane is ${state}`, ...status.problems];
  const isWell = problems.length === 0;
  const { host } = settings;
  const rigs = rigsOf(settings.runDir);
  if (settings.output !== 'table') await printDocument(settings, { ...status, rigs });
  else if (options.format === 'cilium') host.stdout.write(ciliumStatus(status, problems));
  else if (options.brief === true) {
    const notes = [...auditText(status.audit), ...restartText(status.restartPending)].map((text) => ` (${text})`);
    host.stdout.write(`${isWell ? 'OK' : problems.map(printable).join('; ')}${notes.join('')}\n`);
  } else
    host.stdout.write(
      lines(settings, status, problems, rigs) + (options.verbose === true ? details(settings, status) : ''),
    );
  return isWell;
}

function lines(
  { paint }: Settings,
  status: StatusDocument,
  problems: readonly string[],
  rigs: readonly RigSummary[],
): string {
  const { agent, dataplane, endpoints, flows } = status;
  const well = problems.length === 0 ? paint.green('ok') : paint.red('degraded');
  const isRunning = dataplane.state === 'running';
  const pairs: [string, string][] = [
    ['Sluice', `${well}, version ${status.version}, instance ${status.name} on node ${status.nodeName}`],
    ['Agent', `running, pid ${agent.pid}, up ${durationText(agent.uptimeSec)}`],
    [
      'Dataplane',
      `${isRunning ? paint.green(dataplane.state) : paint.red(dataplane.state)}, pid ${dataplane.pid}, ` +
        `${counted(dataplane.restarts, 'restart')}${dataplane.isAdopted ? ', taken over from an earlier agent' : ''}`,
    ],
    ['Endpoints', `${endpoints.ready}/${endpoints.total} ready`],
    ['Services', servicesText(status.services)],
    ['DNS', dnsText(status.dns)],
    ...offloadText(status.offload).map((text): [string, string] => ['Offload', text]),
    ['Policies', `${status.policies}, revision ${status.policyRevision}, enforcement ${status.enforcement}`],
    ...auditText(status.audit).map((text): [string, string] => ['Audit', paint.yellow(text)]),
    ...namesText(status.names).map((text): [string, string] => ['Names', text]),
    ...unlearntText(status.names).map((text): [string, string] => ['Names', paint.yellow(text)]),
    ...restartText(status.restartPending).map((text): [string, string] => ['Restart', paint.yellow(text)]),
    ...rigs.map((rig): [string, string] => ['Rig', rig.ended.length > 0 ? paint.yellow(rigText(rig)) : rigText(rig)]),
    ['Identities', String(status.identities)],
    ['Hubble', hubbleText(flows)],
    ...hubbleApiText(status.hubble).map((text): [string, string] => ['Hubble API', text]),
    ...historyText(status.history).map((text): [string, string] => ['History', text]),
    ...status.exports.map((one): [string, string] => ['Export', exportText(one)]),
    ...pageText(status.page).map((text): [string, string] => ['Page', text]),
    ...kubeApiText(status.kubeApi).map((text): [string, string] => ['Kubernetes', text]),
    ...kubernetesText(status.kubernetes).map((text): [string, string] => ['Source', text]),
    ['Memory', `agent ${Math.round(status.memory.agentRssBytes / 2 ** 20)} MiB`],
    ['Problems', problems.length === 0 ? 'none' : ''],
  ];
  const text = pairs.map(([key, value]) => `${`${key}:`.padEnd(KEY_WIDTH)}${value}`.trimEnd());
  return `${[...text, ...problems.map((problem) => `  ${paint.red(printable(problem))}`)].join('\n')}\n`;
}

/** Connections that the kernel forwards by itself; nothing when none are handed over. */
function offloadText(offload: StatusDocument['offload']): string[] {
  if (offload === undefined) return [];
  const { active, capacity, taken, full } = offload;
  const missed = full === 0 ? '' : `, ${full} found no room`;
  return [`${counted(active, 'connection')} of at most ${capacity} in the kernel, ${taken} so far${missed}`];
}

/** Flows on disk; nothing when none are kept. */
function historyText(history: StatusDocument['history']): string[] {
  if (history === undefined) return [];
  const { flows, bytes, oldestMs, lost } = history;
  const since = oldestMs === undefined ? '' : `, since ${new Date(oldestMs).toISOString().slice(0, 19)}Z`;
  return [
    `${counted(flows, 'flow')} on disk, ${Math.ceil(bytes / 2 ** 20)} MiB${since}${lost === 0 ? '' : `, ${lost} lost`}`,
  ];
}

/** Where browsers find the page; nothing when none is wanted. */
function pageText(page: StatusDocument['page']): string[] {
  if (page === undefined) return [];
  const { address, restarts } = page;
  return [
    `${address === '' ? 'not served' : printable(address)}${restarts === 0 ? '' : `, ${counted(restarts, 'restart')}`}`,
  ];
}

/** Where kubectl finds its API; nothing when none is wanted. */
function kubeApiText(kubeApi: StatusDocument['kubeApi']): string[] {
  if (kubeApi === undefined) return [];
  const { address, objects, restarts } = kubeApi;
  const where = address === '' ? 'not served' : `${printable(address)}, ${counted(objects, 'object')}`;
  return [`${where}${restarts === 0 ? '' : `, ${counted(restarts, 'restart')}`}`];
}

/** The API that objects come from; nothing when there is none. */
function kubernetesText(kubernetes: StatusDocument['kubernetes']): string[] {
  if (kubernetes === undefined) return [];
  const { server, isKnown, resources, refused, restarts } = kubernetes;
  const objects = resources.reduce((sum, one) => sum + one.objects, 0);
  const behind = resources.filter(({ problem }) => problem !== '').length;
  const parts = [
    server === '' ? 'no access' : printable(server),
    isKnown ? counted(objects, 'object') : 'not listed yet',
    ...(behind === 0 ? [] : [`${counted(behind, 'kind')} not up to date`]),
    ...(refused === 0 ? [] : [`${refused} refused`]),
    ...(restarts === 0 ? [] : [counted(restarts, 'restart')]),
  ];
  return [parts.join(', ')];
}

function exportText({ name, path, written, lost, ended }: StatusDocument['exports'][number]): string {
  const state = `${lost === 0 ? '' : `, ${lost} lost`}${ended ? ', ended' : ''}`;
  return `${printable(name)} to ${printable(path)}, ${counted(written, 'line')}${state}`;
}

/** None when they may not be read: the status is also for the group of the socket, the rigs are root's. */
function rigsOf(runDir: string): readonly RigSummary[] {
  try {
    return listRigs(runDir).map(rigSummary);
  } catch {
    return [];
  }
}

function rigText({ name, programs, ended }: RigSummary): string {
  const running = `${name}, ${programs - ended.length}/${programs} programs run`;
  return ended.length === 0 ? running : `${running}; ended: ${names(ended)}: see \`sluice logs\``;
}

function servicesText({ total, frontends, backends }: StatusDocument['services']): string {
  return `${total}, ${counted(frontends, 'frontend')}, ${counted(backends, 'backend')}`;
}

function dnsText({ servedBy, addresses, server, upstreams }: StatusDocument['dns']): string {
  if (servedBy === '') return 'no name server: pods ask as the host does';
  const where = `asked at ${addresses.map(printable).join(', ') || 'no address yet'}`;
  if (servedBy !== 'sluice-dns') return `by Service ${printable(servedBy)} of your own, ${where}`;
  const others = upstreams.map(
    ({ server: one, state }) => `${printable(one)}${state === 'asked' ? '' : ` (${state})`}`,
  );
  const ofOthers = others.length === 0 ? 'nobody outside' : others.join(', ');
  const state = server.state === 'running' ? `pid ${server.pid}` : server.state;
  return `sluice-dns, ${state}, ${counted(server.restarts, 'restart')}, ${where}; asks ${ofOthers}`;
}

/** How many names a line may hold. */
const MOST_NAMES = 5;

/** What lets pass what it would drop; nothing when nothing does. */
function auditText({ instance, endpoints, policies }: AuditDocument): string[] {
  if (instance) return ['policy-audit-mode: what policy would drop passes, everywhere'];
  const parts = [
    ...(endpoints.length === 0 ? [] : [`all that is for or from ${names(endpoints)}`]),
    ...(policies.length === 0 ? [] : [`what only ${names(policies)} would drop`]),
  ];
  return parts.length === 0 ? [] : [`passes: ${parts.join('; ')}`];
}

/** What was learnt from DNS; nothing where no policy asks for it and nobody has learnt anything. */
function namesText({ selectors, names, lookups, zombies, guarded }: NamesDocument): string[] {
  if (selectors === 0 && lookups === 0) return [];
  const kept = zombies === 0 ? '' : `, ${zombies} past their TTL`;
  const refused = guarded === 0 ? '' : `, ${guarded} of the inside refused`;
  return [`${counted(selectors, 'selector')}, ${counted(names, 'name')}, ${lookups} addresses learnt${kept}${refused}`];
}

function unlearntText({ unlearnt }: NamesDocument): string[] {
  return unlearnt.map(
    ({ policy, pods }) => `toFQDNs of ${policy}: nothing is learnt for ${names(pods)}, no DNS rule selects them`,
  );
}

function restartText(pending: readonly string[]): string[] {
  if (pending.length === 0) return [];
  return [`pending for ${names(pending)}: SIGUSR2 to the agent, then start it again; traffic goes on`];
}

function names(all: readonly string[]): string {
  const shown = all.slice(0, MOST_NAMES).map(printable).join(', ');
  return all.length > MOST_NAMES ? `${shown} and ${all.length - MOST_NAMES} more` : shown;
}

/** An observatory that is switched off has room for no flow. */
function hubbleText(flows: StatusDocument['flows']): string {
  return flows.capacity === 0 ? 'Disabled' : `${flows.kept}/${flows.capacity} flows kept${otherCounts(flows)}`;
}

/** Who is served with flows, where; nothing while nobody is. */
function hubbleApiText(hubble: StatusDocument['hubble']): string[] {
  if (hubble === undefined) return [];
  const { listeners, clients, flowsRate, lost } = hubble;
  const places = listeners.map(({ address, problem }) => (problem === '' ? address : `not on ${address}`));
  const where = ['hubble.sock', ...places].join(', ');
  return [`${where}; ${counted(clients, 'client')}, ${flowsRate.toFixed(1)} flows/s, ${lost} lost by slow clients`];
}

function otherCounts(flows: StatusDocument['flows']): string {
  const isTold = ([name, count]: [string, number]) =>
    !['kept', 'capacity'].includes(name) && (name !== 'restarts' || count > 0);
  const others = Object.entries(flows).filter(isTold);
  return others.map(([name, count]) => `, ${count} ${name}`).join('');
}

interface MapRow {
  readonly name: string;
  readonly count: number;
  readonly capacity: number;
  readonly pressure: number;
  readonly full: number;
  readonly evictions: number;
}

type CounterRow = NonNullable<StatusDocument['counters']>[number];

const COUNTER_COLUMNS: readonly Column<CounterRow>[] = [
  { header: 'COUNTER', cell: (one) => one.name },
  { header: 'VALUE', cell: (one) => one.value },
  { header: 'UNIT', cell: (one) => one.unit },
];

function details({ paint, headers }: Settings, status: StatusDocument): string {
  const columns: readonly Column<MapRow>[] = [
    { header: 'MAP', cell: (one) => one.name },
    { header: 'ENTRIES', cell: (one) => one.count },
    { header: 'CAPACITY', cell: (one) => one.capacity },
    {
      header: 'PRESSURE',
      cell: (one) => `${(one.pressure * 100).toFixed(1)}%`,
      paint: (_, one) => (one.pressure > PRESSURE_HIGH ? paint.red : undefined),
    },
    { header: 'FULL', cell: (one) => one.full, paint: (text) => (text === '0' ? undefined : paint.red) },
    { header: 'EVICTIONS', cell: (one) => one.evictions },
  ];
  const { runDir, clusterName, netnsPrefix, attach } = status;
  const given = Object.entries({ runDir, clusterName, netnsPrefix, attach });
  const text = given.map(([key, value]) => `${`${key}:`.padEnd(KEY_WIDTH)}${value ?? ''}`.trimEnd());
  const counters = status.counters ?? [];
  const counterTable = renderTable(COUNTER_COLUMNS, counters, { headers });
  const tables = [renderTable(columns, status.maps, { headers }), ...(counters.length === 0 ? [] : [counterTable])];
  return `\n${text.join('\n')}\n\n${tables.join('\n')}`;
}

/** `2d3h`, `3h5m`, `5m10s`, `10s` */
function durationText(seconds: number): string {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days}d${hours}h`;
  if (hours > 0) return `${hours}h${minutes}m`;
  return minutes > 0 ? `${minutes}m${seconds % 60}s` : `${seconds}s`;
}
