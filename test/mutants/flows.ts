/** Faults in what is made of recorded flows. */
import type { Mutant } from './mutant.ts';

const RECORDING = ['explain/flows/recording.test.ts'];

export const FLOWS: readonly Mutant[] = [
  {
    name: 'let-out-is-let-in',
    fault: 'a connection that the other end dropped counts as allowed, so that policy generate opens it',
    file: 'explain/flows/recording.ts',
    was: 'return (seen & EGRESS_PASSED) !== 0 && (seen & INGRESS_DROPPED) === 0;',
    is: 'return (seen & EGRESS_PASSED) !== 0;',
    killedBy: RECORDING,
  },
  {
    name: 'replies-are-connections',
    fault: 'what servers answer counts as connections to the ports of clients, which policy generate opens',
    file: 'explain/flows/sighting.ts',
    was: "if (flow.is_reply === true || flow.l7?.type === 'RESPONSE') return 'a reply';",
    is: '',
    killedBy: RECORDING,
  },
  {
    name: 'every-line-a-reply',
    fault: 'connections to other ports of a server are counted as those to the first',
    file: 'explain/flows/flow-lines.ts',
    was: 'const isReply = this.#isPlainReply(bytes.subarray(this.#afterPort, end));',
    is: 'const isReply = true;',
    killedBy: ['explain/flows/flow-lines.test.ts'],
  },
  {
    name: 'selectors-mean-pods-with-more-labels',
    fault: 'a generated policy selects other pods, which have all of its labels and more',
    file: 'explain/generate/groups.ts',
    was: 'if (found.isAbsent) absent.add(found.key);',
    is: 'if (found.isAbsent) continue;',
    killedBy: ['explain/generate/generate.test.ts'],
  },
  {
    name: 'names-without-their-questions',
    fault: 'a generated policy names a DNS name, and no rule lets the pod ask for it: nothing is ever learnt',
    file: 'explain/generate/needs.ts',
    was: 'for (const query of unasked) asking.requests.push({ dns: { query } });',
    is: '',
    killedBy: ['explain/generate/generate.test.ts'],
  },
  {
    name: 'two-pods-of-one-kind-are-one',
    fault: 'connections between two pods of the same labels pass unjudged, as those of a pod with itself',
    file: 'explain/verdict.ts',
    was: "source.spec === destination.spec && !('labels' in query.from)",
    is: 'source.spec === destination.spec',
    killedBy: ['cli/policy/replay.test.ts'],
  },
  {
    name: 'many-drops-count-once',
    fault: 'hubble_drop_total tells of one drop where a flood was counted',
    file: 'hubble/metrics/handlers.ts',
    was: 'drops.add([...context.values(flow), reason, flowProtocol(flow)], packetsOf(flow));',
    is: 'drops.add([...context.values(flow), reason, flowProtocol(flow)]);',
    killedBy: ['hubble/metrics/metrics.test.ts'],
  },
  {
    name: 'many-drops-are-a-connection',
    fault: 'drops that were counted without their ICMP type or addresses are judged as a connection of type 0',
    file: 'explain/flows/sighting.ts',
    was: "if (flow.aggregate !== undefined && flow.IP === undefined) return 'many packets without addresses or ports';",
    is: '',
    killedBy: RECORDING,
  },
  {
    name: 'many-drops-have-port-0',
    fault: 'a filter by port shows drops whose ports were not kept',
    file: 'hubble/filter/filter.ts',
    was: '(aggregate !== undefined && ports[field] === undefined)',
    is: 'aggregate === null',
    killedBy: ['hubble/filter/filter.test.ts'],
  },
];
