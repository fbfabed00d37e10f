/** Random packets with the requests that they would carry. */
import type { Packet } from '../oracle.ts';
import type { Dice } from './dice.ts';
import { OUTSIDE } from './objects.ts';

export const NEWCOMER = '10.0.9.9';

/** Who may be at the ends of a packet; the shares are weights beside 85 for pods. */
export interface Parties {
  readonly pods: readonly string[];
  readonly nodes: readonly string[];
  readonly hostShare: number;
  readonly newcomerShare: number;
}

export class TrafficMaker {
  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** One between parties of a world, and what it would ask for. */
  packet({ pods, nodes, hostShare, newcomerShare }: Parties): Packet {
    const dice = this.#dice;
    const pod = (): string => (pods.length === 0 ? '10.0.1.1' : dice.pick(pods));
    const host = '192.168.0.1';
    const other = (): string =>
      dice.weighted([55, pod()], [8, host], [nodes.length === 0 ? 0 : 10, dice.pick(nodes)], [27, dice.pick(OUTSIDE)]);
    const subject = dice.weighted([hostShare, host], [newcomerShare, NEWCOMER], [85, pod()]);
    const isV6 = (ip: string): boolean => ip.includes(':');
    let remote = other();
    while (isV6(remote) !== isV6(subject) || remote === subject)
      remote = isV6(subject) ? dice.pick([...OUTSIDE, ...pods]) : other();
    const [from, to] = dice.chance(50) ? [subject, remote] : [remote, subject];
    return { from, to, ...this.#target(isV6(from)), requests: this.#requests() };
  }

  #target(isV6: boolean): { protocol: number; port: number } {
    const dice = this.#dice;
    return dice.weighted<() => { protocol: number; port: number }>(
      [62, () => ({ protocol: 6, port: dice.pick([80, 80, 8080, 8080, 85, 8090, 443, 443, 53, 9092, 22, 514, 7000]) })],
      [22, () => ({ protocol: 17, port: dice.pick([53, 53, 80, 443, 514, 8080, 7000]) })],
      [4, () => ({ protocol: 132, port: dice.pick([80, 53, 8080]) })],
      [
        10,
        () => (isV6 ? { protocol: 58, port: dice.pick([128, 2, 135]) } : { protocol: 1, port: dice.pick([8, 3, 11]) }),
      ],
      [2, () => ({ protocol: dice.pick([47, 50]), port: 0 })],
    )();
  }

  #requests(): Packet['requests'] {
    const dice = this.#dice;
    const apiKey = dice.pick([0, 1, 3, 12, 18]);
    return {
      http: {
        method: dice.pick(['GET', 'PUT', 'POST', 'DELETE']),
        path: dice.pick(['/', '/api', '/api/v1', '/api?x=1', '/admin', '/admin/']),
        host: dice.pick(['api.example.com', 'web', 'other.org']),
        headers: {
          ...(dice.chance(50) && { 'x-token': '1' }),
          ...(dice.chance(60) && { 'x-mode': dice.pick(['on', 'off']) }),
        },
      },
      dns: dice.pick([
        'a.example.com',
        'b.example.com',
        'deep.a.example.com',
        'example.com',
        'a.other.com',
        'A.example.com.',
      ]),
      kafka: {
        apiKey,
        apiVersion: dice.pick([0, 1]),
        clientID: dice.pick(['robot', 'human']),
        topics:
          apiKey === 12 || apiKey === 18 ? [] : dice.some(['orders', 'logs', 'other'], dice.weighted([85, 1], [15, 2])),
      },
      serverName: dice.pick([
        undefined,
        'a.example.com',
        'deep.a.example.com',
        'example.com',
        'other.org',
        'A.EXAMPLE.com',
      ]),
    };
  }
}
