/**
 * What kube-proxy makes of services in its nftables mode, beside ours: a map of addresses and ports leads to a chain for each
 * service, which draws a backend and rewrites the destination. Pods hang on a bridge that is their way out, and br_netfilter
 * brings what is bridged before the IPv4 hooks, as kubelet's own network does.
 */
import { type Cleanup, inNetns, mustAll, run } from '../test/command.ts';
import { CROWD, CROWD_PORT, crowdBackends, crowdClusterIp } from './crowd-services.ts';
import { kernelBridge } from './kernel-bridge.ts';
import { CLIENT, IPERF_PORT, MIDDLE, type Raised, SERVER, WEB_PORT } from './subject.ts';

const GATEWAY = '10.99.0.1';
const RULES_PATIENCE_MS = 300_000;

interface NftService {
  readonly name: string;
  readonly clusterIp: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** `address . port` of each backend. */
  readonly backends: readonly string[];
}

/** The bridge with its rules, and the service that leads to the server. */
export async function raiseNftServices(clusterIp: string, cleanup: Cleanup): Promise<Raised> {
  const raised = await kernelBridge.up('l4', cleanup);
  await mustAll(`
    ip -n ${MIDDLE} addr add ${GATEWAY}/24 dev bridge
    ip netns exec ${MIDDLE} sysctl -qw net.ipv4.ip_forward=1
    ip -n ${MIDDLE} link set bridge type bridge nf_call_iptables 1
    ip -n ${CLIENT} route add default via ${GATEWAY}
    ip -n ${SERVER} route add default via ${GATEWAY}
  `);
  const points = [
    { port: IPERF_PORT, protocol: 'tcp' },
    { port: IPERF_PORT, protocol: 'udp' },
    { port: WEB_PORT, protocol: 'tcp' },
  ] as const;
  const services = points.map(({ port, protocol }) => ({
    ...{ name: `server-${protocol}-${port}`, clusterIp, protocol, port },
    backends: [`${raised.address} . ${port}`],
  }));
  await nft(`table ip services {
    map service-ips { type ipv4_addr . inet_proto . inet_service : verdict; }
    chain prerouting {
      type nat hook prerouting priority dstnat; policy accept;
      ip daddr . meta l4proto . th dport vmap @service-ips
    }
  }
  ${services.map(rulesOf).join('\n')}`);
  return raised;
}

/** The others. */
export async function addNftCrowd(): Promise<void> {
  const services = Array.from({ length: CROWD }, (_, index) => ({
    ...{ name: `s${index}`, clusterIp: crowdClusterIp(index), protocol: 'tcp' as const, port: CROWD_PORT },
    backends: crowdBackends(index).map((address) => `${address} . 8080`),
  }));
  await nft(services.map(rulesOf).join('\n'));
}

function rulesOf({ name, clusterIp, protocol, port, backends }: NftService): string {
  const members = backends.map((backend, number) => `${number} : ${backend}`).join(', ');
  return `add chain ip services ${name}
add rule ip services ${name} meta l4proto ${protocol} dnat ip to numgen random mod ${backends.length} map { ${members} }
add element ip services service-ips { ${clusterIp} . ${protocol} . ${port} : goto ${name} }`;
}

async function nft(rules: string): Promise<void> {
  const { code, stderr } = await run(inNetns(MIDDLE, ['nft', '-f', '-']), {
    input: rules,
    timeoutMs: RULES_PATIENCE_MS,
  });
  if (code !== 0) throw new Error(`nft: ${stderr.slice(0, 1000)}`);
}
