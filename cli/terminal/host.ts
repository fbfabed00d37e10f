import { decodeText } from '../../policy/document/encoding.ts';

/** What a command sees of the outside: streams, environment, and the code it will end with. Tests hand in their own. */
export interface Host {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: NodeJS.ReadableStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends with this code when no error is thrown. */
  exitCode: number;
}

export interface Sink {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/**
 * The host of the real process. A reader that goes away (`| head`) ends the command quietly.
 * @param proc process
 */
export function processHost(proc: NodeJS.Process): Host {
  const leave = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') proc.exit(0);
    throw error;
  };
  proc.stdout.on('error', leave);
  proc.stderr.on('error', leave);
  const { stdout, stderr, env } = proc;
  return {
    ...{ stdout, stderr, env, exitCode: 0 },
    // Node makes the stream when it is first asked for, which few commands do.
    get stdin() {
      return proc.stdin;
    },
  };
}

/** The whole of standard input as text (`-f -`). */
export async function readStdin(host: Host): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of host.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
  return decodeText(Buffer.concat(chunks));
}
