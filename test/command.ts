// Runs programs for the end-to-end tests, the demo and the bench: in a namespace, with a time limit, in the background;
// waits for conditions; and undoes what was done, whatever happens.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';

/** What a finished program left. `code` is 128 + the signal's number when a signal ended it. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Ends the program after this long; its code is then 137. Default PATIENCE_MS. */
  timeoutMs?: number;
  /** Written to its standard input. */
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
}

/**
 * How long anything that must come may take. No test measures time: this only ends what would never end, and is so long
 * that a machine ten times slower, or busy with other things, does not come near it.
 */
export const PATIENCE_MS = 120_000;
/** The same for programs that count in seconds: curl -m, ping -w, nc -w. */
export const PATIENCE_SEC = PATIENCE_MS / 1000;

const SIGNAL_BASE = 128;
const KILLED = SIGNAL_BASE + 9;

/** The command line that runs `argv` inside the network namespace `netns`. */
export const inNetns = (netns: string, argv: readonly string[]): string[] => ['ip', 'netns', 'exec', netns, ...argv];

/** Runs a program to its end. Never throws for its exit code, which is 127 (of `env`) when there is no such program. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn('env', ['--', ...argv], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? PATIENCE_MS);
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? KILLED, stdout, stderr });
    });
  });
}

/** Runs a program that must succeed and returns its standard output; throws with its error text otherwise. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const outcome = await run(argv, options);
  if (outcome.code !== 0) {
    throw new Error(`${argv.join(' ')}: exit ${outcome.code}: ${(outcome.stderr || outcome.stdout).trim()}`);
  }
  return outcome.stdout;
}

/** Runs each line of `script` as a command that must succeed; empty lines and lines with # are passed over. */
export async function mustAll(script: string): Promise<void> {
  for (const line of script.split('\n').map((text) => text.trim())) {
    if (line !== '' && !line.startsWith('#')) await must(line.split(/\s+/));
  }
}

/** Makes network namespaces with their loopback up. */
export async function makeNetns(cleanup: Cleanup, ...names: readonly string[]): Promise<void> {
  for (const name of names) cleanup.command('ip', 'netns', 'del', name);
  await mustAll(names.map((name) => `ip netns add ${name}\nip -n ${name} link set lo up`).join('\n'));
}

/** A program running in the background, and all it has printed so far. */
export interface Background {
  child: ChildProcess;
  pid: number;
  output(): string;
  /** Ends it by SIGTERM, by SIGKILL after `graceMs` (default PATIENCE_MS), and waits for its exit. */
  stop(graceMs?: number): Promise<void>;
}

/** Starts a program and leaves it running. */
export function start(argv: readonly string[], options: RunOptions = {}): Background {
  const child = spawn('env', ['--', ...argv], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (text: string) => (output = (output + text).slice(-200_000));
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  child.on('error', (error) => keep(`\n${argv[0]}: ${error.message}\n`));
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const stop = async (graceMs = PATIENCE_MS) => {
    if (hasEnded() || child.pid === undefined) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await ended;
    clearTimeout(timer);
  };
  return { child, pid: child.pid ?? -1, output: () => output, stop };
}

const POLL_MS = 20;

/** Asks `condition` every 20 ms until it is true; throws with what was waited for after `timeoutMs`. */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = PATIENCE_MS,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Whether a TCP port of this or another namespace is being listened on. */
export async function isListening(netns: string, port: number): Promise<boolean> {
  const { stdout } = await run(inNetns(netns, ['ss', '-Hltn', `sport = :${port}`]));
  return stdout.trim() !== '';
}

/** SIGALRM is how tap ends a test file that has run too long. */
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGALRM'] as const;

/**
 * What must be undone, last first. Steps are synchronous command lines, so that they also run when the process is ended
 * by an exception or a signal; their failures are ignored, for the thing may be gone already.
 */
export class Cleanup {
  #steps: (() => void)[] = [];
  #onExit = () => this.run();
  #onSignal = (_signal: NodeJS.Signals, number: number) => {
    this.run();
    process.exit(SIGNAL_BASE + number);
  };

  constructor() {
    process.on('exit', this.#onExit);
    for (const signal of ENDING_SIGNALS) process.on(signal, this.#onSignal);
  }

  add(step: () => void): void {
    this.#steps.push(step);
  }

  command(...argv: string[]): void {
    this.add(() => execFileSync(argv[0], argv.slice(1), { stdio: 'ignore', timeout: PATIENCE_MS }));
  }

  /** Undoes everything added so far; safe to call again. */
  run(): void {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        step();
      } catch {
        // Gone already, or never made.
      }
    }
  }

  /** Undoes everything and lets go of the process's exit and signals. */
  finish(): void {
    this.run();
    process.off('exit', this.#onExit);
    for (const signal of ENDING_SIGNALS) process.off(signal, this.#onSignal);
  }
}
