/** What the agent and the thread of the Kubernetes API say to each other, besides what every thread says. */
import type { EndpointDocument, ServiceDocument } from '../../api/shapes.ts';
import type { StandIns } from '../../kubelet/images/image-table.ts';
import type { ContainerRuntime } from '../../kubelet/kubelet.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import type { ControllerState } from '../health/controllers.ts';
import type { Reference } from '../source/text.ts';

/** What the agent gives each new thread. */
export interface KubeApiData {
  /** Of the instance. */
  readonly name: string;
  readonly nodeName: string;
  readonly runDir: string;
  /** Where objects and certificates are kept. */
  readonly folder: string;
  /** The folder is there after a boot. */
  readonly outlivesBoot: boolean;
  /** Text of readListenAddress. */
  readonly address: string;
  /** Pods that may run on this node. */
  readonly maxPods: number;
  readonly containerRuntime: ContainerRuntime;
}

/** An object that the agent has of another source than this API. */
export interface MirroredObject {
  readonly object: Manifest;
  /** ms since the epoch. */
  readonly createdMs: number;
  /** `site.yaml:12` */
  readonly source: string;
  /** The workload that stands for it. */
  readonly owner?: Reference;
}

/** This machine, as a Node shows it. */
export interface NodeFacts {
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly podCIDRs: readonly string[];
}

/** Each member is there when it has something to say. */
export interface ToKubeApi {
  readonly mirror?: {
    readonly put: readonly MirroredObject[];
    readonly removed: readonly Reference[];
    /** What is not among `put` goes. */
    readonly isAll?: boolean;
  };
  readonly endpoints?: {
    readonly put: readonly EndpointDocument[];
    /** `namespace/name` */
    readonly removed: readonly string[];
  };
  /** What Services were given; those that have changed. */
  readonly services?: readonly ServiceDocument[];
  readonly node?: NodeFacts;
  /** Of the configuration. */
  readonly standIns?: StandIns;
  /** To `check` and to `objects`. */
  readonly answer?: { readonly ticket: number; readonly problems: readonly Problem[]; readonly error: string };
  /** The thread is stopped next; containers end only with a clean stop. */
  readonly ends?: { readonly isClean: boolean };
}

/** How the API is; told when it has changed. */
export interface KubeApiStatus {
  /** `https://127.0.0.1:6443`; '' while it is not served. */
  readonly address: string;
  /** One sentence each. */
  readonly problems: readonly string[];
  /** Written through it. */
  readonly objects: number;
  /** How each of its controllers fares. */
  readonly controllers: readonly ControllerState[];
}

export type FromKubeApi =
  | { readonly kubeApi: KubeApiStatus }
  /** Whether an object may be stored: the agent reads it as it would read a file. */
  | { readonly check: { readonly ticket: number; readonly object: Manifest } }
  /** Is answered when the agent has published it. */
  | {
      readonly objects: {
        readonly ticket: number;
        readonly put: readonly FedObject[];
        readonly removed: readonly Reference[];
        /** What is not among `put` goes. */
        readonly isAll: boolean;
      };
    };

/** An object of this API, as the agent takes it. */
export interface FedObject {
  readonly object: Manifest;
  /** When it was written last, and first; ms since the epoch. */
  readonly atMs: number;
  readonly createdMs: number;
}

/** What names a manifest; '' for a namespace that it does not say. */
export function manifestName({ kind = '', metadata = {} }: Manifest): Reference {
  return { kind, namespace: metadata.namespace ?? '', name: metadata.name ?? '' };
}
