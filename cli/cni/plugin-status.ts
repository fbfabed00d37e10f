/** `sluice cni status`: what is installed, what a runtime would take, whether the agent could serve it, and what is attached. */
import { join } from 'node:path';
import { DaemonApi } from '../../api/daemon-api.ts';
import type { CniAttachmentDocument } from '../../api/shapes.ts';
import { ApiError } from '../../api/error.ts';
import { sentenceOf } from '../terminal/failure.ts';
import { printDocument } from '../terminal/output.ts';
import type { Settings } from '../terminal/settings.ts';
import { type Column, renderTable } from '../terminal/table.ts';
import { type Folders, isSameProgram } from './installation.ts';
import { configurationFiles, isOurs } from './network-list.ts';

/** What `-o json` shows. */
interface PluginStatus {
  readonly ok: boolean;
  readonly program: { readonly path: string; readonly state: 'installed' | 'another version' | 'missing' };
  readonly network: {
    /** The file that a runtime takes, the first of its folder; '' for none. */
    readonly path: string;
    readonly state: 'installed' | "of others: Sluice's does not count" | 'missing';
  };
  /** As the plugin's STATUS has it: 0 for well. */
  readonly agent: { readonly code: number; readonly state: string };
  readonly attachments: readonly CniAttachmentDocument[];
}

/** @returns whether a runtime could attach a pod now */
export async function printPluginStatus(settings: Settings, folders: Folders): Promise<boolean> {
  const api = new DaemonApi(settings);
  const agent = await askStatus(api);
  const attachments = agent.code === NOBODY ? [] : await api.cniAttachments();
  const parts = { program: programState(folders), network: networkState(folders), agent, attachments };
  const ok = parts.program.state === 'installed' && parts.network.state === 'installed' && agent.code === 0;
  const status: PluginStatus = { ok, ...parts };
  if (settings.output !== 'table') await printDocument(settings, status);
  else settings.host.stdout.write(textOf(settings, status));
  return ok;
}

/** What the plugin says where no agent answers. */
const NOBODY = 50;

async function askStatus(api: DaemonApi): Promise<PluginStatus['agent']> {
  try {
    const refusal = await api.cniStatus();
    return refusal === undefined ? { code: 0, state: 'ready' } : { code: refusal.code, state: refusal.msg };
  } catch (error) {
    if (error instanceof ApiError) return { code: NOBODY, state: sentenceOf(error) };
    throw error;
  }
}

function programState({ binDir }: Folders): PluginStatus['program'] {
  const isSame = isSameProgram(binDir);
  const state = isSame === undefined ? 'missing' : isSame ? 'installed' : 'another version';
  return { path: join(binDir, 'sluice-cni'), state };
}

function networkState({ confDir }: Folders): PluginStatus['network'] {
  const [first] = configurationFiles(confDir);
  if (first === undefined) return { path: '', state: 'missing' };
  return {
    path: join(confDir, first),
    state: isOurs(confDir, first) ? 'installed' : "of others: Sluice's does not count",
  };
}

const COLUMNS: readonly Column<CniAttachmentDocument>[] = [
  { header: 'CONTAINER', cell: ({ containerId }) => containerId.slice(0, 12) },
  { header: 'INTERFACE', cell: ({ ifname }) => ifname },
  { header: 'NETWORK', cell: ({ network }) => network },
  { header: 'POD', cell: ({ namespace, pod }) => `${namespace}/${pod}` },
  { header: 'ADDRESSES', cell: ({ addresses }) => addresses.join('\n') },
  { header: 'STATE', cell: ({ state }) => state },
];

function textOf({ paint, headers }: Settings, { program, network, agent, attachments }: PluginStatus): string {
  const mark = (ok: boolean) => (ok ? paint.green('ok') : paint.red('!!'));
  const line = (ok: boolean, what: string, text: string) => `${mark(ok)}   ${what}: ${text}\n`;
  return [
    line(program.state === 'installed', 'program', `${program.path}: ${program.state}`),
    line(
      network.state === 'installed',
      'network',
      network.path === '' ? network.state : `${network.path}: ${network.state}`,
    ),
    line(agent.code === 0, 'agent', agent.state),
    attachments.length === 0 ? '' : `\n${renderTable(COLUMNS, attachments, { headers })}`,
  ].join('');
}
