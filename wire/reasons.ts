/**
 * Why a frame was dropped, or what else there is to say of it: one number, one constant, one name, one text, one sentence.
 *
 * Numbers below 240 are Cilium's (bpf/lib/common.h), names are those of Hubble's flow.proto DropReason, texts those of
 * pkg/monitor/api/drop.go, so that flows, metrics and habits carry over. Numbers below DROP_MIN are no drops. From 240 on
 * they are Sluice's own; a stock hubble client prints those as numbers. A number is never reused. Constants, metrics
 * labels, flow text and the table in wire/README.md all come from here. (A table: longer than other files by nature.)
 */

/** Numbers below this are no drops. */
export const DROP_MIN = 130;

// --- outcomes of a step, beside drop reasons: what a number below DROP_MIN says where a reason may stand
/** The frame goes on, as it is or edited in place. */
export const FORWARD = 0;
/** A step ended the frame well: answered, learnt from, or nobody's business. Not a drop. */
export const CONSUMED = 1;
/** The L7 engine took the segment: it sends what is left of it itself, later or never. Not a drop. */
export const HELD = 2;

export const REASON_FORWARDED = 0;
export const INFO_INVALID_PACKET = 2;
export const INFO_INTERFACE = 3;
export const INFO_INTERFACE_DECRYPTED = 4;
export const INFO_LB_NO_BACKEND_SLOT = 5;
export const INFO_LB_NO_BACKEND = 6;
export const INFO_LB_REVERSE_UPDATE_FAILED = 7;
export const INFO_LB_REVERSE_STALE = 8;
export const INFO_FRAGMENTED = 9;
export const INFO_FRAGMENT_UPDATE_FAILED = 10;
export const INFO_INTERFACE_DECRYPTING = 12;
export const INFO_INTERFACE_ENCRYPTING = 13;
export const INFO_LB_REVERSE_DELETED = 14;
export const INFO_MTU_ERROR = 15;
export const DROP_INVALID_SMAC = 130;
export const DROP_INVALID_DMAC = 131;
export const DROP_INVALID_SIP = 132;
export const DROP_POLICY = 133;
export const DROP_INVALID = 134;
export const DROP_CT_INVALID_HDR = 135;
export const DROP_FRAG_NEEDED = 136;
export const DROP_CT_UNKNOWN_PROTO = 137;
export const DROP_CT_CANT_CREATE = 138;
export const DROP_UNKNOWN_L3 = 139;
export const DROP_MISSED_TAIL_CALL = 140;
export const DROP_WRITE_ERROR = 141;
export const DROP_UNKNOWN_L4 = 142;
export const DROP_UNKNOWN_ICMP4_CODE = 143;
export const DROP_UNKNOWN_ICMP4_TYPE = 144;
export const DROP_UNKNOWN_ICMP6_CODE = 145;
export const DROP_UNKNOWN_ICMP6_TYPE = 146;
export const DROP_NO_TUNNEL_KEY = 147;
export const DROP_NO_TUNNEL_OPTIONS = 148;
export const DROP_INVALID_GENEVE = 149;
export const DROP_UNKNOWN_TARGET = 150;
export const DROP_UNROUTABLE = 151;
export const DROP_NO_LXC = 152;
export const DROP_CSUM_L3 = 153;
export const DROP_CSUM_L4 = 154;
export const DROP_CT_CREATE_FAILED = 155;
export const DROP_INVALID_EXTHDR = 156;
export const DROP_FRAG_NOSUPPORT = 157;
export const DROP_NO_SERVICE = 158;
export const DROP_NO_TUNNEL_ENDPOINT = 160;
export const DROP_NAT_46X64_DISABLED = 161;
export const DROP_EDT_HORIZON = 162;
export const DROP_UNKNOWN_CT = 163;
export const DROP_HOST_UNREACHABLE = 164;
export const DROP_NO_CONFIG = 165;
export const DROP_UNSUPPORTED_L2 = 166;
export const DROP_NAT_NO_MAPPING = 167;
export const DROP_NAT_UNSUPP_PROTO = 168;
export const DROP_NO_FIB = 169;
export const DROP_ENCAP_PROHIBITED = 170;
export const DROP_INVALID_IDENTITY = 171;
export const DROP_UNKNOWN_SENDER = 172;
export const DROP_NAT_NOT_NEEDED = 173;
export const DROP_IS_CLUSTER_IP = 174;
export const DROP_FRAG_NOT_FOUND = 175;
export const DROP_FORBIDDEN_ICMP6 = 176;
export const DROP_NOT_IN_SRC_RANGE = 177;
export const DROP_PROXY_LOOKUP_FAILED = 178;
export const DROP_PROXY_SET_FAILED = 179;
export const DROP_PROXY_UNKNOWN_PROTO = 180;
export const DROP_POLICY_DENY = 181;
export const DROP_VLAN_FILTERED = 182;
export const DROP_INVALID_VNI = 183;
export const DROP_INVALID_TC_BUFFER = 184;
export const DROP_NO_SID = 185;
export const DROP_MISSING_SRV6_STATE = 186;
export const DROP_NAT46 = 187;
export const DROP_NAT64 = 188;
export const DROP_POLICY_AUTH_REQUIRED = 189;
export const DROP_CT_NO_MAP_FOUND = 190;
export const DROP_SNAT_NO_MAP_FOUND = 191;
export const DROP_INVALID_CLUSTER_ID = 192;
export const DROP_DSR_ENCAP_UNSUPP_PROTO = 193;
export const DROP_NO_EGRESS_GATEWAY = 194;
export const DROP_UNENCRYPTED_TRAFFIC = 195;
export const DROP_TTL_EXCEEDED = 196;
export const DROP_NO_NODE_ID = 197;
export const DROP_RATE_LIMITED = 198;
export const DROP_IGMP_HANDLED = 199;
export const DROP_IGMP_SUBSCRIBED = 200;
export const DROP_MULTICAST_HANDLED = 201;
export const DROP_HOST_NOT_READY = 202;
export const DROP_EP_NOT_READY = 203;
export const DROP_NO_EGRESS_IP = 204;
export const DROP_PUNT_PROXY = 205;
export const DROP_NO_DEVICE = 206;
export const DROP_FRAG_NOT_FOUND_WORLD = 207;
export const DROP_PORT_FULL = 240;
export const DROP_STREAM_INVALID = 241;
export const DROP_STREAM_LIMIT = 242;
export const DROP_STREAM_CLOSED = 243;
export const DROP_L7_DENIED = 244;
export const DROP_L7_HELD_TIMEOUT = 245;

