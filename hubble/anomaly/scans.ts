/** One source that tries many ports of one address, or one port of many addresses. */
import type { Flow } from '../flow.ts';
import { type Attempt, attemptOf, sourceText } from './attempt.ts';
import { seededHash, Windows } from './recent.ts';
import type { Making, Rule } from './rule.ts';

export class PortScan implements Rule {
  readonly names = ['port-scan'] as const;
  readonly #ports: Windows;
  readonly #making: Making;

  constructor(making: Making) {
    const { 'port-scan-ports': ports, 'window-seconds': seconds } = making.limits;
    this.#making = making;
    this.#ports = new Windows(ports, seconds * 1000);
  }

  get forgotten(): number {
    return this.#ports.forgotten;
  }

  take(flow: Flow, timeMs: number): void {
    const attempt = attemptOf(flow);
    if (attempt === undefined) return;
    const { source, destination } = attempt;
    const subject = `${source} ${destination}`;
    if (!this.#ports.add(subject, portKey(attempt), timeMs)) return;
    const { 'port-scan-ports': ports, 'window-seconds': seconds } = this.#making.limits;
    const text = `${sourceText(flow)} tried ${ports} ports of ${destination} within ${seconds} s`;
    this.#making.tell({ rule: 'port-scan', subject, text, flow });
  }
}

export class Sweep implements Rule {
  readonly names = ['sweep'] as const;
  readonly #addresses: Windows;
  readonly #making: Making;

  constructor(making: Making) {
    const { 'sweep-addresses': addresses, 'window-seconds': seconds } = making.limits;
    this.#making = making;
    this.#addresses = new Windows(addresses, seconds * 1000);
  }

  get forgotten(): number {
    return this.#addresses.forgotten;
  }

  take(flow: Flow, timeMs: number): void {
    const attempt = attemptOf(flow);
    if (attempt === undefined) return;
    const { source, destination, port, protocol } = attempt;
    const subject = `${source} ${protocol}/${port}`;
    const hash = seededHash(destination, this.#making.seed);
    if (!this.#addresses.add(subject, hash, timeMs)) return;
    const { 'sweep-addresses': addresses, 'window-seconds': seconds } = this.#making.limits;
    const text = `${sourceText(flow)} tried ${protocol} port ${port} of ${addresses} addresses within ${seconds} s`;
    this.#making.tell({ rule: 'sweep', subject, text, flow });
  }
}

/** TCP and UDP ports of the same number are two. */
function portKey({ port, protocol }: Attempt): number {
  return port * 4 + ['TCP', 'UDP', 'SCTP'].indexOf(protocol);
}
