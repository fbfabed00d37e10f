/** peer.Peer: who else there is to ask. A node of Sluice knows itself. */
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { ChangeNotificationType, type NotifyRequest, type Peer } from '../proto/peer/peer_pb.ts';
import type { ObserverSource } from './source.ts';
import { untilAborted } from './until-aborted.ts';

export class PeerService implements ServiceImpl<typeof Peer> {
  readonly #source: ObserverSource;

  constructor(source: ObserverSource) {
    this.#source = source;
  }

  async *notify(_request: NotifyRequest, { signal }: HandlerContext) {
    const { nodeName: name, address, tlsServerName: serverName } = this.#source;
    const type = ChangeNotificationType.PEER_ADDED;
    yield { name, address, type, ...(serverName === undefined ? {} : { tls: { serverName } }) };
    await untilAborted(signal);
  }
}
