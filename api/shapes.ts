/** What the API answers (docs/api.md), as types: the daemon builds these documents, its clients read them. */
export interface StatusView {
  readonly name: string;
  readonly version: string;
  readonly agent: { readonly pid: number; readonly uptimeSec: number };
  readonly dataplane: {
    readonly pid: number;
    readonly state: string;
    readonly isAdopted: boolean;
    readonly restarts: number;
  };
  readonly runDir: string;
  readonly nodeName: string;
  readonly clusterName: string;
  /** Put before `<namespace>-<pod>` to name a pod's network namespace. */
  readonly netnsPrefix?: string;
  readonly attach: string;
  readonly enforcement: string;
  readonly policyRevision: number;
  readonly endpoints: { readonly total: number; readonly ready: number };
  readonly identities: number;
  readonly policies: number;
  readonly flows: Readonly<Record<string, number>> & { readonly kept: number; readonly capacity: number };
  readonly maps: readonly {
    readonly name: string;
    readonly count: number;
    readonly capacity: number;
    /** 0 to 1. */
    readonly pressure: number;
    readonly full: number;
    readonly evictions: number;
  }[];
  /** What the dataplane has counted (policy-maps/counters.ts), where it is not 0. */
  readonly counters?: readonly { readonly name: string; readonly value: number; readonly unit: string }[];
  readonly memory: { readonly agentRssBytes: number };
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[];
}

export interface EndpointView {
  readonly id: number;
  readonly namespace: string;
  readonly pod: string;
  /** `local`, or `external`: outside of the cluster, without an endpoint (its id is 0). */
  readonly place?: string;
  readonly state: string;
  readonly identity: number;
  readonly labels: readonly string[];
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly mac?: string;
  readonly interface?: string;
  readonly netns?: string;
  readonly problem?: string;
  readonly policy?: { readonly ingress: string; readonly egress: string };
  readonly [key: string]: unknown;
}

export interface IdentityView {
  readonly id: number;
  readonly labels: readonly string[];
  readonly [key: string]: unknown;
}

export interface PolicyView extends ObjectReference {
  readonly namespace: string;
  readonly file: string;
  readonly line: number;
  readonly [key: string]: unknown;
}

export interface ManifestProblem {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly severity?: 'error' | 'warning';
  readonly path?: string;
  readonly message: string;
  readonly hint?: string;
}

export interface ObjectReference {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

export interface ApplyAnswer {
  readonly applied?: readonly (ObjectReference & { readonly action: string })[];
  readonly problems?: readonly ManifestProblem[];
}
