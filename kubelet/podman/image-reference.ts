/** Names of images, as Kubernetes reads them: what names no registry is Docker's, what names no tag is `latest`. Pure. */

/** Docker's, which is meant where no registry is named. */
export const DEFAULT_REGISTRY = 'docker.io';
/** Of images that podman has built here: no registry has them. */
const LOCAL_REGISTRY = 'localhost';
const MOST_NAME = 255;

const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[a-z][a-z0-9]*(?:[.+_-][a-z][a-z0-9]*)*:[0-9a-fA-F]{32,128}$/;

export interface ImageReference {
  /** `docker.io`, `registry.example.com:5000`. */
  readonly registry: string;
  /** `library/busybox` */
  readonly path: string;
  /** In full: `docker.io/library/busybox:1.36`. */
  readonly name: string;
  /** Where an image that nobody could be asked for may be: podman's own, by the same name. */
  readonly localName: string | undefined;
  /** Of no registry: it is never fetched. */
  readonly isLocal: boolean;
  /** Means another image tomorrow. */
  readonly isLatest: boolean;
}

/** @returns undefined for what is no name of an image */
export function readImageReference(text: string): ImageReference | undefined {
  const [named, digest] = splitOnce(text, '@');
  if (digest !== undefined && !DIGEST.test(digest)) return undefined;
  const [first, ...rest] = named.split('/');
  const hasRegistry = rest.length > 0 && (/[.:A-Z]/.test(first) || first === LOCAL_REGISTRY);
  const registry = hasRegistry ? first : DEFAULT_REGISTRY;
  const [shortPath, tag] = splitOnce(hasRegistry ? rest.join('/') : named, ':');
  const isDocker = /^(?:index\.)?docker\.io$/.test(registry);
  const path = isDocker && !shortPath.includes('/') ? `library/${shortPath}` : shortPath;
  if (!HOST.test(registry) || !path.split('/').every((part) => PART.test(part))) return undefined;
  if ((tag !== undefined && !TAG.test(tag)) || `${registry}/${path}`.length > MOST_NAME) return undefined;
  // podman takes no name with both; the digest says more.
  const suffix = digest === undefined ? `:${tag ?? 'latest'}` : `@${digest}`;
  return {
    registry: isDocker ? DEFAULT_REGISTRY : registry,
    path,
    name: `${isDocker ? DEFAULT_REGISTRY : registry}/${path}${suffix}`,
    localName: hasRegistry ? undefined : `${LOCAL_REGISTRY}/${shortPath}${suffix}`,
    isLocal: registry === LOCAL_REGISTRY,
    isLatest: digest === undefined && (tag ?? 'latest') === 'latest',
  };
}

function splitOnce(text: string, mark: string): [before: string, after: string | undefined] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** When an image is fetched, as its container says it, or as Kubernetes takes it to mean. */
export function pullPolicyOf(policy: string | undefined, { isLatest }: ImageReference): string {
  return policy ?? (isLatest ? 'Always' : 'IfNotPresent');
}
