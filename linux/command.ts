/** Runs the system's own tools (ip, nft, ethtool, nsenter) and turns their failures into errors that say what to do. */
import { spawn } from 'node:child_process';

const TIMEOUT_MS = 20_000;
const OUTPUT_LIMIT = 16 * 1024 * 1024; // bytes: `ip -json` of some thousand interfaces

/** A tool that failed: what was run, how it ended, what it said. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** ENOENT (tool missing), EPERM (rights missing), ETIMEDOUT, or EFAILED. */
  readonly code: string;
  constructor(command: string, code: string, said: string) {
    super(`${command}: ${said}`);
    this.code = code;
  }
}

/**
 * Runs a program without a shell and answers with its standard output.
 * @param input written to its standard input
 * @throws CommandError when it cannot be started, fails, or takes longer than 20 s
 */
export function run(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'pipe', timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < OUTPUT_LIMIT) output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (errors.length < 65_536) errors += text;
    });
    child.on('error', (error: NodeJS.ErrnoException) => reject(startError(command, error)));
    // A tool that refuses early closes its input: EPIPE says nothing that its exit code and stderr do not say better.
    child.stdin.on('error', () => {});
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(failure(`${command} ${args.join(' ')}`, signal, errors.trim() || `exit code ${code}`));
    });
    child.stdin.end(input);
  });
}

function startError(command: string, error: NodeJS.ErrnoException): CommandError {
  if (error.code !== 'ENOENT') return new CommandError(command, error.code ?? 'EFAILED', error.message);
  const debian = PACKAGES[command] ?? command;
  return new CommandError(command, 'ENOENT', `not installed: apt-get install ${debian}`);
}

const PACKAGES: Readonly<Record<string, string>> = { ip: 'iproute2', nft: 'nftables', nsenter: 'util-linux' };

function failure(command: string, signal: NodeJS.Signals | null, said: string): CommandError {
  if (signal === 'SIGKILL') return new CommandError(command, 'ETIMEDOUT', `no end after ${TIMEOUT_MS / 1000} s`);
  if (/not permitted|permission denied|must be root/i.test(said)) {
    return new CommandError(command, 'EPERM', `${said}: run as root or grant CAP_NET_ADMIN and CAP_SYS_ADMIN`);
  }
  return new CommandError(command, 'EFAILED', said);
}
