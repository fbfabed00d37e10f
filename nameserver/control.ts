/**
 * The control socket of the name server: `<run dir>/dns/control.sock`, a unix socket of type SOCK_SEQPACKET: one message is one
 * send and one receive, JSON of at most 64 KiB. The agent makes the listening socket and hands it to the name server at spawn
 * as descriptor 3, so that connecting works from the first moment; the name server outlives agents, and each new one
 * connects anew. Several connections may be open at once (up to 8).
 *
 *     agent                                    name server
 *     {"ask":"status"}                     ->  first on every connection: who is it
 *                                          <-  {"ok":true,"status":{...}}
 *     {"ask":"listen","sockets":[...]} +fds ->  these sockets from now on, in place of all before
 *                                          <-  {"ok":true}
 *     {"ask":"sockets"}                    ->  an adopting agent asks for them back
 *                                          <-  {"ok":true,"sockets":[...]} + duplicates
 *     {"ask":"zone"}                       ->  the zone file is new: read it
 *                                          <-  {"ok":true,"serial":7}, answers are those of serial 7 from now on
 *     {"ask":"stop"}                       ->  answers what it has taken, and exits 0
 *                                          <-  {"ok":true}
 *
 * Each request gets one answer, in order: {"ok":false,"problem":"..."} where it could not be done, and everything is as
 * before then. A socket is described by what it is (`udp`: bound; `tcp`: bound and listening); their order is that of the descriptors. They are
 * made in the network namespace of kube-system/kube-dns, by `openInetSocket` of dataplane/native, and stay the agent's too:
 * after the death of a name server they go to the next one, and keep what was asked meanwhile.
 */
import { isAddress, RecordReader } from './record-reader.ts';

/** Descriptor number of the listening socket in the name server's process. */
export const NAME_SERVER_LISTEN_FD = 3;

/** What descriptors of a message are; at most 16. */
export interface SocketDescription {
  readonly type: 'udp' | 'tcp';
  /** What it is bound to, for people. */
  readonly address: string;
  readonly port: number;
}

export type ControlRequest =
  | { readonly ask: 'status' | 'sockets' | 'zone' | 'stop' }
  | { readonly ask: 'listen'; readonly sockets: readonly SocketDescription[] };

/** What it says of itself. */
export interface NameServerStatus {
  readonly version: string;
  readonly pid: number;
  readonly startedMs: number;
  /** Undefined until it has read one. */
  readonly zone: { readonly domain: string; readonly serial: number; readonly services: number } | undefined;
  /** Why the zone file that is there was refused; '' when it was not. */
  readonly problem: string;
  readonly sockets: readonly SocketDescription[];
  readonly upstreams: readonly { readonly server: string; readonly state: 'asked' | 'avoided' | 'loop' }[];
  readonly cache: { readonly bytes: number; readonly entries: number; readonly evictions: number };
  /** Questions to others, and who waits for them. */
  readonly underWay: { readonly inquiries: number; readonly waiting: number };
  readonly connections: number;
  readonly memoryBytes: number;
  /** By name (counters.ts). */
  readonly counters: Readonly<Record<string, number>>;
}

const MAX_SOCKETS = 16;

/**
 * Reads a request; for tests too.
 * @throws SyntaxError with member, found and wanted
 */
export function parseRequest(bytes: Uint8Array): ControlRequest {
  const record = RecordReader.ofJson('read a request', Buffer.from(bytes).toString('utf8'));
  const ask = record.oneOf('ask', ['status', 'sockets', 'zone', 'stop', 'listen'] as const);
  const request = ask === 'listen' ? { ask, sockets: record.list('sockets', MAX_SOCKETS, readSocket) } : { ask };
  record.finish();
  return request;
}

function readSocket(record: RecordReader): SocketDescription {
  const socket = {
    type: record.oneOf('type', ['udp', 'tcp'] as const),
    address: record.text('address', isAddress, 'an IPv4 or IPv6 address'),
    port: record.integer('port', 0, 65535),
  };
  record.finish();
  return socket;
}
