/**
 * A UDP socket that queries come to. They are taken and answered in bursts of up to 64, one system call each way; after
 * MAX_BURSTS the rest waits for the next turn of the event loop, so that connections and answers of other servers get theirs.
 */
import { closeFd } from '../dataplane/native/index.ts';
import { MAX_DATAGRAMS, PEER_BYTES, receiveDatagrams, sendDatagrams, watchReadable } from '../dataplane/native/inet.ts';
import { UDP_BYTES } from '../wire/dns/opt.ts';
import type { Counters } from './counters.ts';
import type { NameServer, Way } from './server.ts';

const MAX_BURSTS = 4;
/** Of queries: name, OPT record, and options that people put there. */
const QUERY_BYTES = 1280;
const FAMILY_V4 = 2;

/** What all listeners receive into and send from; each burst is done with before another begins. */
const queries = new Uint8Array(MAX_DATAGRAMS * QUERY_BYTES);
const answers = new Uint8Array(MAX_DATAGRAMS * UDP_BYTES);
const lengths = new Int32Array(MAX_DATAGRAMS);
const peers = Buffer.alloc(MAX_DATAGRAMS * PEER_BYTES);

export class UdpListener implements Way {
  readonly isStream = false;
  readonly fd: number;
  readonly #server: NameServer;
  readonly #counters: Counters;
  readonly #unwatch: () => void;
  #slot = 0;
  #isClosed = false;

  /** @param fd bound; closed by close() */
  constructor(fd: number, server: NameServer, counters: Counters) {
    this.fd = fd;
    this.#server = server;
    this.#counters = counters;
    this.#unwatch = watchReadable(fd, () => this.#readable());
  }

  /** Takes no more queries; answers that come later are sent. */
  deafen(): void {
    this.#unwatch();
  }

  /** Ends it; answers that come later are lost. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.deafen();
    closeFd(this.fd);
  }

  client(): string {
    const at = this.#slot * PEER_BYTES;
    const isV4 = peers[at] === FAMILY_V4;
    return peers.toString('latin1', at + (isV4 ? 4 : 8), at + (isV4 ? 8 : 24));
  }

  back(): (bytes: Uint8Array) => void {
    const at = this.#slot * PEER_BYTES;
    const peer = Uint8Array.from(peers.subarray(at, at + PEER_BYTES));
    return (bytes) => {
      if (this.#isClosed) return;
      const one = Int32Array.of(bytes.length);
      sendDatagrams(this.fd, bytes, bytes.length, 1, one, peer);
    };
  }

  #readable(): void {
    for (let i = 0; i < MAX_BURSTS; i++) if (this.#burst() < MAX_DATAGRAMS) return;
  }

  #burst(): number {
    const count = receiveDatagrams(this.fd, queries, QUERY_BYTES, MAX_DATAGRAMS, lengths, peers);
    if (count <= 0) return 0;
    this.#server.nowSec = this.#server.clock();
    this.#counters.udpQueries += count;
    for (let i = 0; i < count; i++) {
      this.#slot = i;
      const at = i * QUERY_BYTES;
      if (lengths[i] < 0) this.#counters.dropped++;
      else lengths[i] = this.#server.handle(queries, at, at + lengths[i], answers, i * UDP_BYTES, this);
    }
    sendDatagrams(this.fd, answers, UDP_BYTES, count, lengths, peers);
    return count;
  }
}
