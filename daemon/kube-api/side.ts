/** What the agent tells the Kubernetes API that it serves, and asks it. */
import type { StatusDocument } from '../../api/shapes.ts';
import type { StoreChanges } from '../source/store.ts';

export interface KubeApiSide {
  /** Shows what has changed in the agent's objects. */
  mirror(changes: StoreChanges): void;
  /** Tells what has become of pods and Services. */
  tellState(): void;
  /** Whether a network namespace is of a pod of this API: it is made when there is none. */
  owns(netns: string): boolean;
  /** @param isClean what it has started ends, and what it has made goes */
  stop(isClean: boolean): Promise<void>;
  /** What is wrong now, one sentence each. */
  problems(): string[];
  /** How those of the API fare. */
  readonly controllers: StatusDocument['controllers'];
  /** Undefined when no API is wanted. */
  readonly document: StatusDocument['kubeApi'];
}

export const NO_KUBE_API: KubeApiSide = {
  mirror: () => undefined,
  tellState: () => undefined,
  owns: () => false,
  stop: () => Promise.resolve(),
  problems: () => [],
  controllers: [],
  document: undefined,
};
