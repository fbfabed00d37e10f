/**
 * Raising and ending a rig: a network namespace for each pod, the manifests handed to the daemon, endpoints awaited, and
 * the programs of containers run inside.
 *
 *     up:    namespaces -> apply -> endpoints ready -> init containers -> containers -> listening
 *     down:  containers ended -> objects deleted -> namespaces removed -> state forgotten
 *
 * Each thing is written to the rig's state before it is made, so that `down` finds all of it after a SIGKILL too; what is
 * there already is left to its owner. Ctrl-C while a rig goes up takes it down again. A step of `down` that fails does not
 * stop the others; what was in the way is reported at the end, and the state kept for another try.
 */
import { existsSync } from 'node:fs';
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
import { objectsOf, requireFree } from './rig-claims.ts';
import { planRig, type RigContainer, type RigPlan, type RigPod } from './rig-plan.ts';
import {
  markedProcesses,
  runInitContainer,
  type Started,
  startContainer,
  waitListening,
  waitSettled,
} from './rig-processes.ts';
import { Progress } from './rig-progress.ts';
import {
  beginRig,
  forgetRig,
  listRigs,
  type RigObject,
  type RigState,
  rigHomeOf,
  rigNameOf,
  saveRig,
} from './rig-state.ts';
import { flattenList, isClusterScoped, type Manifest } from '../../policy/document/manifest.ts';
import { counted } from '../terminal/counted.ts';
import { printable } from '../terminal/table.ts';
import type { Settings } from '../terminal/settings.ts';

export interface RigOptions {
  readonly files: readonly string[];
  /** Name of the rig; that of the first file when undefined. */
  readonly rig: string | undefined;
  /** How long endpoints and listeners may take; grows with the rig when undefined. */
  readonly waitMs: number | undefined;
  /** Of documents that name none; `default` unless told. */
  readonly namespace?: string | undefined;
  /** Folders with what lies below them. */
  readonly isRecursive?: boolean | undefined;
}

const WAIT_MS = 20_000;
const WAIT_MS_A_POD = 1000;

const POLL_MS = 25;
/** Pods that a failure names. */
const MAX_WAITING = 5;

/**
 * Raises a rig and waits until it is ready.
 * @throws Failure at the first thing that cannot be done; what was made by then is undone
 */
export async function rigUp(settings: Settings, options: RigOptions): Promise<RigState> {
  const { runDir, host } = settings;
  const name = options.rig ?? rigNameOf(options.files[0]);
  const files = await readManifests(host, options.files, options.isRecursive);
  const documents = (await Promise.all(files.map(parseManifests))).flatMap((read) => placed(read, options.namespace));
  const api = new DaemonApi(settings);
  const plan = planRig(documents, await api.status());
  const state: RigState = {
    ...{ name, files: options.files, home: rigHomeOf(options.files[0]), netns: [], processes: [] },
    pods: plan.pods.map(({ namespace, name: pod, netns }) => ({ namespace, name: pod, netns })),
    objects: objectsOf(documents),
  };
  beginRig(runDir, state);
  try {
    const others = listRigs(runDir).filter((rig) => rig.name !== name);
    state.objects = await requireFree(api, { plan, state, others });
  } catch (error) {
    forgetRig(runDir, name); // nothing was made
    throw error;
  }
  const progress = new Progress(host);
  try {
    const timeout = AbortSignal.timeout(options.waitMs ?? WAIT_MS + WAIT_MS_A_POD * plan.pods.length);
    await untilInterrupted(async (interrupt) => {
      const deadline = AbortSignal.any([timeout, interrupt]);
      const { namespace } = options;
      await raise({ settings, api, files, namespace, plan, state, deadline, interrupt, progress });
    });
  } catch (error) {
    progress.show(`rig ${name}: taking it down again`);
    await rigDown(settings, state);
    throw error;
  } finally {
    progress.end();
  }
  return state;
}

/** Documents with a namespace, lists taken apart: as the agent places them. */
function placed(documents: readonly Manifest[], fallback = 'default'): Manifest[] {
  return documents.flatMap(flattenList).map((document) => {
    if (isClusterScoped(document.kind ?? '')) return document;
    const { namespace = fallback, ...others } = document.metadata ?? {};
    return { ...document, metadata: { ...others, namespace } };
  });
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
  readonly namespace: string | undefined;
  readonly plan: RigPlan;
  readonly state: RigState;
  /** Time is up, or Ctrl-C was pressed. */
  readonly deadline: AbortSignal;
  readonly interrupt: AbortSignal;
  readonly progress: Progress;
}

async function raise(raising: Raising): Promise<void> {
  const { settings, plan, state, deadline, progress } = raising;
  const save = (): void => saveRig(settings.runDir, state);
  save();
  for (const [at, pod] of plan.pods.entries()) {
    progress.show(`rig ${state.name}: network namespaces ${at}/${plan.pods.length}`);
    await makeNetns(pod, state, save);
    goOn(raising);
  }
  tellIdle(raising);
  await applyFiles(raising);
  await waitEndpoints(raising);
  try {
    for (const pod of plan.pods) {
      for (const container of pod.initContainers) {
        progress.show(`rig ${state.name}: init container ${container.name} of ${pod.namespace}/${pod.name}`);
        await runInitContainer(settings.runDir, state.name, pod, container, deadline);
        goOn(raising);
      }
    }
    await startContainers(raising, save);
  } catch (error) {
    goOn(raising);
    throw error;
  }
}

