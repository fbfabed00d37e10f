/** Which network namespace a pod lives in, with the agent's help or without it. */
import { DaemonApi } from '../../api/daemon-api.ts';
import { ApiError } from '../../api/error.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { readJournal } from '../../linux/journal.ts';
import { netnsExists } from '../../linux/netns.ts';
import { listRigs } from './rig-state.ts';
import type { Settings } from '../terminal/settings.ts';

export interface PodReference {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The network namespace of a pod, by name or path: as the rigs that are up have it; failing that the agent's
 * journal, the daemon, and last `<namespace>-<pod>` if there is such a one. The files come first: they are quick and
 * work without the daemon.
 * @throws Failure when none of them knows the pod, or the namespace is not there
 */
export async function netnsOfPod(settings: Settings, pod: PodReference): Promise<string> {
  const text = `${pod.namespace}/${pod.name}`;
  const fallback = `${pod.namespace}-${pod.name}`;
  const said = fromRigs(settings, pod) ?? fromJournal(settings, text) ?? (await fromDaemon(settings, pod));
  const netns = typeof said === 'string' ? said : netnsExists(fallback) ? fallback : undefined;
  if (netns === undefined && said instanceof ApiError) {
    throw new Failure(
      `find pod ${text}: not in the files of ${settings.runDir}, and ${said.message}`,
      EXIT.UNREACHABLE,
    );
  }
  if (netns === undefined) throw new Failure(`find pod ${text}: no such pod here: see \`sluice get pods -A\``);
  if (!netns.includes('/') && !netnsExists(netns)) {
    throw new Failure(
      `find pod ${text}: its network namespace ${netns} is not there: \`ip netns add ${netns}\` or raise its rig`,
    );
  }
  return netns;
}

function fromRigs(settings: Settings, pod: PodReference): string | undefined {
  const pods = listRigs(settings.runDir).flatMap((rig) => rig.pods);
  return pods.find((one) => one.namespace === pod.namespace && one.name === pod.name)?.netns;
}

function fromJournal(settings: Settings, owner: string): string | undefined {
  return readJournal(settings.runDir)?.attachment(owner)?.netns;
}

/** The failure itself when there is no daemon to ask: it is not the same as a pod that is not there. */
async function fromDaemon(settings: Settings, pod: PodReference): Promise<string | ApiError | undefined> {
  try {
    const endpoints = await new DaemonApi(settings).endpoints();
    return endpoints.find((one) => one.namespace === pod.namespace && one.pod === pod.name)?.netns;
  } catch (error) {
    if (error instanceof ApiError && error.isUnreachable) return error;
    throw error;
  }
}
