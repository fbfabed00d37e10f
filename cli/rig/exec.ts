/** Runs a program in the network namespace of a pod; terminal, environment, folder and user stay those of the caller. */
import { accessSync, constants, statSync } from 'node:fs';
import { podNamed } from '../objects/pod-argument.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { runForeground } from '../terminal/foreground.ts';
import { NetnsFiles } from '../../linux/netns-files.ts';
import { insideNetns } from '../../linux/netns.ts';
import { netnsOfPod } from './pod-lookup.ts';
import type { Settings } from '../terminal/settings.ts';

export interface PodProgram {
  /** `namespace/name`, or `name`, `pod/name`, `deploy/name` or `svc/name` in `namespace`. */
  readonly pod: string;
  readonly namespace: string;
  /** The program and its arguments; a leading `--` is left out. */
  readonly argv: readonly string[];
}

/**
 * @returns the exit code of the program, 128+n when signal n ended it
 * @throws Failure when there is no program, the pod has no namespace here, or the program cannot be found (127) or run (126)
 */
export async function runInPod(settings: Settings, { pod, namespace, argv }: PodProgram): Promise<number> {
  const program = argv[0] === '--' ? argv.slice(1) : argv;
  if (program.length === 0) throw new Failure('exec: wanted a program after the pod', EXIT.USAGE);
  const netns = await netnsOfPod(settings, await podNamed(settings, pod, namespace));
  requireProgram(program[0]);
  return runForeground(insideNetns(netns, program, new NetnsFiles(settings.runDir).hostName(netns)));
}

/**
 * Looks a program up in PATH, so that a missing one gives the codes that shells give, and not those of `ip`.
 * @throws Failure 127 when there is none, 126 when it is not executable
 */
function requireProgram(program: string): void {
  const path = process.env['PATH'] ?? '';
  const places = program.includes('/') ? [program] : path.split(':').map((folder) => `${folder || '.'}/${program}`);
  const present = places.filter((place) => statSync(place, { throwIfNoEntry: false })?.isFile() === true);
  if (present.length === 0) throw new Failure(`exec ${program}: not found in PATH: check its name`, EXIT.NOT_FOUND);
  if (!present.some(isExecutable)) {
    throw new Failure(`exec ${present[0]}: not executable: chmod +x it`, EXIT.NOT_EXECUTABLE);
  }
}

function isExecutable(place: string): boolean {
  try {
    accessSync(place, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
