/** The sockets that the name server answers on: made in the network namespace of its pod, for both families, over UDP and TCP. */
import { closeFd } from '../../dataplane/native/index.ts';
import { openInetSocket } from '../../dataplane/native/inet.ts';
import type { SocketDescription } from '../../nameserver/control.ts';
import { SERVER_PORT } from '../../nameserver/host-resolvers.ts';

export class NameServerSockets {
  /** Identity of the namespace that they are in; '' = there are none. */
  place = '';
  #held: readonly (SocketDescription & { readonly fd: number })[] = [];

  /** As the name server is told of them, with their descriptors in this order. */
  get all(): { sockets: SocketDescription[]; fds: number[] } {
    const sockets = this.#held.map(({ type, address, port }) => ({ type, address, port }));
    return { sockets, fds: this.#held.map(({ fd }) => fd) };
  }

  /** Keeps what a running name server gave back. */
  keep(sockets: readonly SocketDescription[], fds: readonly number[], place: string): void {
    this.close();
    this.#held = sockets.map((one, i) => ({ ...one, fd: fds[i] }));
    this.place = place;
  }

  /**
   * Opens them, and closes those before.
   * @throws SystemError when one cannot be had; those before stay
   */
  open(netns: string, place: string): void {
    const sockets: SocketDescription[] = [];
    const fds: number[] = [];
    try {
      for (const address of ['0.0.0.0', '::']) {
        for (const type of ['udp', 'tcp'] as const) {
          fds.push(openInetSocket(type, address, SERVER_PORT, { netns }));
          sockets.push({ type, address, port: SERVER_PORT });
        }
      }
    } catch (error) {
      for (const fd of fds) closeFd(fd);
      throw error;
    }
    this.keep(sockets, fds, place);
  }

  close(): void {
    for (const { fd } of this.#held) closeFd(fd);
    this.#held = [];
    this.place = '';
  }
}
