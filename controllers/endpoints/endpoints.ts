/**
 * Endpoints and EndpointSlices of Services that select pods: who takes connections, kept up to date as pods become ready, cease to be, and
 * go. Those of a Service without a selector are written by hand, and left alone.
 *
 * The agent does not read these: it knows the pods themselves, and publishes what stands behind a Service before anything is written
 * here. They are for people, and for programs that ask Kubernetes' API.
 */
import { isDeepStrictEqual } from 'node:util';
import type { KubeMeta, KubeObject, NewObject, StoredEvent } from '../../apiserver/storage/kube-object.ts';
import type { Storage } from '../../apiserver/storage/storage.ts';
import { SERVICE_NAME } from '../../policy/document/service-document.ts';
import { type Controller, ownKey, partsOf, type Surroundings } from '../controller.ts';
import { controllerReference } from '../ownership.ts';
import { PODS } from '../pod-room.ts';
import { isGoing } from '../pod-state.ts';
import { hasLabels } from '../selector.ts';
import { addressOf, familiesOf, hasSelector, type Place, placesOf, serviceSpec } from './places.ts';
import { groupsOf, sliceObject, SLICES, subsetsOf } from './written.ts';

export const SERVICES = 'services';
const ENDPOINTS = 'endpoints';
/** Label of a slice, and who made those that are made here. */
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const MANAGER = 'endpointslice-controller.k8s.io';
const HEADLESS = 'service.kubernetes.io/headless';
/** Label of Endpoints that are made here. */
export const OF_ENDPOINTS = 'endpoints.kubernetes.io/managed-by';
/** Pods that an Endpoints object lists; it says that there are more. */
const ADDRESSES_LIMIT = 1000;
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';

export function endpoints({ storage }: Surroundings): Controller {
  const worker = new EndpointsWorker(storage);
  return {
    name: 'endpoint-controller',
    watches: {
      [SERVICES]: ownKey,
      [PODS]: (event) => worker.servicesOf(event),
      // What there is at the start may be of a Service that has gone meanwhile.
      [ENDPOINTS]: ({ type, object }) => (type === 'MODIFIED' ? [] : ownKey({ object })),
      [SLICES]: ({ type, object }) => {
        const service = object.metadata.labels?.[SERVICE_NAME];
        return type !== 'MODIFIED' && service !== undefined ? [`${object.metadata.namespace ?? ''}/${service}`] : [];
      },
    },
    work: (key) => worker.work(key),
  };
}

class EndpointsWorker {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Services that select a pod, or did before it changed. */
  servicesOf({ object, previous }: StoredEvent): string[] {
    const { namespace = '' } = object.metadata;
    const all = [object, ...(previous === undefined ? [] : [previous])];
    return this.#storage
      .list(SERVICES, { namespace })
      .filter((service) => hasSelector(service))
      .filter((service) => all.some((pod) => hasLabels(serviceSpec(service).selector ?? {}, pod.metadata.labels)))
      .map(({ metadata }) => `${namespace}/${metadata.name}`);
  }

  work(key: string): undefined {
    const [namespace, name] = partsOf(key);
    const service = this.#storage.get(SERVICES, namespace, name);
    if (service === undefined) {
      this.#removeAll(namespace, name);
      return;
    }
    if (!hasSelector(service) || isGoing(service)) return;
    const places = placesOf(service, this.#storage.list(PODS, { namespace }));
    this.#writeEndpoints(service, places);
    this.#writeSlices(service, places);
  }

  #removeAll(namespace: string, name: string): void {
    const found = this.#storage.get(ENDPOINTS, namespace, name);
    if (found?.metadata.labels?.[OF_ENDPOINTS] !== undefined) this.#storage.delete(ENDPOINTS, namespace, name);
    for (const slice of this.#slicesOf(namespace, name)) this.#storage.delete(SLICES, namespace, slice.metadata.name);
  }

  #slicesOf(namespace: string, service: string): KubeObject[] {
    return this.#storage
      .list(SLICES, { namespace })
      .filter(({ metadata: { labels = {} } }) => labels[SERVICE_NAME] === service && labels[MANAGED_BY] === MANAGER);
  }

