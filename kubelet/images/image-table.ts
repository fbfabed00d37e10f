/**
 * What runs in place of an image: Sluice fetches none. A container that names a command runs that; one of an image that is known
 * here runs a stand-in; nothing runs in any other, which `rig up` and the kubelet say.
 *
 *     image, without registry and digest  ->  command: a program of this machine, or `stand-in KIND [PORT]` (stand-in.ts)
 *
 * An empty command is for images of tools: a rig's pod is there to run `sluice exec` in, and needs no program. Rows of the
 * configuration (`standIns`) come before those of the table below.
 */
import { programPath } from '../../linux/programs.ts';

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
  agnhost: 8080,
  prometheus: 9090,
  tcp: 3306,
};

const MAX_PORT = 65535;

interface RowOptions {
  /** What arguments that begin with a dash are for. */
  readonly program?: string;
  /** What the image runs when nothing is said. */
  readonly shell?: readonly string[];
  readonly isBusybox?: boolean;
  /** Arguments are for the command, whatever they begin with. */
  readonly takesArguments?: boolean;
}

type Row = readonly [pattern: string, command: readonly string[], options?: RowOptions];

const FOR_EVER = ['sleep', 'infinity'];

/** The first that matches counts. */
const TABLE: readonly Row[] = [
  ['go-httpbin', [SERVER_WORD, 'httpbin', '8080']],
  ['httpbin', [SERVER_WORD, 'httpbin']],
  ['json-mock', [SERVER_WORD, 'json-mock']],
  ['starwars', [SERVER_WORD, 'deathstar']],
  ['deathstar', [SERVER_WORD, 'deathstar']],
  ['nginx', [SERVER_WORD, 'nginx']],
  ['nginx-unprivileged', [SERVER_WORD, 'nginx', '8080']],
  ['httpd', [SERVER_WORD, 'nginx']],
  ['http-echo', [SERVER_WORD, 'echo', '5678'], { takesArguments: true }],
  ['echoserver', [SERVER_WORD, 'echo', '8080']],
  ['echo', [SERVER_WORD, 'echo']],
  ['echo-server', [SERVER_WORD, 'echo']],
  ['whoami', [SERVER_WORD, 'echo']],
  ['hello-app', [SERVER_WORD, 'echo', '8080']],
  ['agnhost', [SERVER_WORD, 'agnhost', '8080'], { takesArguments: true }],
  ['prometheus', [SERVER_WORD, 'prometheus']],
  ...['mariadb', 'mysql'].map((name): Row => [name, [SERVER_WORD, 'tcp', '3306']]),
  ['postgres', [SERVER_WORD, 'tcp', '5432']],
  ...['redis', 'valkey'].map((name): Row => [name, [SERVER_WORD, 'tcp', '6379']]),
  ['mongo', [SERVER_WORD, 'tcp', '27017']],
  ['curl', [], { program: 'curl' }],
  ['alpine-curl', [], { program: 'curl', isBusybox: true }],
  ...['busybox', 'alpine'].map((name): Row => [name, [], { isBusybox: true }]),
  ...['debian', 'ubuntu', 'netshoot', 'netperf', 'shell'].map((name): Row => [name, []]),
  ...['sleep', 'pause'].map((name): Row => [name, [], { shell: FOR_EVER }]),
];

/** What stands in for an image. */
export interface ImageUse {
  /** Empty: nothing runs, and nothing is missing. */
  readonly command: readonly string[];
  /** The kind of server, for a command of `stand-in`. */
  readonly kind: string | undefined;
  /** Where it serves when the container names no port. */
  readonly port: number;
  /** What the image's arguments are for when they begin with a dash. */
  readonly program: string;
  /** What an image of tools runs when nothing is said. */
  readonly shell: readonly string[];
  /** Whether its commands are busybox's. */
  readonly isBusybox: boolean;
  /** Whether arguments go to the command, rather than being one. */
  readonly takesArguments: boolean;
}

/** A row of the configuration that means nothing. */
class StandInError extends Error {
  override readonly name = 'StandInError';
  readonly code = 'ERR_STAND_IN';
}

/** Whether the configuration has something run in its place. */
export function isStandIn(image: string, standIns: StandIns): boolean {
  return Object.keys(standIns).some((pattern) => matchesImage(pattern, image));
}

/** @returns undefined when nothing stands in for it @throws StandInError for a `stand-in` of no known kind or port */
export function useOfImage(image: string, standIns: StandIns = {}): ImageUse | undefined {
  const rows: readonly Row[] = [...Object.entries(standIns), ...TABLE];
  const row = rows.find(([pattern]) => matchesImage(pattern, image));
  if (row === undefined) return undefined;
  const [pattern, command, options = {}] = row;
  const { program = 'sh', shell = ['sh'], isBusybox = false, takesArguments = false } = options;
  const use = { program, shell, isBusybox, takesArguments };
  const [first, kind = '', port = String(SERVER_PORTS[kind])] = command;
  if (first !== SERVER_WORD) return { ...use, command, kind: undefined, port: 0 };
  if (!Object.hasOwn(SERVER_PORTS, kind) || !/^[1-9]\d{0,4}$/.test(port) || Number(port) > MAX_PORT) {
    const kinds = Object.keys(SERVER_PORTS).join(', ');
    throw new StandInError(
      `read standIns of the configuration: ${pattern}: found '${command.join(' ')}', wanted stand-in KIND [PORT], KIND one of ${kinds}`,
    );
  }
  return { ...use, command, kind, port: Number(port) };
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
