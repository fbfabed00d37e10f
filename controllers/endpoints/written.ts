/** Endpoints and EndpointSlices as they are written: pods with the same ports are listed together. */
import type { KubeObject, NewObject, OwnerReference } from '../../apiserver/storage/kube-object.ts';
import { podSpec } from '../pod-state.ts';
import { addressOf, type EndpointPort, type Family, type Place } from './places.ts';

export const SLICES = 'endpointslices.discovery.k8s.io';
/** As Kubernetes' controller has it. */
const MOST_ENDPOINTS = 100;

interface Group {
  readonly ports: readonly EndpointPort[];
  readonly places: readonly Place[];
}

/** The `subsets` of an Endpoints object. */
export function subsetsOf(places: readonly Place[], family: Family): object[] {
  return byPorts(places).map(({ ports, places: all }) => {
    const listed = (isReady: boolean): object[] =>
      all.filter((place) => place.isReady === isReady).map((place) => subsetAddress(place, family));
    const [ready, others] = [listed(true), listed(false)];
    return {
      ...(ready.length > 0 && { addresses: ready }),
      ...(others.length > 0 && { notReadyAddresses: others }),
      ...(ports.length > 0 && { ports: ports.map(unnamed) }),
    };
  });
}

/** Endpoints leave the name of the only port out. */
function unnamed({ name, ...port }: EndpointPort): object {
  return name === '' ? port : { name, ...port };
}

function subsetAddress(place: Place, family: Family): object {
  const { hostname, pod } = place;
  const { nodeName = '' } = podSpec(pod);
  return {
    ip: addressOf(place, family) ?? '',
    ...(hostname !== '' && { hostname }),
    ...(nodeName !== '' && { nodeName }),
    targetRef: targetOf(pod),
  };
}

function targetOf({ metadata: { namespace = '', name, uid } }: KubeObject): object {
  return { kind: 'Pod', namespace, name, uid };
}

/** What one slice lists, each of a size that a slice may have; one without pods when there are none. */
export function groupsOf(places: readonly Place[], family: Family): readonly Group[] {
  const here = places.filter((place) => addressOf(place, family) !== undefined);
  if (here.length === 0) return [{ ports: [], places: [] }];
  return byPorts(here).flatMap(({ ports, places: all }) =>
    Array.from({ length: Math.ceil(all.length / MOST_ENDPOINTS) }, (_, i) => ({
      ports,
      places: all.slice(i * MOST_ENDPOINTS, (i + 1) * MOST_ENDPOINTS),
    })),
  );
}

function byPorts(places: readonly Place[]): Group[] {
  const groups = new Map<string, { ports: readonly EndpointPort[]; places: Place[] }>();
  for (const place of places) {
    const key = JSON.stringify(place.ports);
    const group = groups.get(key) ?? { ports: place.ports, places: [] };
    group.places.push(place);
    groups.set(key, group);
  }
  return [...groups.values()];
}

interface SliceParts {
  readonly family: Family;
  readonly labels: Readonly<Record<string, string>>;
  readonly owner: OwnerReference;
}

export function sliceObject(service: KubeObject, { ports, places }: Group, parts: SliceParts): NewObject {
  const { namespace = '', name } = service.metadata;
  const { family, labels, owner } = parts;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { generateName: `${name}-`, namespace, labels, ownerReferences: [owner] },
    addressType: family,
    endpoints: places.map((place) => {
      const { isReady: ready, isServing: serving, isTerminating: terminating, hostname, pod } = place;
      const { nodeName = '' } = podSpec(pod);
      return {
        addresses: [addressOf(place, family) ?? ''],
        conditions: { ready, serving, terminating },
        ...(hostname !== '' && { hostname }),
        ...(nodeName !== '' && { nodeName }),
        targetRef: targetOf(pod),
      };
    }),
    ports: places.length === 0 ? [] : ports,
  };
}
