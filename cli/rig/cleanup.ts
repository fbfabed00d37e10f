/**
 * Removes what a dead instance left on the machine, by its journal: rigs, the dataplane process, interfaces, namespaces, the nft
 * table, maps and state. Nothing that the journal does not name is touched, and a thing that was made anew by others
 * since (another interface index, another namespace of the same name) is left to them.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { interfaceInfo } from '../../dataplane/native/index.ts';
import { EXIT, Failure, sentenceOf } from '../terminal/failure.ts';
import { type JournalAttachment, type JournalView, journalPath, readJournal } from '../journal.ts';
import { deleteNetns, insideNetns, netnsExists } from '../netns.ts';
import { endGroups, findProcesses, isRunning, isSameFolder, type ProcessRecord } from '../process-record.ts';
import { rigDown } from './rig.ts';
import { listRigs } from './rig-state.ts';
import type { Settings } from '../terminal/settings.ts';

const execute = promisify(execFile);

/** What an instance keeps in its run directory. */
const FILES = ['maps', 'state', 'sluice.sock', 'dataplane.sock', 'dataplane.log', 'sluiced.pid'];

/**
 * Cleans up after an instance whose agent is dead.
 * @returns what was removed, in words
 * @throws Failure when the agent is alive, or something could not be removed
 */
export async function cleanUp(settings: Settings): Promise<string[]> {
  const { runDir } = settings;
  const agent = readProcess(`${runDir}/sluiced.pid`);
  if (agent !== undefined && isRunning(agent)) {
    throw new Failure(
      `clean up ${runDir}: sluiced (pid ${agent.pid}) is alive: end it with SIGTERM, it cleans up by itself`,
    );
  }
  if (!existsSync(runDir)) return [];
  const removed: string[] = [];
  const failures: string[] = [];
  const attempt = async (what: string, step: () => Promise<boolean>): Promise<void> => {
    try {
      if (await step()) removed.push(what);
    } catch (error) {
      failures.push(`${what}: ${sentenceOf(error)}`);
    }
  };
  for (const rig of listRigs(runDir)) {
    await attempt(`rig ${rig.name}`, () => rigDown(settings, rig).then(() => true));
  }
  for (const dataplane of dataplanesOf(runDir)) {
    await attempt(`dataplane process ${dataplane.pid}`, async () => (await endGroups([dataplane])) > 0);
  }
  const journal = readJournal(runDir);
  if (journal !== undefined) await undo(journal, attempt);
  if (failures.length > 0) {
    throw new Failure(`clean up ${runDir}: ${failures.join('; ')}; ${journalPath(runDir)} is kept`, EXIT.FAILED);
  }
  for (const name of FILES) rmSync(`${runDir}/${name}`, { recursive: true, force: true });
  try {
    rmdirSync(runDir);
  } catch {
    // somebody else keeps something there
  }
  return [...removed, `files of ${runDir}`];
}

type Attempt = (what: string, step: () => Promise<boolean>) => Promise<void>;

async function undo(journal: JournalView, attempt: Attempt): Promise<void> {
  const { instance } = journal;
  for (const attachment of journal.attachments) {
    await attempt(`interface of ${attachment.owner}`, () => removeAttachment(attachment));
  }
  for (const name of journal.namespaces) {
    await attempt(`namespace ${name}`, async () => {
      if (!netnsExists(name)) return false;
      await deleteNetns(name);
      return true;
    });
  }
  // One end of the host port's pair takes the other with it.
  if (journal.hasHostPort) await attempt(`host port ${instance}_host`, () => removeLink(`${instance}_net`));
  if (journal.hasFirewall) {
    await attempt(`nft table netdev ${instance}`, async () => {
      await execute('nft', [`add table netdev ${instance}; delete table netdev ${instance}`]);
      return true;
    });
  }
}

async function removeAttachment(made: JournalAttachment): Promise<boolean> {
  const { mode, netns, netnsIdentity, hostInterface, ifindex } = made;
  switch (mode) {
    case 'existing':
      return false;
    case 'veth':
    case 'pcap':
      return (ifindex === 0 || indexOf(hostInterface) === ifindex) && removeLink(hostInterface);
    case 'tap':
      return netnsOf(netns) === netnsIdentity && removeLink('eth0', netns);
  }
}

/** @returns false when it is not there: whoever began it may not have come so far */
async function removeLink(name: string, netns?: string): Promise<boolean> {
  if (indexOf(name, netns) === undefined) return false;
  const [program, ...args] = netns === undefined ? ['ip'] : insideNetns(netns, ['ip']);
  await execute(program, [...args, 'link', 'delete', name]);
  return true;
}

function indexOf(name: string, netns?: string): number | undefined {
  try {
    return (netns === undefined ? interfaceInfo(name) : interfaceInfo(name, netns)).index;
  } catch {
    return undefined;
  }
}

function netnsOf(netns: string): string | undefined {
  const status = statSync(netns.includes('/') ? netns : `/run/netns/${netns}`, { throwIfNoEntry: false });
  return status === undefined ? undefined : `${status.dev}:${status.ino}`;
}

/** `PID START-TICKS`, as sluiced writes it. */
function readProcess(path: string): ProcessRecord | undefined {
  try {
    const [pid, startTicks] = readFileSync(path, 'utf8').trim().split(' ').map(Number);
    return { pid, startTicks };
  } catch {
    return undefined;
  }
}

/** The one noted; and one that a killed agent had started and did not come to note. */
function dataplanesOf(runDir: string): ProcessRecord[] {
  const noted = readDataplane(runDir);
  const isOurs = (argv: readonly string[]): boolean =>
    argv.some((word) => word.endsWith('/sluice-dataplane.js')) && argv[argv.indexOf('--run-dir') + 1] === runDir;
  const others = findProcesses(isOurs).filter(({ pid }) => pid !== noted?.pid && isSameFolder(pid, runDir));
  return noted === undefined ? others : [noted, ...others];
}

function readDataplane(runDir: string): ProcessRecord | undefined {
  try {
    const { value } = JSON.parse(readFileSync(`${runDir}/state/dataplane.json`, 'utf8')) as {
      value: { pid: number; startTime: string } | null;
    };
    return value === null ? undefined : { pid: value.pid, startTicks: Number(value.startTime) };
  } catch {
    return undefined;
  }
}
