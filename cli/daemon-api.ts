/** The requests of docs/api.md that commands make, by name. */
import { ApiClient, type Query } from './api-client.ts';
import type { Manifest } from './manifest.ts';
import type { Settings } from './settings.ts';

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

export class DaemonApi {
  readonly client: ApiClient;

  constructor(settings: Pick<Settings, 'socketPath' | 'timeoutMs'>) {
    this.client = new ApiClient(settings);
  }

  status(): Promise<StatusView> {
    return this.client.get('/v1/status');
  }

  endpoints(): Promise<readonly EndpointView[]> {
    return this.client.get('/v1/endpoints');
  }

  identities(): Promise<readonly IdentityView[]> {
    return this.client.get('/v1/identities');
  }

  policies(): Promise<readonly PolicyView[]> {
    return this.client.get('/v1/policies');
  }

  async objects(query: { kind?: string; namespace?: string; name?: string }): Promise<readonly Manifest[]> {
    return (await this.client.get<{ items: readonly Manifest[] }>('/v1/objects', query)).items;
  }

  /** Applies one file's text; what is wrong with it comes back in `problems`. */
  async apply(text: string, file: string): Promise<ApplyAnswer> {
    return (
      await this.client.fetch<ApplyAnswer>('/v1/apply', { method: 'POST', query: { file }, body: text, accept: [400] })
    ).body;
  }

  /** Deletes the objects that a file's text names. */
  async delete(text: string, file: string): Promise<ApplyAnswer> {
    return (
      await this.client.fetch<ApplyAnswer>('/v1/delete', { method: 'POST', query: { file }, body: text, accept: [400] })
    ).body;
  }

  /** Deletes objects by name, all or none. */
  async deleteReferences(references: readonly ObjectReference[]): Promise<ApplyAnswer> {
    const call = { method: 'POST', body: references, accept: [400] } as const;
    return (await this.client.fetch<ApplyAnswer>('/v1/delete', call)).body;
  }

  flows(query: Query, signal: AbortSignal, onLine: (line: unknown) => unknown): Promise<void> {
    return this.client.stream('/v1/flows', query, signal, onLine);
  }
}
