/**
 * The pinned conditions of ports, put into force while frames flow: wrappers that make faults and tell frames are put around
 * the ports that ask for them, and taken off again. A port that asks for nothing has no wrapper, and costs nothing.
 *
 *     kernel -> port -> FaultPort -> TracePort -> engine           and back past both
 *
 * Faulty ports hold frames back, so somebody must call them when one is due: `nextDueMs` and `due`. Frames that were dropped
 * on purpose are counted like any other drop (reason 246), by `takeDropped`. At most TRACES_PER_SEC frames a second are told,
 * and MAX_TRACES in all until conditions change again: the log lies in memory.
 */
import type { Arena } from '../../dataplane/port/arena.ts';
import { FaultPort } from '../../dataplane/port/fault.ts';
import type { Port } from '../../dataplane/port/port.ts';
import type { PortTable } from '../../dataplane/port/table.ts';
import { TracePort } from '../../dataplane/port/trace.ts';
import { type ConditionMap, NO_CONDITIONS, type PortConditions } from '../../policy-maps/condition-map.ts';
import { say } from './log.ts';

const TRACES_PER_SEC = 2000;
const MAX_TRACES = 200_000; // some 16 MiB of log

interface WrappedPort {
  readonly inner: Port;
  readonly fault: FaultPort | null;
  /** The conditions that the wrappers were made for. */
  readonly made: string;
  /** Of `fault.done.dropped`, what has been counted. */
  counted: number;
}

export class Conditions {
  readonly #map: ConditionMap;
  readonly #table: PortTable;
  readonly #arena: Arena;
  readonly #wrapped = new Map<number, WrappedPort>();
  /** Drops of ports that are gone, to be counted yet. */
  readonly #left: [index: number, frames: number][] = [];
  /** Whether anybody may hold frames back: else there is nothing to ask. */
  hasFaults = false;
  #generation = 0;
  #traces = TRACES_PER_SEC;
  #tracesLeft = MAX_TRACES;
  #untold = 0;
  #refilledMs = 0;

  constructor(map: ConditionMap, table: PortTable, arena: Arena) {
    this.#map = map;
    this.#table = table;
    this.#arena = arena;
  }

  /** Puts changes into force. */
  refresh(nowMs: number): void {
    if (nowMs - this.#refilledMs >= 1000) this.#refill(nowMs);
    if (this.#map.generation === this.#generation) return;
    this.#generation = this.#map.generation;
    this.#tracesLeft = MAX_TRACES;
    for (const [index, port] of this.#table.port.entries()) {
      if (port === null) continue;
      const { inner = port, made = '' } = this.#wrapped.get(index) ?? {};
      if (made !== textOf(this.#map.get(index))) this.#table.port[index] = this.wrap(index, inner);
    }
  }

  /** A port as the engine is to have it. @param inner the port itself, just opened or wrapped already */
  wrap(index: number, inner: Port): Port {
    this.forget(index);
    const conditions = this.#map.get(index);
    const { faults, isTraced } = conditions;
    if (faults === null && !isTraced) return inner;
    // Ports with the same seed do not all lose the same frames.
    const fault = faults === null ? null : new FaultPort(inner, { ...faults, seed: (faults.seed + index) | 0 });
    if (fault !== null) this.hasFaults = true;
    this.#wrapped.set(index, { inner, fault, made: textOf(conditions), counted: 0 });
    const outer = fault ?? inner;
    return isTraced ? new TracePort(outer, this.#arena, (line) => this.#tell(line)) : outer;
  }

  /** Call it when a port is closed. What it held back is lost, and counted. */
  forget(index: number): void {
    const before = this.#wrapped.get(index);
    this.#wrapped.delete(index);
    if (before?.fault == null) return;
    this.hasFaults = [...this.#wrapped.values()].some(({ fault }) => fault !== null);
    before.fault.dropHeld();
    const dropped = before.fault.done.dropped - before.counted;
    if (dropped > 0) this.#left.push([index, dropped]);
  }

  /** When a frame that is held back is due, monotonic; Infinity when none is. */
  get nextDueMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { fault } of this.#wrapped.values()) if (fault !== null) next = Math.min(next, fault.nextDueMs);
    return next;
  }

  /** Ports that have frames due. */
  *due(nowMs: number): Generator<number> {
    for (const [index, { fault }] of this.#wrapped) if (fault !== null && fault.nextDueMs <= nowMs) yield index;
  }

  /** Frames dropped on purpose since the last call, by port. */
  takeDropped(): [index: number, frames: number][] {
    const taken = this.#left.splice(0);
    for (const [index, one] of this.#wrapped) {
      const dropped = one.fault?.done.dropped ?? 0;
      if (dropped !== one.counted) taken.push([index, dropped - one.counted]);
      one.counted = dropped;
    }
    return taken;
  }

  #tell(line: string): void {
    if (this.#tracesLeft === 0) return;
    if (this.#traces-- < 1) {
      this.#untold++;
      return;
    }
    say(`trace ${line}`);
    if (--this.#tracesLeft === 0) say(`trace: ${MAX_TRACES} frames told: annotate the pod anew for more`);
  }

  #refill(nowMs: number): void {
    this.#refilledMs = nowMs;
    this.#traces = TRACES_PER_SEC;
    if (this.#untold > 0) say(`trace: ${this.#untold} frames more in the last second`);
    this.#untold = 0;
  }
}

function textOf(conditions: PortConditions): string {
  return conditions === NO_CONDITIONS ? '' : JSON.stringify(conditions);
}
