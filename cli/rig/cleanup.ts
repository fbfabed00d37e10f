/**
 * Removes what a dead instance left on the machine, by its journal: rigs, the dataplane process, interfaces, namespaces, the nft
 * table, maps and state. Nothing that the journal does not name is touched, and a thing that was made anew by others
 * since (another interface index, another namespace of the same name) is left to them.
 */
import { existsSync, rmdirSync, rmSync } from 'node:fs';
import {
  type Attachment,
  fastTableName,
  hasHostLink,
  podInterfaceOf,
  returnTableName,
} from '../../linux/attachment.ts';
import { run } from '../../linux/command.ts';
import { dataplaneNote, nameServerNote, strayDataplanes, strayNameServers } from '../../linux/dataplane-process.ts';
import { type JournalView, journalPath, readJournal } from '../../linux/journal.ts';
import { linkIndex, removeLink } from '../../linux/links.ts';
import { AGENT_FILES, runningAgent } from '../../linux/lock.ts';
import { NetnsFiles } from '../../linux/netns-files.ts';
import { deleteNetns, netnsIdentity } from '../../linux/netns.ts';
import { endGroups } from '../../linux/process-end.ts';
import type { ProcessId } from '../../linux/process-id.ts';
import { EXIT, Failure, sentenceOf } from '../terminal/failure.ts';
import { rigDown } from './rig.ts';
import { listRigs } from './rig-state.ts';
import type { Settings } from '../terminal/settings.ts';

/** What an instance keeps in its run directory. */
const FILES = [
  'maps',
  'state',
  'sluice.sock',
  'hubble.sock',
  'dataplane.sock',
  'dataplane.sock.standby',
  'dataplane.log',
  'dns',
  'cni',
  ...Object.values(AGENT_FILES),
];

/**
 * Cleans up after an instance whose agent is dead.
 * @returns what was removed, in words
 * @throws Failure when the agent is alive, or something could not be removed
 */
export async function cleanUp(settings: Settings): Promise<string[]> {
  const { runDir } = settings;
  const agent = runningAgent(runDir);
  if (agent !== undefined) {
    throw new Failure(
      `clean up ${runDir}: sluiced (pid ${agent.pid}) is alive: end it with SIGTERM, it cleans up by itself`,
    );
  }
  const removed: string[] = [];
  const failures: string[] = [];
  const attempt = async (what: string, step: () => Promise<boolean>): Promise<void> => {
    try {
      if (await step()) removed.push(what);
    } catch (error) {
      failures.push(`${what}: ${sentenceOf(error)}`);
    }
  };
  // They outlive the run directory, which is gone with the machine's next start.
  const files = new NetnsFiles(runDir);
  for (const netns of files.list())
    await attempt(`files of namespace ${netns}`, () => Promise.resolve(files.clear(netns)));
  files.clearStray();
  if (!existsSync(runDir) && failures.length === 0) return removed;
  for (const rig of listRigs(runDir)) {
    await attempt(`rig ${rig.name}`, () => rigDown(settings, rig).then(() => true));
  }
  for (const dataplane of dataplanesOf(runDir)) {
    await attempt(`dataplane process ${dataplane.pid}`, async () => (await endGroups([dataplane])) > 0);
  }
  for (const server of nameServersOf(runDir)) {
    await attempt(`name server process ${server.pid}`, async () => (await endGroups([server])) > 0);
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
    await attempt(`namespace ${name}`, () => deleteNetns(name));
  }
  // One end of the host port's pair takes the other with it.
  if (journal.hostPort !== null) await attempt(`host port ${instance}_host`, () => removeLink(`${instance}_net`));
  if (journal.hasFirewall) {
    await attempt(`nft table netdev ${instance}`, async () => {
      for (const table of [fastTableName(instance), instance, returnTableName(instance)])
        await run('nft', [`add table netdev ${table}; delete table netdev ${table}`]);
      return true;
    });
  }
}

async function removeAttachment(made: Attachment): Promise<boolean> {
  const { mode, hostInterface, ifindex } = made;
  if (mode === 'existing') return false;
  if (!hasHostLink(made))
    return netnsIdentity(made.netns) === made.netnsIdentity && removeLink(podInterfaceOf(made), made.netns);
  return (ifindex === 0 || linkIndex(hostInterface) === ifindex) && removeLink(hostInterface);
}

/** The one noted; and one that a killed agent had started and did not come to note. */
function dataplanesOf(runDir: string): ProcessId[] {
  const noted = dataplaneNote(runDir).read() ?? null;
  return [...(noted === null ? [] : [noted]), ...strayDataplanes(runDir, noted)];
}

function nameServersOf(runDir: string): ProcessId[] {
  const noted = nameServerNote(runDir).read() ?? null;
  return [...(noted === null ? [] : [noted]), ...strayNameServers(runDir, noted)];
}
