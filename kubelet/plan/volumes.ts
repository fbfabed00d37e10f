/**
 * The files of a pod's volumes: which, with what text and mode. Pure. Paths are those that the pod names, so that one which would leave its
 * volume is refused.
 */
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import type { DownwardItem, MapSource, Pod, ProjectedSource, VolumeSpec } from '../pod-spec.ts';
import { fieldValue, resourceValue } from './downward.ts';
import { ContainerProblem, type PodSources } from './environment.ts';
import { parseQuantity } from './quantity.ts';

export interface VolumeFile {
  /** Relative, without `.` or `..`. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly mode: number;
}

/** A volume as it is to be: an empty folder with a limit, or files. */
export type VolumePlan =
  | { readonly name: string; readonly kind: 'scratch'; readonly bytes: number }
  | { readonly name: string; readonly kind: 'files'; readonly files: readonly VolumeFile[] };

const DEFAULT_MODE = 0o644;
/** Of an emptyDir that names no limit. */
const SCRATCH_BYTES = 512 * 2 ** 20;
const MOST_SCRATCH_BYTES = 2 ** 40;
/** Of all files of a volume. */
const MOST_FILE_BYTES = 4 * 2 ** 20;
const VOLUME_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** @throws ContainerProblem with the reason FailedMount for what cannot be had */
export function planVolume(pod: Pod, volume: VolumeSpec, sources: PodSources): VolumePlan {
  const { name, emptyDir, configMap, secret, downwardAPI, projected } = volume;
  if (!VOLUME_NAME.test(name)) throw problem(`volume '${name}': wanted a name of letters, digits and dashes`);
  if (emptyDir !== undefined) return { name, kind: 'scratch', bytes: scratchBytes(name, emptyDir.sizeLimit) };
  const mode = (configMap ?? secret ?? downwardAPI ?? projected)?.defaultMode ?? DEFAULT_MODE;
  const parts: readonly ProjectedSource[] | undefined =
    projected?.sources ??
    (configMap && [{ configMap }]) ??
    (secret && [{ secret }]) ??
    (downwardAPI && [{ downwardAPI }]);
  if (parts === undefined) {
    const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'nothing';
    const why = kind === 'hostPath' ? 'it would show the machine to the pod' : 'there is no driver for it here';
    throw problem(
      `volume ${name}: found ${kind}, wanted configMap, secret, emptyDir, downwardAPI or projected: ${why}; try emptyDir`,
    );
  }
  const files = parts.flatMap((part) => filesOf(pod, part, { mode, sources }));
  const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0);
  if (bytes > MOST_FILE_BYTES) throw problem(`volume ${name}: found ${bytes} bytes, wanted at most ${MOST_FILE_BYTES}`);
  // One path named twice: the later counts, as in a projected volume.
  return { name, kind: 'files', files: [...new Map(files.map((file) => [file.path, file])).values()] };
}

function scratchBytes(name: string, limit: string | number | undefined): number {
  if (limit === undefined) return SCRATCH_BYTES;
  const bytes = parseQuantity(limit);
  if (bytes === undefined || bytes < 0 || bytes > MOST_SCRATCH_BYTES)
    throw problem(`volume ${name}: sizeLimit: found '${limit}', wanted a quantity`);
  return bytes < 1 ? SCRATCH_BYTES : Math.ceil(bytes);
}

interface FileOptions {
  readonly mode: number;
  readonly sources: PodSources;
}

function filesOf(pod: Pod, source: ProjectedSource, options: FileOptions): VolumeFile[] {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  const { mode, sources } = options;
  if (configMap !== undefined) return mapFiles('configmap', configMap, { mode, get: sources.configMap });
  if (secret !== undefined) return mapFiles('secret', secret, { mode, get: sources.secret });
  if (downwardAPI !== undefined) return (downwardAPI.items ?? []).map((item) => downwardFile(pod, item, options));
  if (serviceAccountToken !== undefined) {
    // Who asks this API shows a certificate; a token opens nothing, so that one in a pod gives nothing away.
    const bytes = Buffer.from(`sluice:no-access:${pod.metadata.uid}`);
    return [{ path: safePath(serviceAccountToken.path), bytes, mode: 0o600 }];
  }
  return [];
}

function mapFiles(
  kind: string,
  source: MapSource,
  { mode, get }: { readonly mode: number; readonly get: (name: string) => KubeObject | undefined },
): VolumeFile[] {
  const { name = source.secretName ?? '', items, optional = false } = source;
  const object = get(name);
  if (object === undefined) {
    if (optional) return [];
    throw problem(`${kind} "${name}" not found`);
  }
  const contents = bytesOf(object);
  const wanted = items ?? [...contents.keys()].map((key) => ({ key, path: key }));
  return wanted.flatMap(({ key, path, mode: own = mode }: { key: string; path: string; mode?: number }) => {
    const bytes = contents.get(key);
    if (bytes !== undefined) return [{ path: safePath(path), bytes, mode: own & 0o777 }];
    if (optional) return [];
    throw problem(`references non-existent ${kind === 'secret' ? 'secret' : 'config'} key: ${key}`);
  });
}

function bytesOf({ kind, data = {}, binaryData = {} }: KubeObject): Map<string, Buffer> {
  const texts = Object.entries(data as Record<string, string>);
  const isText = kind !== 'Secret';
  const all = texts.map(([key, value]) => [key, Buffer.from(value, isText ? 'utf8' : 'base64')] as const);
  const binary = Object.entries(binaryData as Record<string, string>);
  return new Map([...all, ...binary.map(([key, value]) => [key, Buffer.from(value, 'base64')] as const)]);
}

function downwardFile(pod: Pod, item: DownwardItem, { mode, sources }: FileOptions): VolumeFile {
  const { path, fieldRef, resourceFieldRef } = item;
  const [own = {}] = pod.spec?.containers ?? [];
  const text =
    fieldRef === undefined
      ? resourceValue(own, pod.spec?.containers ?? [], resourceFieldRef ?? {}, sources)
      : fieldValue(pod, fieldRef, sources);
  if (text === undefined) throw problem(`downwardAPI: ${path}: found no such field`);
  return { path: safePath(path), bytes: Buffer.from(text), mode: (item.mode ?? mode) & 0o777 };
}

function safePath(path: string): string {
  const parts = path.split('/');
  const isBad = (part: string): boolean => part === '' || part === '.' || part === '..' || /[\0\n]/.test(part);
  if (parts.some(isBad) || parts[0].startsWith('..') || path.length > 1024 || parts.some((part) => part.length > 255))
    throw problem(`volume: found path '${path}', wanted a relative one without ..`);
  return path;
}

function problem(message: string): ContainerProblem {
  return new ContainerProblem('FailedMount', message);
}
