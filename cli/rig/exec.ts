/** Runs a program in the network namespace of a pod; terminal, environment, folder and user stay those of the caller. */
import { podReference } from '../terminal/argument.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { runForeground } from '../terminal/foreground.ts';
import { insideNetns, requireProgram } from '../netns.ts';
import { netnsOfPod } from './pod-lookup.ts';
import type { Settings } from '../terminal/settings.ts';

export interface PodProgram {
  /** `namespace/name`, or a name in `namespace`. */
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
  const netns = await netnsOfPod(settings, podReference(pod, namespace));
  requireProgram(program[0]);
  return runForeground(insideNetns(netns, program));
}
