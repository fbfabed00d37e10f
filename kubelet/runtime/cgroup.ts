/**
 * A bound on how many processes a pod has: a cgroup of its own, with the controller `pids`, where this machine lets us make one. Without
 * it a pod's root may make as many as the machine takes, which the kubelet says; others are held by RLIMIT_NPROC.
 */
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';
/** Processes and threads of a pod. */
const MOST_PROCESSES = 1024;

export class PodCgroups {
  readonly #base: string | undefined;
  /** Why there is none; '' when there is. */
  readonly problem: string;

  /** @param name of the folder that holds those of all pods */
  constructor(name: string, root = ROOT) {
    const [base, problem] = baseOf(name, root);
    this.#base = base;
    this.problem = problem;
  }

  /** Makes the one of a pod. @returns its `cgroup.procs`, which who writes its pid to enters; undefined without cgroups */
  make(uid: string): string | undefined {
    if (this.#base === undefined) return undefined;
    const folder = join(this.#base, uid);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'pids.max'), String(MOST_PROCESSES));
    return join(folder, 'cgroup.procs');
  }

  /** Removes the one of a pod, whose processes have ended. */
  remove(uid: string): void {
    if (this.#base !== undefined) removeFolder(join(this.#base, uid));
  }

  /** Removes the folder, when no pod is in it. */
  close(): void {
    if (this.#base === undefined || !existsSync(this.#base)) return;
    for (const entry of readdirSync(this.#base, { withFileTypes: true }))
      if (entry.isDirectory()) removeFolder(join(this.#base, entry.name));
    removeFolder(this.#base);
  }
}

function removeFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // not there, or a process is still in it
  }
}

function baseOf(name: string, root: string): [base: string | undefined, problem: string] {
  const found = [join(root, 'pids'), root].find((place) => existsSync(join(place, 'cgroup.procs')));
  if (found === undefined) return [undefined, 'this machine has no cgroups with the controller pids'];
  const base = join(found, name);
  try {
    mkdirSync(base, { recursive: true });
    if (found === root) writeFileSync(join(base, 'cgroup.subtree_control'), '+pids');
    const probe = join(base, 'probe');
    mkdirSync(probe, { recursive: true });
    const isThere = existsSync(join(probe, 'pids.max'));
    rmdirSync(probe);
    if (isThere) return [base, ''];
    removeFolder(base);
    return [undefined, `${found} has no controller pids`];
  } catch (error) {
    removeFolder(base);
    return [undefined, (error as Error).message];
  }
}
