/**
 * Raising and ending a rig: a network namespace for each pod, the manifests handed to the daemon, endpoints awaited, and
 * the programs of containers run inside.
 *
 *     up:    namespaces -> /etc/netns files -> apply -> endpoints ready -> init containers -> containers -> listening
 *     down:  containers ended -> objects deleted -> namespaces removed -> state forgotten
 *
 * Each thing made is written to the rig's state before the next is begun. Ctrl-C while it goes up takes it down again. A step of `down` that fails does not stop the
 * others; what was in the way is reported at the end, and the state kept for another try.
 */
import { existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { DaemonApi } from '../../api/daemon-api.ts';
import { ApiError } from '../../api/error.ts';
import { EXIT_SIGNAL_BASE, Failure, sentenceOf } from '../terminal/failure.ts';
import { untilInterrupted } from '../terminal/interrupt.ts';
import { type ManifestFile, parseManifests, readManifests } from '../objects/manifest-files.ts';
import { createNetns, deleteNetns, netnsExists, netnsPids, scriptIn } from '../../linux/netns.ts';
import { reportProblems } from '../objects/problems.ts';
import { endGroups } from '../../linux/process-end.ts';
import { planRig, type RigPlan, type RigPod } from './rig-plan.ts';
import { runInitContainer, startContainer, waitListening } from './rig-processes.ts';
import { forgetRig, listRigs, type RigState, rigNameOf, saveRig } from './rig-state.ts';
import type { Settings } from '../terminal/settings.ts';

export interface RigOptions {
  readonly files: readonly string[];
  /** Name of the rig; that of the first file when undefined. */
  readonly rig: string | undefined;
  /** How long endpoints and listeners may take. */
  readonly waitMs: number;
}

const POLL_MS = 25;

/**
 * Raises a rig and waits until it is ready.
 * @throws Failure at the first thing that cannot be done; what was made by then is undone
 */
export async function rigUp(settings: Settings, options: RigOptions): Promise<RigState> {
  const name = options.rig ?? rigNameOf(options.files[0]);
  if (listRigs(settings.runDir).some((rig) => rig.name === name)) {
    throw new Failure(
      `raise rig ${name}: it is up already: \`sluice rig down ${name}\` first, or give another --rig name`,
    );
  }
  const files = await readManifests(settings.host, options.files);
  const documents = (await Promise.all(files.map(parseManifests))).flat();
  const api = new DaemonApi(settings);
  const plan = planRig(documents, (await api.status()).netnsPrefix ?? '');
  const state: RigState = { name, files: options.files, netns: [], etcFiles: [], pods: [], processes: [], objects: [] };
  try {
    const timeout = AbortSignal.timeout(options.waitMs);
    await untilInterrupted(async (interrupt) => {
      const deadline = AbortSignal.any([timeout, interrupt]);
      await raise({ settings, api, files, plan, state, deadline, interrupt });
    });
  } catch (error) {
    await rigDown(settings, state);
    throw error;
  }
  return state;
}

/** Between any two steps of raising. @throws Failure once Ctrl-C was pressed */
function goOn({ state, interrupt }: Raising): void {
  if (!interrupt.aborted) return;
  throw new Failure(
    `raise rig ${state.name}: interrupted: it is down again`,
    EXIT_SIGNAL_BASE + constants.signals.SIGINT,
  );
}

interface Raising {
  readonly settings: Settings;
  readonly api: DaemonApi;
  readonly files: readonly ManifestFile[];
  readonly plan: RigPlan;
  readonly state: RigState;
  /** Time is up, or Ctrl-C was pressed. */
  readonly deadline: AbortSignal;
  readonly interrupt: AbortSignal;
}

async function raise(raising: Raising): Promise<void> {
  const { settings, plan, state, deadline } = raising;
  const save = (): void => saveRig(settings.runDir, state);
  save();
  for (const pod of plan.pods) {
    await makeNetns(pod, state);
    save();
    goOn(raising);
  }
  await applyFiles(raising);
  await waitEndpoints(raising);
  for (const pod of plan.pods) {
    for (const container of pod.initContainers) {
      await runInitContainer(settings.runDir, state.name, pod, container);
      goOn(raising);
    }
  }
  const started: (() => Promise<void>)[] = [];
  for (const pod of plan.pods) {
    for (const container of pod.containers) {
      const running = await startContainer(settings.runDir, state.name, pod, container);
      state.processes.push(running);
      save();
      goOn(raising);
      started.push(() => waitListening(running, pod, container, deadline));
    }
  }
  for (const listens of started) {
    await listens().catch((error: unknown) => {
      goOn(raising);
      throw error;
    });
  }
}

async function makeNetns(pod: RigPod, state: RigState): Promise<void> {
  state.pods.push({ namespace: pod.namespace, name: pod.name, netns: pod.netns });
  if (pod.netns.includes('/')) return;
  if (!netnsExists(pod.netns)) {
    await createNetns(pod.netns);
    state.netns.push(pod.netns);
    await scriptIn(pod.netns, 'ip link set lo up\n');
  }
  for (const [file, text] of [
    ['resolv.conf', pod.resolvConf],
    ['hosts', pod.hosts],
  ] as const) {
    if (text === undefined) continue;
    mkdirSync(`/etc/netns/${pod.netns}`, { recursive: true });
    writeFileSync(`/etc/netns/${pod.netns}/${file}`, text);
    state.etcFiles.push(`/etc/netns/${pod.netns}/${file}`);
  }
}

/** The files go to the daemon as they are, so that its messages name their lines; it expands workloads as we do. */
async function applyFiles({ settings, api, files, state }: Raising): Promise<void> {
  for (const { path, text } of files) {
    const { applied, problems } = await api.apply(text, path);
    state.objects.push(...applied.map(({ kind, namespace = '', name }) => ({ kind, namespace, name })));
    saveRig(settings.runDir, state);
    if (reportProblems(settings.host, problems)) throw new Failure(`apply ${path}: invalid: see above`);
  }
}

async function waitEndpoints(raising: Raising): Promise<void> {
  const { api, plan, deadline } = raising;
  for (;;) {
    goOn(raising);
    const endpoints = await api.endpoints();
    const waiting = plan.pods.flatMap((pod) => {
      const found = endpoints.find((one) => one.namespace === pod.namespace && one.pod === pod.name);
      if (found?.state === 'ready') return [];
      return [`${pod.namespace}/${pod.name} (${found?.problem ?? found?.state ?? 'no endpoint'})`];
    });
    if (waiting.length === 0) return;
    if (deadline.aborted) {
      const { problems } = await api.status();
      const said = problems.length === 0 ? 'see `sluice status`' : problems.join('; ');
      throw new Failure(`wait for endpoints: not ready: ${waiting.join(', ')}: ${said}`);
    }
    await pause(POLL_MS);
  }
}

/**
 * Ends a rig. The daemon need not be there: then the objects in it have gone as well.
 * @throws Failure naming everything that could not be undone
 */
export async function rigDown(settings: Settings, state: RigState): Promise<void> {
  const failures: string[] = [];
  const attempt = async (step: () => unknown): Promise<void> => {
    try {
      await step();
    } catch (error) {
      failures.push(sentenceOf(error));
    }
  };
  await attempt(() => endGroups(state.processes));
  await attempt(() => deleteObjects(settings, state));
  for (const file of state.etcFiles) await attempt(() => rmSync(file, { force: true }));
  for (const name of state.netns) {
    await attempt(async () => {
      if (!netnsExists(name)) return;
      const left = await netnsPids(name);
      if (left.length > 0) settings.host.stderr.write(`warning: ${name}: still in use by process ${left.join(', ')}\n`);
      await deleteNetns(name);
      removeEmptyFolder(`/etc/netns/${name}`);
      removeEmptyFolder('/etc/netns');
    });
  }
  if (failures.length > 0) throw new Failure(`end rig ${state.name}: ${failures.join('; ')}`);
  forgetRig(settings.runDir, state.name);
}

function removeEmptyFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // not there, or somebody keeps something in it
  }
}

async function deleteObjects(settings: Settings, state: RigState): Promise<void> {
  const api = new DaemonApi(settings);
  for (const object of state.objects.toReversed()) {
    try {
      // One by one: an object that somebody has deleted before must not keep the others.
      await api.deleteReferences([object]);
    } catch (error) {
      if (!(error instanceof ApiError && error.isUnreachable)) throw error;
      const advice = existsSync(`${settings.runDir}/state/objects`) ? ': its objects come back when it starts' : '';
      settings.host.stderr.write(`warning: ${error.message}${advice}\n`);
      return;
    }
  }
}