export interface Reason {
  /** Hubble's enum name (`drop_reason_desc`), `DROP_REASON_UNKNOWN` below DROP_MIN. */
  readonly name: string;
  /** What people see: "Policy denied". */
  readonly text: string;
  /** For the operator who asks what that means. */
  readonly sentence: string;
}

function reason(name: string, text: string, sentence: string): Reason {
  return { name, text, sentence };
}

function info(text: string, sentence: string): Reason {
  return { name: 'DROP_REASON_UNKNOWN', text, sentence };
}

/** Every reason by its number; numbers without a meaning are absent. */
export const REASONS: Readonly<Record<number, Reason>> = {
  [REASON_FORWARDED]: info('Success', 'The frame was forwarded.'),
  [INFO_INVALID_PACKET]: info('Invalid packet', 'The frame was not understood, and was not a drop either.'),
  [INFO_INTERFACE]: info('Interface', 'The frame left by an interface of the host.'),
  [INFO_INTERFACE_DECRYPTED]: info('Interface Decrypted', 'The frame left by an interface after it was decrypted.'),
  [INFO_LB_NO_BACKEND_SLOT]: info(
    'LB, sock cgroup: No backend slot entry found',
    'A socket was to be sent to a service backend, but its slot is empty.',
  ),
  [INFO_LB_NO_BACKEND]: info(
    'LB, sock cgroup: No backend entry found',
    'A socket was to be sent to a service backend that is not in the table.',
  ),
  [INFO_LB_REVERSE_UPDATE_FAILED]: info(
    'LB, sock cgroup: Reverse entry update failed',
    'The way back from a service backend could not be recorded.',
  ),
  [INFO_LB_REVERSE_STALE]: info(
    'LB, sock cgroup: Reverse entry stale',
    'The way back from a service backend belongs to a service that is gone.',
  ),
  [INFO_FRAGMENTED]: info('Fragmented packet', 'A fragment was seen and tracked.'),
  [INFO_FRAGMENT_UPDATE_FAILED]: info(
    'Fragmented packet entry update failed',
    'The fragment table is full: later fragments of this datagram will not be recognised.',
  ),
  [INFO_INTERFACE_DECRYPTING]: info('Interface Decrypting', 'The frame was handed over to be decrypted.'),
  [INFO_INTERFACE_ENCRYPTING]: info('Interface Encrypting', 'The frame was handed over to be encrypted.'),
  [INFO_LB_REVERSE_DELETED]: info(
    'LB, sock cgroup: Reverse entry delete succeeded',
    'The way back from a service backend was removed with its socket.',
  ),
  [INFO_MTU_ERROR]: info('MTU error message', 'The sender was told that its packet is too big.'),
  [DROP_INVALID_SMAC]: reason(
    'INVALID_SOURCE_MAC',
    'Invalid source mac',
    "The source MAC is not the endpoint's (no longer used: spoofed sources are 132).",
  ),
  [DROP_INVALID_DMAC]: reason(
    'INVALID_DESTINATION_MAC',
    'Invalid destination mac',
    'The frame is not addressed to the router or to a group.',
  ),
  [DROP_INVALID_SIP]: reason(
    'INVALID_SOURCE_IP',
    'Invalid source ip',
    'The source MAC or IP address is not one that this endpoint may use.',
  ),
  [DROP_POLICY]: reason(
    'POLICY_DENIED',
    'Policy denied',
    'No policy allows this peer on this port, and a policy that selects the endpoint denies the rest.',
  ),
  [DROP_INVALID]: reason(
    'INVALID_PACKET_DROPPED',
    'Invalid packet',
    'A header is truncated, a length is wrong, or a field has a value that no sender may use.',
  ),
  [DROP_CT_INVALID_HDR]: reason(
    'CT_TRUNCATED_OR_INVALID_HEADER',
    'CT: Truncated or invalid header',
    'Connection tracking could not read the L4 header.',
  ),
  [DROP_FRAG_NEEDED]: reason(
    'DROP_FRAG_NEEDED',
    'Fragmentation needed',
    'The packet is larger than the next link takes and may not be fragmented; its sender was told.',
  ),
  [DROP_CT_UNKNOWN_PROTO]: reason(
    'CT_UNKNOWN_L4_PROTOCOL',
    'CT: Unknown L4 protocol',
    'Connection tracking knows TCP, UDP, SCTP and ICMP; this is another protocol.',
  ),
  [DROP_CT_CANT_CREATE]: reason(
    'CT_CANNOT_CREATE_ENTRY_FROM_PACKET',
    "CT: Can't create entry from packet",
    'No connection can begin with this packet (no longer used).',
  ),
  [DROP_UNKNOWN_L3]: reason(
    'UNSUPPORTED_L3_PROTOCOL',
    'Unsupported L3 protocol',
    'The frame is neither IPv4, IPv6 nor ARP.',
  ),
  [DROP_MISSED_TAIL_CALL]: reason(
    'MISSED_TAIL_CALL',
    'Missed tail call',
    'A step of the pipeline is missing: report this as a bug.',
  ),
  [DROP_WRITE_ERROR]: reason(
    'ERROR_WRITING_TO_PACKET',
    'Error writing to packet',
    'The frame could not be rewritten in its buffer.',
  ),
  [DROP_UNKNOWN_L4]: reason(
    'UNKNOWN_L4_PROTOCOL',
    'Unknown L4 protocol',
    'The L4 protocol is not one that policy can judge.',
  ),
  [DROP_UNKNOWN_ICMP4_CODE]: reason(
    'UNKNOWN_ICMPV4_CODE',
    'Unknown ICMPv4 code',
    'An ICMP message to the router has a code without a meaning.',
  ),
  [DROP_UNKNOWN_ICMP4_TYPE]: reason(
    'UNKNOWN_ICMPV4_TYPE',
    'Unknown ICMPv4 type',
    'An ICMP message to the router is of a type that it does not answer.',
  ),
  [DROP_UNKNOWN_ICMP6_CODE]: reason(
    'UNKNOWN_ICMPV6_CODE',
    'Unknown ICMPv6 code',
    'An ICMPv6 message to the router has a code without a meaning.',
  ),
  [DROP_UNKNOWN_ICMP6_TYPE]: reason(
    'UNKNOWN_ICMPV6_TYPE',
    'Unknown ICMPv6 type',
    'An ICMPv6 message to the router is of a type that it does not answer.',
  ),
  [DROP_NO_TUNNEL_KEY]: reason(
    'ERROR_RETRIEVING_TUNNEL_KEY',
    'Error retrieving tunnel key',
    'A tunnelled packet came without the identity of its sender.',
  ),
  [DROP_NO_TUNNEL_OPTIONS]: reason(
    'ERROR_RETRIEVING_TUNNEL_OPTIONS',
    'Error retrieving tunnel options',
    'The options of a tunnelled packet could not be read (no longer used).',
  ),
  [DROP_INVALID_GENEVE]: reason(
    'INVALID_GENEVE_OPTION',
    'Invalid Geneve option',
    'A Geneve option is malformed (no longer used).',
  ),
  [DROP_UNKNOWN_TARGET]: reason(
    'UNKNOWN_L3_TARGET_ADDRESS',
    'Unknown L3 target address',
    'Nothing known here has the destination address.',
  ),
  [DROP_UNROUTABLE]: reason(
    'STALE_OR_UNROUTABLE_IP',
    'Stale or unroutable IP',
    'The destination was an endpoint that is gone, or no route leads to it.',
  ),
  [DROP_NO_LXC]: reason(
    'NO_MATCHING_LOCAL_CONTAINER_FOUND',
    'No matching local container found',
    'No local endpoint matches the destination (no longer used).',
  ),
  [DROP_CSUM_L3]: reason(
    'ERROR_WHILE_CORRECTING_L3_CHECKSUM',
    'Error while correcting L3 checksum',
    'The checksum of the IP header is wrong.',
  ),
  [DROP_CSUM_L4]: reason(
    'ERROR_WHILE_CORRECTING_L4_CHECKSUM',
    'Error while correcting L4 checksum',
    'The TCP, UDP, SCTP or ICMP checksum is wrong.',
  ),
  [DROP_CT_CREATE_FAILED]: reason(
    'CT_MAP_INSERTION_FAILED',
    'CT: Map insertion failed',
    'The connection-tracking table is full and nothing in it could be evicted.',
  ),
  [DROP_INVALID_EXTHDR]: reason(
    'INVALID_IPV6_EXTENSION_HEADER',
    'Invalid IPv6 extension header',
    'The chain of IPv6 extension headers is too long, truncated, out of order, or has a route left to go.',
  ),
  [DROP_FRAG_NOSUPPORT]: reason(
    'IP_FRAGMENTATION_NOT_SUPPORTED',
    'IP fragmentation not supported',
    'A fragment without a known port met a policy that asks for ports.',
  ),
  [DROP_NO_SERVICE]: reason(
    'SERVICE_BACKEND_NOT_FOUND',
    'Service backend not found',
    'The service has no backend that is ready.',
  ),
  [DROP_NO_TUNNEL_ENDPOINT]: reason(
    'NO_TUNNEL_OR_ENCAPSULATION_ENDPOINT',
    'No tunnel/encapsulation endpoint (datapath BUG!)',
    'The destination is on another node whose address is not known.',
  ),
  [DROP_NAT_46X64_DISABLED]: reason(
    'DROP_NAT_46X64_DISABLED',
    'L3 translation (NAT46/NAT64) is disabled',
    'The packet asks for translation between IPv4 and IPv6, which is switched off.',
  ),
  [DROP_EDT_HORIZON]: reason(
    'REACHED_EDT_RATE_LIMITING_DROP_HORIZON',
    'Reached EDT rate-limiting drop horizon',
    'The endpoint sends faster than its bandwidth limit, and its queue is full.',
  ),
  [DROP_UNKNOWN_CT]: reason(
    'UNKNOWN_CONNECTION_TRACKING_STATE',
    'Unknown connection tracking state',
    'Connection tracking answered a state that does not exist: report this as a bug.',
  ),
  [DROP_HOST_UNREACHABLE]: reason(
    'LOCAL_HOST_IS_UNREACHABLE',
    'Local host is unreachable',
    "The host's own address cannot be reached from this endpoint.",
  ),
  [DROP_NO_CONFIG]: reason(
    'NO_CONFIGURATION_AVAILABLE_TO_PERFORM_POLICY_DECISION',
    'No configuration available to perform policy decision',
    'The endpoint has no configuration (no longer used).',
  ),
  [DROP_UNSUPPORTED_L2]: reason(
    'UNSUPPORTED_L2_PROTOCOL',
    'Unsupported L2 protocol',
    'The frame is not plain Ethernet II: a VLAN tag, an 802.3 length with LLC or SNAP, or too short.',
  ),
  [DROP_NAT_NO_MAPPING]: reason(
    'NO_MAPPING_FOR_NAT_MASQUERADE',
    'No mapping for NAT masquerade',
    'No free port was found to masquerade the connection.',
  ),
  [DROP_NAT_UNSUPP_PROTO]: reason(
    'UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE',
    'Unsupported protocol for NAT masquerade',
    'This protocol cannot be masqueraded.',
  ),
  [DROP_NO_FIB]: reason(
    'FIB_LOOKUP_FAILED',
    'FIB lookup failed',
    'The host has no route or no neighbour for the destination.',
  ),
  [DROP_ENCAP_PROHIBITED]: reason(
    'ENCAPSULATION_TRAFFIC_IS_PROHIBITED',
    'Encapsulation traffic is prohibited',
    'An endpoint sent to the tunnel port, where it could have claimed any identity.',
  ),
  [DROP_INVALID_IDENTITY]: reason(
    'INVALID_IDENTITY',
    'Invalid identity',
    'The sender claims an identity that it cannot have.',
  ),
  [DROP_UNKNOWN_SENDER]: reason('UNKNOWN_SENDER', 'Unknown sender', 'The identity of the sender is not known here.'),
  [DROP_NAT_NOT_NEEDED]: reason('NAT_NOT_NEEDED', 'NAT not needed', 'The packet needs no translation.'),
  [DROP_IS_CLUSTER_IP]: reason('IS_A_CLUSTERIP', 'Is a ClusterIP', 'A ClusterIP was reached from outside.'),
  [DROP_FRAG_NOT_FOUND]: reason(
    'FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND',
    'First logical datagram fragment not found',
    'A later fragment came whose first part, with the ports, was not seen.',
  ),
  [DROP_FORBIDDEN_ICMP6]: reason(
    'FORBIDDEN_ICMPV6_MESSAGE',
    'Forbidden ICMPv6 message',
    'An endpoint may not send this ICMPv6 message (such as a router advertisement).',
  ),
  [DROP_NOT_IN_SRC_RANGE]: reason(
    'DENIED_BY_LB_SRC_RANGE_CHECK',
    'Denied by LB src range check',
    'The client is not in the loadBalancerSourceRanges of the service.',
  ),
  [DROP_PROXY_LOOKUP_FAILED]: reason(
    'SOCKET_LOOKUP_FAILED',
    'Socket lookup failed',
    'The socket of the proxy was not found.',
  ),
  [DROP_PROXY_SET_FAILED]: reason(
    'SOCKET_ASSIGN_FAILED',
    'Socket assign failed',
    'The packet could not be given to the socket of the proxy.',
  ),
  [DROP_PROXY_UNKNOWN_PROTO]: reason(
    'PROXY_REDIRECTION_NOT_SUPPORTED_FOR_PROTOCOL',
    'Proxy redirection not supported for protocol',
    'An L7 rule applies to a protocol that the L7 engine does not read.',
  ),
  [DROP_POLICY_DENY]: reason('POLICY_DENY', 'Policy denied by denylist', 'A deny rule forbids this peer on this port.'),
  [DROP_VLAN_FILTERED]: reason(
    'VLAN_FILTERED',
    'VLAN traffic disallowed by VLAN filter',
    'The VLAN tag is not one that is let through.',
  ),
  [DROP_INVALID_VNI]: reason(
    'INVALID_VNI',
    'Incorrect VNI from VTEP',
    'A tunnel endpoint outside used a network number it may not use.',
  ),
  [DROP_INVALID_TC_BUFFER]: reason(
    'INVALID_TC_BUFFER',
    'Failed to update or lookup TC buffer',
    'A scratch buffer was missing: report this as a bug.',
  ),
  [DROP_NO_SID]: reason('NO_SID', 'No SID was found for the IP address', 'No segment identifier leads to the address.'),
  [DROP_MISSING_SRV6_STATE]: reason(
    'MISSING_SRV6_STATE',
    'SRv6 state was removed during tail call',
    'The segment-routing state of the packet was lost on the way.',
  ),
  [DROP_NAT46]: reason(
    'NAT46',
    'L3 translation from IPv4 to IPv6 failed (NAT46)',
    'The IPv4 packet could not be turned into IPv6.',
  ),
  [DROP_NAT64]: reason(
    'NAT64',
    'L3 translation from IPv6 to IPv4 failed (NAT64)',
    'The IPv6 packet could not be turned into IPv4.',
  ),
  [DROP_POLICY_AUTH_REQUIRED]: reason(
    'AUTH_REQUIRED',
    'Authentication required',
    'The policy asks for mutual authentication, which these two have not done.',
  ),
  [DROP_CT_NO_MAP_FOUND]: reason(
    'CT_NO_MAP_FOUND',
    'No conntrack map found',
    'The connection-tracking table of this cluster is missing.',
  ),
  [DROP_SNAT_NO_MAP_FOUND]: reason(
    'SNAT_NO_MAP_FOUND',
    'No nat map found',
    'The NAT table of this cluster is missing.',
  ),
  [DROP_INVALID_CLUSTER_ID]: reason(
    'INVALID_CLUSTER_ID',
    'Invalid ClusterID',
    'The packet names a cluster that does not exist.',
  ),
  [DROP_DSR_ENCAP_UNSUPP_PROTO]: reason(
    'UNSUPPORTED_PROTOCOL_FOR_DSR_ENCAP',
    'Unsupported packet protocol for DSR encapsulation',
    'This protocol cannot be sent to a backend with direct server return.',
  ),
  [DROP_NO_EGRESS_GATEWAY]: reason(
    'NO_EGRESS_GATEWAY',
    'No egress gateway found',
    'An egress gateway policy applies, but no gateway is available.',
  ),
  [DROP_UNENCRYPTED_TRAFFIC]: reason(
    'UNENCRYPTED_TRAFFIC',
    'Traffic is unencrypted',
    'Only encrypted traffic may leave in strict mode.',
  ),
  [DROP_TTL_EXCEEDED]: reason(
    'TTL_EXCEEDED',
    'TTL exceeded',
    'The TTL or hop limit ran out here; the sender was told.',
  ),
  [DROP_NO_NODE_ID]: reason('NO_NODE_ID', 'No node ID found', 'The node of the destination has no number yet.'),
  [DROP_RATE_LIMITED]: reason(
    'DROP_RATE_LIMITED',
    'Rate limited',
    'An answer that the router makes itself was over its rate limit.',
  ),
  [DROP_IGMP_HANDLED]: reason('IGMP_HANDLED', 'IGMP handled', 'The IGMP message was taken in; nothing was lost.'),
  [DROP_IGMP_SUBSCRIBED]: reason(
    'IGMP_SUBSCRIBED',
    'IGMP subscribed',
    'The endpoint joined a group; nothing was lost.',
  ),
  [DROP_MULTICAST_HANDLED]: reason(
    'MULTICAST_HANDLED',
    'Multicast handled',
    'The packet was copied to its group; nothing was lost.',
  ),
  [DROP_HOST_NOT_READY]: reason('DROP_HOST_NOT_READY', 'Host datapath not ready', "The host's port is not ready yet."),
  [DROP_EP_NOT_READY]: reason(
    'DROP_EP_NOT_READY',
    'Endpoint policy program not available',
    "The endpoint's first policy is not published yet: nothing passes until it is.",
  ),
  [DROP_NO_EGRESS_IP]: reason(
    'DROP_NO_EGRESS_IP',
    'No Egress IP configured',
    'The egress gateway has no address to send from.',
  ),
  [DROP_PUNT_PROXY]: reason(
    'DROP_PUNT_PROXY',
    'Punt to proxy',
    'The packet was handed to the proxy; nothing was lost.',
  ),
  [DROP_NO_DEVICE]: reason('DROP_NO_DEVICE', 'No device', 'The interface towards the destination is gone.'),
  [DROP_FRAG_NOT_FOUND_WORLD]: reason(
    'DROP_FRAG_NOT_FOUND_WORLD',
    'First logical datagram fragment not found from world',
    'A later fragment from outside came whose first part was not seen.',
  ),
  [DROP_PORT_FULL]: reason(
    'SLUICE_PORT_FULL',
    'Transmit queue full',
    'The interface did not take the frame: the receiver reads too slowly.',
  ),
  [DROP_STREAM_INVALID]: reason(
    'SLUICE_STREAM_INVALID',
    'Segment does not fit the judged stream',
    'A TCP segment under an L7 rule is out of its window, overlaps other data, is urgent, or carries data on its SYN.',
  ),
  [DROP_STREAM_LIMIT]: reason(
    'SLUICE_STREAM_LIMIT',
    'L7 memory limit reached',
    "The L7 engine has no room to hold this connection's bytes.",
  ),
  [DROP_STREAM_CLOSED]: reason(
    'SLUICE_STREAM_CLOSED',
    'Connection closed by an L7 verdict',
    'The connection was closed by the L7 engine; segments that still come are discarded.',
  ),
  [DROP_L7_DENIED]: reason(
    'SLUICE_L7_DENIED',
    'Denied by L7 policy',
    'An L7 rule denied the message this frame carried, and the protocol has no answer for it.',
  ),
  [DROP_L7_HELD_TIMEOUT]: reason(
    'SLUICE_L7_HELD_TIMEOUT',
    'Held for the agent too long',
    'The frame waited for the agent (DNS) longer than it may.',
  ),
};

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
