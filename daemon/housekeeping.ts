/**
 * What nobody tells the agent: pods' interfaces that vanished, addresses of the host that came or went, tables that run full,
 * a file system that fills. It is looked for every few seconds.
 */
import { monotonicMs } from '../dataplane/native/index.ts';
import { spaceProblem } from '../linux/disk-space.ts';
import type { PodLinks } from './attach/pod-links.ts';
import type { Ports } from './attach/ports.ts';
import type { Config } from './config/config.ts';
import { Pressure } from './health/pressure.ts';
import type { Controllers } from './health/controllers.ts';
import type { ProblemBoard } from './health/problem-board.ts';
import type { PinnedMaps } from './publish/pinned-maps.ts';

const HOUSEKEEPING_MS = 5000;

interface House {
  readonly config: Config;
  readonly maps: PinnedMaps;
  readonly board: ProblemBoard;
  readonly controllers: Controllers;
  readonly ports: Ports;
  readonly links: PodLinks;
  /** The host has other addresses than before. */
  readonly onHostAddresses: () => void;
}

export class Housekeeping {
  readonly #house: House;
  readonly #pressure: Pressure;

  constructor(house: House) {
    this.#house = house;
    const nameOf = (endpoint: number) => this.#nameOf(endpoint);
    this.#pressure = new Pressure(house.maps.counters.words, nameOf, house.config.uplink);
  }

  /** @returns what ends it */
  start(): () => void {
    this.#lookForSpace();
    const { board, controllers } = this.#house;
    const look = () =>
      board.setError(
        'upkeep',
        controllers.run('upkeep', () => this.#look()),
      );
    const timer = setInterval(look, HOUSEKEEPING_MS);
    return () => clearInterval(timer);
  }

  #look(): void {
    const { ports, links, board, onHostAddresses } = this.#house;
    ports.reconciler.kick();
    links.look();
    this.#lookForSpace();
    board.set('pressure', this.#pressure.problems(monotonicMs()));
    ports.lookForUplink();
    ports.lookForHostAddresses().then(
      (hasChanged) => {
        board.set('host addresses', []);
        if (hasChanged) onHostAddresses();
      },
      (error: unknown) => board.set('host addresses', [(error as Error).message]),
    );
  }

  #lookForSpace(): void {
    this.#house.board.setError('space', spaceProblem(this.#house.maps.directory));
  }

  #nameOf(endpoint: number): string {
    for (const { plan, numbers } of this.#house.ports.reconciler.pods.values()) {
      if (numbers.endpointId === endpoint) return `pod ${plan.key}`;
    }
    return endpoint === 0 ? 'the outside' : `endpoint ${endpoint}`;
  }
}
