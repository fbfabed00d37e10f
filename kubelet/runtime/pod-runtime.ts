/**
 * The folders and processes of all pods of this node.
 *
 *     <folder>/skeleton            below every container's root
 *     <folder>/exits/UID_C0_3      how attempt 3 of container c0 has ended
 *     <folder>/images              notes of mounted images (podman/)
 *     <folder>/pods/UID/           spec, pids, hostname: the pod's first process
 *     <folder>/pods/UID/c0/        spec, 3.pids, 3.log, attach: a container
 *
 * What a restart needs is in these files, whoever started the processes. Nothing here knows of the API.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isAlive, type ProcessId } from '../../linux/process-id.ts';
import { kill } from '../../linux/process-end.ts';
import { PodmanImages } from '../podman/podman-images.ts';
import { PodCgroups } from './cgroup.ts';
import { launch, type SpecLines, writeSpec } from './launcher.ts';
import { endingIn, endingName, type Ending, isExiting, lastAttempt, processesOf, sandboxOf } from './process-files.ts';
import { SHARED_MEMORY, TERMINATION } from './pod-volume-names.ts';
import { openSkeleton, type Skeleton } from './skeleton.ts';

/** Of the configurations of a pod's volumes together; each emptyDir has its own. */
const VOLUMES_BYTES = 64 * 2 ** 20;
const SHARED_MEMORY_BYTES = 64 * 2 ** 20;
const TERMINATION_BYTES = 2 ** 20;
const UID = /^[A-Za-z0-9-]{1,64}$/;

/** A volume with a limit of its own. */
export interface Scratch {
  readonly name: string;
  readonly bytes: number;
  /** `1777` */
  readonly mode: string;
  readonly gid: number;
}

export interface SandboxRequest {
  /** Path of its network namespace. */
  readonly netns: string;
  readonly hostName: string;
  readonly scratch: readonly Scratch[];
  /** `net/ipv4/x=1` */
  readonly sysctls: readonly string[];
}

/** Where the containers of an agent are. */
export function openRuntime(runDir: string): PodRuntime {
  // Two agents may have run directories of one name.
  const id = createHash('sha256').update(runDir).digest('hex').slice(0, 8);
  return new PodRuntime(join(runDir, 'kube-api', 'containers'), `sluice-${basename(runDir)}-${id}`);
}

/** Ends what is left of the containers of an agent that is to have none. */
export async function endContainers(runDir: string): Promise<void> {
  if (!existsSync(join(runDir, 'kube-api', 'containers'))) return;
  const runtime = openRuntime(runDir);
  await Promise.all(runtime.uids().map((uid) => runtime.remove(uid)));
  await new PodmanImages(runtime.imagesFolder, () => {}).recover();
  runtime.close();
}

export class PodRuntime {
  readonly folder: string;
  readonly exitsFolder: string;
  /** Of images that are mounted or fetched. */
  readonly imagesFolder: string;
  readonly cgroups: PodCgroups;
  #skeleton: Skeleton | undefined;

  /** @param cgroupName of the folder of cgroups, one for each instance */
  constructor(folder: string, cgroupName: string) {
    this.folder = folder;
    this.exitsFolder = join(folder, 'exits');
    this.imagesFolder = join(folder, 'images');
    this.cgroups = new PodCgroups(cgroupName);
  }

