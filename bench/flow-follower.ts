/** A client that follows all flows, in a process of its own (flow-client.ts). */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { waitFor } from '../test/command.ts';
import type { FlowCounts } from './flow-client.ts';

export class Follower {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @returns one that follows @param isSeen whether there are flows now, so that its first one can be waited for */
  static async start(socket: string, isSeen = false): Promise<Follower> {
    const child = fork(join(import.meta.dirname, 'flow-client.js'), [socket], { stdio: 'inherit' });
    const follower = new Follower(child);
    await follower.counts();
    if (isSeen) await waitFor('the first flow', async () => (await follower.counts()).flows > 0);
    return follower;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  async counts(): Promise<FlowCounts> {
    this.#child.send('count');
    const [counts] = (await once(this.#child, 'message')) as [FlowCounts];
    return counts;
  }

  stop(): void {
    this.#child.disconnect();
  }
}
