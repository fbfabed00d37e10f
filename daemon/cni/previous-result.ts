/** A result of CNI: that of the plugins before us in a chain, or what an IPAM plugin gave. */
import { isIP } from 'node:net';
import { CNI_CODES, CniError } from './cni-error.ts';

export interface PreviousResult {
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox: string }[];
  readonly ips: readonly ResultAddress[];
  readonly dns: object;
  /** As it came. */
  readonly raw: Readonly<Record<string, unknown>>;
}

export interface ResultAddress {
  readonly address: string;
  /** Index among the interfaces; undefined = it does not say. */
  readonly interface: number | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

/** @throws CniError when it is no result */
export function readPrevious(raw: Fields, what = 'prevResult'): PreviousResult {
  const interfaces = listIn(raw, 'interfaces', what).map(({ name, mac, sandbox }) => ({
    name: textOf(name),
    mac: textOf(mac).toLowerCase(),
    sandbox: textOf(sandbox),
  }));
  const ips = listIn(raw, 'ips', what).map((one) => {
    const [address] = textOf(one['address']).split('/');
    if (isIP(address) === 0 || address.includes('%'))
      throw new CniError(CNI_CODES.decode, `${what}.ips: found ${JSON.stringify(one['address'])}, wanted an address`);
    const index = one['interface'];
    return { address, interface: typeof index === 'number' ? index : undefined };
  });
  const { dns } = raw;
  return { interfaces, ips, dns: typeof dns === 'object' && dns !== null ? dns : {}, raw };
}

function listIn(raw: Fields, key: string, what: string): Fields[] {
  const list = raw[key] ?? [];
  if (Array.isArray(list) && list.every((one) => typeof one === 'object' && one !== null)) return list as Fields[];
  throw new CniError(CNI_CODES.decode, `${what}.${key}: wanted a list of objects`);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** What the plugins before us made for an interface of the container. */
export interface PreviousInterface {
  readonly mac: string;
  readonly addresses: readonly string[];
}

/**
 * @param netns the container's
 * @throws CniError when there is none of this name, or it has no address
 */
export function previousInterface(
  { interfaces, ips }: PreviousResult,
  ifname: string,
  netns: string,
): PreviousInterface {
  const index = interfaces.findIndex(({ name, sandbox }) => name === ifname && sandbox === netns);
  if (index < 0) {
    const found = interfaces
      .map(({ name, sandbox }) => `${name} in ${sandbox === '' ? 'the host' : sandbox}`)
      .join(', ');
    const wanted = `wanted ${ifname} in ${netns}: which plugin before this one makes it?`;
    throw new CniError(CNI_CODES.config, `prevResult.interfaces: found ${found || 'none'}, ${wanted}`);
  }
  const own = ips.filter((one) => one.interface === undefined || one.interface === index);
  if (own.length === 0) throw new CniError(CNI_CODES.config, `prevResult.ips: found no address of ${ifname}`);
  return { mac: interfaces[index].mac, addresses: own.map(({ address }) => address) };
}
