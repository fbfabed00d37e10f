/**
 * What is served, as clients ask for it before all else: the list of groups, the versions of a group, the resources of a version; and all of it in
 * one document (aggregated discovery), which clients since 1.26 ask for.
 */
import type { Resource, Subresource } from '../resources/resource.ts';
import type { Resources } from '../resources/resources.ts';
import { StatusError } from '../storage/status-error.ts';
import type { Wanted } from './media-types.ts';
import type { DiscoveryPath } from './request-path.ts';

/** Group of the aggregated form. */
export const DISCOVERY_GROUP = 'apidiscovery.k8s.io';

interface Served {
  readonly resource: Resource;
  readonly version: string;
}

/** @param address `127.0.0.1:6443` @throws StatusError 404 */
export function discoveryDocument(
  { isCore, group, version }: DiscoveryPath,
  wanted: Wanted,
  resources: Resources,
  address: string,
): object {
  const all = resources.all().filter((one) => (one.group === '') === isCore);
  if (isCore && version !== '') return resourceList(all, 'v1', version);
  if (!isCore && version !== '')
    return resourceList(
      all.filter((one) => one.group === group),
      `${group}/${version}`,
      version,
    );
  if (!isCore && group !== '') return found(groupsOf(all), group);
  if (wanted.as === 'APIGroupDiscoveryList') return aggregated(all, wanted.version);
  if (!isCore) return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupsOf(all) };
  const serverAddressByClientCIDRs = [{ clientCIDR: '0.0.0.0/0', serverAddress: address }];
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs };
}

interface Group {
  readonly name: string;
  readonly versions: readonly { readonly groupVersion: string; readonly version: string }[];
}

function groupsOf(resources: readonly Resource[]): Group[] {
  const names = [...new Set(resources.map(({ group }) => group))];
  return names.map((name) => {
    const versions = versionsOf(resources, name).map((version) => ({ groupVersion: `${name}/${version}`, version }));
    return { name, versions, preferredVersion: versions[0] };
  });
}

/** The preferred one of its first resource first. */
function versionsOf(resources: readonly Resource[], group: string): string[] {
  return [...new Set(resources.filter((one) => one.group === group).flatMap(({ versions }) => versions))];
}

function found(groups: readonly Group[], name: string): object {
  const group = groups.find((one) => one.name === name);
  if (group === undefined) throw unserved();
  return { kind: 'APIGroup', apiVersion: 'v1', ...group };
}

function resourceList(all: readonly Resource[], groupVersion: string, version: string): object {
  const served = all.filter(({ versions }) => versions.includes(version));
  if (served.length === 0) throw unserved();
  const resources = served.flatMap((resource) => [
    row(resource),
    ...resource.subresources.map((one) => subRow(one, resource)),
  ]);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources };
}

function row({ plural, singular, isNamespaced, kind, verbs, shortNames, categories }: Resource): object {
  return {
    name: plural,
    singularName: singular,
    namespaced: isNamespaced,
    kind,
    verbs,
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
  };
}

function subRow({ name, kind, group, version, verbs }: Subresource, { plural, isNamespaced }: Resource): object {
  return {
    name: `${plural}/${name}`,
    singularName: '',
    namespaced: isNamespaced,
    ...(group !== undefined && { group, version }),
    kind,
    verbs,
  };
}

function aggregated(all: readonly Resource[], formVersion: string): object {
  const groups = [...new Set(all.map(({ group }) => group))];
  const items = groups.map((group) => {
    const inGroup = all.filter((one) => one.group === group);
    const versions = versionsOf(all, group).map((version) => ({
      version,
      resources: inGroup
        .filter((one) => one.versions.includes(version))
        .map((resource) => entry({ resource, version })),
      freshness: 'Current',
    }));
    return { metadata: { ...(group !== '' && { name: group }), creationTimestamp: null }, versions };
  });
  return { kind: 'APIGroupDiscoveryList', apiVersion: `${DISCOVERY_GROUP}/${formVersion}`, metadata: {}, items };
}

function entry({ resource, version }: Served): object {
  const { group, plural, singular, kind, isNamespaced, verbs, shortNames, categories, subresources } = resource;
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: isNamespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs,
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
    ...(subresources.length > 0 && { subresources: subresources.map((one) => subEntry(one, group, version)) }),
  };
}

function subEntry(subresource: Subresource, ofGroup: string, ofVersion: string): object {
  const { name, kind, group = ofGroup, version = ofVersion, verbs } = subresource;
  return { subresource: name, responseKind: { group, version, kind }, verbs };
}

function unserved(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource');
}
