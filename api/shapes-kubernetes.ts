/** How a Kubernetes API fares that objects come from, as the status tells it. */

export interface KubernetesDocument {
  /** `https://10.0.0.1:6443`; '' while it is not known. */
  readonly server: string;
  /** False while nothing is published, since it has not been listed once. */
  readonly isKnown: boolean;
  /** Objects of it that are refused. */
  readonly refused: number;
  /** How often the thread that follows it died and was started anew. */
  readonly restarts: number;
  readonly resources: readonly {
    readonly name: string;
    readonly objects: number;
    /** It has been listed once. */
    readonly isSynced: boolean;
    /** The server does not have it: a CRD that is not installed. */
    readonly isAbsent: boolean;
    /** Why it is not up to date; '' when it is. */
    readonly problem: string;
    readonly lists: number;
    readonly watches: number;
    readonly events: number;
    readonly failures: number;
  }[];
}
