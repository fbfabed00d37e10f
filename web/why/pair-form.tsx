/** Who wants to reach whom: a question put in by hand. It is asked by its address, so that a link asks it again. */
import { useId } from 'preact/hooks';
import { go, route } from '../shell/location.tsx';
import { notify } from '../shell/notices.tsx';
import { asked } from './asked.tsx';
import { EMPTY_PAIR, ENTITIES, type Pair, pairOf, PROTOCOLS, questionOf } from './pair.ts';

export function PairForm() {
  const id = useId();
  const shown = pairOf(route.value.params) ?? pairOfFlow() ?? EMPTY_PAIR;
  const onSubmit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const names = Object.keys(EMPTY_PAIR) as (keyof Pair)[];
    const text = (name: string) => {
      const value = form.get(name);
      return typeof value === 'string' ? value : '';
    };
    const pair = Object.fromEntries(names.map((name) => [name, text(name)])) as unknown as Pair;
    try {
      questionOf(pair);
    } catch (error) {
      notify((error as Error).message, true);
      return;
    }
    go('why', { ...pair });
  };
  return (
    // Another question from elsewhere is another form: what is typed belongs to the one that it was typed for.
    <form key={JSON.stringify(shown)} class="why-pair" aria-label="Who reaches whom" onSubmit={onSubmit}>
      <label>
        From
        <input name="from" defaultValue={shown.from} list={`${id}-ends`} placeholder="shop/web-0, world, app=web" />
      </label>
      <label>
        To
        <input name="to" defaultValue={shown.to} list={`${id}-ends`} placeholder="shop/api-0, 10.0.0.1" />
      </label>
      <label>
        Protocol
        <select name="protocol" defaultValue={shown.protocol}>
          {PROTOCOLS.map((name) => (
            <option key={name} selected={name === shown.protocol}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Port
        <input name="port" class="short" defaultValue={shown.port} placeholder="80" />
      </label>
      <label>
        HTTP method
        <input name="method" class="short" defaultValue={shown.method} placeholder="any" />
      </label>
      <label>
        Path
        <input name="path" defaultValue={shown.path} placeholder="no request" />
      </label>
      <button type="submit" class="primary">
        Why?
      </button>
      <datalist id={`${id}-ends`}>
        {ENTITIES.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </form>
  );
}

/** The ends of the flow that is explained, to ask about them in another way. */
function pairOfFlow(): Pair | undefined {
  const { flow } = asked.value;
  if (flow === undefined) return undefined;
  const isReply = flow.is_reply === true;
  const { source, destination, IP: ip, l4 = {}, l7 } = flow;
  const end = ({ namespace = 'default', pod_name: pod }: typeof source, address = '') =>
    pod === undefined ? address : `${namespace}/${pod}`;
  const [from, to] = [end(source, ip?.source), end(destination, ip?.destination)];
  const ports = l4.TCP ?? l4.UDP ?? l4.SCTP;
  const port = isReply ? ports?.source_port : ports?.destination_port;
  const protocol = PROTOCOLS.find((name) => name in l4) ?? (l4.ICMPv4 === undefined ? 'TCP' : 'ICMP');
  return {
    ...EMPTY_PAIR,
    from: isReply ? to : from,
    to: isReply ? from : to,
    protocol,
    port: port === undefined ? '' : String(port),
    method: l7?.http?.method ?? '',
  };
}
