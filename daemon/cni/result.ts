/** Results of ADD, in the shape of each version of the specification. */
import { isIP } from 'node:net';
import type { PreviousResult } from './previous-result.ts';
import type { CniVersion } from './request.ts';

/** What there is to tell of an attachment that we made. */
export interface Made {
  /** The host's end; undefined where there is none (TAP). */
  readonly host?: { readonly name: string; readonly mac: string };
  readonly pod: { readonly name: string; readonly mac: string; readonly mtu: number; readonly sandbox: string };
  readonly addresses: readonly string[];
  /** At most one a family. */
  readonly gateways: readonly string[];
  readonly dns: object;
}

/**
 * The result of our own ADD.
 *
 *   1. Up to 0.4.0 each address says its family in `version`.
 *   2. From 1.1.0 on an interface says its MTU.
 */
export function madeResult(cniVersion: CniVersion, { host, pod, addresses, gateways, dns }: Made): object {
  const { mtu, ...container } = pod;
  const withMtu = <T extends object>(one: T): T => (cniVersion >= '1.1.0' ? { ...one, mtu } : one);
  const gatewayOf = (address: string) => gateways.find((one) => isIP(one) === isIP(address));
  const families = [4, 6].filter((family) => addresses.some((address) => isIP(address) === family));
  return {
    cniVersion,
    interfaces: [...(host === undefined ? [] : [withMtu(host)]), withMtu(container)],
    ips: addresses.map((address) => ({
      ...(cniVersion <= '0.4.0' && { version: String(isIP(address)) }),
      address: `${address}/${isIP(address) === 4 ? 32 : 128}`,
      ...(gatewayOf(address) !== undefined && { gateway: gatewayOf(address) }),
      interface: host === undefined ? 0 : 1,
    })),
    routes: families.map((family) => {
      const gw = gateways.find((one) => isIP(one) === family);
      return { dst: family === 4 ? '0.0.0.0/0' : '::/0', ...(gw !== undefined && { gw }) };
    }),
    dns,
  };
}

/** The result in a chain: that of the plugins before, as it came. */
export function passedResult(cniVersion: CniVersion, { raw }: PreviousResult): object {
  return { ...raw, cniVersion };
}
