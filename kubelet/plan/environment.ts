/**
 * The environment of a container, in Kubernetes' order, later ones before earlier ones: Services, `envFrom`, `env`. A value may use those
 * above it as `$(NAME)`. Pure.
 */
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import type { ContainerSpec, EnvSource, EnvVariable, KeyReference, Pod } from '../pod-spec.ts';
import { fieldValue, type PodPlace, resourceValue } from './downward.ts';
import { expand } from './expansion.ts';
import { serviceVariables } from './service-variables.ts';

/** A container that cannot be made as its pod wants it; the kubelet's reason, and a sentence. */
export class ContainerProblem extends Error {
  override readonly name = 'ContainerProblem';
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** What an environment and volumes are made from. */
export interface PodSources extends PodPlace {
  readonly services: readonly KubeObject[];
  readonly configMap: (name: string) => KubeObject | undefined;
  readonly secret: (name: string) => KubeObject | undefined;
}

const NAME = /^[^=\0\s]+$/;

/** @throws ContainerProblem for what is missing, and not optional */
export function environmentOf(pod: Pod, container: ContainerSpec, sources: PodSources): Map<string, string> {
  const services = pod.spec?.enableServiceLinks === false ? [] : sources.services;
  const result = new Map(Object.entries(serviceVariables(services)));
  for (const source of container.envFrom ?? []) addAll(result, source, sources);
  for (const variable of container.env ?? []) {
    const value = valueOf(pod, container, variable, { sources, lookup: (name) => result.get(name) });
    if (!NAME.test(variable.name ?? ''))
      throw problem(`found env name '${variable.name}', wanted one without = or blanks`);
    if (value !== undefined) result.set(variable.name, value);
  }
  return result;
}

interface Lookups {
  readonly sources: PodSources;
  readonly lookup: (name: string) => string | undefined;
}

function valueOf(pod: Pod, container: ContainerSpec, variable: EnvVariable, lookups: Lookups): string | undefined {
  const { value, valueFrom } = variable;
  const { sources, lookup } = lookups;
  if (valueFrom === undefined) return expand(textOf(value), lookup);
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom;
  if (configMapKeyRef !== undefined) return keyOf('configmap', configMapKeyRef, sources.configMap);
  if (secretKeyRef !== undefined) return keyOf('secret', secretKeyRef, sources.secret);
  const found =
    fieldRef === undefined
      ? resourceValue(container, pod.spec?.containers ?? [], resourceFieldRef ?? {}, sources)
      : fieldValue(pod, fieldRef, sources);
  if (found === undefined)
    throw problem(
      `env ${variable.name}: found '${fieldRef?.fieldPath ?? resourceFieldRef?.resource}', which there is not`,
    );
  return found;
}

function keyOf(
  kind: string,
  { name = '', key, optional = false }: KeyReference,
  get: (name: string) => KubeObject | undefined,
): string | undefined {
  const object = get(name);
  if (object === undefined) {
    if (optional) return undefined;
    throw problem(`${kind} "${name}" not found`);
  }
  const values = textsOf(object);
  if (values.has(key)) return values.get(key);
  if (optional) return undefined;
  throw problem(`couldn't find key ${key} in ${kind} ${object.metadata.namespace}/${name}`);
}

function addAll(
  result: Map<string, string>,
  { prefix = '', configMapRef, secretRef }: EnvSource,
  sources: PodSources,
): void {
  const reference = configMapRef ?? secretRef;
  if (reference === undefined) return;
  const { name = '', optional = false } = reference;
  const object = configMapRef === undefined ? sources.secret(name) : sources.configMap(name);
  if (object === undefined) {
    if (optional) return;
    throw problem(`${configMapRef === undefined ? 'secret' : 'configmap'} "${name}" not found`);
  }
  for (const [key, value] of textsOf(object)) if (NAME.test(prefix + key)) result.set(prefix + key, value);
}

/** A number where a text is wanted is one. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
}

/** `data` of a ConfigMap or, decoded, of a Secret. */
function textsOf({ kind, data }: KubeObject): Map<string, string> {
  const decode = (value: string): string => (kind === 'Secret' ? Buffer.from(value, 'base64').toString('utf8') : value);
  return new Map(Object.entries((data ?? {}) as Record<string, string>).map(([key, value]) => [key, decode(value)]));
}

function problem(message: string): ContainerProblem {
  return new ContainerProblem('CreateContainerConfigError', message);
}
