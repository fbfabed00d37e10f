/**
 * Names: what pods call each other, and how they look that up.
 *
 *     services, pods --> ZoneContent --> ZoneWriter --> <run dir>/dns/zone --> sluice-dns <-- sockets -- NameServer
 *     Service kube-system/kube-dns --> addresses to ask --> PodFiles: resolv.conf and hosts of each pod
 *
 * The name server is an endpoint as any other, of documents of our own (own-documents.ts). When the documents of others hold a
 * Service kube-system/kube-dns, ours goes; pods ask theirs.
 *
 * Lifecycle: `start` takes over what an earlier agent left; `sync` comes whenever services were published, and when pods became ready
 * before that is said of them; `stop` removes all that was made, `leave` lets go of it.
 */
import type { DnsStatus } from '../../api/shapes.ts';
import { readNameServer } from '../config/schema-names.ts';
import { type Document, readDocuments } from '../../policy/document/document.ts';
import { FollowedFile } from '../../linux/followed-file.ts';
import { HOST_RESOLV_CONF } from '../../nameserver/host-resolvers.ts';
import type { ServicePod } from '../../services/pod-index.ts';
import type { LocalPod } from '../attach/pod-reconciler.ts';
import type { Config } from '../config/config.ts';
import type { Log } from '../health/log.ts';
import type { ProblemBoard } from '../health/problem-board.ts';
import type { Services } from '../services/services.ts';
import { NameServer } from './name-server.ts';
import { NAME_POD, NAME_SERVICE, nameServerNetns, OWN_FILE, ownDocuments } from './own-documents.ts';
import { PodFiles } from './pod-files.ts';
import { ZoneContent } from './zone-content.ts';
import { ZoneWriter } from './zone-writer.ts';

const TTL_SEC = 5; // as CoreDNS gives it

interface NamesOptions {
  readonly config: Config;
  readonly services: Pick<Services, 'book' | 'takeChanged'>;
  readonly pods: ReadonlyMap<string, LocalPod>;
  /** Whether the documents of our own are in force. */
  readonly hasOwn: () => boolean;
  readonly board: ProblemBoard;
  readonly log: Log;
  /** Program and arguments that start the name server. */
  readonly command: readonly string[];
}

export class Names {
  readonly #options: NamesOptions;
  readonly #files: PodFiles;
  readonly #content = new ZoneContent();
  readonly #server: NameServer;
  readonly #writer: ZoneWriter;
  #isServing = false;
  /** The host's. */
  readonly #resolvConf: FollowedFile;
  /** Files of pods were made, and follow from now on. */
  #hasSynced = false;

  constructor(options: NamesOptions) {
    this.#options = options;
    const { config, log, command } = options;
    const { runDir, dns } = config;
    this.#resolvConf = new FollowedFile(HOST_RESOLV_CONF, () => {
      if (this.#hasSynced) this.sync();
    });
    this.#files = new PodFiles({ runDir, domain: dns.domain, hostText: () => this.#resolvConf.text });
    this.#server = new NameServer({
      runDir,
      command,
      onEvent: (event, details) => log.info({ nameServer: details }, event),
      onChange: () => this.#tell(),
    });
    this.#writer = new ZoneWriter({
      path: this.#server.zonePath,
      text: (serial) => this.#content.text(zoneHead(config, serial)),
      onWritten: (problem) => this.#onWritten(problem),
    });
  }

  /** The documents of our own, as they are to stand beneath those of others; none when it is switched off. */
  ownDocuments(): Document[] {
    const { config } = this.#options;
    return config.dns.enabled ? readDocuments(ownDocuments(config), OWN_FILE).documents : [];
  }

  /** Takes over a name server that runs. */
  async start(): Promise<void> {
    await this.#server.adopt();
  }

  setPod(pod: ServicePod): void {
    this.#content.setPod(pod);
  }

  removePod(pod: { readonly namespace: string; readonly name: string }): void {
    this.#content.removePod(pod);
  }

  /** Makes files, zone and name server as they should be. */
  sync(): void {
    this.#hasSynced = true;
    const { board, services, pods } = this.#options;
    for (const key of services.takeChanged()) this.#content.setService(key, services.book.get(key));
    board.set('files of pods', this.#files.sync(pods.values(), nameServersOf(services.book)));
    const isServed = this.#options.hasOwn();
    if (isServed && (this.#content.takeChange() || !this.#isServing)) this.#writer.touch();
    this.#isServing = isServed;
    board.set('zone content', isServed ? this.#content.problems : []);
    if (!isServed) this.#server.want(undefined);
    else if (pods.get(NAME_POD)?.state === 'ready') this.#server.want(nameServerNetns(this.#options.config.name));
  }

  status(): DnsStatus {
    const { config, services } = this.#options;
    const { said } = this.#server;
    return {
      enabled: config.dns.enabled,
      domain: config.dns.domain,
      servedBy: this.#isServing ? 'sluice-dns' : services.book.get(NAME_SERVICE) === undefined ? '' : NAME_SERVICE,
      addresses: nameServersOf(services.book),
      server: this.#server.status(),
      upstreams: said.upstreams ?? [],
      serial: said.zone?.serial ?? 0,
      zoneServices: said.zone?.services ?? 0,
      memoryBytes: said.memoryBytes ?? 0,
      counters: said.counters ?? {},
    };
  }

  /** Removes everything that was made. */
  async stop(): Promise<void> {
    this.#resolvConf.close();
    await this.#writer.stop();
    await this.#server.stop();
    this.#server.clear();
    this.#files.clear();
  }

  /** Lets go of everything without touching it. */
  async leave(): Promise<void> {
    this.#resolvConf.close();
    await this.#writer.stop();
    this.#server.release();
  }

  async #onWritten(problem: string): Promise<void> {
    this.#options.board.set('zone', problem === '' ? [] : [`names are those of before: ${problem}`]);
    if (problem === '') await this.#server.zoneWritten();
  }

  #tell(): void {
    this.#options.board.set('name server', this.#server.problems());
  }
}

function zoneHead({ dns, podCIDRs, serviceCIDRs }: Config, serial: number): Parameters<ZoneContent['text']>[0] {
  const ranges = [podCIDRs, serviceCIDRs].flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter((range) => range !== '');
  const upstreams = dns.upstreams.map(readNameServer).filter((one) => one !== undefined);
  const { domain } = dns;
  return { serial, domain, ttlSec: TTL_SEC, upstreams: upstreams.length === 0 ? 'host' : upstreams, ranges };
}

/** Addresses that pods ask: the Service's own, or where it has none those behind it. */
function nameServersOf(book: Services['book']): readonly string[] {
  const service = book.get(NAME_SERVICE);
  if (service === undefined) return [];
  const { clusterIPs } = service.assignment;
  return clusterIPs.length > 0
    ? clusterIPs
    : service.endpoints.filter(({ isReady }) => isReady).map(({ address }) => address);
}
