/**
 * netavark's plugins, in terms of CNI: podman's own way to make networks (from podman 4.5 and netavark 1.6 on) starts the same program with
 * `create`, `setup NETNS` and `teardown NETNS`. A network's options are the keys of a CNI network:
 *
 *     podman network create -d sluice -o podman=true -o namespace=lab net
 *
 * Addresses are the agent's to give, and nobody maps ports: a subnet, and a mapping, are refused with a sentence.
 */
import { CNI_CODES, CniError } from './cni-error.ts';
import type { PluginCall } from './request.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Options of `podman network create -o`, all of them texts. */
const OPTIONS = ['run-dir', 'mtu', 'namespace', 'podman'] as const;

/** What netavark asks: a network that is to be made, or the same in CNI's words. */
export type NetavarkCall = { readonly network: object } | { readonly call: PluginCall };

/** @throws CniError when it cannot be done */
export function fromNetavark([command, netns]: readonly string[], { config, outcomes }: PluginCall): NetavarkCall {
  const input = objectOf(parse(config));
  if (command === 'create') {
    checkNetwork(input);
    return { network: input };
  }
  const network = objectOf(input['network']);
  checkNetwork(network);
  const own = objectOf(input['network_options']);
  refuseMappings(input['port_mappings']);
  const options = objectOf(network['options']);
  const environment = {
    CNI_COMMAND: command === 'setup' ? 'ADD' : 'DEL',
    CNI_CONTAINERID: textOf(input['container_id']),
    CNI_NETNS: netns,
    CNI_IFNAME: textOf(own['interface_name']),
    CNI_ARGS: `K8S_POD_NAME=${textOf(input['container_name']).replaceAll(';', '')}`,
  };
  const asked = {
    cniVersion: '1.1.0',
    name: textOf(network['name']),
    type: 'sluice-cni',
    ...(options['namespace'] !== undefined && { namespace: options['namespace'] }),
    ...(options['mtu'] !== undefined && { mtu: Number(options['mtu']) }),
    podman: options['podman'] === 'true',
    runtimeConfig: { mac: textOf(own['static_mac']), ips: own['static_ips'] ?? [] },
  };
  return { call: { environment, config: JSON.stringify(asked), outcomes } };
}

interface Result {
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox?: string }[];
  readonly ips: readonly { readonly address: string; readonly gateway?: string }[];
}

/** A result of ADD as netavark's status block. */
export function statusBlock(result: object): object {
  const { interfaces, ips } = result as Result;
  const found = interfaces.find(({ sandbox }) => sandbox !== undefined);
  const subnets = ips.map(({ address, gateway }) => ({ ipnet: address, ...(gateway !== undefined && { gateway }) }));
  const own = found === undefined ? {} : { [found.name]: { mac_address: found.mac, subnets } };
  return { dns_search_domains: [], dns_server_ips: [], interfaces: own };
}

/** An error in netavark's words. */
export function netavarkError({ message, details }: CniError): string {
  return `${JSON.stringify({ error: details === '' ? message : `${message}: ${details}` })}\n`;
}

function checkNetwork(network: Fields): void {
  const { subnets, options } = network;
  if (Array.isArray(subnets) && subnets.length > 0) {
    const found = JSON.stringify(subnets).slice(0, 200);
    throw new CniError(
      CNI_CODES.unsupported,
      `subnets: found ${found}, wanted none: addresses are of the agent's podCIDRs`,
    );
  }
  const known: readonly string[] = OPTIONS;
  const strange = Object.keys(objectOf(options)).filter((name) => !known.includes(name));
  if (strange.length > 0)
    throw new CniError(CNI_CODES.unsupported, `options: found ${strange.join(', ')}, wanted ${OPTIONS.join(', ')}`);
}

function refuseMappings(mappings: unknown): void {
  if (!Array.isArray(mappings) || mappings.length === 0) return;
  const found = JSON.stringify(mappings).slice(0, 200);
  const wanted = "wanted none: Sluice's network maps no ports of the host";
  throw new CniError(CNI_CODES.unsupported, `port_mappings: found ${found}, ${wanted}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CniError(CNI_CODES.decode, 'read standard input: found no JSON', (error as Error).message);
  }
}

function objectOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
