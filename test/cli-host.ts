/** A host for tests: what a command prints is kept as text, and standard input is what the test says. */
import { Readable } from 'node:stream';
import type { Host } from '../cli/terminal/host.ts';

export interface TestHost {
  readonly host: Host;
  /** What has been written so far. */
  stdout(): string;
  stderr(): string;
}

/** @param stdin what the command can read @param columns width of the terminal; none unless told */
export function testHost(stdin = '', env: Host['env'] = {}, columns?: number): TestHost {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const sink = (parts: Buffer[]) => ({
    write: (text: string | Uint8Array) => parts.push(Buffer.from(text as Uint8Array)),
  });
  const host: Host = {
    stdout: { ...sink(out), ...(columns !== undefined && { columns }) },
    stderr: sink(err),
    stdin: Readable.from([Buffer.from(stdin)]),
    env,
    exitCode: 0,
  };
  return {
    host,
    stdout: () => Buffer.concat(out).toString(),
    stderr: () => Buffer.concat(err).toString(),
  };
}
