/**
 * What the agent tells the observatory of who is who: changes only, in messages that a thread can be sent. Each list is
 * of keys and what they mean from now on; nothing means that the key has gone. A snapshot is a delta that says everything.
 */
import type { EndpointEntry, PodEntry } from './directory.ts';
import type { NetworkInterface, Service } from '../flow.ts';

type Changed<K, V> = readonly (readonly [key: K, value: V | undefined])[];

/** A rule behind a cookie. */
export interface RuleRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly log?: string;
}

/** Who closed the directions of an endpoint, as cookies; 0 when nobody did. */
export interface DefaultDenies {
  readonly ingress: number;
  readonly egress: number;
}

export interface DirectoryDelta {
  /** Labels by identity. */
  readonly identities?: Changed<number, readonly string[]>;
  readonly endpoints?: Changed<number, EndpointEntry>;
  /** By endpoint. */
  readonly denies?: Changed<number, DefaultDenies>;
  /** Pods by address. */
  readonly addresses?: Changed<string, PodEntry>;
  /** Interfaces by port index. */
  readonly interfaces?: Changed<number, NetworkInterface>;
  /** Services by `serviceAt` of an address and port. */
  readonly places?: Changed<string, Service>;
  /** Services by the id of a frontend. */
  readonly frontends?: Changed<number, Service>;
  /** Names by `toldTo` of an endpoint and address. */
  readonly names?: Changed<string, readonly string[]>;
  /** Rules by cookie. */
  readonly cookies?: Changed<number, readonly RuleRef[]>;
  /** By `policyName`. */
  readonly policies?: Changed<string, PolicyFacts>;
  /** Of this node: all of them. */
  readonly nodeLabels?: readonly string[];
}

/** A delta that went through JSON, which has null for what has gone. */
export function readDelta(delta: DirectoryDelta): DirectoryDelta {
  const isPairs = ([name]: readonly [string, unknown]): boolean => name !== 'nodeLabels';
  const lists = Object.entries(delta) as [string, [unknown, unknown][]][];
  const read = lists
    .filter(isPairs)
    .map(([name, list]) => [name, list.map(([key, value]) => [key, value ?? undefined])]);
  return { ...delta, ...(Object.fromEntries(read) as DirectoryDelta) };
}

/** What the document of a policy says besides its rules. */
export interface PolicyFacts {
  /** `source:key=value`, as Cilium labels the rules that it makes of the document. */
  readonly labels: readonly string[];
  /** With which publication it came into force as it is. */
  readonly revision: number;
}

/** Key of a policy. */
export function policyName({ kind, namespace, name }: Omit<RuleRef, 'log'>): string {
  return `${kind} ${namespace}/${name}`;
}

/** Key of an address and port. */
export function serviceAt(address: string, port: number): string {
  return `${address} ${port}`;
}

/** What `serviceAt` made a key of. */
export function placeOf(key: string): [address: string, port: number] {
  const end = key.lastIndexOf(' ');
  return [key.slice(0, end), Number(key.slice(end + 1))];
}

/** Key of an endpoint and the address that it was told names for. */
export function toldTo(endpoint: number, address: string): string {
  return `${endpoint} ${address}`;
}

/** What `toldTo` made a key of. */
export function toldOf(key: string): [address: string, endpoint: number] {
  const end = key.indexOf(' ');
  return [key.slice(end + 1), Number(key.slice(0, end))];
}
