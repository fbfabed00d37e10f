/**
 * The row of one connection, as word numbers from the row's base: `ct.words[base + CT_LIFETIME]`, base = slot * CT_ROW_WORDS.
 *
 * ```
 *   line 0: | hash state | key (10) | flags lifetime | packets (2) |                           for every frame
 *   line 1: | bytes (2) | generation, verdicts (3) | policystats (2) | ports (2) | identities (2) |
 *           | TCP flags (2) | reports (2) | owner |
 *   line 2: | endpoints (2) | cookies (2) | translation (2) | created | slot generation | L7 (8) |
 * ```
 *
 * The key is canonical: of the two ends (address, port) the smaller comes first, so that both directions lead to one
 * row; CT_FLAG_INITIATOR_HIGH says which end began. Everything named "egress" belongs to the policy of the initiator's
 * endpoint, "ingress" to that of the responder's. tx is the initiator's direction, rx the other.
 */

export const CT_ROW_WORDS = 48; // 3 cache lines
export const CT_KEY_WORDS = 10;

// --- line 0: the table's own (never write these)
export const CT_HASH = 0;
export const CT_STATE = 1;
/** Four words: the smaller end's address. */
export const CT_LOW_ADDRESS = 2;
/** Four words: the greater end's address. */
export const CT_HIGH_ADDRESS = 6;
/** The smaller end's port << 16 | the greater end's. */
export const CT_PORTS = 10;
export const CT_PROTOCOL = 11;
/** CT_FLAG_* bits. */
export const CT_FLAGS = 12;
/** Second (of the owner's clock) after which the entry is dead. */
export const CT_LIFETIME = 13;
export const CT_PACKETS_LO = 14;
export const CT_PACKETS_HI = 15;
// --- line 1
export const CT_BYTES_LO = 16;
export const CT_BYTES_HI = 17;
/** CONFIG_WORLD_GENERATION under which the two verdicts below were found; 0 = not cached. */
export const CT_WORLD_GENERATION = 18;
/** > 0 rule set, 0 allow, < 0 drop reason. */
export const CT_EGRESS_VERDICT = 19;
export const CT_INGRESS_VERDICT = 20;
/** Handles of PolicyStatsMap; -1 = none. */
export const CT_EGRESS_STATS = 21;
export const CT_INGRESS_STATS = 22;
export const CT_INITIATOR_PORT = 23;
export const CT_RESPONDER_PORT = 24;
export const CT_SRC_SEC_ID = 25;
export const CT_DST_SEC_ID = 26;
/** TCP flags seen so far from the initiator, from the responder. */
export const CT_TX_FLAGS_SEEN = 27;
export const CT_RX_FLAGS_SEEN = 28;
/** Second of the last trace event, by direction. */
export const CT_LAST_TX_REPORT = 29;
export const CT_LAST_RX_REPORT = 30;
/** The endpoint whose share of the table the row takes. Written by the table. */
export const CT_OWNER = 31;
// --- line 2
export const CT_SOURCE_ENDPOINT = 32;
export const CT_DEST_ENDPOINT = 33;
export const CT_EGRESS_COOKIE = 34;
export const CT_INGRESS_COOKIE = 35;
/** Handle (ReverseNatMap) of the service frontend that the connection was opened to; 0 for none. */
export const CT_REV_NAT = 36;
/** Handle of the row in NatMap whose destination is what those outside know the initiator by; 0 for none. */
export const CT_MASQUERADE = 37;
/** Second in which the entry was made. */
export const CT_CREATED = 38;
/** Changes whenever the slot is given to another connection; odd while that is going on. */
export const CT_SLOT_GENERATION = 39;
/** Eight words for the L7 engine. */
export const CT_L7 = 40;
export const CT_L7_WORDS = 8;

// --- CT_FLAGS: the low 16 bits are Cilium's ct_entry bits, the others ours
export const CT_FLAG_RX_CLOSING = 1 << 0;
export const CT_FLAG_TX_CLOSING = 1 << 1;
export const CT_FLAG_LB_LOOPBACK = 1 << 3;
export const CT_FLAG_SEEN_NON_SYN = 1 << 4;
export const CT_FLAG_NODE_PORT = 1 << 5;
export const CT_FLAG_PROXY_REDIRECT = 1 << 6;
export const CT_FLAG_DSR_INTERNAL = 1 << 7;
export const CT_FLAG_FROM_L7LB = 1 << 8;
export const CT_FLAG_FROM_TUNNEL = 1 << 10;
/** The greater end (CT_HIGH_ADDRESS) began the connection. Written by the table. */
export const CT_FLAG_INITIATOR_HIGH = 1 << 16;
/** A packet came from the responder. Entries without it are given up first when the table is full. */
export const CT_FLAG_SEEN_REPLY = 1 << 17;
/** The entry was made by a SYN, so it is known which end began the connection. */
export const CT_FLAG_BEGAN_WITH_SYN = 1 << 20;
/** Frames of one direction or both leave with another source: CT_REV_NAT, CT_FLAG_LB_LOOPBACK or CT_MASQUERADE says which. */
export const CT_FLAG_TRANSLATED = 1 << 21;
