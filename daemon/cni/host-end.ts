/** The host's end of a veth pair whose other end is a container's: as the kernel has it, whatever a result says. */
import { ipJson } from '../../linux/netns.ts';
import { CNI_CODES, CniError } from './cni-error.ts';

interface Link {
  readonly ifindex: number;
  readonly ifname: string;
  /** Index of the other end, in that one's namespace. */
  readonly link_index?: number;
}

/** @throws CniError when the interface is no end of a pair that leads to the agent's namespace */
export async function hostEndOf(ifname: string, netns: string): Promise<string> {
  const inside = (await ipJson<Link>(netns, ['link', 'show'])).find((link) => link.ifname === ifname);
  const isPair = ({ ifindex, link_index }: Link) => ifindex === inside?.link_index && link_index === inside.ifindex;
  const host = inside === undefined ? undefined : (await ipJson<Link>('', ['link', 'show'])).find(isPair);
  if (host !== undefined) return host.ifname;
  const wanted = 'wanted one end of a veth pair whose other end is the host';
  const message = `CNI_IFNAME: found ${inside === undefined ? 'no' : 'another kind of'} interface ${ifname} in ${netns}, ${wanted}`;
  throw new CniError(CNI_CODES.environment, `${message}: put Sluice behind ptp or bridge`);
}
