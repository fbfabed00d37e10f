/** Three pods, one of which tries to get around a policy, for tests of such ways. */
import type { Test } from 'tap';
import type { Redirect } from '../dataplane/redirect.ts';
import { forAnyPeer, type PodOptions, World, type WorldPod } from './dataplane-world.ts';

export const CLIENT = '10.0.0.2';
export const SERVER = '10.0.0.3';
export const THIRD = '10.0.0.4';
export const SERVER6 = 'fd00::3';
export const ETH = 14;
export const IP = 20;

export const EGRESS_OPEN = forAnyPeer({ egress: true });
export const INGRESS_OPEN = forAnyPeer({});

export interface Trio {
  world: World;
  client: WorldPod;
  server: WorldPod;
  third: WorldPod;
}

export function trio(t: Test, server: Partial<PodOptions>, makeRedirect?: () => Redirect): Trio {
  const world = new World(makeRedirect === undefined ? {} : { makeRedirect });
  t.teardown(() => world.close());
  return {
    world,
    client: world.add({ addresses: [CLIENT, 'fd00::2'], identity: 1001 }),
    server: world.add({ addresses: [SERVER, SERVER6], identity: 1002, ...server }),
    third: world.add({ addresses: [THIRD, 'fd00::4'], identity: 1003 }),
  };
}

/** Sends a frame. @returns 0 when it came out at `to`, else the reason it was dropped for */
export function attempt(world: World, from: WorldPod, to: WorldPod, frame: Uint8Array, header?: Uint8Array): number {
  world.received(to);
  world.drops();
  world.send(from, frame, header);
  const [reason = 0] = world.drops();
  return world.received(to).length > 0 ? 0 : reason;
}
