/**
 * The world that a running agent judges in, for the commands that judge by manifests else. The agent hands over what it has (objects with
 * the places they were written in, addresses, identities, cookies) and the judging is done here: it costs the agent no more than the
 * telling, and the command that judges is the one that waits.
 */
import { DaemonApi } from '../../api/daemon-api.ts';
import { ApiError } from '../../api/error.ts';
import type { CookieDocument, IdentityDocument, WorldLine } from '../../api/shapes.ts';
import { PolicyWorld } from '../../explain/world.ts';
import { type PlacedObject, readPlaced } from '../../policy/document/placed.ts';
import type { PolicyConfig } from '../../policy/rule/options.ts';
import type { NodeSpec } from '../../policy/rule/spec.ts';
import { reportProblems } from '../objects/problems.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';

/** For the whole answer, once it has begun. */
const MOST_MS = 120_000;

/**
 * @param command for the complaint
 * @throws Failure when no agent answers, or it breaks off
 */
export async function liveWorld(settings: Settings, command: string): Promise<PolicyWorld> {
  const told = await ask(settings).catch((error: unknown) => {
    if (!(error instanceof ApiError) || !error.isUnreachable) throw error;
    const wanted = 'wanted --manifests PATH, or a running agent to ask';
    throw new Failure(`policy ${command}: ${wanted}: ${error.message}`, EXIT.UNREACHABLE, { cause: error });
  });
  const read = told.objects.map((one) => readPlaced(one, told.options));
  const documents = read.flatMap((one) => one.documents);
  const world = new PolicyWorld(documents, told.options, told);
  const errors = [...read.flatMap(({ problems }) => problems), ...world.conflicts];
  const isWrong = reportProblems(
    settings.host,
    errors.filter(({ severity }) => severity === 'error'),
  );
  if (isWrong) settings.host.exitCode = EXIT.FAILED;
  return world;
}

interface Told {
  options: PolicyConfig;
  readonly objects: PlacedObject[];
  readonly nodes: NodeSpec[];
  readonly identities: IdentityDocument[];
  readonly cookies: CookieDocument[];
}

async function ask(settings: Settings): Promise<Told> {
  const told: Told = { options: {}, objects: [], nodes: [], identities: [], cookies: [] };
  const signal = AbortSignal.timeout(MOST_MS);
  let isWhole = false;
  await new DaemonApi(settings).world(signal, (line) => {
    isWhole = 'end' in line;
    take(line, told);
  });
  // Half a world would be judged as if the rest were not there.
  if (!isWhole)
    throw new Failure(`get /v1/world: found an answer that breaks off, wanted a whole one: see the agent's log`);
  return told;
}

function take(line: WorldLine, told: Told): void {
  if ('options' in line) told.options = line.options;
  else if ('object' in line) told.objects.push(line.object);
  else if ('node' in line) told.nodes.push(line.node);
  else if ('identity' in line) told.identities.push(line.identity);
  else if ('cookie' in line) told.cookies.push(line.cookie);
}
