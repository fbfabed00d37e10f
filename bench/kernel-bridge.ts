/** The kernel's bridge with a stateful nftables rule set: connection tracking, default drop. */
import { type Cleanup, inNetns, must, mustAll, run } from '../test/command.ts';
import {
  CLIENT,
  IPERF_PORT,
  makeNamespaces,
  MIDDLE,
  plugIn,
  type Raised,
  type RuleSet,
  SERVER,
  type Subject,
  WEB_PORT,
} from './subject.ts';

const ADDRESS = '10.99.0.3';
const CLIENT_ADDRESS = '10.99.0.2';

/** The same as the policies of sluice.ts: from the client, to these ports and ping; replies by connection tracking. */
const RULES = `
    ct state established,related accept
    ct state new ip saddr ${CLIENT_ADDRESS} ip daddr ${ADDRESS} tcp dport { ${IPERF_PORT}, ${WEB_PORT} } accept
    ct state new ip saddr ${CLIENT_ADDRESS} ip daddr ${ADDRESS} udp dport ${IPERF_PORT} accept
    ct state new ip saddr ${CLIENT_ADDRESS} ip daddr ${ADDRESS} icmp type echo-request accept
`;

/** Tracking inside the bridge family, where the kernel has nf_conntrack_bridge. */
const BRIDGE_TABLE = `table bridge slb {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ether type arp accept
    ${RULES}
  }
}
`;

/** Elsewhere br_netfilter hands the bridge's frames to the IPv4 hooks. */
const IP_TABLE = `table ip slb {
  chain forward {
    type filter hook forward priority 0; policy drop;
    ${RULES}
  }
}
`;

const nft = (table: string) => run(inNetns(MIDDLE, ['nft', '-f', '-']), { input: table });

async function filter(): Promise<void> {
  if ((await nft(BRIDGE_TABLE)).code === 0) return;
  await must(['ip', '-n', MIDDLE, 'link', 'set', 'bridge', 'type', 'bridge', 'nf_call_iptables', '1']);
  const { code, stderr } = await nft(IP_TABLE);
  if (code !== 0) throw new Error(`nft: ${stderr}`);
}

async function raise(filtered: boolean, cleanup: Cleanup): Promise<Raised> {
  await makeNamespaces(cleanup, MIDDLE);
  await mustAll(`
    ip -n ${MIDDLE} link add bridge type bridge
    ip -n ${MIDDLE} link set bridge up
  `);
  await plugIn(CLIENT, 'client', `${CLIENT_ADDRESS}/24`);
  await plugIn(SERVER, 'server', `${ADDRESS}/24`);
  await mustAll(`
    ip -n ${MIDDLE} link set client master bridge
    ip -n ${MIDDLE} link set server master bridge
  `);
  if (filtered) await filter();
  return { address: ADDRESS, pids: () => [] };
}

/** With the rules. */
export const kernelBridge: Subject = {
  name: 'bridge+nft',
  ruleSets: ['l4'],
  up: (_rules: RuleSet, cleanup: Cleanup) => raise(true, cleanup),
};

/** Without any: what the machine can do when nothing is enforced. */
export const bareBridge: Subject = {
  name: 'bare bridge',
  ruleSets: ['l4', 'http'],
  up: (_rules: RuleSet, cleanup: Cleanup) => raise(false, cleanup),
};
