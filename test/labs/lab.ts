/**
 * Documents of others as transcripts: their commands typed at a terminal, one shell from the first to the last, beside what they show.
 *
 *   unshare: mounts, network and processes of its own
 *     tmpfs on /run        the instance is `sluice`, as for a user
 *     sluiced              with `kube-api: true`; beyond its uplink a server and names of the "internet"
 *     script(1) > bash     a terminal, so that `kubectl exec -ti` has one, and ^C goes where it would
 *
 * A transcript is lines (test/labs/README.md says the same to people):
 *
 *   # text         what the document is at
 *   $ command      typed; lines that begin with `> ` continue it
 *   = command      typed instead of the `$` above it; the README of this folder lists each
 *   [28]           the exit code of the command above, 0 unless told; [*] any
 *   ^C             the terminal's interrupt, after INTERRUPT_MS without an end; an earlier end is a failure
 *   ...            any lines
 *   ~ pattern      a line that a regular expression matches
 *   text           a line of output, as it is
 *
 * Whether a command says what is wanted is asked again until PATIENCE_MS is over when its line is marked `$*`: pods take a moment.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { programPath } from '../../linux/programs.ts';
import { PATIENCE_MS } from '../command.ts';

const LABS = join(PACKAGE_ROOT, 'test/labs');
const INTERRUPT_MS = 3000;
const RETRY_MS = 300;
/** What the shell prints after each command, with its exit code. */
const MARK = /(?:^|\n)@@ (\d+)\n$/;

/** A command of a transcript, and what is wanted of it. */
export interface Step {
  /** As the document has it. */
  readonly command: string;
  /** What is typed. */
  readonly typed: string;
  readonly line: number;
  readonly isAskedAgain: boolean;
  readonly isInterrupted: boolean;
  /** Undefined for any. */
  readonly code: number | undefined;
  readonly wanted: readonly string[];
}

export interface Said {
  readonly output: string;
  readonly code: number;
  /** Of one that was to be interrupted: it had ended by itself by then. */
  readonly hasEnded?: boolean;
}

export function readTranscript(lab: string): Step[] {
  const steps: Step[] = [];
  let open: { command: string; typed?: string; line: number; isAskedAgain: boolean; rest: string[] } | undefined;
  const close = (): void => {
    if (open !== undefined) steps.push(stepOf(open));
  };
  readFileSync(join(LABS, lab, 'transcript.txt'), 'utf8')
    .split('\n')
    .forEach((text, index) => {
      const [, sign, again, rest] = /^([$>=])(\*?) ?(.*)$/.exec(text) ?? [];
      if (sign === '$') {
        close();
        open = { command: rest, line: index + 1, isAskedAgain: again === '*', rest: [] };
      } else if (open === undefined || text.startsWith('#')) return;
      else if (sign === '=') open.typed = rest;
      else if (sign === '>' && open.typed !== undefined) open.typed += `\n${rest}`;
      else if (sign === '>') open.command += `\n${rest}`;
      else open.rest.push(text);
    });
  close();
  return steps;
}

function stepOf(open: { command: string; typed?: string; line: number; isAskedAgain: boolean; rest: string[] }): Step {
  const { command, typed = command, line, isAskedAgain, rest } = open;
  const codes = rest.flatMap((text) => /^\[(\d+|\*)\]$/.exec(text)?.[1] ?? []);
  const isInterrupted = rest.includes('^C');
  const code = codes[0] === '*' || (isInterrupted && codes.length === 0) ? undefined : Number(codes[0] ?? 0);
  const wanted = rest.filter((text) => text !== '^C' && !/^\[(\d+|\*)\]$/.test(text));
  while (wanted.at(-1) === '') wanted.pop();
  return { command, typed, line, isAskedAgain, isInterrupted, code, wanted };
}

