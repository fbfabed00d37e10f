/**
 * Which backend a new connection to a service goes to (cilium bpf/lib/lb.h).
 *
 *  1. The frontend: address, port and protocol. A port that no row names is dropped (247) when the address has a wildcard;
 *     else the address is no service's as far as this frame goes.
 *  2. Clients inside (pods, the host) take the row of the internal scope where there are two.
 *  3. Who is outside may not use a frontend that is not routable (174), nor one whose source ranges do not hold him (177).
 *  4. With session affinity: the backend that this client had last, while the service has it and it takes connections.
 *  5. Else one out of the table: at random, or Maglev by the connection's tuple. A backend that the client is connected to on
 *     the same ports by another address is passed over (249 when there is no other).
 *  6. None: 158.
 *
 * Choosing leaves no trace: what is remembered is noted when the connection has been allowed (`noteAffinity`).
 */
import { V4_MAPPED } from '../../wire/address.ts';
import type { Frame } from '../../wire/frame.ts';
import { IDENTITY_HOST } from '../../wire/identities.ts';
import { ROLE_POD } from '../../wire/port-kinds.ts';
import {
  DROP_IS_CLUSTER_IP,
  DROP_NO_SERVICE_BACKEND,
  DROP_SERVICE_PORT,
  DROP_SOURCE_RANGE,
  DROP_TUPLE_TAKEN,
} from '../../wire/reasons.ts';
import type { Maps } from '../../policy-maps/pinned.ts';
import { BACKEND_ACTIVE } from '../../policy-maps/service/backend-map.ts';
import * as service from '../../policy-maps/service/service-map.ts';
import { STALE_BLOCK } from '../../policy-maps/service/slot-map.ts';
import { halfSipHash } from '../../policy-maps/table/half-sip-hash.ts';
import { Xorshift } from '../../policy-maps/table/xorshift.ts';
import type { Conntrack } from '../conntrack.ts';
import type { Identifier } from '../identify.ts';
import type { PortTable } from '../port/table.ts';
import { Tuple } from '../tuple.ts';

export type ChooserMaps = Pick<Maps, 'services' | 'slots' | 'backends' | 'reverseNat' | 'sourceRanges' | 'affinity'>;

export interface ChooserParts {
  readonly conntrack: Conntrack;
  readonly identifier: Identifier;
  readonly ports: PortTable;
}

/** `find` of a frame whose destination is no service's. */
export const NO_SERVICE = -1;

/** A choice is made anew when its tables have changed under it, and when its tuple is taken: at most so often. */
const ATTEMPTS = 8;
/** The same on every node: a client's connection has one place in all Maglev tables. */
const MAGLEV_SEED_0 = 0x71dcda46; // of Cilium's bpf-lb-maglev-hash-seed
const MAGLEV_SEED_1 = 0x92505688 | 0;

export class Chooser {
  /** The frontend that was found last, and the backend that was chosen. */
  frontendHandle = 0;
  backend = 0;
  readonly address = new Int32Array(4);
  port = 0;
  readonly #maps: ChooserMaps;
  readonly #conntrack: Conntrack;
  readonly #identifier: Identifier;
  readonly #ports: PortTable;
  readonly #tuple = new Tuple();
  readonly #hashed = new Int32Array(10);
  readonly #random: Xorshift;

  constructor(maps: ChooserMaps, { conntrack, identifier, ports }: ChooserParts) {
    this.#maps = maps;
    this.#identifier = identifier;
    this.#conntrack = conntrack;
    this.#ports = ports;
    this.#random = new Xorshift(maps.affinity.file.seed0);
  }

