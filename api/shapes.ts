/**
 * What the API answers (docs/api.md), as types: daemon/serve builds these documents, its clients read them. `Answers` says which
 * call has which; a route that answers something else does not compile.
 */
import type { OffloadDocument } from './shapes-offload.ts';
import type { KubernetesDocument } from './shapes-kubernetes.ts';
import type { Manifest } from '../policy/document/manifest.ts';
import type { PlacedObject } from '../policy/document/placed.ts';
import type { PolicyOptions } from '../policy/rule/options.ts';
import type { Problem } from '../policy/rule/problems.ts';
import type { Origin } from '../policy/rule/rule.ts';
import type { NodeSpec } from '../policy/rule/spec.ts';

/** What each call answers with when it succeeds; `*` stands for an id. GET /v1/world, POST /v1/recording and GET /metrics answer with lines of their own, and so does GET /v1/flows, which is the observatory's. */
export interface Answers {
  readonly 'GET /metrics': never;
  readonly 'GET /v1/healthz': { readonly status: 'ok' };
  readonly 'GET /v1/status': StatusDocument;
  readonly 'GET /v1/endpoints': readonly EndpointDocument[];
  readonly 'GET /v1/endpoints/*': EndpointDocument;
  readonly 'GET /v1/identities': readonly IdentityDocument[];
  readonly 'GET /v1/identities/*': IdentityDocument;
  readonly 'GET /v1/services': readonly ServiceDocument[];
  readonly 'GET /v1/fqdn/cache': readonly FqdnCacheDocument[];
  readonly 'DELETE /v1/fqdn/cache': { readonly removed: number };
  readonly 'GET /v1/fqdn/names': readonly FqdnSelectorDocument[];
  readonly 'GET /v1/policies': readonly PolicyDocument[];
  readonly 'GET /v1/cookies': readonly CookieDocument[];
  readonly 'GET /v1/cookies/*': readonly Origin[];
  readonly 'GET /v1/objects': { readonly items: readonly Manifest[] };
  readonly 'POST /v1/apply': ApplyAnswer;
  readonly 'POST /v1/delete': ApplyAnswer;
  readonly 'GET /v1/world': never;
  readonly 'POST /v1/recording': never;
  readonly 'POST /v1/shutdown': { readonly status: 'stopping' };
}

/** The calls about container runtimes; what the plugin is answered is no document (docs/api.md). */
export interface CniAnswers {
  readonly 'GET /v1/cni': readonly CniAttachmentDocument[];
  readonly 'POST /v1/cni': never;
}

/** What a container runtime has attached. */
export interface CniAttachmentDocument {
  readonly containerId: string;
  readonly ifname: string;
  readonly network: string;
  readonly netns: string;
  readonly namespace: string;
  readonly pod: string;
  readonly addresses: readonly string[];
  /** That of its endpoint; `replaced`: another container has the pod's name by now. */
  readonly state: EndpointDocument['state'] | 'replaced';
}

