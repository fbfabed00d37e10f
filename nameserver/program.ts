/**
 * The parts of sluice-dns put together: what it is told (zone file, sockets, the host's servers) and what it does with it.
 *
 * Until there is a first zone file, sockets are kept unread, so that what is asked meanwhile waits in them.
 */
import type { Server } from 'node:net';
import { join } from 'node:path';
import { closeFd, monotonicMs } from '../dataplane/native/index.ts';
import { FollowedFile } from '../linux/followed-file.ts';
import { VERSION } from '../linux/version.ts';
import { AnswerCache, CACHE_BYTES } from './cache.ts';
import type { ControlRequest, NameServerStatus, SocketDescription } from './control.ts';
import { checkSockets, type ControlAnswer } from './control-server.ts';
import { Counters } from './counters.ts';
import { HOST_RESOLV_CONF, parseResolvConf } from './host-resolvers.ts';
import { say } from './log.ts';
import { LoopProbe } from './loop-probe.ts';
import { Resolver } from './resolver.ts';
import { NameServer } from './server.ts';
import { Connections, listenTcp } from './tcp-listener.ts';
import { UdpListener } from './udp-listener.ts';
import { Upstreams } from './upstreams.ts';
import type { Zone } from './zone.ts';
import type { ZoneFile } from './zone-file.ts';
import { ZoneSource } from './zone-source.ts';

const POLL_MS = 1_000;

interface HeldSocket {
  readonly description: SocketDescription;
  readonly fd: number;
}

export class NameServerProgram {
  readonly #counters = new Counters();
  readonly #cache = new AnswerCache(CACHE_BYTES);
  readonly #upstreams = new Upstreams();
  readonly #resolver = new Resolver(this.#cache, this.#upstreams, this.#counters);
  readonly #probe = new LoopProbe(this.#upstreams, this.#counters, say);
  readonly #connections = new Connections(this.#counters);
  readonly #resolvConf: FollowedFile;
  readonly #source: ZoneSource;
  readonly #startedMs = Date.now();
  #server: NameServer | undefined;
  #file: Pick<ZoneFile, 'domain' | 'upstreams' | 'serial'> | undefined;
  #sockets: HeldSocket[] = [];
  #udp: UdpListener[] = [];
  #tcp: Server[] = [];

  constructor(runDir: string) {
    this.#source = new ZoneSource(join(runDir, 'dns/zone'), this.#counters, (zone, file) => this.#take(zone, file));
    this.#resolvConf = new FollowedFile(HOST_RESOLV_CONF, () => this.#followUpstreams());
  }

  /** Reads the zone file, now and when it is another. */
  start(): void {
    void this.#source.look();
    setInterval(() => void this.#source.look(), POLL_MS).unref();
  }

  /** Does what the agent asks. @throws Error that says why not */
  async perform(request: ControlRequest, fds: readonly number[]): Promise<ControlAnswer> {
    switch (request.ask) {
      case 'status':
        return { fields: { status: this.#status() } };
      case 'listen':
        checkSockets(request.sockets, fds);
        this.#replaceSockets(request.sockets.map((description, i) => ({ description, fd: fds[i] })));
        return {};
      case 'sockets':
        return {
          fields: { sockets: this.#sockets.map(({ description }) => description) },
          fds: this.#sockets.map(({ fd }) => fd),
        };
      case 'zone':
        await this.#source.read();
        return { fields: { serial: this.#file?.serial } };
      case 'stop':
        setImmediate(() => void this.stop());
        return {};
    }
  }

  /** Takes no more questions, answers those that are under way if that is soon, and lets the process end. */
  async stop(): Promise<void> {
    for (const listener of this.#udp) listener.deafen();
    for (const listener of this.#tcp) listener.close();
    for (let waited = 0; waited < 500 && this.#resolver.load.waiting > 0; waited += 10)
      await new Promise((resolve) => setTimeout(resolve, 10));
    process.exit(0);
  }

  #status(): NameServerStatus {
    const zone = this.#server?.zone;
    return {
      version: VERSION,
      pid: process.pid,
      startedMs: this.#startedMs,
      zone: zone && this.#file && { domain: this.#file.domain, serial: zone.serial, services: zone.services },
      problem: this.#source.problem,
      sockets: this.#sockets.map(({ description }) => description),
      upstreams: this.#upstreams.states.map((one) => ({ server: one.text, state: one.describe(monotonicMs()) })),
      cache: { bytes: this.#cache.bytes, entries: this.#cache.size, evictions: this.#cache.evictions },
      underWay: this.#resolver.load,
      connections: this.#connections.size,
      memoryBytes: process.memoryUsage.rss(),
      counters: Object.fromEntries(Object.entries(this.#counters)),
    };
  }

  #take(zone: Zone, file: ZoneFile): void {
    const isFirst = this.#server === undefined;
    if (this.#server === undefined) this.#server = this.#makeServer(zone);
    else this.#server.setZone(zone);
    this.#file = { domain: file.domain, upstreams: file.upstreams, serial: file.serial };
    this.#followUpstreams();
    if (isFirst) this.#listen();
  }

  #makeServer(zone: Zone): NameServer {
    return new NameServer({
      zone,
      cache: this.#cache,
      resolver: this.#resolver,
      counters: this.#counters,
      clock: () => monotonicMs() / 1000,
      onMissing: (label) => this.#probe.seen(label),
    });
  }

  /** Whom to ask: as the zone file says, but never a socket of ours. */
  #followUpstreams(): void {
    if (this.#file === undefined) return;
    const { upstreams, domain } = this.#file;
    const wanted = upstreams === 'host' ? parseResolvConf(this.#resolvConf.text) : upstreams;
    const isOurs = (one: { address: string; port: number }) =>
      this.#sockets.some(({ description }) => description.address === one.address && description.port === one.port);
    const others = wanted.filter((one) => !isOurs(one));
    if (!this.#upstreams.set(others)) return;
    say(`upstreams: ${this.#upstreams.states.map(({ text }) => text).join(' ') || 'none'}`);
    this.#probe.probe(domain);
  }

  #replaceSockets(sockets: HeldSocket[]): void {
    this.#closeListeners();
    this.#sockets = sockets;
    this.#listen();
    this.#followUpstreams();
  }

  #listen(): void {
    const server = this.#server;
    if (server === undefined) return;
    for (const { description, fd } of this.#sockets) {
      if (description.type === 'udp') this.#udp.push(new UdpListener(fd, server, this.#counters));
      else this.#tcp.push(this.#listenTcp(fd, server));
    }
  }

  #listenTcp(fd: number, server: NameServer): Server {
    const onError = (error: Error) => {
      say(`accept connections: ${error.message}`);
    };
    return listenTcp(fd, server, { connections: this.#connections, onError });
  }

  #closeListeners(): void {
    const isListening = this.#udp.length + this.#tcp.length > 0;
    for (const listener of this.#udp) listener.close();
    for (const listener of this.#tcp) listener.close();
    if (!isListening) for (const { fd } of this.#sockets) closeFd(fd);
    this.#udp = [];
    this.#tcp = [];
    this.#sockets = [];
  }
}
