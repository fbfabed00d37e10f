/** Interfaces as `ip -json` tells of them. */
import { ipJson, scriptIn } from './netns.ts';

/** The fields of `ip -json link` and `ip -json address` that are read. */
export interface Link {
  ifindex: number;
  ifname: string;
  address: string;
  mtu: number;
  flags: string[];
  link_index?: number;
  addr_info?: { family: string; local: string; scope: string }[];
}

/** The agent's own interfaces by name. */
export async function ownLinks(): Promise<Map<string, Link>> {
  const links = await ipJson<Link>('', ['link', 'show']);
  return new Map(links.map((link) => [link.ifname, link]));
}

/** One interface of the agent's namespace. @throws CommandError when there is none of this name */
export async function findLink(name: string): Promise<Link> {
  const [link] = await ipJson<Link>('', ['link', 'show', 'dev', name]);
  return link;
}

/** Deletes an interface; one that is gone already is no error. */
export async function removeLink(name: string): Promise<void> {
  await scriptIn('', `! ip link show dev ${name} > /dev/null 2>&1 || ip link delete dev ${name}\n`);
}
