/** Clients that talk on and on (talking-client.ts), and whether they are answered as they go. */
import { join } from 'node:path';
import { type Background, type Cleanup, inNetns, start, waitFor } from '../command.ts';
import type { SluiceInstance } from '../rig.ts';

const CLIENT = join(import.meta.dirname, 'talking-client.js');

/** Begins to talk from a namespace, until it is stopped or the test ends. */
export function talk(netns: string, cleanup: Cleanup, address: string, port: number, ...more: string[]): Background {
  const talker = start(inNetns(netns, [process.execPath, CLIENT, address, String(port), ...more]));
  cleanup.add(() => talker.child.kill('SIGKILL'));
  return talker;
}

export const answersOf = (talker: Background): string[] => talker.output().split('\n').filter(Boolean);

/** Whether a connection has ended. */
export const isBroken = (talker: Background): boolean => /closed|error/.test(talker.output());

/** Waits until a client has so many more answers. */
export async function untilAnswered(talker: Background, more = 5): Promise<void> {
  const before = answersOf(talker).length;
  await waitFor(`${more} more answers`, () => answersOf(talker).length >= before + more).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${talker.output().slice(-500)}`);
  });
}

/** Kills the agent, and then the dataplane: connections from these pods are answered after each death. */
export async function talkThroughDeaths(
  instance: SluiceInstance,
  pods: readonly string[],
  talkers: readonly Background[],
): Promise<void> {
  const allGoOn = () => Promise.all(talkers.map((one) => untilAnswered(one)));
  await allGoOn();
  instance.agent.child.kill('SIGKILL');
  await instance.restartAgent();
  await instance.untilReady(pods);
  await allGoOn();
  process.kill((await instance.read('/v1/status')).dataplane.pid, 'SIGKILL');
  await allGoOn();
}
