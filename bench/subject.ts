/**
 * What is measured: something that joins the namespaces `slb-client` and `slb-server` and lets through only what the
 * rule set of this bench allows. Every subject is built from nothing for its turn and removed after it.
 *
 *   slb-client [eth0] ---- subject ---- [eth0] slb-server
 */
import type { Cleanup } from '../test/command.ts';
import { must, mustAll, run } from '../test/command.ts';

export const CLIENT = 'slb-client';
export const SERVER = 'slb-server';
/** Where a bridge, a switch or a proxy stands, so that nothing of the host's own network has a part in it. */
export const MIDDLE = 'slb-middle';

/** Ports that the L4 rule set opens: iperf3 (TCP and UDP), sockperf and sockets.py (TCP and UDP), the web server. */
export const IPERF_PORT = 5201;
export const SOCKETS_PORT = 5202;
export const WEB_PORT = 8080;
/** A web server in HTTP/2, by prior knowledge; open under the HTTP rules only. */
export const WEB2_PORT = 8081;
/** The same answered by nginx, which sends every answer in a packet of its own. */
export const CHATTY_PORT = 8085;
/** The gRPC server; open under the HTTP rules only. */
export const GRPC_PORT = 8082;

export const JUMBO_MTU = 9000;

/**
 * `l4`: stateful allow rules for the ports above and ping. `http`: GET /public..., PUT /version on WEB_PORT, WEB2_PORT and CHATTY_PORT, POST
 * /shop.Open/... on GRPC_PORT.
 */
export type RuleSet = 'l4' | 'http';

export interface Subject {
  readonly name: string;
  readonly ruleSets: readonly RuleSet[];
  /** Builds it; the namespaces exist and are empty. What must be undone goes to `cleanup`. */
  up(rules: RuleSet, cleanup: Cleanup): Promise<Raised>;
  /** The same, of the same name, with an MTU of JUMBO_MTU. */
  readonly jumbo?: Subject;
}

/** A subject that is up. */
export interface Raised {
  /** Address the client connects to. */
  readonly address: string;
  /** Processes that do the forwarding; empty when the kernel does. */
  pids(): number[];
  /** The same by name, where each is told by itself. */
  readonly parts?: Readonly<Record<string, () => number[]>>;
}

/** Makes empty namespaces, each with its loopback up. */
export async function makeNamespaces(cleanup: Cleanup, ...names: string[]): Promise<void> {
  for (const name of names) {
    await run(['ip', 'netns', 'del', name]);
    cleanup.command('ip', 'netns', 'del', name);
    await must(['ip', 'netns', 'add', name]);
    await must(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
  }
}

/** A veth pair between eth0 of `netns`, with `address`, and `outer` in the middle namespace. */
export async function plugIn(netns: string, outer: string, address: string, mtu = 1500): Promise<void> {
  await mustAll(`
    ip -n ${MIDDLE} link add ${outer} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${netns}
    ip -n ${netns} addr add ${address} dev eth0
    ip -n ${netns} link set eth0 up
    ip -n ${MIDDLE} link set ${outer} up
  `);
}
