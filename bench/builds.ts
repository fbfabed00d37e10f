/**
 * Another state of this repository, built beside this one, so that two are measured in turn in one run. Builds are kept, by commit,
 * in node_modules/.cache/bench-builds.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../linux/package-root.ts';
import { must } from '../test/command.ts';

const BUILDS = join(PACKAGE_ROOT, 'node_modules/.cache/bench-builds');
const BUILD_MS = 900_000;

/** A build of one commit. */
export interface Build {
  /** Abbreviated. */
  readonly commit: string;
  /** The top of its tree; `dist/bin` and `dist` are there. */
  readonly root: string;
}

/**
 * Builds a commit, or finds it built.
 * @param revision anything that git understands
 * @throws Error when there is no such commit, or it cannot be built with the packages of today
 */
export async function buildOf(revision: string): Promise<Build> {
  const git = (...args: string[]) => must(['git', '-C', PACKAGE_ROOT, ...args]);
  const hash = (await git('rev-parse', '--verify', '--quiet', `${revision}^{commit}`).catch(() => '')).trim();
  if (hash === '') throw new Error(`--compare ${revision}: neither a file nor a commit of this repository`);
  const commit = hash.slice(0, 9);
  const root = join(BUILDS, commit);
  if (!existsSync(root)) await build(hash, root);
  return { commit, root };
}

/** A folder that bears the commit's name is whole: until then it has another. */
async function build(hash: string, root: string): Promise<void> {
  console.error(`bench: building ${hash.slice(0, 9)}, which takes a minute or two`);
  const unfinished = `${root}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const archive = `git -C '${PACKAGE_ROOT}' archive ${hash} | tar -x -C '${unfinished}'`;
  await must(['bash', '-o', 'pipefail', '-c', archive]);
  await must(['scripts/setup'], { cwd: unfinished, timeoutMs: BUILD_MS });
  renameSync(unfinished, root);
}
