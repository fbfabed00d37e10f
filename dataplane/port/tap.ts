/** A TAP device as a port. The device lies in the pod's namespace; its descriptor comes from whoever created it. */
import type { Arena } from './arena.ts';
import * as native from '../native/index.ts';
import type { PortOptions } from './port.ts';
import { KernelPort } from './kernel.ts';

export class TapPort extends KernelPort {
  readonly kind = 'tap';

  /** @param fd of native.openTap(), here or in another process; the port closes it. */
  constructor(arena: Arena, options: PortOptions & { fd: number }) {
    super(arena, options, options.fd, native.KIND_TAP);
  }
}
