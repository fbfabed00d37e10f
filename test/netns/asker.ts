/** Asks over one connection of a client in a namespace (asking-client.ts), between which a test changes the rules. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Cleanup, inNetns } from '../command.ts';

const CLIENT = join(import.meta.dirname, 'asking-client.js');

export class Asker {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** Local port of the connection that the last answer came over. */
  port = '';

  constructor(netns: string, cleanup: Cleanup, address: string, port: number, version: 1 | 2) {
    const [program, ...argv] = inNetns(netns, [process.execPath, CLIENT, address, String(port), String(version)]);
    this.#child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    cleanup.add(() => this.#child.kill('SIGKILL'));
    if (this.#child.stdout === null) throw new Error('start a client: found no output, wanted a pipe');
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  /** @returns the status, or what went wrong */
  async ask(path: string, headers: Record<string, string> = {}): Promise<string> {
    this.#child.stdin?.write(`${JSON.stringify({ path, headers })}\n`);
    const line = String((await this.#lines.next()).value);
    const [status, port] = line.split(' ');
    if (!/^\d+$/.test(status)) return line;
    this.port = port;
    return status;
  }

  end(): void {
    this.#child.stdin?.end();
  }
}
