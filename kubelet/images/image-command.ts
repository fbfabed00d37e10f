/**
 * What a container runs whose image is not fetched: its command and arguments as they stand, with what the image would have added where it is
 * known; a program is one of this machine, or the small server that stands in for an image.
 *
 *  1. `command`, then `args`: run as they stand, when this machine has the program.
 *  2. An image whose server has a stand-in: that, also when its `command` names a program that is not here (gunicorn of httpbin).
 *  3. `args` alone: those of the image's program, when they begin with a dash; else a program and its arguments.
 *  4. An image of tools: its shell, or a long sleep for `pause`.
 */
import { type ImageUse, type StandIns, useOfImage } from './image-table.ts';

/** What is to run. */
export interface ImageCommand {
  readonly argv: readonly string[];
  /** The kind of server that stands in; undefined for a program of this machine. */
  readonly standIn: string | undefined;
  /** Whether programs of busybox come before those of this machine. */
  readonly isBusybox: boolean;
}

export interface ImageRequest {
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** TCP ports that the container names. */
  readonly ports: readonly number[];
  readonly env: ReadonlyMap<string, string>;
}

interface Machine {
  readonly standIns: StandIns;
  /** Whether a container would find the program. */
  readonly hasProgram: (name: string) => boolean;
  /** What runs a stand-in, before its kind and ports. */
  readonly server: readonly string[];
}

/**
 * What a container of a real image runs: `command` takes the place of the image's entry point and of its arguments, `args` of its arguments.
 * @returns empty when neither pod nor image says
 */
export function commandInImage(
  { command, args }: Pick<ImageRequest, 'command' | 'args'>,
  image: { readonly entrypoint: readonly string[]; readonly cmd: readonly string[] },
): string[] {
  if (command.length > 0) return [...command, ...args];
  return [...image.entrypoint, ...(args.length > 0 ? args : image.cmd)];
}

/** @returns undefined when nothing here can run the image */
export function commandOfImage(request: ImageRequest, machine: Machine): ImageCommand | undefined {
  const { image, command, args, ports, env } = request;
  const use = useOfImage(image, machine.standIns);
  const isBusybox = use?.isBusybox === true;
  const plain = (argv: readonly string[]): ImageCommand => ({ argv, standIn: undefined, isBusybox });
  const server = (of: ImageUse): ImageCommand => {
    const own = env.get('PORT');
    const served = ports.length > 0 ? ports : [own !== undefined && /^\d{1,5}$/.test(own) ? Number(own) : of.port];
    const words = of.takesArguments ? [...served.map(String), '--', ...command.slice(1), ...args] : served.map(String);
    return { argv: [...machine.server, of.kind ?? '', ...words], standIn: of.kind, isBusybox };
  };
  if (command.length > 0) {
    const isMissing = use?.kind !== undefined && !machine.hasProgram(command[0]);
    return isMissing ? server(use) : plain([...command, ...args]);
  }
  if (use === undefined) return args.length > 0 && machine.hasProgram(args[0]) ? plain(args) : undefined;
  if (use.kind !== undefined) return server(use);
  const [first = ''] = args;
  if (use.command.length > 0 && (first === '' || first.startsWith('-') || use.takesArguments))
    return plain([...use.command, ...args]);
  if (first !== '') return plain(first.startsWith('-') ? [use.program, ...args] : args);
  return plain(use.shell);
}
