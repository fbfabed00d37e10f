/**
 * The resolv.conf and hosts of pods, under /etc/netns (see linux/netns-files.ts). They are there before their pod is said to be
 * ready, follow what changes, and go with the pod. What somebody else has put there is left, and counts.
 *
 * Lifecycle: the first `sync` also takes away what an earlier agent wrote, before the machine's last start too; `clear` takes all away.
 */
import { isIP } from 'node:net';
import { canHaveFiles, type NetnsFile, NetnsFiles } from '../../linux/netns-files.ts';
import type { PodNames } from '../../policy/document/pod-names.ts';
import type { LocalPod } from '../attach/pod-reconciler.ts';
import { hostsFile } from './hosts-file.ts';
import { formatResolvConf, parseResolvConf, podResolvConf, type ResolvConf } from './resolv-conf.ts';

/** What a pod's files are made from. */
type FiledPod = Pick<LocalPod, 'state'> & {
  readonly plan: Pick<LocalPod['plan'], 'key' | 'namespace' | 'name' | 'place' | 'netns'> & {
    readonly names: PodNames;
  };
  readonly numbers: { readonly addresses: readonly { readonly text: string }[] };
};

interface PodFilesOptions {
  /** Which instance it is. */
  readonly runDir: string;
  readonly domain: string;
  /** Where files are; /etc/netns unless told. */
  readonly root?: string;
  /** The host's resolv.conf. */
  readonly hostText: () => string;
}

/** Texts of a namespace, '' for a file that it has none of. */
type Texts = Readonly<Record<NetnsFile, string>>;

/** What was last written for a namespace, and what it was made from. */
interface Written {
  readonly plan: FiledPod['plan'];
  readonly addresses: string;
  /** What is the same for all pods: name servers, and the host's file. */
  readonly site: string;
  readonly texts: Texts;
}

export class PodFiles {
  readonly #files: NetnsFiles;
  readonly #domain: string;
  readonly #hostText: () => string;
  readonly #written = new Map<string, Written>();
  #isFirst = true;

  constructor({ runDir, domain, root, hostText }: PodFilesOptions) {
    this.#files = root === undefined ? new NetnsFiles(runDir) : new NetnsFiles(runDir, root);
    this.#domain = domain;
    this.#hostText = hostText;
  }

  /**
   * Makes the files as they should be.
   * @param nameservers addresses of the cluster's name server; none = there is none
   * @returns what could not be written, one sentence each
   */
  sync(pods: Iterable<FiledPod>, nameservers: readonly string[]): string[] {
    const hostText = this.#hostText();
    const host = parseResolvConf(hostText);
    const site = `${nameservers.join()}\n${hostText}`;
    const problems: string[] = [];
    const present = new Set<string>();
    for (const pod of pods) {
      const { netns } = pod.plan;
      // A pod that has lost its interface is still there, and so are the programs that have its files.
      if (!canHaveFiles(netns) || (pod.state !== 'ready' && !this.#written.has(netns) && !this.#isFirst)) continue;
      present.add(netns);
      if (pod.state !== 'ready') continue;
      const { plan } = pod;
      const addresses = pod.numbers.addresses.map(({ text }) => text).join();
      const before = this.#written.get(netns);
      if (before?.plan === plan && before.addresses === addresses && before.site === site) continue;
      const texts = this.#textsOf(pod, nameservers, host);
      problems.push(...this.#write(netns, { plan, addresses, site, texts }));
    }
    const known = this.#isFirst ? this.#files.list() : [...this.#written.keys()];
    if (this.#isFirst) this.#files.clearStray();
    this.#isFirst = false;
    for (const netns of known) if (!present.has(netns)) problems.push(...this.#clear(netns));
    return problems;
  }

  /** Removes all of them. @returns what resisted, one sentence each */
  clear(): string[] {
    return [...new Set([...this.#files.list(), ...this.#written.keys()])].flatMap((netns) => this.#clear(netns));
  }

  #textsOf({ plan, numbers }: FiledPod, servers: readonly string[], host: ResolvConf): Texts {
    const { names, namespace, place } = plan;
    // One that stands for the outside knows nothing of the cluster.
    if (place === 'external' && !names.hasOwnLookups) return { 'resolv.conf': '', hosts: '' };
    const addresses = numbers.addresses.map(({ text }) => text);
    const nameservers = place === 'external' ? [] : servers.filter((server) => addresses.some(isOfFamily(server)));
    const conf = podResolvConf(names, { namespace, domain: this.#domain, nameservers, host });
    const isNamed = servers.length > 0 || names.hasOwnLookups;
    return {
      'resolv.conf': conf === undefined ? '' : formatResolvConf(conf),
      hosts: isNamed ? hostsFile(plan, names, { domain: this.#domain, addresses }) : '',
    };
  }

  #write(netns: string, written: Written): string[] {
    const { texts } = written;
    const problems = attempt(`write files of namespace ${netns}`, () => {
      for (const file of ['resolv.conf', 'hosts'] as const) {
        if (texts[file] === '') this.#files.remove(netns, file);
        else this.#files.write(netns, file, texts[file]);
      }
    });
    // One that could not be written is tried again.
    if (problems.length === 0) this.#written.set(netns, written);
    return problems;
  }

  #clear(netns: string): string[] {
    return attempt(`remove files of namespace ${netns}`, () => {
      this.#files.clear(netns);
      this.#written.delete(netns);
    });
  }
}

function isOfFamily(server: string): (address: string) => boolean {
  return (address) => isIP(address) === isIP(server);
}

function attempt(what: string, step: () => void): string[] {
  try {
    step();
    return [];
  } catch (error) {
    return [`${what}: ${(error as Error).message}`];
  }
}