  /** Makes the folders, and writes the skeleton where it is missing: containers of an earlier run may stand on it. */
  open(): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    mkdirSync(this.exitsFolder, { recursive: true, mode: 0o700 });
    mkdirSync(join(this.folder, 'pods'), { recursive: true, mode: 0o700 });
    this.#skeleton = openSkeleton(join(this.folder, 'skeleton'), this.uids().length > 0);
  }

  get skeleton(): Skeleton {
    if (this.#skeleton === undefined) throw new Error('start a container: the runtime is not open');
    return this.#skeleton;
  }

  /** Uids of pods that have a folder. */
  uids(): string[] {
    const names = readFolder(join(this.folder, 'pods'));
    return names.filter((name) => UID.test(name));
  }

  podFolder(uid: string): string {
    if (!UID.test(uid)) throw new Error(`start a pod: found uid '${uid}', wanted letters, digits and dashes`);
    return join(this.folder, 'pods', uid);
  }

  /** The pod's first process, while it lives. */
  sandbox(uid: string): ProcessId | undefined {
    const found = sandboxOf(this.podFolder(uid));
    return found !== undefined && isAlive(found) && !isExiting(found.pid) ? found : undefined;
  }

  /** Where the volumes of a pod are, for this process. */
  volumesFolder({ pid }: ProcessId): string {
    return `/proc/${pid}/root/volumes`;
  }

  /** @throws Error with the launcher's sentence */
  async startSandbox(uid: string, { netns, hostName, scratch, sysctls }: SandboxRequest): Promise<ProcessId> {
    const folder = this.podFolder(uid);
    const own: readonly Scratch[] = [
      { name: SHARED_MEMORY, bytes: SHARED_MEMORY_BYTES, mode: '1777', gid: 0 },
      { name: TERMINATION, bytes: TERMINATION_BYTES, mode: '755', gid: 0 },
    ];
    const lines: SpecLines = [
      ['netns', netns],
      ['hostname', hostName],
      ['volumesBytes', VOLUMES_BYTES],
      ...[...own, ...scratch].map(
        ({ name, bytes, mode, gid }) => ['scratch', `${name}\n${bytes}\n${mode}\n${gid}`] as const,
      ),
      ...sysctls.map((line) => ['sysctl', line] as const),
    ];
    writeSpec(folder, lines);
    writeFileSync(join(folder, 'hostname'), `${hostName}\n`, { mode: 0o644 });
    await launch('pod', folder);
    const sandbox = this.sandbox(uid);
    if (sandbox === undefined) throw new Error('start a pod: its first process ended at once');
    return sandbox;
  }

  containerFolder(uid: string, folder: string): string {
    return join(this.podFolder(uid), folder);
  }

  /** @returns whether the container may write to the folders of the machine, in a layer of its own @throws Error with the launcher's sentence */
  async startContainer(uid: string, folder: string, lines: SpecLines): Promise<boolean> {
    const path = this.containerFolder(uid, folder);
    writeSpec(path, lines);
    return (await launch('run', path)).trim() === '+';
  }

  lastAttempt(uid: string, folder: string): number {
    return lastAttempt(this.containerFolder(uid, folder));
  }

  processes(uid: string, folder: string, attempt: number): ReturnType<typeof processesOf> {
    return processesOf(this.containerFolder(uid, folder), attempt);
  }

  ending(uid: string, folder: string, attempt: number): Ending | undefined {
    return endingIn(this.exitsFolder, endingName(uid, folder, attempt));
  }

  /** Files of attempts before the last two go: of these `kubectl logs --previous` may tell. */
  forgetAttempt(uid: string, folder: string, attempt: number): void {
    if (attempt < 0) return;
    const path = this.containerFolder(uid, folder);
    for (const name of [`${attempt}.log`, `${attempt}.log.1`, `${attempt}.pids`])
      rmSync(join(path, name), { force: true });
    rmSync(join(this.exitsFolder, endingName(uid, folder, attempt)), { force: true });
  }

  /** Ends all processes of a pod: those in its pid namespace with its first one, and the minders of its containers. */
  async endProcesses(uid: string): Promise<void> {
    const folder = this.podFolder(uid);
    const sandbox = sandboxOf(folder);
    if (sandbox !== undefined) await kill(sandbox);
    for (const name of readFolder(folder)) {
      const path = join(folder, name);
      const processes = processesOf(path, lastAttempt(path));
      if (processes === undefined) continue;
      await kill(processes.first);
      await kill(processes.minder);
    }
  }

  /** Ends a pod, and removes all that is left of it. */
  async remove(uid: string): Promise<void> {
    await this.endProcesses(uid);
    rmSync(this.podFolder(uid), { recursive: true, force: true });
    for (const name of readFolder(this.exitsFolder))
      if (name.startsWith(`${uid}_`) || name.startsWith(`.${uid}_`))
        rmSync(join(this.exitsFolder, name), { force: true });
    this.cgroups.remove(uid);
  }

  /** Removes the folders, when no pod is left. */
  close(): void {
    if (this.uids().length > 0) return;
    rmSync(this.folder, { recursive: true, force: true });
    removeIfEmpty(dirname(this.folder));
    this.cgroups.close();
  }

  /** Whether a container would find a program, by name or by path. */
  hasProgram(name: string): boolean {
    const { applets, root } = this.skeleton;
    if (name.startsWith('/')) return isBelow(name, root) || (applets !== '' && isApplet(name, applets));
    if (name.includes('/')) return true; // in its working folder, which nobody knows yet
    const places = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
    return (
      places.some((place) => existsSync(join(place, name))) ||
      (applets !== '' && existsSync(join(applets, 'bin', name)))
    );
  }
}

/** A path that the container has: of the machine's system folders, or of the skeleton. */
function isBelow(path: string, root: string): boolean {
  if (/^\/(usr|bin|sbin|lib)\//.test(path)) return existsSync(path);
  return existsSync(join(root, path));
}

function isApplet(path: string, applets: string): boolean {
  const name = /^\/(?:usr\/)?s?bin\/([^/]+)$/.exec(path)?.[1];
  return name !== undefined && existsSync(join(applets, 'bin', name));
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // others keep something in it
  }
}

function readFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