/** An error of the plugin. */
export interface CniRefusal {
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

export interface StatusDocument {
  readonly name: string;
  readonly version: string;
  readonly state: 'ok' | 'degraded';
  readonly agent: { readonly pid: number; readonly uptimeSec: number };
  readonly dataplane: {
    readonly pid: number;
    readonly state: 'starting' | 'running' | 'waiting' | 'stopped';
    readonly isAdopted: boolean;
    readonly restarts: number;
    /** How the one before it ended; '' when none has. */
    readonly lastExit: string;
  };
  readonly runDir: string;
  readonly nodeName: string;
  readonly clusterName: string;
  /** Put before `<namespace>-<pod>` to name a pod's network namespace. */
  readonly netnsPrefix: string;
  /** Pattern of an image -> command that a rig runs in its place. */
  readonly standIns: Readonly<Record<string, readonly string[]>>;
  readonly attach: string;
  readonly enforcement: string;
  readonly policyRevision: number;
  readonly audit: AuditDocument;
  /** Options of the configuration that was read last, which count only after a restart of the agent. */
  readonly restartPending: readonly string[];
  readonly endpoints: { readonly total: number; readonly ready: number };
  readonly identities: number;
  readonly policies: number;
  readonly services: { readonly total: number; readonly frontends: number; readonly backends: number };
  readonly offload?: OffloadDocument;
  readonly names: NamesDocument;
  readonly dns: DnsStatus;
  readonly flows: {
    readonly seen: number;
    readonly lost: number;
    readonly kept: number;
    /** 0: flows are switched off. */
    readonly capacity: number;
    /** How often the thread for flows died and was started anew. */
    readonly restarts: number;
  };
  /** Hubble's API, while it is served: on `hubble.sock`, and on the addresses of the configuration. */
  readonly hubble?: {
    readonly listeners: readonly {
      readonly address: string;
      /** Why it is not served; '' when it is. Among `problems` too. */
      readonly problem: string;
    }[];
    /** Connections. */
    readonly clients: number;
    /** Flows a second, over the last minute. */
    readonly flowsRate: number;
    /** Flows that clients were too slow for, since the thread for flows started. */
    readonly lost: number;
  };
  /** Flows on disk, when they are kept there. */
  readonly history?: {
    readonly bytes: number;
    readonly flows: number;
    readonly segments: number;
    /** Milliseconds since the epoch, of the oldest. */
    readonly oldestMs?: number;
    /** Flows that were not kept, since the thread for flows started. */
    readonly lost: number;
  };
  /** The page for browsers, when it is wanted. */
  readonly page?: {
    /** `http://127.0.0.1:12000/`; '' while it is not served. */
    readonly address: string;
    /** How often the thread that serves it died and was started anew. */
    readonly restarts: number;
    /** Questions about policies that were too long or too large for the process that answers them. */
    readonly judgeDeaths: number;
  };
  /** The Kubernetes API, when it is wanted: where it is ('' while it is not served), what was written through it, deaths of its thread. */
  readonly kubeApi?: { readonly address: string; readonly objects: number; readonly restarts: number };
  /** The Kubernetes API that objects come from, when there is one. */
  readonly kubernetes?: KubernetesDocument;
  /** Files that flows are written to. */
  readonly exports: readonly {
    readonly name: string;
    readonly path: string;
    /** Lines, since it was begun. */
    readonly written: number;
    /** Flows that were not written. */
    readonly lost: number;
    /** Its end has come. */
    readonly ended: boolean;
    /** What is wrong with it; '' for nothing. Among `problems` too. */
    readonly problem: string;
  }[];
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
  readonly counters: readonly { readonly name: string; readonly value: number; readonly unit: string }[];
  /** What the agent does again and again, and how that went. */
  readonly controllers: readonly {
    readonly name: string;
    readonly runs: number;
    readonly failures: number;
    readonly lastError: string;
  }[];
  /** The agent's, of which the heap of its thread for flows. */
  readonly memory: { readonly agentRssBytes: number; readonly observatoryHeapBytes: number };
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[];
}

/** What pods learnt from DNS, for toFQDNs. */
export interface NamesDocument {
  /** Names and patterns of the policies in force. */
  readonly selectors: number;
  readonly names: number;
  /** Addresses of names, those that several pods learnt as often. */
  readonly lookups: number;
  /** Of these, those whose TTL is over. */
  readonly zombies: number;
  /** Since the agent started: answers taken in. */
  readonly answers: number;
  /** Addresses of the inside that names of the outside had, and that toFQDNs does not allow. */
  readonly guarded: number;
  /** Lookups that are gone, because their TTL was over and nobody connected; because there were too many. */
  readonly collected: number;
  readonly overLimit: number;
  /** Pairs of name and address that found no room in the table `fqdn`: answers with them always wait. */
  readonly unplaced: number;
  /** Policies with toFQDNs, and their pods whose DNS no rule has read: for these nothing is learnt. */
  readonly unlearnt: readonly { readonly policy: string; readonly pods: readonly string[] }[];
}

/** Addresses of one name that one endpoint was answered, by the names of Cilium's API. */
export interface FqdnCacheDocument {
  /** 0: of a pre-cache. */
  readonly 'endpoint-id': number;
  /** `lookup`: its TTL runs; `connection`: it is over; `guarded`: toFQDNs does not allow it. */
  readonly source: 'lookup' | 'connection' | 'guarded';
  /** With its final dot. */
  readonly fqdn: string;
  /** Seconds. */
  readonly ttl: number;
  readonly 'lookup-time': string;
  readonly 'expiration-time': string;
  readonly ips: readonly string[];
}

/** A name or pattern of toFQDNs, as the policies write it, and what it stands for now. */
export interface FqdnSelectorDocument {
  readonly selector: string;
  readonly names: readonly string[];
  readonly ips: readonly string[];
}

/** Names: who answers pods that ask for them. */
export interface DnsStatus {
  readonly enabled: boolean;
  readonly domain: string;
  /** `sluice-dns`, the Service `kube-system/kube-dns` of others, or '' for nobody. */
  readonly servedBy: string;
  /** What pods ask. */
  readonly addresses: readonly string[];
  /** Our name server; `off` when another serves, or nobody. */
  readonly server: {
    readonly pid: number;
    readonly state: 'off' | 'starting' | 'running' | 'waiting';
    readonly isAdopted: boolean;
    readonly restarts: number;
    readonly lastExit: string;
  };
  /** Whom it asks for names of other domains; `avoided`: has not answered lately, `loop`: asks us in turn. */
  readonly upstreams: readonly { readonly server: string; readonly state: 'asked' | 'avoided' | 'loop' }[];
  /** Of its zone, and Services in it; 0 = it has none yet. */
  readonly serial: number;
  readonly zoneServices: number;
  readonly memoryBytes: number;
  /** What it has counted (nameserver/counters.ts). */
  readonly counters: Readonly<Record<string, number>>;
}

/** What lets pass what it would drop, and tells of it. */
export interface AuditDocument {
  /** All of it: `policy-audit-mode`. */
  readonly instance: boolean;
  /** Pods, `namespace/name`, by an annotation of theirs or of their namespace. */
  readonly endpoints: readonly string[];
  /** Policies on trial, `Kind/namespace/name`. */
  readonly policies: readonly string[];
}

export interface EndpointDocument {
  /** 0 for an outsider, which has no endpoint. */
  readonly id: number;
  readonly namespace: string;
  readonly pod: string;
  /** `external`: outside of the cluster. */
  readonly place: 'local' | 'external';
  readonly node: string;
  readonly state: 'waiting' | 'attaching' | 'ready' | 'closed' | 'failed' | 'unreachable';
  readonly identity: number;
  readonly labels: readonly string[];
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  readonly mac: string;
  readonly interface: string;
  readonly netns: string;
  /** Index in the ports map. */
  readonly port: number;
  /** By address, of those that have been probed. */
  readonly health: Readonly<Record<string, AddressHealth>>;
  readonly policy: {
    readonly ingress: Enforcement;
    readonly egress: Enforcement;
    readonly entries: number;
    readonly revision: number;
  };
  /** Why it is not ready, or not published. */
  readonly problem?: string;
}

export type Enforcement = 'Enabled' | 'Disabled' | 'Disabled (Audit)';

export interface AddressHealth {
  readonly isReachable: boolean;
  /** Of the last probe that was answered, ms. */
  readonly rttMs?: number;
  /** RFC 3339. */
  readonly probedAt: string;
}

/** A Service with what it was given, and who is behind it. */
export interface ServiceDocument {
  readonly namespace: string;
  readonly name: string;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  readonly clusterIPs: readonly string[];
  readonly loadBalancerIPs: readonly string[];
  /** In the order of its document. */
  readonly ports: readonly {
    readonly name: string;
    readonly protocol: string;
    readonly port: number;
    /** 0 = none. */
    readonly nodePort: number;
  }[];
  readonly endpoints: readonly ServiceEndpointDocument[];
  /** Frontends that are published, each with how many backends take new connections. */
  readonly frontends: readonly {
    readonly kind: string;
    readonly address: string;
    readonly port: number;
    readonly protocol: string;
    readonly scope: 'external' | 'internal';
    readonly backends: number;
  }[];
  /** What it could not be given, one sentence each. */
  readonly problems: readonly string[];
}

export interface ServiceEndpointDocument {
  readonly address: string;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** '' = not known. */
  readonly nodeName: string;
  /** '' = only listed. */
  readonly pod: string;
  /** Its name beneath that of a headless service; '' = none of its own. */
  readonly hostname: string;
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

export interface IdentityDocument {
  readonly id: number;
  readonly labels: readonly string[];
}

/** A cookie that map entries carry, and the rules behind it. */
export interface CookieDocument {
  readonly id: number;
  readonly origins: readonly Origin[];
}

/** An object of a policy kind, as it was written, and where. */
export interface PolicyDocument extends ObjectReference {
  readonly namespace: string;
  readonly file: string;
  readonly line: number;
  readonly object: Manifest;
}

/** A line of GET /v1/world, all that judging needs: `tag` first, then the options of policy, `end` last. */
export type WorldLine =
  /** Of this state of the world. */
  | { readonly tag: string }
  /** The answer to `unless=TAG`, alone, when the world is still that one. */
  | { readonly unchanged: true }
  | { readonly options: PolicyOptions }
  /** The agent's own node, with the addresses of the host. */
  | { readonly node: NodeSpec }
  /** Workloads are told as their pods, pods with the addresses that they got. */
  | { readonly object: PlacedObject }
  | { readonly identity: IdentityDocument }
  | { readonly cookie: CookieDocument }
  | { readonly end: true };

/** Which frames are to be recorded: FlowFilters of hubble/, as GET /v1/flows has them, and how much is kept of frames that nobody has read yet. */
export interface RecordingRequest {
  readonly allow: readonly object[];
  readonly deny: readonly object[];
  /** A power of two. */
  readonly bufferBytes: number;
  /** Of each frame. */
  readonly snapBytes: number;
}

export interface ObjectReference {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

export interface ApplyAnswer {
  readonly applied: readonly (ObjectReference & {
    readonly action: 'created' | 'configured' | 'unchanged' | 'deleted';
    /** What would be in force; of a dry run of apply only. */
    readonly object?: Manifest;
  })[];
  readonly problems: readonly Problem[];
}
