/**
 * A host with a way out and what it finds there:
 *
 *   <name>-host   lan0 203.0.113.10 ── 203.0.113.1 eth0   <name>-net   198.51.100.1 on lo
 */
import { type Cleanup, inNetns, isListening, makeNetns, mustAll, start, waitFor } from './command.ts';
import { PATIENT_NAMES, SluiceInstance } from './rig.ts';

/** Where the internet is asked for names. */
export const INTERNET_DNS = '203.0.113.1';

export const DNSMASQ =
  'dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --group= --no-resolv --no-hosts --pid-file='.split(
    ' ',
  );

export interface Internet {
  /** Namespaces. */
  readonly host: string;
  readonly net: string;
}

/**
 * Makes both namespaces and the link between them, with no way beyond it.
 * @param ipv6 the first two groups of IPv6 addresses: `${ipv6}:1::10` and `${ipv6}:1::1`; without, there is IPv4 alone
 */
export async function raiseLan(name: string, cleanup: Cleanup, ipv6?: string): Promise<Internet> {
  const [host, net] = [`${name}-host`, `${name}-net`];
  await makeNetns(cleanup, host, net);
  await mustAll(`
    ip -n ${host} link add lan0 type veth peer name eth0 netns ${net}
    ip -n ${host} addr add 203.0.113.10/24 dev lan0
    ip -n ${net} addr add ${INTERNET_DNS}/24 dev eth0`);
  if (ipv6 !== undefined) {
    await mustAll(`
    ip -n ${host} addr add ${ipv6}:1::10/64 dev lan0 nodad
    ip -n ${net} addr add ${ipv6}:1::1/64 dev eth0 nodad`);
  }
  await mustAll(`
    ip -n ${host} link set lan0 up
    ip -n ${net} link set eth0 up`);
  return { host, net };
}

/** The same with something beyond, and the host's routes to it: 198.51.100.1, and `${ipv6}:2::1`. */
export async function raiseInternet(name: string, cleanup: Cleanup, ipv6?: string): Promise<Internet> {
  const { host, net } = await raiseLan(name, cleanup, ipv6);
  await mustAll(`
    ip -n ${net} addr add 198.51.100.1/32 dev lo
    ip -n ${host} route add default via ${INTERNET_DNS}`);
  if (ipv6 !== undefined) {
    await mustAll(`
    ip -n ${net} addr add ${ipv6}:2::1/128 dev lo nodad
    ip -n ${host} -6 route add default via ${ipv6}:1::1`);
  }
  return { host, net };
}

/** Runs a server in a namespace, and waits until it listens on its TCP port. */
export async function serve(netns: string, argv: readonly string[], port: number, cleanup: Cleanup): Promise<void> {
  const server = start(inNetns(netns, argv));
  cleanup.add(() => server.child.kill('SIGKILL'));
  await waitFor(`${argv[0]} to serve`, async () => {
    if (server.child.exitCode !== null) throw new Error(`${argv[0]} ended: ${server.output()}`);
    return isListening(netns, port);
  });
}

/** An instance on that host, whose name server asks the internet's and whose pods reach it, with the rig of a file of manifests. */
export async function startOnline(name: string, cleanup: Cleanup, manifests: string): Promise<SluiceInstance> {
  const instance = await SluiceInstance.start({
    name,
    cleanup,
    netns: `${name}-host`,
    netnsPrefix: `${name}-`,
    podCIDR4: '10.244.0.0/24',
    podCIDR6: 'fd00:10:244::/64',
    config: `${PATIENT_NAMES}uplink: { mode: host }\ndns: { enabled: true, upstreams: [${INTERNET_DNS}] }\n`,
  });
  await instance.rigUp(manifests);
  return instance;
}
