import type { Dataplane } from '../dataplane/assemble.ts';
import type { StreamProxy } from '../dataplane/redirect.ts';
import type { Frame } from '../wire/frame.ts';
import type { ForwardingMaps } from './forwarding-maps.ts';
export class L7Streams implements StreamProxy {
  constructor(_d: Dataplane, _m: ForwardingMaps) {}
  onExpire = (_slot: number): void => {};
  admit(_f: Frame, _e: number, _i: number): number {
    return 180;
  }
  segment(_f: Frame, _s: number, _r: boolean): number {
    return 180;
  }
  tick(_n: number): void {}
}
