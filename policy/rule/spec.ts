/** Objects of the cluster that are no policies, as the compiler wants them, whatever document they came from. */

export interface NamespaceSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Would-be drops of its pods pass with verdict AUDIT. */
  readonly audit?: boolean;
}

/** `namespace/name` of a pod; the one that it has itself, where it has one, as many keep it. */
export function podKey({ key, namespace, name }: PodName): string {
  return key ?? `${namespace}/${name}`;
}

interface PodName {
  readonly namespace: string;
  readonly name: string;
  readonly key?: string;
}

export interface PodSpec extends PodName {
  /** Pods with the same one are the same in all but name, node and addresses. */
  readonly shape?: object;
  /** What the API server gave it; '' for none. */
  readonly uid?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount?: string;
  readonly namedPorts?: readonly NamedPort[];
  readonly nodeName?: string;
  /** The number of its endpoint here; 0 = it runs on another node (its policy is not compiled). */
  readonly endpointId: number;
  readonly ips: readonly string[];
  /** Its name in DNS beneath the service of the name `subdomain`; '' = none of its own. */
  readonly hostname?: string;
  readonly subdomain?: string;
  /** Its would-be drops pass with verdict AUDIT. */
  readonly audit?: boolean;
  /** It lives in its node's network namespace: its addresses are the node's. */
  readonly hostNetwork?: boolean;
  /** It has run to its end: it has no network any more. */
  readonly hasFinished?: boolean;
}

export interface NamedPort {
  readonly name: string;
  /** IP protocol number. */
  readonly protocol: number;
  readonly port: number;
}

export interface SecretSpec {
  readonly namespace: string;
  readonly name: string;
  /** By key; a character a byte. */
  readonly values: ReadonlyMap<string, string>;
}

export interface NodeSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ips: readonly string[];
}

export interface CidrGroupSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly cidrs: readonly string[];
}
