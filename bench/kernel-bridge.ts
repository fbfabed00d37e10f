/** The kernel's bridge with a stateful nftables rule set: connection tracking, default drop. */
import { type Cleanup, inNetns, must, mustAll, run } from '../test/command.ts';
import {
  CLIENT,
  IPERF_PORT,
  JUMBO_MTU,
  makeNamespaces,
  MIDDLE,
  plugIn,
  type Raised,
  type RuleSet,
  SERVER,
  SOCKETS_PORT,
  type Subject,
  WEB_PORT,
} from './subject.ts';

const ADDRESS = '10.99.0.3';
const CLIENT_ADDRESS = '10.99.0.2';

/** The same as the policies of sluice.ts: from the client, to these ports and ping; replies by connection tracking. */
const RULES = `
    ct state established,related accept
    ct state new ip saddr ${CLIENT_ADDRESS} ip daddr ${ADDRESS} tcp dport { ${IPERF_PORT}, ${SOCKETS_PORT}, ${WEB_PORT} } accept
    ct state new ip saddr ${CLIENT_ADDRESS} ip daddr ${ADDRESS} udp dport { ${IPERF_PORT}, ${SOCKETS_PORT} } accept
    ct state new ip saddr ${CLIENT_ADDRESS} ip daddr ${ADDRESS} icmp type echo-request accept
`;

/** Tracking inside the bridge family, where the kernel has nf_conntrack_bridge. */
const bridgeTable = (rules: string) => `table bridge slb {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ether type arp accept
    ${rules}
  }
}
`;

/** Elsewhere br_netfilter hands the bridge's frames to the IPv4 hooks. */
const ipTable = (rules: string) => `table ip slb {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ${rules}
  }
}
`;

const nft = (table: string) => run(inNetns(MIDDLE, ['nft', '-f', '-']), { input: table });

/** An empty bridge in the middle namespace, which lets pass what the rules accept. @param rules of nftables; none: everything */
export async function makeBridge(cleanup: Cleanup, rules: string | undefined): Promise<void> {
  await makeNamespaces(cleanup, MIDDLE);
  await mustAll(`
    ip -n ${MIDDLE} link add bridge type bridge
    ip -n ${MIDDLE} link set bridge up
  `);
  if (rules === undefined || (await nft(bridgeTable(rules))).code === 0) return;
  await must(['ip', '-n', MIDDLE, 'link', 'set', 'bridge', 'type', 'bridge', 'nf_call_iptables', '1']);
  const { code, stderr } = await nft(ipTable(rules));
  if (code !== 0) throw new Error(`nft: ${stderr}`);
}

/** Puts a namespace on the bridge: see plugIn. */
export async function plugIntoBridge(netns: string, outer: string, address: string, mtu?: number): Promise<void> {
  await plugIn(netns, outer, address, mtu);
  await must(['ip', '-n', MIDDLE, 'link', 'set', outer, 'master', 'bridge']);
}

async function raise(filtered: boolean, cleanup: Cleanup, mtu?: number): Promise<Raised> {
  await makeBridge(cleanup, filtered ? RULES : undefined);
  await plugIntoBridge(CLIENT, 'client', `${CLIENT_ADDRESS}/24`, mtu);
  await plugIntoBridge(SERVER, 'server', `${ADDRESS}/24`, mtu);
  return { address: ADDRESS, pids: () => [] };
}

const bridge = (name: string, ruleSets: readonly RuleSet[], filtered: boolean, mtu?: number): Subject => ({
  name,
  ruleSets,
  up: (_rules, cleanup) => raise(filtered, cleanup, mtu),
  ...(mtu === undefined && { jumbo: bridge(name, ruleSets, filtered, JUMBO_MTU) }),
});

/** With the rules. */
export const kernelBridge = bridge('bridge+nft', ['l4'], true);

/** Without any: what the machine can do when nothing is enforced. */
export const bareBridge = bridge('bare bridge', ['l4', 'http'], false);
