/** Programs that only long tests use: fetched from registries into a folder of their own, once, and kept for later runs. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { run } from '../command.ts';

const BUILD_MS = 900_000;

/**
 * @param name of the folder, with versions in it @param make fills it; false = it cannot be had here
 * @returns its path; undefined when it cannot be had here
 */
export async function fetched(name: string, make: (folder: string) => Promise<boolean>): Promise<string | undefined> {
  const folder = join(tmpdir(), name);
  if (existsSync(join(folder, 'done'))) return folder;
  mkdirSync(folder, { recursive: true });
  if (!(await make(folder))) return undefined;
  writeFileSync(join(folder, 'done'), '');
  return folder;
}

/** Runs a command that fetches or builds. @returns whether it succeeded; why it did not is told */
export async function succeeds(argv: readonly string[], cwd: string): Promise<boolean> {
  const { code, stderr } = await run(argv, { cwd, timeoutMs: BUILD_MS });
  if (code !== 0) t.comment(`${argv.join(' ')}: exit ${code}: ${stderr.slice(-500)}`);
  return code === 0;
}

/** @param spec name@version */
export function npmInstall(folder: string, spec: string): Promise<boolean> {
  return succeeds(['npm', 'install', '--no-audit', '--no-fund', '--prefix', folder, spec], folder);
}
