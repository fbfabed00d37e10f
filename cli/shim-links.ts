/** The links that `sluice shims install` makes. */
import { lstatSync, mkdirSync, readlinkSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, Failure } from './terminal/failure.ts';
import type { Host } from './terminal/host.ts';
import { SHIMS } from './shim.ts';

/** @param options.kubectl also that name, which hides a real one further on the PATH @throws Failure when the folder cannot be written to */
export function installShims(host: Host, folder: string, { program = process.argv[1], kubectl = false } = {}): void {
  const target = realpathSync(program);
  for (const name of [...Object.keys(SHIMS), 'kubectl-sluice', ...(kubectl ? ['kubectl'] : [])]) {
    const path = join(folder, name);
    try {
      mkdirSync(folder, { recursive: true });
      const there = linkAt(path);
      if (there === undefined) symlinkSync(target, path);
      if (there === undefined || there === target) host.stdout.write(`${path} -> ${target}\n`);
      else {
        host.stderr.write(
          `error: link ${path}: found ${there}, wanted no such file: remove it, or take another folder\n`,
        );
        host.exitCode = EXIT.FAILED;
      }
    } catch (error) {
      throw new Failure(`link ${path}: ${(error as NodeJS.ErrnoException).code}: check the folder`);
    }
  }
}

/** What a name is: where its link leads, `a file`, or undefined when there is nothing. */
function linkAt(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return stat.isSymbolicLink() ? readlinkSync(path) : 'a file';
}
