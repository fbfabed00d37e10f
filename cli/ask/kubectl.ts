/** Runs kubectl with the kubeconfig of an instance. */
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { kubeconfigPath } from '../../api/sockets.ts';
import { programPath } from '../../linux/programs.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { runForeground } from '../terminal/foreground.ts';
import type { Settings } from '../terminal/settings.ts';

/**
 * @returns the exit code of kubectl
 * @throws Failure when the instance serves no API, or there is no kubectl
 */
export async function runKubectl({ host, runDir }: Settings, args: readonly string[]): Promise<number> {
  const path = kubeconfigPath(runDir);
  if (!existsSync(path))
    throw new Failure(
      `kubectl: found no ${path}, wanted an agent with \`kube-api: true\` (see docs/kubernetes.md)`,
      EXIT.UNREACHABLE,
    );
  const kubectl = findKubectl(host.env['PATH'] ?? '');
  if (kubectl === undefined)
    throw new Failure(
      'kubectl: found none in PATH: apt-get install kubernetes-client, or see https://kubernetes.io/docs/tasks/tools/',
      EXIT.NOT_FOUND,
    );
  return await runForeground([kubectl, ...args], { ...host.env, KUBECONFIG: path });
}

/** The first that is no link to this program, as `sluice shims install --kubectl` makes one. */
function findKubectl(path: string): string | undefined {
  const own = realpathSync(programPath('sluice'));
  const places = path.split(':').map((folder) => join(folder || '.', 'kubectl'));
  return places.find((place) => existsSync(place) && realpathSync(place) !== own);
}