/** Whether lines are as wanted. @returns '' or what differs */
function difference(wanted: readonly string[], found: readonly string[]): string {
  const fits = (text: string, line: string): boolean =>
    text.startsWith('~ ') ? new RegExp(`^${text.slice(2)}$`).test(line) : text === line;
  const [first, ...rest] = wanted;
  if (first === undefined) return found.length === 0 ? '' : `found too much: ${found[0]}`;
  if (first === '...') {
    let last = '';
    for (let at = 0; at <= found.length; at++) {
      last = difference(rest, found.slice(at));
      if (last === '') return '';
    }
    return rest[0] === undefined ? '' : `found nowhere as wanted from here on: ${rest[0]}`;
  }
  if (found.length === 0) return `wanted, and found the end: ${first}`;
  return fits(first, found[0]) ? difference(rest, found.slice(1)) : `wanted: ${first}\nfound:  ${found[0]}`;
}

/** A shell at a terminal, in a machine of its own. */
export class Lab {
  readonly #shell: ChildProcessWithoutNullStreams;
  readonly #folder: string;
  #said = '';

  private constructor(shell: ChildProcessWithoutNullStreams, folder: string) {
    this.#shell = shell;
    this.#folder = folder;
    shell.stdout.setEncoding('utf8').on('data', (text: string) => (this.#said += plain(text)));
    shell.stderr.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
  }

  /** @param kubectl the program that the transcript calls by this name */
  static async start(lab: string, kubectl: string): Promise<Lab> {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-lab-'));
    mkdirSync(join(folder, 'bin'));
    symlinkSync(programPath('sluice'), join(folder, 'bin/sluice'));
    symlinkSync(kubectl, join(folder, 'bin/kubectl'));
    // The same flags, and the same lines.
    writeFileSync(join(folder, 'bin/hubble'), '#!/bin/sh\nexec sluice "$@"\n', { mode: 0o755 });
    cpSync(join(LABS, lab), join(folder, 'work'), { recursive: true });
    const inside = ['sh', join(LABS, 'machine.sh'), programPath('sluiced'), folder];
    const own = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const shell = spawn('unshare', [...own, ...inside], { env: { ...process.env, TERM: 'dumb' } });
    const found = new Lab(shell, folder);
    await found.#end(2 * PATIENCE_MS);
    return found;
  }

  /** Types a command, as often as its step allows. */
  async run(step: Step): Promise<{ said: Said; problem: string }> {
    const until = performance.now() + (step.isAskedAgain ? PATIENCE_MS : 0);
    for (;;) {
      const said = await this.#type(step);
      const problem = problemOf(step, said);
      if (problem === '' || performance.now() > until) return { said, problem };
      await pause(RETRY_MS);
    }
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#shell.once('exit', resolve));
    this.#shell.kill('SIGKILL');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #type({ typed, isInterrupted }: Step): Promise<Said> {
    this.#said = '';
    this.#shell.stdin.write(`${typed}\n`);
    let hasEnded = false;
    if (isInterrupted) {
      await pause(INTERRUPT_MS);
      hasEnded = MARK.test(this.#said);
      if (!hasEnded) this.#shell.stdin.write('\u0003');
    }
    return { ...(await this.#end(PATIENCE_MS)), hasEnded };
  }

  async #end(patienceMs: number): Promise<Said> {
    const until = performance.now() + patienceMs;
    for (;;) {
      const found = MARK.exec(this.#said);
      if (found !== null) return { output: this.#said.slice(0, found.index), code: Number(found[1]) };
      const { exitCode } = this.#shell;
      if (exitCode !== null) throw new Error(`the shell ended with ${exitCode}: ${this.#said}`);
      if (performance.now() > until) throw new Error(`no end after ${patienceMs} ms: ${this.#said}`);
      await pause(20);
    }
  }
}

/** Without what moves a cursor or makes letters bold: curl does so at a terminal. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex -- the terminal's own language
  return text.replaceAll(/\r|\u001b\[[0-9;]*m/g, '');
}

function problemOf({ code, wanted, isInterrupted }: Step, said: Said): string {
  if (code !== undefined && said.code !== code) return `exit code ${said.code}, wanted ${code}\n${said.output}`;
  if (isInterrupted && said.hasEnded === true) return `ended by itself, wanted none:\n${said.output}`;
  const lines = said.output.split('\n').map((line) => line.trimEnd());
  while (lines.at(-1) === '') lines.pop();
  while (lines[0] === '') lines.shift();
  const found = difference(wanted, lines);
  return found === '' ? '' : `${found}\n--- all that was said:\n${said.output}`;
}