  #writeEndpoints(service: KubeObject, places: readonly Place[]): void {
    const { namespace = '', name, labels } = service.metadata;
    const [family] = familiesOf(service, places);
    const shown = places.filter((place) => !place.isTerminating && addressOf(place, family) !== undefined);
    const subsets = subsetsOf(shown.slice(0, ADDRESSES_LIMIT), family);
    const wanted: NewObject = {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: {
        ...{ name, namespace },
        labels: { ...labels, ...headlessLabel(service), [OF_ENDPOINTS]: 'endpoint-controller' },
        ...(shown.length > ADDRESSES_LIMIT && { annotations: { [OVER_CAPACITY]: 'truncated' } }),
      },
      ...(subsets.length > 0 && { subsets }),
    };
    const found = this.#storage.get(ENDPOINTS, namespace, name);
    if (found === undefined) this.#storage.create(ENDPOINTS, wanted);
    else if (!this.#storage.isMirrored(ENDPOINTS, namespace, name)) this.#replace(ENDPOINTS, found, wanted);
  }

  /** The slices that there are take what is wanted, as far as they go; the others are made, or taken away. */
  #writeSlices(service: KubeObject, places: readonly Place[]): void {
    const { namespace = '', name } = service.metadata;
    const left = new Set(this.#slicesOf(namespace, name));
    const labels = {
      ...service.metadata.labels,
      ...headlessLabel(service),
      [SERVICE_NAME]: name,
      [MANAGED_BY]: MANAGER,
    };
    const owner = controllerReference(service);
    for (const family of familiesOf(service, places)) {
      for (const group of groupsOf(places, family)) {
        const wanted = sliceObject(service, group, { family, labels, owner });
        const slice = best(
          [...left].filter((one) => one['addressType'] === family),
          wanted,
        );
        if (slice === undefined) this.#storage.create(SLICES, wanted);
        else {
          left.delete(slice);
          this.#replace(SLICES, slice, wanted);
        }
      }
    }
    for (const slice of left) this.#storage.delete(SLICES, namespace, slice.metadata.name);
  }

  #replace(resource: string, { metadata: { namespace = '', name } }: KubeObject, wanted: NewObject): void {
    this.#storage.update(resource, namespace, name, (before) => {
      const { labels = {}, annotations, ownerReferences } = wanted.metadata ?? {};
      const { apiVersion, kind, metadata } = before;
      const own = {
        labels,
        ...(annotations !== undefined && { annotations }),
        ...(ownerReferences !== undefined && { ownerReferences }),
      };
      return { ...wanted, apiVersion, kind, metadata: { ...withoutOwn(metadata), ...own } };
    });
  }
}

/** What is not among what this controller writes. */
function withoutOwn(metadata: KubeMeta): KubeMeta {
  const kept: Partial<Record<keyof KubeMeta, unknown>> = { ...metadata };
  delete kept.annotations;
  delete kept.ownerReferences;
  return kept as KubeMeta;
}

/** The slice that is as wanted already, else one with the same ports, else any. */
function best(slices: readonly KubeObject[], wanted: NewObject): KubeObject | undefined {
  const same = (field: string) => (slice: KubeObject) => isDeepStrictEqual(slice[field], wanted[field]);
  const hasSamePorts = same('ports');
  const isSame = same('endpoints');
  return slices.find((slice) => hasSamePorts(slice) && isSame(slice)) ?? slices.find(hasSamePorts) ?? slices[0];
}

function headlessLabel(service: KubeObject): Readonly<Record<string, string>> {
  return serviceSpec(service).clusterIP === 'None' ? { [HEADLESS]: '' } : {};
}
