/** Faults of translation: who leaves with an address that is not his, whom answers do not find. */
import type { Mutant } from './mutant.ts';

const EGRESS = ['dataplane/nat/egress.test.ts'];
const TABLE = ['policy/egress-table.test.ts'];

export const TRANSLATION: readonly Mutant[] = [
  {
    name: 'egress-without-a-gateway',
    fault: 'a pod whose gateway is another node leaves by this one, with the address of everybody',
    file: 'dataplane/nat/masquerade.ts',
    was: 'if (kind === EGRESS_NO_GATEWAY) return DROP_NO_EGRESS_GATEWAY;',
    is: '',
    killedBy: EGRESS,
  },
  {
    name: 'egress-without-an-address',
    fault: 'a pod whose egress address nobody has leaves as everybody',
    file: 'dataplane/nat/masquerade.ts',
    was: 'return isNone(this.#address) ? DROP_NO_EGRESS_IP : 0;',
    is: 'return isNone(this.#address) ? KEEPS_ADDRESS : 0;',
    killedBy: EGRESS,
  },
  {
    name: 'egress-of-old-connections',
    fault: 'a connection goes on with an address that its policy does not give any more',
    file: 'dataplane/nat/masquerade.ts',
    was: 'if (choice === 0 && base >= 0 && this.#isKnownAs(base)) return 0;',
    is: 'if (choice === 0 && base >= 0) return 0;',
    killedBy: EGRESS,
  },
  {
    name: 'egress-of-missing-rows',
    fault: 'a pod whose row found no room leaves as everybody',
    file: 'dataplane/nat/masquerade.ts',
    was: 'this.#settings?.isEgressIncomplete ? DROP_NO_EGRESS_GATEWAY : KEEPS_ADDRESS',
    is: 'KEEPS_ADDRESS',
    killedBy: EGRESS,
  },
  {
    name: 'egress-inside-the-cluster',
    fault: 'a pod is seen by other pods with its egress address',
    file: 'dataplane/nat/masquerade.ts',
    was: 'if (isPod && isOutside(f.dstIdentity)) {',
    is: 'if (isPod) {',
    killedBy: EGRESS,
  },
  {
    name: 'egress-turned-round',
    fault: 'a frame of a pod that comes back with its egress address is the host',
    file: 'dataplane/nat/masquerade.ts',
    was: ' || this.#egress.hasAddress(f.src0, f.src1, f.src2, f.src3)',
    is: '',
    killedBy: EGRESS,
  },
  {
    name: 'egress-shorter-prefix',
    fault: 'a shorter prefix counts before a longer one, and an exception for nothing',
    file: 'policy-maps/service/egress-map.ts',
    was: 'const bit = 31 - Math.clz32(left);\n        left ^= 1 << bit;',
    is: 'const bit = 31 - Math.clz32(left & -left);\n        left ^= 1 << bit;',
    killedBy: ['policy-maps/service/egress-map.test.ts'],
  },
  {
    name: 'egress-before-answers',
    fault: 'pods leave with an address whose answers the host still takes for its own, and resets',
    file: 'daemon/publish/egress-publisher.ts',
    was: "const isAnswered = row.address !== '' && this.#answered.has(row.address);",
    is: "const isAnswered = row.address !== '';",
    killedBy: ['daemon/publish/egress-publisher.test.ts'],
  },
  {
    name: 'egress-by-any-selected-node',
    fault: 'a node that is selected, but not the first, is taken for the gateway',
    file: 'policy/egress-table.ts',
    was: "return selected.sort()[0] ?? '';",
    is: "return selected.includes(this.#nodeName) ? this.#nodeName : '';",
    killedBy: TABLE,
  },
  {
    name: 'egress-of-an-address-that-moved',
    fault: 'a pod leaves with the address that is chosen for one which had its address before',
    file: 'policy/pod-table.ts',
    was: 'if (loser !== undefined) this.#dirty.add(loser);',
    is: '',
    killedBy: TABLE,
  },
];
