/**
 * What of a pod's `imagePullSecrets` opens the registry of an image. Of a Secret (`.dockerconfigjson`, or `.dockercfg` of old) names and passwords
 * are read, and nothing else: a file of this kind may also name programs that are to be run for them. Pure.
 *
 * A key of it is a registry, with the beginning of a path where it has one: `registry.example.com/team`, `https://index.docker.io/v1/`,
 * `*.example.com`. The longest that fits counts, of several Secrets the first.
 */
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import { DEFAULT_REGISTRY, type ImageReference } from './image-reference.ts';

const DOCKER_NAMES = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
const MOST_KEYS = 1000;

interface Login {
  readonly host: string;
  readonly path: string;
  /** Base64 of `name:password`. */
  readonly auth: string;
}

/**
 * @param secrets as the pod names them; those that are missing are undefined
 * @returns what podman reads with `--authfile`; undefined when none of them is for this registry
 */
export function authFileFor(
  { registry, path }: ImageReference,
  secrets: readonly (KubeObject | undefined)[],
): string | undefined {
  for (const secret of secrets) {
    const logins = loginsOf(secret).filter((login) => isFor(login, registry, path));
    logins.sort((a, b) => b.path.length - a.path.length || b.host.length - a.host.length);
    if (logins.length > 0) return JSON.stringify({ auths: { [registry]: { auth: logins[0].auth } } });
  }
  return undefined;
}

function isFor({ host, path }: Login, registry: string, imagePath: string): boolean {
  if (path !== '' && imagePath !== path && !imagePath.startsWith(`${path}/`)) return false;
  if (registry === DEFAULT_REGISTRY && DOCKER_NAMES.includes(host)) return true;
  const [wanted, found] = [registry.split(/[.:]/), host.split(/[.:]/)];
  // A star stands within one part of a name.
  return (
    wanted.length === found.length &&
    portOf(registry) === portOf(host) &&
    found.every((part, at) => isLike(part, wanted[at]))
  );
}

function portOf(host: string): string {
  return /:(\d+)$/.exec(host)?.[1] ?? '';
}

function isLike(pattern: string, text: string): boolean {
  if (!pattern.includes('*')) return pattern === text;
  const [first, last, ...more] = pattern.split('*');
  return (
    more.length === 0 && text.length >= first.length + last.length && text.startsWith(first) && text.endsWith(last)
  );
}

function loginsOf(secret: KubeObject | undefined): Login[] {
  const data = (secret?.data ?? {}) as Record<string, unknown>;
  const config = decode(data['.dockerconfigjson']);
  const auths = config === undefined ? decode(data['.dockercfg']) : config.auths;
  if (!isRecord(auths)) return [];
  return Object.entries(auths)
    .slice(0, MOST_KEYS)
    .flatMap(([key, value]) => {
      const auth = authOf(value);
      const [host = '', ...parts] = key
        .replace(/^https?:\/\//, '')
        .replace(/\/+$/, '')
        .split('/');
      // `/v1/` and `/v2/` of old clients are no path of images.
      const path = parts.join('/').replace(/^v[12](?:\/|$)/, '');
      return auth === '' ? [] : [{ host, path, auth }];
    });
}

function authOf(value: unknown): string {
  if (!isRecord(value)) return '';
  const { auth, username, password } = value;
  if (typeof auth === 'string' && auth !== '') return auth;
  if (typeof username !== 'string' || typeof password !== 'string') return '';
  return Buffer.from(`${username}:${password}`).toString('base64');
}

function decode(base64: unknown): Record<string, unknown> | undefined {
  if (typeof base64 !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(base64, 'base64').toString('utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
