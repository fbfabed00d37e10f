/** What an image says of itself, as `podman image inspect` tells it. It is its author's word: what is not of the right shape is refused. Pure. */
import { DEFAULT_STOP_SIGNAL } from '../runtime/image-note.ts';

export interface ImageConfig {
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** `docker.io/library/busybox@sha256:...`, else `sha256:...` of one that no registry has. */
  readonly digest: string;
  readonly bytes: number;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  /** Absolute. */
  readonly workingDir: string;
  /** `bob`, `1000:1000`; '' for root. */
  readonly user: string;
  /** 1 to 64. */
  readonly stopSignal: number;
}

const LAST_SIGNAL = 64;
const REALTIME = { RTMIN: 34, RTMAX: LAST_SIGNAL };

/**
 * @param signals their numbers by name (`SIGTERM`), of this machine
 * @throws Error with a sentence
 */
export function readImageConfig(text: string, signals: Readonly<Record<string, number>>): ImageConfig {
  const [image] = JSON.parse(text) as unknown[];
  const { Id: id, RepoDigests: digests, Size: bytes, Config } = recordOf(image, 'image');
  if (typeof id !== 'string' || !/^[0-9a-f]{64}$/.test(id)) throw wrong('Id', id);
  const config = recordOf(Config ?? {}, 'Config');
  const digest = stringsOf(digests, 'RepoDigests')[0] ?? `sha256:${id}`;
  const workingDir = stringOf(config.WorkingDir, 'WorkingDir');
  return {
    id,
    digest,
    bytes: typeof bytes === 'number' ? bytes : 0,
    entrypoint: stringsOf(config.Entrypoint, 'Entrypoint'),
    cmd: stringsOf(config.Cmd, 'Cmd'),
    env: new Map(stringsOf(config.Env, 'Env').map((line) => variableOf(line))),
    workingDir: workingDir.startsWith('/') ? workingDir : `/${workingDir}`,
    user: stringOf(config.User, 'User'),
    stopSignal: signalOf(stringOf(config.StopSignal, 'StopSignal'), signals),
  };
}

/** Of a name, a number, or a distance from the first or last of real time. */
function signalOf(text: string, signals: Readonly<Record<string, number>>): number {
  const name = text.toUpperCase().replace(/^SIG/, '');
  const [, base, sign, steps] = /^(RTMIN|RTMAX)(?:([+-])(\d{1,2}))?$/.exec(name) ?? [];
  const found =
    base === 'RTMIN' || base === 'RTMAX'
      ? REALTIME[base] + (sign === '-' ? -1 : 1) * Number(steps ?? 0)
      : /^\d{1,2}$/.test(name)
        ? Number(name)
        : signals[`SIG${name}`];
  return found !== undefined && found >= 1 && found <= LAST_SIGNAL ? found : DEFAULT_STOP_SIGNAL;
}

function variableOf(line: string): [name: string, value: string] {
  const at = line.indexOf('=');
  if (at === 0) throw wrong('Env', line);
  return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
}

function stringOf(value: unknown, what: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string' || value.includes('\0') || value.length > 4096) throw wrong(what, value);
  return value;
}

function stringsOf(value: unknown, what: string): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(what, value);
  return value.map((one: unknown) => {
    if (typeof one !== 'string' || one.includes('\0')) throw wrong(what, one);
    return one;
  });
}

function recordOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw wrong(what, value);
  return value as Record<string, unknown>;
}

function wrong(what: string, found: unknown): Error {
  return new Error(
    `read the image's configuration: ${what}: found ${(JSON.stringify(found) ?? 'nothing').slice(0, 200)}`,
  );
}
