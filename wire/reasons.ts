/**
 * Why a frame was dropped, or what else there is to say of it: one line a reason. A reason that the code gives has a
 * constant; the others have none, and are here because flows of Cilium carry them.
 *
 * Numbers below 240 are Cilium's (bpf/lib/common.h), names are those that Hubble's flow.proto has for the numbers (two of which
 * the datapath has used for something else since: 136, 161), texts those of pkg/monitor/api/drop.go, so that flows, metrics and
 * habits carry over. Numbers below DROP_MIN are no drops. From 240 on
 * they are Sluice's own; flows carry the nearest of Hubble's for clients that know no others, and the own name beside it. A number is never reused. Metrics labels, flow text
 * and the table in wire/README.md (UPDATE=1 with reasons.test.ts writes it) all come from here.
 */

/** Numbers below this are no drops. */
export const DROP_MIN = 130;

// --- outcomes of a step, where a reason may stand too
/** The frame goes on, as it is or edited in place. */
export const FORWARD = 0;
/** A step ended the frame well: answered, learnt from, or nobody's business. Not a drop. */
export const CONSUMED = 1;
/** The L7 engine took the segment: it sends what is left of it itself, later or never. Not a drop. */
export const HELD = 2;

export interface Reason {
  /** Hubble's enum name, `DROP_REASON_UNKNOWN` below DROP_MIN; ours begin with SLUICE_. */
  readonly name: string;
  /** What people see: "Policy denied". */
  readonly text: string;
  /** For the operator who asks what that means. */
  readonly sentence: string;
  /** Of a reason whose name Hubble's clients lack: the number of one of theirs that says most of it. */
  readonly nearest?: number;
}

const table: Record<number, Reason> = {};

/** Every reason by its number; numbers without a meaning are absent. */
export const REASONS: Readonly<Record<number, Reason>> = table;

function reason(number: number, name: string, text: string, sentence: string): number {
  if (number in table) throw new RangeError(`define reason: found ${number} twice, wanted one reason a number`);
  table[number] = { name, text, sentence };
  return number;
}

/** A reason whose name Hubble's clients lack: one of our own. */
function lacking(number: number, nearest: number, name: string, text: string, sentence: string): number {
  reason(number, name, text, sentence);
  table[number] = { ...table[number], nearest };
  return number;
}

function info(number: number, text: string, sentence: string): void {
  reason(number, 'DROP_REASON_UNKNOWN', text, sentence);
}

// --- not drops
info(FORWARD, 'Success', 'The frame was forwarded.');
info(2, 'Invalid packet', 'The frame was not understood, and was not a drop either.');
info(3, 'Interface', 'The frame left by an interface of the host.');
info(4, 'Interface Decrypted', 'The frame left by an interface after it was decrypted.');
info(5, 'LB, sock cgroup: No backend slot entry found', 'A socket was to be sent to a service backend, but its slot is empty.');
info(6, 'LB, sock cgroup: No backend entry found', 'A socket was to be sent to a service backend that is not in the table.');
info(7, 'LB, sock cgroup: Reverse entry update failed', 'The way back from a service backend could not be recorded.');
info(8, 'LB, sock cgroup: Reverse entry stale', 'The way back from a service backend belongs to a service that is gone.');
info(9, 'Fragmented packet', 'A fragment was seen and tracked.');
info(10, 'Fragmented packet entry update failed', 'The fragment table is full: later fragments of this datagram will not be recognised.');
info(12, 'Interface Decrypting', 'The frame was handed over to be decrypted.');
info(13, 'Interface Encrypting', 'The frame was handed over to be encrypted.');
info(14, 'LB, sock cgroup: Reverse entry delete succeeded', 'The way back from a service backend was removed with its socket.');
info(15, 'MTU error message', 'The sender was told that its packet is too big.');