/** Once for an image, however many pods there are. */
function tellIdle({ settings, plan }: Raising): void {
  const told = new Set<string>();
  for (const { namespace, name, idle } of plan.pods) {
    for (const container of idle) {
      if (told.has(container.image)) continue;
      told.add(container.image);
      const what = container.image === '' ? 'it names no image' : `nothing stands in for image ${container.image}`;
      const where = `container ${container.name} of ${namespace}/${name}`;
      settings.host.stderr.write(`note: ${printable(where)}: no command, and ${printable(what)}: nothing runs there\n`);
    }
  }
}

async function startContainers(raising: Raising, save: () => void): Promise<void> {
  const { settings, plan, state, deadline, progress } = raising;
  const all: { readonly started: Started; readonly pod: RigPod; readonly container: RigContainer }[] = [];
  for (const pod of plan.pods) {
    for (const container of pod.containers) {
      const started = await startContainer(settings.runDir, state.name, pod, container);
      state.processes.push(started.process);
      save();
      goOn(raising);
      all.push({ started, pod, container });
    }
  }
  for (const [at, { started, pod, container }] of all.entries()) {
    progress.show(`rig ${state.name}: programs ${at}/${all.length}`);
    await waitListening(started, pod, container, deadline);
  }
  for (const { started, pod, container } of all) await waitSettled(started, pod, container);
}

async function makeNetns(pod: RigPod, state: RigState, save: () => void): Promise<void> {
  if (pod.netns.includes('/') || netnsExists(pod.netns)) return;
  state.netns.push(pod.netns);
  save();
  try {
    await createNetns(pod.netns);
  } catch (error) {
    // Somebody else made it in between, or nobody could.
    state.netns.pop();
    save();
    throw error;
  }
  await scriptIn(pod.netns, 'ip link set lo up\n');
}

/** The files go to the daemon as they are, so that its messages name their lines; it expands workloads as we do. */
async function applyFiles({ settings, api, files, namespace, state, progress }: Raising): Promise<void> {
  progress.show(`rig ${state.name}: applying ${counted(files.length, 'file')}`);
  for (const { path, text } of files) {
    const { problems } = await api.apply(text, path, { create: true, ...(namespace !== undefined && { namespace }) });
    const taken = problems.filter(({ code }) => code === 'already-exists');
    // Namespaces are shared; two files may name one.
    const lost = taken.filter(({ document = '' }) => !document.startsWith('Namespace/'));
    if (lost.length > 0) {
      // Somebody applied it since requireFree() looked: it stays theirs.
      const theirs = new Set(lost.map(({ document = '' }) => document));
      state.objects = state.objects.filter(
        (one) => !theirs.has([one.kind, one.namespace, one.name].filter(Boolean).join('/')),
      );
      saveRig(settings.runDir, state);
      throw new Failure(`raise rig ${state.name}: ${[...theirs].join(', ')}: somebody else has just made it`);
    }
    const others = problems.filter((one) => !taken.includes(one));
    if (reportProblems(settings.host, others)) throw new Failure(`apply ${path}: invalid: see above`);
  }
}

async function waitEndpoints(raising: Raising): Promise<void> {
  const { api, plan, deadline, progress } = raising;
  for (;;) {
    goOn(raising);
    const endpoints = await api.endpoints();
    const waiting = plan.pods.flatMap((pod) => {
      const found = endpoints.find((one) => one.namespace === pod.namespace && one.pod === pod.name);
      if (found?.state === 'ready') return [];
      return [`${pod.namespace}/${pod.name} (${found?.problem ?? found?.state ?? 'no endpoint'})`];
    });
    if (waiting.length === 0) return;
    const all = plan.pods.length;
    progress.show(`rig ${raising.state.name}: endpoints ready ${all - waiting.length}/${all}`);
    if (deadline.aborted) {
      const { problems } = await api.status();
      const said = problems.length === 0 ? 'see `sluice status`' : problems.join('; ');
      const shown = waiting.length > MAX_WAITING ? [...waiting.slice(0, MAX_WAITING), '...'] : waiting;
      const count = `${all - waiting.length}/${all} ready`;
      throw new Failure(
        `wait for endpoints: ${count}; not ready: ${shown.join(', ')}: ${said}: a longer --wait may do`,
      );
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
  for (const name of state.netns) {
    await attempt(async () => {
      if (!netnsExists(name)) return;
      await endGroups(markedProcesses(settings.runDir, state.name, await netnsPids(name)));
      const left = await netnsPids(name);
      if (left.length > 0) settings.host.stderr.write(`warning: ${name}: still in use by process ${left.join(', ')}\n`);
      await deleteNetns(name);
    });
  }
  if (failures.length > 0) throw new Failure(`end rig ${state.name}: ${failures.join('; ')}`);
  forgetRig(settings.runDir, state.name);
}

async function deleteObjects(settings: Settings, state: RigState): Promise<void> {
  const api = new DaemonApi(settings);
  const { stderr } = settings.host;
  const isNamespace = ({ kind }: RigObject): boolean => kind === 'Namespace';
  const last = state.objects.filter(isNamespace);
  const first = state.objects.filter((object) => !isNamespace(object));
  for (const object of [...first.toReversed(), ...last.toReversed()]) {
    try {
      if (isNamespace(object)) {
        const left = await api.objects({ namespace: object.name });
        if (left.length > 0) {
          const what = left.map(({ kind = '', metadata }) => `${kind} ${metadata?.name ?? ''}`).join(', ');
          stderr.write(`warning: namespace ${object.name} stays: it holds what is not the rig's: ${what}\n`);
          continue;
        }
      }
      // One by one: an object that somebody has deleted before must not keep the others.
      await api.deleteReferences([object]);
    } catch (error) {
      if (!(error instanceof ApiError && error.isUnreachable)) throw error;
      const advice = existsSync(`${settings.runDir}/state/objects`) ? ': its objects come back when it starts' : '';
      stderr.write(`warning: ${error.message}${advice}\n`);
      return;
    }
  }
}
