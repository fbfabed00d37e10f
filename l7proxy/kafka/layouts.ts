/**
 * How the messages of Kafka are laid out, as far as rules must read or the dataplane answer them: one text for all versions of a
 * message (kafka.apache.org/protocol#protocol_messages; KIP-482 for the flexible ones). layout.ts compiles these texts.
 *
 * ```
 *   b h i l u   1, 2, 4, 8, 16 bytes                            s S   string; in answers: empty, null
 *   y           bytes, records; in answers: null                T U   name, id of a topic, which rules judge
 *   P           number of a partition                           G     another name that the answer repeats (a group)
 *   C K         type of a resource, its name (a topic if 2)     A     acks of a produce request
 *   X Z         session and epoch of a fetch                    E     error code of an answer
 *   n           4 bytes; in answers: -1                         l     in answers: -1

 *   [ ... ]     array of structures, { } of plain values;  N[ null means all topics   M[ none too  *[    in answers: an item for each in the request
 *   ?[          in answers: null                                ~     the rest is not read
 *   B           in answers: the brokers, of which one is known   #     tagged fields of a header
 *   D           error code of an answer that repeats nothing, else 0
 * ```
 *
 * Behind a letter, or behind `[`, stand the versions that have it: `3+`, `2-4`, `-14`; none = all.
 */
export interface MessageText {
  /** First version with compact lengths and tagged fields (KIP-482); its header has tagged fields as well. */
  readonly flexible: number;
  /** Last version that is known. */
  readonly last: number;
  readonly request: string;
  readonly answer?: string;
}

const NEVER = 0x7fff;

