/**
 * Who is who: what the agent knows and an event record does not carry. The agent implements it over its own tables;
 * every answer may be missing, and a flow is then told with numbers and addresses. Calls happen once or a few times for each
 * decoded event, so they should be look-ups and not searches.
 */
import type { Direction } from '../../wire/direction.ts';
import type { NetworkInterface, PolicyRef, Service, Workload } from '../flow.ts';

export interface Directory {
  /** Labels of a security identity, `source:key=value`; undefined when it is not known. */
  identityLabels(identity: number): readonly string[] | undefined;
  /** A local endpoint by its id. */
  endpoint(id: number): EndpointEntry | undefined;
  /** Whoever has the address, for peers that are not local endpoints. */
  pod(ip: string): PodEntry | undefined;
  /** DNS names that local endpoint `endpointId` was told for the address; 0, nobody local, knows what was known from the start. */
  names(ip: string, endpointId: number): readonly string[];
  /** The service whose frontend the address and port are. */
  service(ip: string, port: number): Service | undefined;
  /** The service of a frontend by its id, as records have it of connections that were translated. */
  frontend(id: number): Service | undefined;
  /** The interface behind the number in the record's `ifindex` field, which is that of a port. */
  interface(ifindex: number): NetworkInterface | undefined;
  /** The policies behind a cookie, default deny included. */
  policies(cookie: number): readonly PolicyRef[];
  /** `log.value` of the rules behind a cookie. */
  policyLog(cookie: number): readonly string[];
  /** Labels of this node, `key=value`, sorted. */
  nodeLabels(): readonly string[];
  /** The rules that closed a direction of a local endpoint, as a cookie; 0 when none did. */
  defaultDeny(endpoint: number, direction: Direction): number;
}

export interface PodEntry {
  readonly namespace: string;
  readonly podName: string;
  readonly workloads?: readonly Workload[];
}

export interface EndpointEntry extends PodEntry {
  readonly labels: readonly string[];
  readonly identity: number;
}

/** Knows nobody: events are told with numbers and addresses alone. */
export const EMPTY_DIRECTORY: Directory = {
  identityLabels: () => undefined,
  endpoint: () => undefined,
  pod: () => undefined,
  names: () => [],
  service: () => undefined,
  frontend: () => undefined,
  interface: () => undefined,
  policies: () => [],
  policyLog: () => [],
  nodeLabels: () => [],
  defaultDeny: () => 0,
};
