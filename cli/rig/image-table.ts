/**
 * What runs in place of an image: rigs run none. A container that names a command runs that; one of an image that is known
 * here runs a stand-in; nothing runs in any other, which `rig up` says.
 *
 *     image, without registry and digest  ->  command: a program of this machine, or `stand-in KIND [PORT]` (stand-in.ts)
 *
 * An empty command is for images of tools: such a pod is there to run `sluice exec` in, and needs no program. Rows of the
 * configuration (`standIns`) come before those of the table below.
 */
import { programPath } from '../../linux/programs.ts';
import { Failure } from '../terminal/failure.ts';

/** Pattern of an image -> command. */
export type StandIns = Readonly<Record<string, readonly string[]>>;

/** The first word of a command that means the small server of stand-in.ts. */
const SERVER_WORD = 'stand-in';
/** Where each kind serves when neither the container nor the row names a port. */
const SERVER_PORTS: Readonly<Record<string, number>> = {
  httpbin: 80,
  'json-mock': 8080,
  deathstar: 80,
  nginx: 80,
  echo: 80,
};

const MAX_PORT = 65535;

const TOOLS = 'curl alpine-curl busybox alpine debian ubuntu netshoot netperf shell sleep pause'.split(' ');

/** The first that matches counts. */
const TABLE: readonly (readonly [pattern: string, command: readonly string[]])[] = [
  ['go-httpbin', [SERVER_WORD, 'httpbin', '8080']],
  ['httpbin', [SERVER_WORD, 'httpbin']],
  ['json-mock', [SERVER_WORD, 'json-mock']],
  ['starwars', [SERVER_WORD, 'deathstar']],
  ['deathstar', [SERVER_WORD, 'deathstar']],
  ['nginx', [SERVER_WORD, 'nginx']],
  ['nginx-unprivileged', [SERVER_WORD, 'nginx', '8080']],
  ['httpd', [SERVER_WORD, 'nginx']],
  ['http-echo', [SERVER_WORD, 'echo', '5678']],
  ['echoserver', [SERVER_WORD, 'echo', '8080']],
  ['echo', [SERVER_WORD, 'echo']],
  ['echo-server', [SERVER_WORD, 'echo']],
  ['whoami', [SERVER_WORD, 'echo']],
  ['hello-app', [SERVER_WORD, 'echo', '8080']],
  ...TOOLS.map((name) => [name, []] as const),
];

/** What stands in for an image. */
export interface ImageUse {
  /** Empty: nothing runs, and nothing is missing. */
  readonly command: readonly string[];
  /** The kind of server, for a command of `stand-in`. */
  readonly kind: string | undefined;
  /** Where it serves when the container names no port. */
  readonly port: number;
}

/** @returns undefined when nothing stands in for it @throws Failure for a `stand-in` of no known kind or port */
export function useOfImage(image: string, standIns: StandIns = {}): ImageUse | undefined {
  const row = [...Object.entries(standIns), ...TABLE].find(([pattern]) => matchesImage(pattern, image));
  if (row === undefined) return undefined;
  const [pattern, command] = row;
  const [first, kind = '', port = String(SERVER_PORTS[kind])] = command;
  if (first !== SERVER_WORD) return { command, kind: undefined, port: 0 };
  if (!Object.hasOwn(SERVER_PORTS, kind) || !/^[1-9]\d{0,4}$/.test(port) || Number(port) > MAX_PORT) {
    const kinds = Object.keys(SERVER_PORTS).join(', ');
    throw new Failure(
      `read standIns of the configuration: ${pattern}: found '${command.join(' ')}', wanted stand-in KIND [PORT], KIND one of ${kinds}`,
    );
  }
  return { command, kind, port: Number(port) };
}

/** The program that serves in place of an image. */
export function standInCommand(kind: string, ports: readonly number[]): string[] {
  return [process.execPath, programPath('stand-in'), kind, ...ports.map(String)];
}

/** A pattern means what an image ends with, from the beginning or a `/` on; its tag only counts when the pattern has one. */
function matchesImage(pattern: string, image: string): boolean {
  const named = image.replace(/@.*$/, '');
  const name = /:[^/]*$/.test(pattern) ? named : named.replace(/:[^/]*$/, '');
  const ends = name.split('/').map((_, at, parts) => parts.slice(at).join('/'));
  return ends.some((end) => matchesStars(pattern, end));
}

/** `*` is any text. In steps that grow with pattern and text, since images are a manifest's to choose. */
function matchesStars(pattern: string, text: string): boolean {
  const [first, ...rest] = pattern.split('*');
  if (rest.length === 0) return text === pattern;
  const last = rest.pop() ?? '';
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}