export const MESSAGES: { readonly [apiKey: number]: MessageText } = {
  0: {
    // Produce
    flexible: 9,
    last: 13,
    request: 'S3+ A i [T-12 U13+ [P y]]',
    answer: '*[T-12 U13+ *[P E l l2+ l5+ [8+ i S] S8+]] i1+',
  },
  1: {
    // Fetch
    flexible: 12,
    last: 18,
    request: 'i-14 i i i3+ b4+ X7+ Z7+ [T-12 U13+ [P i9+ l i12+ l5+ i]] [7+ s-12 u13+ {i}] s11+',
    answer: 'i1+ D7+ i7+ *[T-12 U13+ *[P E l l4+ l5+ ?[4+ l l] n11+ y]]',
  },
  2: {
    // ListOffsets
    flexible: 6,
    last: 11,
    request: 'i b2+ [T [P i4+ l i-0]] i10+',
    answer: 'i2+ *[T *[P E [-0 l] l1+ l1+ i4+]]',
  },
  3: {
    // Metadata
    flexible: 9,
    last: 13,
    request: 'M[-0 T] N[1+ U10+ T] b4+ b8-10 b8+',
    answer: 'i3+ B S2+ i1+ *[E T U10+ b1+ [E i i i7+ [i] [i] [5+ i]] i8+] i8-10 h13+',
  },
  8: {
    // OffsetCommit
    flexible: 8,
    last: 10,
    request: 's i1+ s1+ S7+ l2-4 [T-9 U10+ [P l i6+ l1-1 S]]',
    answer: 'i3+ *[T-9 U10+ *[P E]]',
  },
  9: {
    // OffsetFetch
    flexible: 6,
    last: 10,
    request: 's-7 N[-7 T {P}] [8+ G S9+ i9+ N[T-9 U10+ {P}]] b7+',
    answer: 'i3+ *[-7 T *[P l i5+ S E]] E2-7 *[8+ G *[T-9 U10+ *[P l i S E]] h]',
  },
  10: {
    // FindCoordinator
    flexible: 3,
    last: 6,
    request: 's-3 b1+ {4+ G}',
    answer: 'i1+ E-3 S1-3 n-3 s-3 n-3 *[4+ G n s n E S]',
  },
  11: {
    // JoinGroup
    flexible: 6,
    last: 9,
    request: '~',
    answer: 'i2+ E i S7+ s-6 S7+ s b9+ s [s S5+ y]',
  },
  12: { flexible: 4, last: 4, request: '~', answer: 'i1+ E' }, // Heartbeat
  13: { flexible: 4, last: 5, request: '~', answer: 'i1+ E [3+ s S E]' }, // LeaveGroup
  14: { flexible: 4, last: 5, request: '~', answer: 'i1+ E S5+ S5+ y' }, // SyncGroup
  15: {
    // DescribeGroups
    flexible: 5,
    last: 6,
    request: '{G} b3+',
    answer: 'i1+ *[E S6+ G s s s [s S4+ s s y y] i3+]',
  },
  16: { flexible: 3, last: 5, request: '~', answer: 'i1+ E [s s s4+ s5+]' }, // ListGroups
  17: { flexible: NEVER, last: 1, request: '~', answer: 'E [s]' }, // SaslHandshake
  18: { flexible: 3, last: 4, request: '~', answer: 'E [h h h] i1+' }, // ApiVersions
  19: {
    // CreateTopics
    flexible: 5,
    last: 7,
    request: '[T i h [i {i}] [s S]] i b1+',
    answer: 'i2+ *[T U7+ E S1+ i5+ h5+ ?[5+ s S b b b]]',
  },
  20: {
    // DeleteTopics
    flexible: 4,
    last: 6,
    request: '{-5 T} [6+ T U] i',
    answer: 'i1+ *[T U6+ E S5+]',
  },
  21: {
    // DeleteRecords
    flexible: 2,
    last: 2,
    request: '[T [P l]] i',
    answer: 'i *[T *[P l E]]',
  },
  22: { flexible: 2, last: 6, request: '~', answer: 'i E l h l6+ h6+' }, // InitProducerId
  23: {
    // OffsetForLeaderEpoch
    flexible: 4,
    last: 4,
    request: 'i3+ [T [P i2+ i]]',
    answer: 'i2+ *[T *[E P i1+ l]]',
  },
  24: {
    // AddPartitionsToTxn; from 4 on only brokers send it
    flexible: 3,
    last: 5,
    request: 's-3 l-3 h-3 [-3 T {P}] [4+ G l h b [T {P}]]',
    answer: 'i *[-3 T *[P E]] h4+ *[4+ G *[T *[P E]]]',
  },
  25: { flexible: 3, last: 4, request: '~', answer: 'i E' }, // AddOffsetsToTxn
  26: { flexible: 3, last: 5, request: '~', answer: 'i E l5+ h5+' }, // EndTxn
  28: {
    // TxnOffsetCommit
    flexible: 3,
    last: 5,
    request: 's s l h i3+ s3+ S3+ [T [P l i2+ S]]',
    answer: 'i *[T *[P E]]',
  },
  29: { flexible: 2, last: 3, request: '~', answer: 'i E S [b s b1+ [s s b b]]' }, // DescribeAcls
  32: {
    // DescribeConfigs
    flexible: 4,
    last: 4,
    request: '[C K {s}] b1+ b3+',
    answer: 'i *[E S C K [s S b b b]]',
  },
  33: {
    // AlterConfigs
    flexible: 2,
    last: 2,
    request: '[C K [s S]] b',
    answer: 'i *[E S C K]',
  },
  34: {
    // AlterReplicaLogDirs
    flexible: 2,
    last: 2,
    request: '[s [T {P}]]',
    answer: 'i *[T *[P E]]',
  },
  35: {
    // DescribeLogDirs
    flexible: 2,
    last: 5,
    request: 'N[T {P}]',
    answer: 'i E3+ [h s [s [i l l b]]]',
  },
  36: { flexible: 2, last: 2, request: '~', answer: 'E S y l1+' }, // SaslAuthenticate
  37: {
    // CreatePartitions
    flexible: 2,
    last: 3,
    request: '[T i [{i}]] i b',
    answer: 'i *[T E S]',
  },
  42: { flexible: 2, last: 2, request: '{G}', answer: 'i *[G E]' }, // DeleteGroups
  43: {
    // ElectLeaders
    flexible: 2,
    last: 2,
    request: 'b1+ N[T {P}] i',
    answer: 'i h1+ *[T *[P E S]]',
  },
  44: {
    // IncrementalAlterConfigs
    flexible: 1,
    last: 1,
    request: '[C K [s b S]] b',
    answer: 'i *[E S C K]',
  },
  45: {
    // AlterPartitionReassignments
    flexible: 0,
    last: 1,
    request: 'i b1+ [T [P {i}]]',
    answer: 'i b1+ h S *[T *[P E S]]',
  },
  46: {
    // ListPartitionReassignments
    flexible: 0,
    last: 0,
    request: 'i N[T {P}]',
    answer: 'i E S [s [i [i] [i] [i]]]',
  },
  47: {
    // OffsetDelete
    flexible: NEVER,
    last: 0,
    request: 's [T [P]]',
    answer: 'h i *[T *[P E]]',
  },
  60: { flexible: 0, last: 2, request: '~', answer: 'i E S b1+ s i [i s i S b2+] i' }, // DescribeCluster
  61: {
    // DescribeProducers
    flexible: 0,
    last: 0,
    request: '[T {P}]',
    answer: 'i *[T *[P E S [l i i l i l]]]',
  },
  66: { flexible: 0, last: 2, request: '~', answer: 'i E [s] [s l s]' }, // ListTransactions
  68: { flexible: 0, last: 1, request: '~', answer: 'i E S S i i ?(' }, // ConsumerGroupHeartbeat
  75: {
    // DescribeTopicPartitions
    flexible: 0,
    last: 0,
    request: 'M[T] ~',
    answer: 'i *[E T U b [E i i i [i] [i] ?[i] ?[i] [i]] i] ?(',
  },
};

/** Of answers that are read on their way: what topics are called (Metadata from 10 on), and which session a fetch begins. */
export const LEARNT_ANSWERS: { readonly [apiKey: number]: string } = {
  1: '#12+ i1+ h7+ X7+ ~',
  3: '#9+ i3+ [i s i S1+] S2+ i1+ [E T U b [E i i i {i} {i} {i}] i] ~',
};