  /** Finds the frontend that a frame is for, and who sends it. @returns 0, NO_SERVICE, CONSUMED, or a drop reason */
  find(f: Frame): number {
    const { services, reverseNat } = this.#maps;
    services.setAddress(f.dst0, f.dst1, f.dst2, f.dst3);
    const isNamed = services.find(f.dstPort, f.protocol, service.SCOPE_EXTERNAL);
    if (!isNamed && !services.find(0, 0, service.SCOPE_EXTERNAL)) return NO_SERVICE; // 1
    const stranger = this.#identifier.identifySender(f); // who is not who he says he is gets no other answer
    if (stranger !== 0) return stranger;
    services.setAddress(f.dst0, f.dst1, f.dst2, f.dst3);
    if (!services.find(f.dstPort, f.protocol, service.SCOPE_EXTERNAL)) return DROP_SERVICE_PORT;
    const isInside = this.#ports.role[f.port] === ROLE_POD || f.srcIdentity === IDENTITY_HOST;
    const { found } = services;
    if (isInside && (found.flags & service.SERVICE_TWO_SCOPES) !== 0) {
      if (!services.find(f.dstPort, f.protocol, service.SCOPE_INTERNAL)) return DROP_NO_SERVICE_BACKEND; // 2
    }
    if (!isInside && (found.flags & service.SERVICE_ROUTABLE) === 0) return DROP_IS_CLUSTER_IP; // 3
    if ((found.flags & service.SERVICE_SOURCE_RANGE) !== 0 && !this.#isInRange(f)) return DROP_SOURCE_RANGE;
    if (found.frontend < 1 || found.frontend >= reverseNat.capacity) return DROP_NO_SERVICE_BACKEND;
    this.frontendHandle = reverseNat.handleOf(found.frontend);
    return 0;
  }

  /** Whether the address of a frame's destination is a service's, whatever its port. */
  isVirtual(a0: number, a1: number, a2: number, a3: number): boolean {
    this.#maps.services.setAddress(a0, a1, a2, a3);
    return this.#maps.services.find(0, 0, service.SCOPE_EXTERNAL);
  }

  /** Chooses a backend of the frontend that was found. @returns 0, or a drop reason */
  choose(f: Frame): number {
    if ((this.#maps.services.found.flags & service.SERVICE_AFFINITY) !== 0 && this.#takeLast(f)) return 0; // 4
    let refusal = DROP_NO_SERVICE_BACKEND;
    let draw = this.#draw(f);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++, draw = (draw + 1) | 0) {
      const { frontend, block } = this.#maps.services.found;
      const id = this.#maps.slots.pick(block, frontend, draw);
      if (id === 0) return DROP_NO_SERVICE_BACKEND; // 6
      if (id === STALE_BLOCK || !this.#take(f, id)) {
        const again = this.find(f);
        if (again !== 0) return again === NO_SERVICE ? DROP_NO_SERVICE_BACKEND : again;
        continue;
      }
      if (!this.#isTaken(f)) return 0; // 5
      refusal = DROP_TUPLE_TAKEN;
    }
    return refusal;
  }

  /**
   * Whether a connection of the frontend that was found may go on with the backend that it has.
   * @param words the backend's address, from `at` on @param isNew it is a SYN, which only an active one gets
   */
  keeps(id: number, words: Int32Array, at: number, port: number, isNew: boolean): boolean {
    const { backends } = this.#maps;
    if (!backends.load(id)) return false;
    const { a0, a1, a2, a3, port: loadedPort, state } = backends.loaded;
    const isSame =
      a3 === words[at + 3] && a2 === words[at + 2] && a1 === words[at + 1] && a0 === words[at] && loadedPort === port;
    return isSame && (!isNew || state === BACKEND_ACTIVE);
  }

  /** Remembers the backend of an allowed connection, where its service has session affinity. @param nowSec monotonic */
  noteAffinity(f: Frame, frontendHandle: number, backend: number, nowSec: number): void {
    this.#maps.affinity.note(f, frontendHandle, backend, nowSec);
  }

  /** Whether the frontend that was found has session affinity. */
  get hasAffinity(): boolean {
    return (this.#maps.services.found.flags & service.SERVICE_AFFINITY) !== 0;
  }

  #isInRange(f: Frame): boolean {
    const { found } = this.#maps.services;
    const isHeld = this.#maps.sourceRanges.holds(found.frontend, f.src0, f.src1, f.src2, f.src3);
    return isHeld === ((found.flags & service.SERVICE_SOURCE_RANGE_DENY) === 0);
  }

  #takeLast(f: Frame): boolean {
    const { affinity, slots, services, backends } = this.#maps;
    const { frontend, block, affinitySec } = services.found;
    const row = affinity.lookup(f, this.frontendHandle, affinitySec, this.#conntrack.life.nowSec);
    if (row < 0) return false;
    const id = affinity.backend(row);
    if (slots.has(block, frontend, id) !== 1 || !this.#take(f, id)) return false;
    return backends.loaded.state === BACKEND_ACTIVE && !this.#isTaken(f);
  }

  /** Takes a backend over as the chosen one. @returns false when there is none, or none for this family and protocol */
  #take(f: Frame, id: number): boolean {
    const { backends } = this.#maps;
    if (!backends.load(id)) return false;
    const { loaded } = backends;
    const isV4 = loaded.a0 === 0 && loaded.a1 === 0 && loaded.a2 === V4_MAPPED;
    if (isV4 !== (f.family === 4) || loaded.protocol !== f.protocol) return false;
    this.backend = id;
    this.address[0] = loaded.a0;
    this.address[1] = loaded.a1;
    this.address[2] = loaded.a2;
    this.address[3] = loaded.a3;
    this.port = loaded.port;
    return true;
  }

  #isTaken(f: Frame): boolean {
    const tuple = this.#tuple;
    tuple.copy(f);
    tuple.setDestination(this.address, 0, this.port);
    return this.#conntrack.isTaken(tuple, this.frontendHandle);
  }

  #draw(f: Frame): number {
    if ((this.#maps.services.found.flags & service.SERVICE_MAGLEV) === 0) {
      return this.#random.next();
    }
    const words = this.#hashed;
    words[0] = f.src0;
    words[1] = f.src1;
    words[2] = f.src2;
    words[3] = f.src3;
    words[4] = f.dst0;
    words[5] = f.dst1;
    words[6] = f.dst2;
    words[7] = f.dst3;
    words[8] = (f.srcPort << 16) | f.dstPort;
    words[9] = f.protocol;
    return halfSipHash(words, 0, 10, MAGLEV_SEED_0, MAGLEV_SEED_1);
  }
}
