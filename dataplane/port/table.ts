/**
 * What the engine knows of each port, in columns by port index: a copy of the pinned `ports` map, so that a frame costs
 * array reads and the map can be changed by the agent at any time. Whoever runs the loop refreshes it.
 */
import type { PolicyMap } from '../../policy-maps/policy-map.ts';
import type { Port } from './port.ts';

const MAX_PORTS = 4096;

export class PortTable {
  readonly port: (Port | null)[] = new Array<Port | null>(MAX_PORTS).fill(null);
  /** The policy of the endpoint behind the port; null for ports without one (uplink; host without host firewall). */
  readonly policy: (PolicyMap | null)[] = new Array<PolicyMap | null>(MAX_PORTS).fill(null);
  /** The same with the policies that are only being tried out (annotation sluice.io/audit); null when there is none. */
  readonly trial: (PolicyMap | null)[] = new Array<PolicyMap | null>(MAX_PORTS).fill(null);
  /** ROLE_* of wire/port-kinds.ts; ROLE_NONE where no port is open. */
  readonly role = new Uint8Array(MAX_PORTS);
  readonly endpoint = new Uint16Array(MAX_PORTS);
  readonly identity = new Int32Array(MAX_PORTS);
  /** Would-be drops pass with verdict AUDIT. */
  readonly isAudited = new Uint8Array(MAX_PORTS);
  /** Frames may take a way of the kernel's own instead (settled.ts). */
  readonly mayOffload = new Uint8Array(MAX_PORTS);
  /** MAC of the endpoint at the other end (pod, host). */
  readonly macHigh = new Uint16Array(MAX_PORTS);
  readonly macLow = new Int32Array(MAX_PORTS);
  /** MAC by which the dataplane is known on this port. */
  readonly ownHigh = new Uint16Array(MAX_PORTS);
  readonly ownLow = new Int32Array(MAX_PORTS);
  /** Bytes of IP packet. */
  readonly mtu = new Int32Array(MAX_PORTS);
  readonly ifindex = new Int32Array(MAX_PORTS);
  /** Uplinks: next hop for destinations off the link, 0 = every destination is on the link. */
  readonly gateway4 = new Int32Array(MAX_PORTS);
  readonly gateway6 = new Int32Array(MAX_PORTS * 4);
  /** Index of the port that leads to the host's own stack, -1 when there is none. */
  hostPort = -1;
  /** Index of the port for destinations nobody else has, -1 when there is none. */
  defaultPort = -1;

  /** Ports that have frames queued, and how many of them. */
  readonly #dirty = new Int32Array(MAX_PORTS);
  readonly #isDirty = new Uint8Array(MAX_PORTS);
  #dirtyCount = 0;

  /** Notes a frame for sending by a port; one that is down swallows it. Preconditions: index below MAX_PORTS. */
  queue(index: number, offset: number, length: number): void {
    const port = this.port[index];
    if (port === null) return;
    port.queue(offset, length);
    if (this.#isDirty[index] !== 0) return;
    this.#isDirty[index] = 1;
    this.#dirty[this.#dirtyCount++] = index;
  }

  /** Sends everything that is queued anywhere. The frames' slots are free afterwards. */
  flush(): void {
    for (let i = 0; i < this.#dirtyCount; i++) {
      const index = this.#dirty[i];
      this.#isDirty[index] = 0;
      this.port[index]?.flush();
    }
    this.#dirtyCount = 0;
  }

  isUp(index: number): boolean {
    return index >= 0 && this.port[index] !== null;
  }
}