// --- drops
reason(130, 'INVALID_SOURCE_MAC', 'Invalid source mac', "The source MAC is not the endpoint's (no longer used: spoofed sources are 132).");
export const DROP_INVALID_DMAC = reason(131, 'INVALID_DESTINATION_MAC', 'Invalid destination mac', 'The frame is not addressed to the router or to a group.');
export const DROP_INVALID_SIP = reason(132, 'INVALID_SOURCE_IP', 'Invalid source ip', 'The source MAC or IP address is not one that this endpoint may use.');
export const DROP_POLICY = reason(133, 'POLICY_DENIED', 'Policy denied', 'No policy allows this peer on this port, and a policy that selects the endpoint denies the rest.');
export const DROP_INVALID = reason(134, 'INVALID_PACKET_DROPPED', 'Invalid packet', 'A header is truncated, a length is wrong, or a field has a value that no sender may use.');
export const DROP_CT_INVALID_HDR = reason(135, 'CT_TRUNCATED_OR_INVALID_HEADER', 'CT: Truncated or invalid header', 'Connection tracking could not read the L4 header.');
export const DROP_FRAG_NEEDED = reason(136, 'CT_MISSING_TCP_ACK_FLAG', 'Fragmentation needed', 'The packet is larger than the next link takes and may not be fragmented; its sender was told.');
export const DROP_CT_UNKNOWN_PROTO = reason(137, 'CT_UNKNOWN_L4_PROTOCOL', 'CT: Unknown L4 protocol', 'Connection tracking knows TCP, UDP, SCTP and ICMP; this is another protocol.');
export const DROP_CT_NO_BEGIN = reason(138, 'CT_CANNOT_CREATE_ENTRY_FROM_PACKET', "CT: Can't create entry from packet", 'No connection can begin with this packet: it is a TCP segment without SYN that belongs to none, and tcpMidstream is off.');
export const DROP_UNKNOWN_L3 = reason(139, 'UNSUPPORTED_L3_PROTOCOL', 'Unsupported L3 protocol', 'The frame is neither IPv4, IPv6 nor ARP.');
reason(140, 'MISSED_TAIL_CALL', 'Missed tail call', 'A step of the pipeline is missing: report this as a bug.');
reason(141, 'ERROR_WRITING_TO_PACKET', 'Error writing to packet', 'The frame could not be rewritten in its buffer.');
reason(142, 'UNKNOWN_L4_PROTOCOL', 'Unknown L4 protocol', 'The L4 protocol is not one that policy can judge.');
reason(143, 'UNKNOWN_ICMPV4_CODE', 'Unknown ICMPv4 code', 'An ICMP message to the router has a code without a meaning.');
reason(144, 'UNKNOWN_ICMPV4_TYPE', 'Unknown ICMPv4 type', 'An ICMP message to the router is of a type that it does not answer.');
reason(145, 'UNKNOWN_ICMPV6_CODE', 'Unknown ICMPv6 code', 'An ICMPv6 message to the router has a code without a meaning.');
reason(146, 'UNKNOWN_ICMPV6_TYPE', 'Unknown ICMPv6 type', 'An ICMPv6 message to the router is of a type that it does not answer.');
reason(147, 'ERROR_RETRIEVING_TUNNEL_KEY', 'Error retrieving tunnel key', 'A tunnelled packet came without the identity of its sender.');
reason(148, 'ERROR_RETRIEVING_TUNNEL_OPTIONS', 'Error retrieving tunnel options', 'The options of a tunnelled packet could not be read (no longer used).');
reason(149, 'INVALID_GENEVE_OPTION', 'Invalid Geneve option', 'A Geneve option is malformed (no longer used).');
export const DROP_UNKNOWN_TARGET = reason(150, 'UNKNOWN_L3_TARGET_ADDRESS', 'Unknown L3 target address', 'Nothing known here has the destination address.');
export const DROP_UNROUTABLE = reason(151, 'STALE_OR_UNROUTABLE_IP', 'Stale or unroutable IP', 'The destination was an endpoint that is gone, or no route leads to it.');
reason(152, 'NO_MATCHING_LOCAL_CONTAINER_FOUND', 'No matching local container found', 'No local endpoint matches the destination (no longer used).');
export const DROP_CSUM_L3 = reason(153, 'ERROR_WHILE_CORRECTING_L3_CHECKSUM', 'Error while correcting L3 checksum', 'The checksum of the IP header is wrong.');
export const DROP_CSUM_L4 = reason(154, 'ERROR_WHILE_CORRECTING_L4_CHECKSUM', 'Error while correcting L4 checksum', 'The TCP, UDP, SCTP or ICMP checksum is wrong.');
export const DROP_CT_CREATE_FAILED = reason(155, 'CT_MAP_INSERTION_FAILED', 'CT: Map insertion failed', 'The connection-tracking table is full and nothing in it could be evicted.');
export const DROP_INVALID_EXTHDR = reason(156, 'INVALID_IPV6_EXTENSION_HEADER', 'Invalid IPv6 extension header', 'The chain of IPv6 extension headers is too long, truncated, out of order, or has a route left to go.');
export const DROP_FRAG_NOSUPPORT = reason(
  157,
  'IP_FRAGMENTATION_NOT_SUPPORTED',
  'IP fragmentation not supported',
  'A fragment without a known port met a policy that asks for ports; or what L7 rules must read whole came in fragments, or as several datagrams in a frame.',
);
export const DROP_NO_SERVICE_BACKEND = reason(158, 'SERVICE_BACKEND_NOT_FOUND', 'Service backend not found', 'The service has no backend that is ready.');
reason(160, 'NO_TUNNEL_OR_ENCAPSULATION_ENDPOINT', 'No tunnel/encapsulation endpoint (datapath BUG!)', 'The destination is on another node whose address is not known.');
reason(161, 'FAILED_TO_INSERT_INTO_PROXYMAP', 'L3 translation (NAT46/NAT64) is disabled', 'The packet asks for translation between IPv4 and IPv6, which is switched off.');
reason(162, 'REACHED_EDT_RATE_LIMITING_DROP_HORIZON', 'Reached EDT rate-limiting drop horizon', 'The endpoint sends faster than its bandwidth limit, and its queue is full.');
reason(163, 'UNKNOWN_CONNECTION_TRACKING_STATE', 'Unknown connection tracking state', 'Connection tracking answered a state that does not exist: report this as a bug.');
reason(164, 'LOCAL_HOST_IS_UNREACHABLE', 'Local host is unreachable', "The host's own address cannot be reached from this endpoint.");
reason(165, 'NO_CONFIGURATION_AVAILABLE_TO_PERFORM_POLICY_DECISION', 'No configuration available to perform policy decision', 'The endpoint has no configuration (no longer used).');
export const DROP_UNSUPPORTED_L2 = reason(166, 'UNSUPPORTED_L2_PROTOCOL', 'Unsupported L2 protocol', 'The frame is not plain Ethernet II: a VLAN tag, an 802.3 length with LLC or SNAP, or too short.');
export const DROP_NAT_NO_MAPPING = reason(167, 'NO_MAPPING_FOR_NAT_MASQUERADE', 'No mapping for NAT masquerade', 'No free port was found to masquerade the connection.');
export const DROP_NAT_UNSUPPORTED_PROTOCOL = reason(168, 'UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE', 'Unsupported protocol for NAT masquerade', 'This protocol cannot be masqueraded.');
export const DROP_FIB_LOOKUP_FAILED = reason(169, 'FIB_LOOKUP_FAILED', 'FIB lookup failed', 'Nothing leads to the destination (no pod has it, and there is no uplink), or: The next hop on the uplink (the gateway, or the destination itself) did not answer.');
reason(170, 'ENCAPSULATION_TRAFFIC_IS_PROHIBITED', 'Encapsulation traffic is prohibited', 'An endpoint sent to the tunnel port, where it could have claimed any identity.');
reason(171, 'INVALID_IDENTITY', 'Invalid identity', 'The sender claims an identity that it cannot have.');
reason(172, 'UNKNOWN_SENDER', 'Unknown sender', 'The identity of the sender is not known here.');
reason(173, 'NAT_NOT_NEEDED', 'NAT not needed', 'The packet needs no translation.');
export const DROP_IS_CLUSTER_IP = reason(174, 'IS_A_CLUSTERIP', 'Is a ClusterIP', 'A ClusterIP was reached from outside.');
export const DROP_FIRST_FRAGMENT_MISSING = reason(175, 'FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND', 'First logical datagram fragment not found', 'A later fragment came whose first part, with the ports, was not seen.');
export const DROP_FORBIDDEN_ICMP6 = reason(176, 'FORBIDDEN_ICMPV6_MESSAGE', 'Forbidden ICMPv6 message', 'An endpoint may not send this ICMPv6 message (such as a router advertisement).');
export const DROP_SOURCE_RANGE = reason(177, 'DENIED_BY_LB_SRC_RANGE_CHECK', 'Denied by LB src range check', 'The client is not in the loadBalancerSourceRanges of the service.');
reason(178, 'SOCKET_LOOKUP_FAILED', 'Socket lookup failed', 'The socket of the proxy was not found.');
reason(179, 'SOCKET_ASSIGN_FAILED', 'Socket assign failed', 'The packet could not be given to the socket of the proxy.');
export const DROP_PROXY_UNKNOWN_PROTO = reason(180, 'PROXY_REDIRECTION_NOT_SUPPORTED_FOR_PROTOCOL', 'Proxy redirection not supported for protocol', 'An L7 rule applies to a protocol that the L7 engine does not read.');
export const DROP_POLICY_DENY = reason(181, 'POLICY_DENY', 'Policy denied by denylist', 'A deny rule forbids this peer on this port.');
export const DROP_VLAN_FILTERED = reason(182, 'VLAN_FILTERED', 'VLAN traffic disallowed by VLAN filter', 'The VLAN tag is not one that is let through.');
reason(183, 'INVALID_VNI', 'Incorrect VNI from VTEP', 'A tunnel endpoint outside used a network number it may not use.');
reason(184, 'INVALID_TC_BUFFER', 'Failed to update or lookup TC buffer', 'A scratch buffer was missing: report this as a bug.');
reason(185, 'NO_SID', 'No SID was found for the IP address', 'No segment identifier leads to the address.');
reason(186, 'MISSING_SRV6_STATE', 'SRv6 state was removed during tail call', 'The segment-routing state of the packet was lost on the way.');
reason(187, 'NAT46', 'L3 translation from IPv4 to IPv6 failed (NAT46)', 'The IPv4 packet could not be turned into IPv6.');
reason(188, 'NAT64', 'L3 translation from IPv6 to IPv4 failed (NAT64)', 'The IPv6 packet could not be turned into IPv4.');
export const DROP_POLICY_AUTH_REQUIRED = reason(189, 'AUTH_REQUIRED', 'Authentication required', 'The policy asks for mutual authentication, which these two have not done.');
reason(190, 'CT_NO_MAP_FOUND', 'No conntrack map found', 'The connection-tracking table of this cluster is missing.');
reason(191, 'SNAT_NO_MAP_FOUND', 'No nat map found', 'The NAT table of this cluster is missing.');
reason(192, 'INVALID_CLUSTER_ID', 'Invalid ClusterID', 'The packet names a cluster that does not exist.');
reason(193, 'UNSUPPORTED_PROTOCOL_FOR_DSR_ENCAP', 'Unsupported packet protocol for DSR encapsulation', 'This protocol cannot be sent to a backend with direct server return.');
export const DROP_NO_EGRESS_GATEWAY = reason(194, 'NO_EGRESS_GATEWAY', 'No egress gateway found', 'An egress gateway policy applies, and none of its gateways is this node.');
reason(195, 'UNENCRYPTED_TRAFFIC', 'Traffic is unencrypted', 'Only encrypted traffic may leave in strict mode.');
export const DROP_TTL_EXCEEDED = reason(196, 'TTL_EXCEEDED', 'TTL exceeded', 'The TTL or hop limit ran out here; the sender was told.');
reason(197, 'NO_NODE_ID', 'No node ID found', 'The node of the destination has no number yet.');
reason(198, 'DROP_RATE_LIMITED', 'Rate limited', 'An answer that the router makes itself was over its rate limit.');
reason(199, 'IGMP_HANDLED', 'IGMP handled', 'The IGMP message was taken in; nothing was lost.');
reason(200, 'IGMP_SUBSCRIBED', 'IGMP subscribed', 'The endpoint joined a group; nothing was lost.');
export const DROP_MULTICAST_HANDLED = reason(201, 'MULTICAST_HANDLED', 'Multicast handled', 'The packet was copied to its group; nothing was lost.');
reason(202, 'DROP_HOST_NOT_READY', 'Host datapath not ready', "The host's port is not ready yet.");
export const DROP_EP_NOT_READY = reason(203, 'DROP_EP_NOT_READY', 'Endpoint policy program not available', "The endpoint's first policy is not published yet: nothing passes until it is.");
export const DROP_NO_EGRESS_IP = reason(204, 'DROP_NO_EGRESS_IP', 'No Egress IP configured', 'An egress gateway policy applies, and no interface of this node has the address that it names.');
reason(205, 'DROP_PUNT_PROXY', 'Punt to proxy', 'The packet was handed to the proxy; nothing was lost.');
lacking(206, DROP_FIB_LOOKUP_FAILED, 'DROP_NO_DEVICE', 'No device', 'The interface towards the destination is gone.');
reason(207, 'DROP_FRAG_NOT_FOUND_WORLD', 'First logical datagram fragment not found from world', 'A later fragment from outside came whose first part was not seen.');

