/** What the agent and the thread `kubernetes` say to each other, besides what every thread says. */
import type { KubernetesDocument } from '../../api/shapes-kubernetes.ts';
import type { KeptDocument } from '../../policy/document/kept-document.ts';
import type { ShapeParts } from '../../policy/document/shaped-pod.ts';
import type { Reference } from '../source/text.ts';

/** An object that has been read, in the form in which the agent makes a document of it. */
export interface ReadObjectMessage {
  readonly kept: KeptDocument;
  /** ms since the epoch: last written, first there. */
  readonly atMs: number;
  readonly createdMs: number;
}

/** A pod of another node: addresses with commas between them; times are as above. */
export type PodRow = readonly [
  shape: number,
  name: string,
  nodeName: string,
  addresses: string,
  atMs: number,
  createdMs: number,
];

/** What has changed. The next one comes when the agent has taken this. */
export interface Batch {
  readonly put: readonly ReadObjectMessage[];
  /** Pods of other nodes that came too (shapes.ts). */
  readonly pods: readonly PodRow[];
  /** Shapes that these rows are the first to name. */
  readonly shapes: readonly (readonly [number: number, parts: ShapeParts])[];
  /** Shapes told before are of no use any more. */
  readonly forgets: boolean;
  readonly removed: readonly Reference[];
  /** Objects that are there and were refused: what is known of them stays. */
  readonly refused: readonly Reference[];
  /** Kinds of which everything that is there has been told by now, since the thread began. */
  readonly whole: readonly string[];
}

/** How it fares, as far as the thread knows. */
export interface KubernetesStatus extends Pick<KubernetesDocument, 'server' | 'resources' | 'refused'> {
  /** One sentence each. */
  readonly problems: readonly string[];
}

export type FromKubernetes = { readonly batch: Batch } | { readonly kubernetes: KubernetesStatus };

/** The last batch has been taken. */
export type ToKubernetes = { readonly taken: true } | { readonly stop: true };
