/**
 * Node ports: who has which. A service claims the ports that its document gives and draws the others; a number belongs to one
 * service, which may have it for several protocols. Draws go round, so that a port just given up is the last to be given out.
 */
import { NODE_PORT_RANGE } from '../../policy/validate/service.ts';

const { first: FIRST, last: LAST } = NODE_PORT_RANGE;

/** Service -> port and protocol -> node port; the form in which they are saved. */
export type HeldNodePorts = Record<string, Record<string, number>>;

export class NodePorts {
  readonly #held = new Map<string, Map<string, number>>();
  readonly #ownerOf = new Map<number, string>();
  #last = FIRST - 1;

  constructor(saved: HeldNodePorts = {}) {
    for (const [service, ports] of Object.entries(saved)) {
      for (const [name, number] of Object.entries(ports)) this.#hold(service, name, number);
    }
  }

  ownerOf(number: number): string | undefined {
    return this.#ownerOf.get(number);
  }

  /** @throws RangeError when another service has it */
  claim(service: string, name: string, number: number): number {
    const owner = this.#ownerOf.get(number);
    if (owner !== undefined && owner !== service) throw new RangeError(`found node port ${number}, which ${owner} has`);
    if (this.#held.get(service)?.get(name) !== number) {
      this.#giveUp(service, name);
      this.#hold(service, name, number);
    }
    return number;
  }

  /**
   * The node port of a service's port, drawn when it has none.
   * @throws RangeError when all are taken
   */
  draw(service: string, name: string): number {
    const held = this.#held.get(service)?.get(name);
    if (held !== undefined) return held;
    const size = LAST - FIRST + 1;
    if (this.#ownerOf.size >= size) throw new RangeError(`found all ${size} node ports taken, wanted one`);
    let number = this.#last;
    do number = number >= LAST ? FIRST : number + 1;
    while (this.#ownerOf.has(number));
    this.#hold(service, name, number);
    return number;
  }

  /** Gives up the ports of a service that are not among `names`. */
  keepOnly(service: string, names: ReadonlySet<string>): void {
    for (const name of [...(this.#held.get(service)?.keys() ?? [])]) if (!names.has(name)) this.#giveUp(service, name);
  }

  saved(): HeldNodePorts {
    return Object.fromEntries([...this.#held].map(([service, ports]) => [service, Object.fromEntries(ports)]));
  }

  #hold(service: string, name: string, number: number): void {
    const ports = this.#held.get(service) ?? new Map<string, number>();
    this.#held.set(service, ports.set(name, number));
    this.#ownerOf.set(number, service);
    this.#last = number;
  }

  #giveUp(service: string, name: string): void {
    const ports = this.#held.get(service);
    const number = ports?.get(name);
    if (ports === undefined || number === undefined) return;
    ports.delete(name);
    if (![...ports.values()].includes(number)) this.#ownerOf.delete(number);
    if (ports.size === 0) this.#held.delete(service);
  }
}
