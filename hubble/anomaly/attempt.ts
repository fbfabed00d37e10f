/** Which flows are attempts to reach somebody, and how those who talk are called. */
import { EVENT_DROP, EVENT_L7, EVENT_POLICY_VERDICT } from '../../wire/event.ts';
import type { Endpoint, Flow } from '../flow.ts';

export interface Attempt {
  /** Addresses. */
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Of the destination. */
  readonly port: number;
}

/**
 * The first packet of a connection, or of something like one; undefined for replies, packets within a connection and whatever
 * does not say. A UDP packet that is dropped does not say whether it is a reply: its verdict does.
 */
export function attemptOf({ IP, l4, is_reply: isReply, event_type: { type } }: Flow): Attempt | undefined {
  if (IP === undefined || l4 === undefined || isReply === true || type === EVENT_L7) return undefined;
  const { source, destination } = IP;
  const { TCP, UDP, SCTP } = l4;
  if (TCP !== undefined) {
    const { flags = {}, destination_port: port = 0 } = TCP;
    return flags.SYN === true && flags.ACK !== true ? { source, destination, protocol: 'TCP', port } : undefined;
  }
  const isFirst = type === EVENT_POLICY_VERDICT || (isReply === false && type !== EVENT_DROP);
  if (UDP !== undefined)
    return isFirst ? { source, destination, protocol: 'UDP', port: UDP.destination_port ?? 0 } : undefined;
  if (SCTP?.chunk_type !== 'INIT') return undefined;
  return { source, destination, protocol: 'SCTP', port: SCTP.destination_port ?? 0 };
}

/** `shop/web` of a pod's workload, `shop/web-0` of a pod without one; '' for what is no pod. */
export function workloadOf({ namespace = '', workloads, pod_name: pod = '' }: Endpoint): string {
  const name = workloads?.[0]?.name ?? pod;
  return namespace === '' || name === '' ? '' : `${namespace}/${name}`;
}

/** The pod, else the address. */
export function sourceText({ source, IP }: Flow): string {
  const { namespace = '', pod_name: pod = '' } = source;
  return pod === '' ? (IP?.source ?? 'somebody') : `${namespace}/${pod}`;
}

export function isOutside({ labels = [] }: Endpoint): boolean {
  return labels.some((label) => label.startsWith('reserved:world'));
}
