/**
 * Runs podman, which may be missing, hang, or talk without end: each call has a time and a bound, no shell is between, and of what it
 * says in its distress one sentence is kept. Few run at once: each costs some 30 ms of CPU and waits for podman's one lock.
 */
import { spawn } from 'node:child_process';

const OUTPUT_BYTES = 4 << 20;
const COMPLAINT_BYTES = 16 << 10;
const SENTENCE_LENGTH = 1024;

/** Of the agent's environment; not what systemd says to the agent alone. */
const PASSED =
  /^(?:PATH|HOME|LANG|LC_ALL|TMPDIR|XDG_\w+|CONTAINERS_\w+|STORAGE_\w+|REGISTRY_AUTH_FILE|SSL_CERT_(?:FILE|DIR)|(?:https?|no|all)_proxy)$/i;

export interface PodmanCall {
  readonly timeoutMs: number;
  /** Ends it before its time. */
  readonly signal?: AbortSignal | undefined;
}

/** podman's sentence. */
export class PodmanError extends Error {
  override readonly name = 'PodmanError';
  /** undefined when it did not end by itself. */
  readonly exit: number | undefined;

  constructor(message: string, exit?: number) {
    super(message);
    this.exit = exit;
  }
}

/** @returns what it said on its standard output @throws PodmanError */
export function runPodman(args: readonly string[], { timeoutMs, signal }: PodmanCall): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new PodmanError('podman: no longer wanted'));
      return;
    }
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED.test(name)));
    // It leads a group of its own, so that its helpers end with it.
    const child = spawn('podman', args, { stdio: ['ignore', 'pipe', 'pipe'], env, detached: true });
    // One that cannot be killed, or has left its output to others, is not waited for.
    const end = (reason: string): void => {
      killGroup(child.pid);
      child.stdout.destroy();
      child.stderr.destroy();
      settle(new PodmanError(`podman ${args[0]} ${args[1] ?? ''}: ${reason}`));
    };
    const timer = setTimeout(() => end(`no answer within ${timeoutMs / 1000} s`), timeoutMs);
    const aborted = (): void => end('no longer wanted');
    signal?.addEventListener('abort', aborted, { once: true });
    const output: Buffer[] = [];
    let bytes = 0;
    let complaint = '';
    child.stdout.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > OUTPUT_BYTES) end(`it said more than ${OUTPUT_BYTES} bytes`);
      else output.push(part);
    });
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      complaint = (complaint + part).slice(-COMPLAINT_BYTES);
    });
    const settle = (error: PodmanError | undefined): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
      if (error === undefined) resolve(Buffer.concat(output).toString('utf8'));
      else reject(error);
    };
    child.on('error', (error: NodeJS.ErrnoException) =>
      settle(new PodmanError(error.code === 'ENOENT' ? 'podman is not installed' : `podman: ${error.message}`)),
    );
    child.on('close', (code, ended) => {
      if (code === 0) settle(undefined);
      else settle(new PodmanError(sentenceOf(complaint) || `podman ended with ${ended ?? code}`, code ?? undefined));
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has just ended
  }
}

/** What it ended with; before it stands what it did so far. */
function sentenceOf(complaint: string): string {
  // A registry chooses part of it: nothing that moves a terminal's cursor.
  const lines = complaint
    .split('\n')
    // eslint-disable-next-line no-control-regex
    .map((line) => line.replace(/[\x00-\x1f\x7f-\x9f]/g, ' ').trim())
    .filter((line) => line !== '');
  const last = lines.findLastIndex((line) => line.startsWith('Error:'));
  const said = last < 0 ? lines.slice(-1) : lines.slice(last);
  return said
    .join(' ')
    .replace(/^Error: /, '')
    .slice(0, SENTENCE_LENGTH);
}

/** So many at once; others wait in their order. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#free = most;
  }

  async take<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
