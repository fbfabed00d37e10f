/** The annotations that mean something here: their one home. Whoever misspells one is told so (validate/metadata.ts). */
import type { PolicyOptions } from '../rule/options.ts';

const PREFIX = 'sluice.io/';

export const ANNOTATIONS = {
  /** On trial: of a policy, a Pod, or a Namespace. */
  audit: `${PREFIX}audit`,
  /** Of a Cilium policy: the option of this name, for its own rules. */
  normalizePath: `${PREFIX}http-normalize-path`,
  /** Of a Pod: the network namespace that it is attached in. */
  netns: `${PREFIX}netns`,
  /** Of a Pod: the host's end of an interface that is there already. */
  interface: `${PREFIX}interface`,
  mac: `${PREFIX}mac`,
  /** Of a Pod: it plays the outside. */
  external: `${PREFIX}external`,
  attach: `${PREFIX}attach`,
  fault: `${PREFIX}fault`,
  trace: `${PREFIX}trace`,
} as const;

/** Those that are read on objects of a kind; a workload's stand on its template. */
export function annotationsOf(kind: string): readonly string[] {
  if (kind === 'Pod') return Object.values(ANNOTATIONS).filter((one) => one !== ANNOTATIONS.normalizePath);
  if (hasHttpRules(kind)) return [ANNOTATIONS.audit, ANNOTATIONS.normalizePath];
  return kind === 'Namespace' || kind.endsWith('Policy') ? [ANNOTATIONS.audit] : [];
}

/** Those that say yes or no. */
export const SWITCHES: ReadonlySet<string> = new Set([ANNOTATIONS.audit, ANNOTATIONS.normalizePath]);

function hasHttpRules(kind: string): boolean {
  return kind === 'CiliumNetworkPolicy' || kind === 'CiliumClusterwideNetworkPolicy';
}

/** The options as they are for the rules of one policy. */
export function optionsUnder(annotations: Readonly<Record<string, string>>, options: PolicyOptions): PolicyOptions {
  const said = annotations[ANNOTATIONS.normalizePath];
  return said === 'true' || said === 'false' ? { ...options, 'http-normalize-path': said === 'true' } : options;
}

/** Is it one of ours, by what stands before the slash? */
export function isOurs(annotation: string): boolean {
  return annotation.startsWith(PREFIX);
}
