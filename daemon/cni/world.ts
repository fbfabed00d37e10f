/** What CNI calls see of the agent. */
import type { EndpointDocument } from '../../api/shapes.ts';
import type { Document } from '../../policy/document/document.ts';
import { hasFinished } from '../../policy/document/pod.ts';
import type { Agent } from '../agent.ts';
import type { LocalPod } from '../attach/pod-reconciler.ts';
import type { Config } from '../config/config.ts';
import { type CniAttachments, isAbout } from './attachments.ts';
import type { PodIdentity } from './pod-identity.ts';

export interface CniWorld {
  readonly config: Config;
  readonly attachments: CniAttachments;
  /** Makes what was changed count. @returns why it could not be done, '' when it was */
  publish(): Promise<string>;
  /** By `namespace/name`. */
  pod(key: string): LocalPod | undefined;
  /** Documents of pods come from a Kubernetes API, which may be later than their containers. */
  readonly isCluster: boolean;
  /** The document of a pod, and of no other that had its name. */
  hasDocument(pod: PodIdentity): boolean;
  /** Whether that document says that it has run to its end. */
  hasEnded(pod: PodIdentity): boolean;
  /** Whether anything of a pod is left: it is wanted, or still being taken away. */
  isKnown(key: string): boolean;
  /** Why it has got no numbers. */
  refusalOf(key: string): string | undefined;
  stateOf(pod: LocalPod): EndpointDocument['state'];
  /** Why it is not ready; '' when it is. */
  problemOf(pod: LocalPod): string;
  /** Why nothing passes, and why no pod can be attached; '' for well. */
  health(): { readonly limited: string; readonly unavailable: string };
}

/** Calls that come together are published together. */
export function worldOf(agent: Agent, attachments: CniAttachments): CniWorld {
  const { reconciler, states, supervisor } = agent;
  const documentOf = (pod: PodIdentity): Document | undefined => {
    const { namespace, name } = pod;
    const document = agent.store.get({ kind: 'Pod', namespace, name });
    return document !== undefined && isAbout(document, pod) ? document : undefined;
  };
  let soon: Promise<string> | undefined;
  return {
    config: agent.config,
    attachments,
    publish: () => {
      soon ??= new Promise((resolve) =>
        setImmediate(() => {
          soon = undefined;
          resolve(agent.sync());
        }),
      );
      return soon;
    },
    isCluster: agent.config.kubernetes !== '',
    hasDocument: (pod) => documentOf(pod) !== undefined,
    hasEnded: (pod) => {
      const document = documentOf(pod);
      return document !== undefined && hasFinished(document);
    },
    pod: (key) => reconciler.pods.get(key),
    isKnown: (key) => reconciler.isKnown(key),
    refusalOf: (key) => reconciler.refused.get(key),
    stateOf: (pod) => states.of(pod),
    problemOf: (pod) => states.problemOf(pod),
    health: () => {
      const { state } = supervisor.status();
      return { limited: state === 'running' ? '' : `the dataplane is ${state}`, unavailable: reconciler.fullness() };
    },
  };
}
