/** What the table of contents of an API server says: whether it has a resource at all. */
import type { KubeClient } from './client.ts';

interface ApiGroupList {
  readonly kind?: unknown;
  readonly groups?: readonly { readonly versions?: readonly { readonly groupVersion?: unknown }[] }[];
}

interface ApiResourceList {
  readonly resources?: readonly { readonly name?: unknown }[];
}

/** @param path `/apis/GROUP/VERSION/RESOURCE` @throws Error when the server does not say */
export async function isServed(client: Pick<KubeClient, 'json'>, path: string): Promise<boolean> {
  const [, root, group, version, resource] = path.split('/');
  if (root !== 'apis') return true;
  const { kind, groups } = await client.json<ApiGroupList>({ what: 'list groups', path: '/apis' });
  if (kind !== 'APIGroupList' || groups === undefined) throw new Error('found no list of groups');
  const all = groups.flatMap(({ versions = [] }) => versions);
  if (!all.some(({ groupVersion }) => groupVersion === `${group}/${version}`)) return false;
  const what = `list resources of ${group}`;
  const { resources } = await client.json<ApiResourceList>({ what, path: `/apis/${group}/${version}` });
  if (resources === undefined) throw new Error('found no list of resources');
  return resources.some(({ name }) => name === resource);
}
