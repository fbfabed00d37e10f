/**
 * The world that a running agent judges in, for the commands that judge by manifests else. The agent hands over what it has (objects with
 * the places they were written in, addresses, identities, cookies) and the judging is done here: it costs the agent no more than the
 * telling, and the command that judges is the one that waits.
 */
import { DaemonApi } from '../../api/daemon-api.ts';
import { ApiError } from '../../api/error.ts';
import { askWorld } from '../../api/told-world.ts';
import { readTold } from '../../explain/told-world.ts';
import { PolicyWorld } from '../../explain/world.ts';
import { reportProblems } from '../objects/problems.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';

/**
 * @param command for the complaint
 * @throws Failure when no agent answers, or it breaks off
 */
export async function liveWorld(settings: Settings, command: string): Promise<PolicyWorld> {
  const told = await askWorld(new DaemonApi(settings)).catch((error: unknown) => {
    if (!(error instanceof ApiError) || !error.isUnreachable) throw error;
    const wanted = 'wanted --manifests PATH, or a running agent to ask';
    throw new Failure(`policy ${command}: ${wanted}: ${error.message}`, EXIT.UNREACHABLE, { cause: error });
  });
  if (told === undefined) throw new Failure('get /v1/world: found no world, wanted one'); // no tag was given
  const { documents, problems } = readTold(told);
  const world = new PolicyWorld(documents, told.options, told);
  const errors = [...problems, ...world.conflicts];
  const isWrong = reportProblems(
    settings.host,
    errors.filter(({ severity }) => severity === 'error'),
  );
  if (isWrong) settings.host.exitCode = EXIT.FAILED;
  return world;
}
