/**
 * Many pods of one instance, and what its processes hold for them: for tests and benches of what happens to all at once.
 * The pods are made by the agent, in namespaces of their own.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { inNetns, must, PATIENCE_SEC, run, waitFor } from './command.ts';
import type { SluiceInstance } from './rig.ts';

/** A Namespace and pods `p0`, `p1` ... in it, each on its attachment; everybody may reach everybody. */
export function crowdManifests(namespace: string, attach: readonly string[]): string {
  const pods = attach.map(
    (mode, index) => `---
apiVersion: v1
kind: Pod
metadata: { name: p${index}, namespace: ${namespace}, labels: { app: a${index % 10} }, annotations: { sluice.io/attach: ${mode} } }
`,
  );
  return `apiVersion: v1
kind: Namespace
metadata: { name: ${namespace} }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: all, namespace: ${namespace} }
spec:
  endpointSelector: {}
  ingress: [{ fromEntities: [all] }]
${pods.join('')}`;
}

/** The pods to which a ping of the host does not come back. */
export async function unreached(instance: SluiceInstance, pods: readonly string[], address: string): Promise<string[]> {
  const lost: string[] = [];
  const ping = async (pod: string) => {
    const { code } = await instance.inPod(pod, ['ping', '-c1', `-w${PATIENCE_SEC}`, address]);
    if (code !== 0) lost.push(pod);
  };
  for (let from = 0; from < pods.length; from += 50) await Promise.all(pods.slice(from, from + 50).map(ping));
  return lost;
}

/** Kills the dataplane with -9 and waits until another has opened all its ports. */
export async function killDataplane(instance: SluiceInstance, pods: readonly string[]): Promise<void> {
  const [dataplane] = instance.dataplanePids();
  process.kill(dataplane, 'SIGKILL');
  const isReplaced = () => instance.dataplanePids().some((pid) => pid !== dataplane);
  await waitFor('another dataplane', isReplaced);
  await instance.untilReady(pods);
}

/** How many packet sockets and TAPs each process of an instance has open. @param netns that of the agent */
export async function descriptorsOf(instance: SluiceInstance, netns: string): Promise<string> {
  const sockets = new Set((await packetSockets(netns)).map((inode) => `socket:[${inode}]`));
  const count = (pid: number) => {
    const links = linksOf(pid);
    const taps = links.filter((link) => link === '/dev/net/tun').length;
    return `${links.filter((link) => sockets.has(link)).length} sockets, ${taps} TAPs`;
  };
  return instance.pids().map(count).join('; ');
}

function linksOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return ''; // closed meanwhile
    }
  });
}

/** Inodes of the packet sockets in a network namespace, sorted: a socket that is opened anew has another. */
export async function packetSockets(netns: string): Promise<string[]> {
  const text = await must(inNetns(netns, ['cat', '/proc/net/packet']));
  const rows = text.trim().split('\n').slice(1);
  return rows.map((row) => row.trim().split(/\s+/).at(-1) ?? '').sort();
}

/** Sets an interface of a namespace up or down, or deletes it. */
export async function ipLink(netns: string, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await run(['ip', '-n', netns, 'link', ...args]);
  if (code !== 0) throw new Error(`ip link ${args.join(' ')}: ${stderr}`);
}
