/**
 * A command of exec: a child process joined to the streams of a client.
 *
 * Its stdin, stdout and stderr are pipes, as under every container runtime. Descriptor 3, which is the launcher's (launcher/exec.c),
 * carries sizes of the terminal to it (rows and columns, 16 bits each) and, when the command could not be started, one line
 * that says why. The child leads a session of its own.
 *
 * Its end: what it wrote is read to the end. Something that it left running may keep the pipes open for ever, so half a second
 * in which nothing came, and the client took all there was, is the end as well. What the client sends after the command has closed its
 * stdin is thrown away. A client that goes first ends the command: descriptor 3 is closed, at which the launcher ends it, and what is
 * left after two seconds is killed. So does the end of this thread or process, however it comes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Duplex, Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { CommandEnd } from '../../apiserver/streaming/command-status.ts';
import type { CommandStreams } from '../../apiserver/streaming/remote-command.ts';
import { closeFd, openPipe } from '../../dataplane/native/index.ts';

const HANG_UP_MS = 2000;
const IDLE_MS = 500;
const STEP_MS = 50;
const REASON_LIMIT = 4096; // characters of the line on descriptor 3

/** What to start. */
export interface Command {
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Runs the command to its end. @returns its exit code, 128+n for signal n, or why it could not be started */
export async function runCommand(command: Command, streams: CommandStreams): Promise<CommandEnd> {
  if (streams.gone.aborted) return { error: 'the client has gone' };
  const { child, stdin, stdout, stderr } = start(command, streams);
  const reason = joinControl(child, streams);
  const outputs = [joinOutput(stdout, streams.stdout), joinOutput(stderr, streams.stderr)];
  const hangUp = () => endGroup(child, [stdin, stdout, stderr]);
  streams.gone.addEventListener('abort', hangUp);
  joinInput(streams.stdin, stdin);
  const exitCode = await endOf(child);
  leaveInput(streams.stdin, stdin);
  await untilRead(outputs, streams);
  streams.gone.removeEventListener('abort', hangUp);
  for (const { source } of outputs) source?.destroy();
  const said = await reason();
  return said === '' && exitCode !== undefined
    ? { exitCode }
    : { error: `error executing command in container: ${said}` };
}

interface Started {
  readonly child: ChildProcess;
  readonly stdin: Socket | undefined;
  readonly stdout: Socket | undefined;
  readonly stderr: Socket | undefined;
}

/** @throws SystemError EMFILE, E2BIG; TypeError for a zero byte in an argument */
function start({ argv, env }: Command, streams: CommandStreams): Started {
  const theirs: number[] = [];
  const ours: Socket[] = [];
  /** One end for the child, the other for us. */
  const pipeOf = (stream: unknown, isInput: boolean): [number | 'ignore', Socket | undefined] => {
    if (stream === undefined) return ['ignore', undefined];
    const [readFd, writeFd] = openPipe();
    const [their, our] = isInput ? [readFd, writeFd] : [writeFd, readFd];
    theirs.push(their);
    const socket = new Socket({ fd: our, readable: !isInput, writable: isInput });
    ours.push(socket.on('error', () => socket.destroy()));
    return [their, socket];
  };
  try {
    const [stdinFd, stdin] = pipeOf(streams.stdin, true);
    const [stdoutFd, stdout] = pipeOf(streams.stdout, false);
    const [stderrFd, stderr] = pipeOf(streams.stderr, false);
    const child = spawn(argv[0], argv.slice(1), {
      env,
      cwd: '/',
      detached: true,
      stdio: [stdinFd, stdoutFd, stderrFd, 'pipe'],
    });
    return { child, stdin, stdout, stderr };
  } catch (error) {
    for (const socket of ours) socket.destroy();
    throw error;
  } finally {
    for (const fd of theirs) closeFd(fd);
  }
}

/** @returns what answers the line that says why the command did not start, '' when it did */
function joinControl(child: ChildProcess, streams: CommandStreams): () => Promise<string> {
  let failed = '';
  child.on('error', (error) => {
    failed = error.message;
  });
  const control = child.stdio[3] as Duplex | undefined;
  if (control === undefined) return () => Promise.resolve(failed);
  let said = '';
  const closed = new Promise<void>((resolve) => void control.once('close', resolve));
  control.on('error', () => control.destroy());
  control.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(0, REASON_LIMIT);
  });
  streams.onResize(({ rows, columns }) => {
    const size = Buffer.alloc(4);
    size.writeUInt16BE(rows, 0);
    size.writeUInt16BE(columns, 2);
    if (control.writable) control.write(size);
  });
  streams.gone.addEventListener('abort', () => control.destroy(), { once: true });
  return async () => {
    await Promise.race([closed, pause(IDLE_MS)]);
    control.destroy();
    return failed || said.trim();
  };
}

interface Output {
  readonly source: Socket | undefined;
  readonly target: Writable | undefined;
}

function joinOutput(source: Socket | undefined, target: Writable | undefined): Output {
  if (source !== undefined && target !== undefined) source.pipe(target, { end: false });
  return { source, target };
}

function joinInput(from: Readable | undefined, stdin: Socket | undefined): void {
  if (from === undefined || stdin === undefined) return;
  from.pipe(stdin);
  stdin.once('close', () => leaveInput(from, stdin));
}

function leaveInput(from: Readable | undefined, stdin: Socket | undefined): void {
  if (stdin !== undefined) from?.unpipe(stdin);
  from?.resume();
  stdin?.destroy();
}

/** @returns undefined when it never began */
function endOf(child: ChildProcess): Promise<number | undefined> {
  if (child.pid === undefined) return new Promise((resolve) => child.once('error', () => resolve(undefined)));
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
  });
}

/** Settles when all of the output has been read, or nothing more of it comes. */
async function untilRead(outputs: readonly Output[], { gone }: CommandStreams): Promise<void> {
  const open = () => outputs.filter(({ source }) => source !== undefined && !source.destroyed && !source.readableEnded);
  const allEnded = Promise.all(outputs.map(ended));
  let before = -1;
  for (let idleMs = 0; open().length > 0 && idleMs < IDLE_MS && !gone.aborted; idleMs += STEP_MS) {
    const read = open().reduce((sum, { source }) => sum + (source?.bytesRead ?? 0), 0);
    const isHeld = open().some(({ target }) => (target?.writableLength ?? 0) > 0);
    if (read !== before || isHeld) idleMs = 0;
    before = read;
    await Promise.race([pause(STEP_MS), allEnded]);
  }
}

function ended({ source }: Output): Promise<void> {
  if (source === undefined || source.destroyed) return Promise.resolve();
  return new Promise((resolve) => void source.once('close', resolve));
}

function endGroup(child: ChildProcess, sockets: readonly (Socket | undefined)[]): void {
  for (const socket of sockets) socket?.destroy();
  const timer = setTimeout(() => killGroup(child), HANG_UP_MS);
  child.once('exit', () => clearTimeout(timer));
}

/** Nothing when the child has ended: its number may be another's by now. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // it has just gone
  }
}
