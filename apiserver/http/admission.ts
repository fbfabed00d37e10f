/** What others say to a write: the agent, which reads the objects that it enforces before they are stored, and puts them in force after. */
import type { KubeObject, ResourceName } from '../storage/kube-object.ts';
import type { StatusCause } from '../storage/status-error.ts';

export interface Verdict {
  /** Told to the client; the object is stored. */
  readonly warnings: readonly string[];
  /** Any refuses the object. */
  readonly causes: readonly StatusCause[];
}

export interface Admission {
  /** Whether objects of a resource are asked about, and put in force. */
  concerns(resource: ResourceName): boolean;
  check(object: KubeObject): Promise<Verdict>;
  /** Resolves when all that was written before is in force. @returns why it is not yet, '' when it is */
  published(): Promise<string>;
}
