/** Runs a command in a container and waits for its end: hooks and probes. */
import { spawn } from 'node:child_process';
import { execCommand } from '../runtime/exec-command.ts';

const OUTPUT_BYTES = 10 * 1024;

export interface ExecResult {
  /** undefined when it took too long. */
  readonly code: number | undefined;
  /** What it said, the first 10 KiB; or why it could not be started. */
  readonly output: string;
}

export function runExec(stateDir: string, argv: readonly string[], timeoutMs: number): Promise<ExecResult> {
  return new Promise((resolve) => {
    const [program, ...args] = execCommand({ stateDir }, argv, { isTty: false });
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
    let output = '';
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL'); // the command ends with it
    }, timeoutMs);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        if (output.length < OUTPUT_BYTES) output = (output + text).slice(0, OUTPUT_BYTES);
      });
    }
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: 126, output: error.message });
    });
    child.on('exit', (code) => {
      clearTimeout(timer);
      // What it left running may keep the pipes open: what has come by now is what it said.
      setImmediate(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ code: isLate ? undefined : (code ?? 137), output });
      });
    });
  });
}
