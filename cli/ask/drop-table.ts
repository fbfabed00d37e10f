/**
 * Drops by what they have in common: the reason, who was refused what, and the policies behind it. Verdict events tell of the same packets as the
 * drops that follow them, so drops and refused requests alone are counted. A flow that stands for many counts as many.
 *
 * At most `MOST_ROWS` kinds are told apart; what comes then is counted with the others. Rates are those between two ticks.
 */
import { EVENT_DROP, EVENT_L7 } from '../../wire/event.ts';
import { ownReasonTexts } from '../../hubble/own-reason.ts';
import { type Endpoint, type Flow, packetsOf } from '../../hubble/flow.ts';
import { reasonNumber, reasonText } from '../../wire/reasons.ts';

const MOST_ROWS = 4096;

export interface DropRow {
  readonly reason: string;
  readonly from: string;
  readonly to: string;
  /** `80/TCP`, '' where the frame had none, or its ports were not kept. */
  readonly port: string;
  /** Those behind the drop. */
  readonly policies: readonly string[];
  count: number;
  /** A second, between the last two ticks. */
  rate: number;
  /** The last flow of the kind. */
  flow: Flow;
}

interface Counted extends DropRow {
  /** At the last tick. */
  before: number;
}

export class DropTable {
  total = 0;
  /** Of kinds that found no room. */
  others = 0;
  rate = 0;
  #before = 0;
  readonly #rows = new Map<string, Counted>();

  take(flow: Flow): void {
    const { type } = flow.event_type;
    if (flow.verdict !== 'DROPPED' || (type !== EVENT_DROP && type !== EVENT_L7)) return;
    const count = packetsOf(flow);
    this.total += count;
    const kind = kindOf(flow);
    const key = JSON.stringify(kind);
    const known = this.#rows.get(key);
    if (known !== undefined) {
      known.count += count;
      known.flow = flow;
    } else if (this.#rows.size === MOST_ROWS) this.others += count;
    else this.#rows.set(key, { ...kind, count, rate: 0, flow, before: 0 });
  }

  /** Works out the rates. @param seconds since the last tick */
  tick(seconds: number): void {
    this.rate = (this.total - this.#before) / seconds;
    this.#before = this.total;
    for (const row of this.#rows.values()) {
      row.rate = (row.count - row.before) / seconds;
      row.before = row.count;
    }
  }

  /** The busiest first, then the most. */
  rows(): DropRow[] {
    return [...this.#rows.values()].sort((a, b) => b.rate - a.rate || b.count - a.count);
  }
}

function kindOf(flow: Flow): Pick<DropRow, 'reason' | 'from' | 'to' | 'port' | 'policies'> {
  const { source, destination, source_names: from = [], destination_names: to = [], IP } = flow;
  const refs = [...(flow.egress_denied_by ?? []), ...(flow.ingress_denied_by ?? [])];
  const policies = refs.map(({ kind = '', namespace = '', name }) => [kind, namespace, name].filter(Boolean).join('/'));
  return {
    reason: reasonOf(flow),
    from: endText(source, from, IP?.source),
    to: endText(destination, to, IP?.destination),
    port: portText(flow),
    policies: [...new Set(policies)].sort(),
  };
}

function reasonOf(flow: Flow): string {
  if (flow.event_type.type === EVENT_L7) return 'Request refused';
  const number = flow.drop_reason ?? reasonNumber(flow.drop_reason_desc ?? '');
  return ownReasonTexts(flow)?.reason ?? reasonText(Math.max(0, number));
}

function endText(
  { namespace, pod_name: pod, labels = [], identity = 0 }: Endpoint,
  [name]: readonly string[],
  ip: string | undefined,
): string {
  if (pod !== undefined) return `${namespace ?? 'default'}/${pod}`;
  const reserved = labels.find((label) => label.startsWith('reserved:') && label !== 'reserved:world');
  return name ?? reserved?.slice('reserved:'.length) ?? ip ?? (identity === 0 ? '' : `identity ${identity}`);
}

function portText({ l4 }: Flow): string {
  const { TCP, UDP, SCTP, ICMPv4, ICMPv6 } = l4 ?? {};
  if (ICMPv4 !== undefined) return `type ${ICMPv4.type ?? 0}/ICMP`;
  if (ICMPv6 !== undefined) return `type ${ICMPv6.type ?? 0}/ICMPv6`;
  const [name, ports] = TCP !== undefined ? ['TCP', TCP] : UDP !== undefined ? ['UDP', UDP] : ['SCTP', SCTP];
  return ports?.destination_port === undefined ? '' : `${ports.destination_port}/${name}`;
}
