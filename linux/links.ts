/** Interfaces of the agent's own network namespace. */
import { writeFileSync } from 'node:fs';
import { type InterfaceInfo, interfaceInfo } from '../dataplane/native/index.ts';
import { scriptIn } from './netns.ts';

const NAME_LIMIT = 15; // bytes, IFNAMSIZ - 1

/** Index, MAC and MTU of an interface, undefined when there is none of this name (in the namespace, when one is given). */
export function findLink(name: string, netns?: string): InterfaceInfo | undefined {
  if (Buffer.byteLength(name) > NAME_LIMIT) return undefined;
  try {
    return netns === undefined ? interfaceInfo(name) : interfaceInfo(name, netns);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENODEV') return undefined;
    throw error;
  }
}

/** Index of an interface, 0 when there is none of this name (in the namespace, when one is given). */
export function linkIndex(name: string, netns?: string): number {
  return findLink(name, netns)?.index ?? 0;
}

/** `02:00:00:00:00:01`. */
export function macText(mac: Uint8Array): string {
  return [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** @throws Error when there is an interface of this name: call it when everything of ours that had the name is gone */
export function refuseForeignLink(name: string): void {
  if (linkIndex(name) === 0) return;
  const advice = `remove it (\`ip link delete ${name}\`), or give the instance another --name`;
  throw new Error(`make ${name}: there is an interface of this name that this instance did not make: ${advice}`);
}

/**
 * Deletes an interface (in the namespace, when one is given).
 * @returns false when it was gone already
 */
export async function removeLink(name: string, netns?: string): Promise<boolean> {
  if (linkIndex(name, netns) === 0) return false;
  try {
    await scriptIn(netns ?? '', `ip link delete dev ${name}\n`);
  } catch (error) {
    // The kernel removes it too, when the namespace of its other end goes: whoever came first, it is gone.
    if (linkIndex(name, netns) === 0) return false;
    throw error;
  }
  return true;
}

/** Sets what exists under /proc/sys/net: a kernel without IPv6 has no ipv6 tree. */
export function setSysctls(settings: readonly (readonly [string, string])[]): void {
  for (const [name, value] of settings) {
    try {
      writeFileSync(`/proc/sys/net/${name}`, value);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
