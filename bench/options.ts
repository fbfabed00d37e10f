/** The command line of scripts/bench. */
import { parseArgs } from 'node:util';

export const USAGE = `usage: scripts/bench [PART ...] [--rounds N] [--seconds N] [--pods N] [--flows N] [--subjects A,B]
                     [--compare FILE|COMMIT] [--json FILE] [--page FILE] [--from FILE]
parts:      tcp udp crr ping (L4 rules), http (HTTP policy), mem (100 pods), restart (dataplane killed),
            rr (round trips of small messages), gso (bursts of UDP, as QUIC sends), jumbo (frames of 9,000 bytes),
            town (100 pods, traffic on each), full (the tables full of what nobody asks for, beside empty ones),
            services (an address of a service beside the pod's, alone and among 10,000; beside nftables),
            l7 (HTTP/1.1, HTTP/2 and gRPC through rules beside proxies; HTTP and Kafka rules beside an L4 rule),
            kubernetes (50,000 pods of other nodes and 5,000 policies from a Kubernetes API, or --pods N),
            sni (TLS under serverNames beside an L4 rule), dns (DNS rules beside none, sluice-dns beside dnsmasq),
            observe (flows off, on, followed, kept; flows to one client, millions on disk, decoding), or one of its parts:
            observability, flow-stream, flow-history, flow-decoding,
            pipeline, policy and any other NAME with a file NAME*.bench.ts
            default: tcp udp crr ping http mem restart pipeline
rounds:     turns of each subject, default 3; seconds: length of each load, default 3; pods: silent ones beside, in restart,
            of other nodes in kubernetes;
            flows: on disk, in flow-history, default 10000000
subjects:   bridge,ovs,nginx,haproxy,envoy,bare,sluice,sluice-offload,sluice-veth,sluice-tap; default: all but the last three, envoy where
            the variable ENVOY names the program
compare:    a commit is built and takes its turns as one more subject; a file is an earlier report, shown beside this one
json, page: write the report, as JSON or as a page of Markdown; from: measure nothing, take the report of a file`;

/** What `observe` stands for. */
const OBSERVE_PARTS = ['observability', 'flow-stream', 'flow-history', 'flow-decoding'];
const DEFAULT_PARTS = ['tcp', 'udp', 'crr', 'ping', 'http', 'mem', 'restart', 'pipeline'];

export interface Options {
  readonly parts: readonly string[];
  readonly rounds: number;
  /** Of each load. */
  readonly seconds: number;
  /** Silent pods beside the two of the part `restart`; of other nodes, of the part `kubernetes`. */
  readonly pods: number;
  /** On disk, in the part `flow-history`. */
  readonly flows: number;
  /** By name; undefined: the default ones. */
  readonly subjects?: readonly string[];
  /** A report's file, or a commit. */
  readonly compare?: string;
  /** Files to write. */
  readonly json?: string;
  readonly page?: string;
  /** A report's file, in place of a run. */
  readonly from?: string;
}

/**
 * @returns undefined when the help was asked for
 * @throws Error for what is no option, or no number
 */
export function readOptions(argv: readonly string[]): Options | undefined {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      ...{ rounds: text, seconds: text, pods: text, flows: text, subjects: text },
      ...{ compare: text, json: text, page: text, from: text },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return undefined;
  const { compare, json, page, from } = values;
  const named = positionals.flatMap((part) => (part === 'observe' ? OBSERVE_PARTS : [part]));
  return {
    parts: named.length > 0 ? named : DEFAULT_PARTS,
    rounds: numberOf('rounds', values.rounds, 3, 1),
    seconds: numberOf('seconds', values.seconds, 3, 1),
    pods: numberOf('pods', values.pods, 0, 0),
    flows: numberOf('flows', values.flows, 10_000_000, 1),
    ...(values.subjects !== undefined && { subjects: values.subjects.split(',') }),
    ...(compare !== undefined && { compare }),
    ...(json !== undefined && { json }),
    ...(page !== undefined && { page }),
    ...(from !== undefined && { from }),
  };
}

function numberOf(name: string, given: string | undefined, usual: number, least: number): number {
  const number = given === undefined ? usual : Number(given);
  if (!Number.isInteger(number) || number < least)
    throw new Error(`--${name}: found ${given}, wanted a whole number from ${least} on`);
  return number;
}