// --- Sluice's own
export const DROP_PORT_FULL = lacking(240, 198, 'SLUICE_PORT_FULL', 'Transmit queue full', 'The interface did not take the frame: the receiver reads too slowly.');
export const DROP_STREAM_INVALID = lacking(241, DROP_INVALID, 'SLUICE_STREAM_INVALID', 'Segment does not fit the judged stream', 'A TCP segment under an L7 rule is out of its window, overlaps other data, is urgent, or carries data on its SYN.');
export const DROP_STREAM_LIMIT = lacking(242, DROP_CT_CREATE_FAILED, 'SLUICE_STREAM_LIMIT', 'L7 memory limit reached', "The L7 engine has no room to hold this connection's bytes.");
export const DROP_STREAM_CLOSED = lacking(243, DROP_POLICY, 'SLUICE_STREAM_CLOSED', 'Connection closed by an L7 verdict', 'The connection was closed by the L7 engine; segments that still come are discarded.');
export const DROP_L7_DENIED = lacking(244, DROP_POLICY, 'SLUICE_L7_DENIED', 'Denied by L7 policy', 'An L7 rule denied the message this frame carried, and the protocol has no answer for it.');
export const DROP_L7_HELD = lacking(245, DROP_POLICY, 'SLUICE_L7_HELD_TIMEOUT', 'Held for the agent too long', 'A DNS answer taught addresses that the agent did not publish in time, or that there was no room to ask it about; its client got SERVFAIL.');
export const DROP_FAULT = lacking(246, 198, 'SLUICE_FAULT', 'Dropped on purpose', 'The port has faults: by the configuration (faults) or the annotation sluice.io/fault.');
export const DROP_SERVICE_PORT = lacking(247, DROP_NO_SERVICE_BACKEND, 'SLUICE_SERVICE_PORT', 'No such port of the service', "The address is a service's, and it has no such port or protocol; ICMP echo is none either.");
export const DROP_BACKEND_GONE = lacking(248, DROP_NO_SERVICE_BACKEND, 'SLUICE_BACKEND_GONE', 'Service backend gone', 'The backend that the connection went to, or its service, is no more: a TCP client is told by a reset.');
export const DROP_TUPLE_TAKEN = lacking(249, DROP_CT_CREATE_FAILED, 'SLUICE_TUPLE_TAKEN', 'Connection exists under another address', 'The same two ports are connected already by another address of the same backend: the client must take another port.');
export const DROP_NOT_TRANSLATED = lacking(250, DROP_NAT_NO_MAPPING, 'SLUICE_NOT_TRANSLATED', 'No connection to translate for', 'The frame is to or from an address that stands for others in known connections only, and belongs to none.');
export const DROP_DNS_INVALID = lacking(251, DROP_INVALID, 'SLUICE_DNS_INVALID', 'Invalid DNS message', 'A datagram under DNS rules is not one plain query, or not one whole answer; the counter dns_errors says why.');
export const DROP_DNS_UNASKED = lacking(252, DROP_CT_NO_BEGIN, 'SLUICE_DNS_UNASKED', 'DNS answer to no question', 'A DNS answer came late, twice, or to a question that was not asked under its id.');

/** "Policy denied" for 133; the number itself when it has no meaning, as Cilium prints it. */
export function reasonText(number: number): string {
  return REASONS[number]?.text ?? String(number);
}

/** Hubble's enum name: "POLICY_DENIED" for 133, "DROP_REASON_UNKNOWN" when there is none. */
export function reasonName(number: number): string {
  return REASONS[number]?.name ?? 'DROP_REASON_UNKNOWN';
}

/** The number of an enum name in any case ("policy_denied"), or -1. */
export function reasonNumber(name: string): number {
  const wanted = name.toUpperCase();
  for (const [number, entry] of Object.entries(REASONS)) {
    if (entry.name === wanted && Number(number) >= DROP_MIN) return Number(number);
  }
  return -1;
}

/** The reason that a stock client of Hubble knows: the number itself, or the nearest one to a reason of our own. */
export function hubbleReason(number: number): number {
  return REASONS[number]?.nearest ?? number;
}
