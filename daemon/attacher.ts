/**
 * Attaches pods to the dataplane and takes them off again.
 *
 * Making a pair, in order: the journal entry; the pair, with the far end born in the pod's namespace; the near end silenced
 * (no IPv6) and shielded from the host stack while it is still down; the pod's side set up; the near end up; the journal
 * entry completed. A TAP is born in the pod's namespace by the addon and kept there (persistent), so that it outlives
 * both processes; its descriptor is held here and passed to the dataplane.
 *
 * After a restart every pod is offered to `adopt` first: what is still there and still as wanted is taken over without
 * being touched, which is what keeps traffic flowing; anything else is detached and made anew.
 *
 * Calls for different owners may overlap; calls for one owner must not (the reconciler sees to it).
 */
import {
  type Attachment,
  type AttachmentSpec,
  isSameSpec,
  pairLine,
  podScript,
  quietSysctls,
  sysctlLines,
} from './attachment.ts';
import type { Firewall } from './firewall.ts';
import type { Journal } from './journal.ts';
import { findLink, type Link, removeLink } from './links.ts';
import { createNetns, deleteNetns, ipBatch, netnsIdentity, scriptIn } from './netns.ts';

/** The pod's namespace does not exist, and the agent may not make it. */
export class NamespaceMissingError extends Error {
  override readonly name = 'NamespaceMissingError';
  readonly code = 'ERR_NETNS_MISSING';
}

/** What the attacher needs of the native addon. */
export interface TapDoor {
  openTap(name: string, options: { netns: string; persist: boolean }): { fd: number };
  closeFd(fd: number): void;
}

interface AttacherOptions {
  readonly journal: Journal;
  readonly firewall: Firewall;
  readonly taps: TapDoor;
  readonly podInterface: string;
  readonly createNamespaces: boolean;
}

/** All attachments of one instance. */
export class Attacher {
  readonly #options: AttacherOptions;
  readonly #tapFds = new Map<number, number>();

  constructor(options: AttacherOptions) {
    this.#options = options;
  }

  /** Descriptors of TAPs by port index; they stay the attacher's. */
  get tapFds(): ReadonlyMap<number, number> {
    return this.#tapFds;
  }

  /** Keeps descriptors that a running dataplane gave back, until `adopt` asks for them. */
  holdTapFd(port: number, fd: number): void {
    const held = this.#tapFds.get(port);
    if (held !== undefined) this.#options.taps.closeFd(held);
    this.#tapFds.set(port, fd);
  }

  /**
   * Takes over what an earlier agent made for this pod, if it is intact and still what is wanted.
   * @param links the agent's interfaces by name
   */
  adopt(spec: AttachmentSpec, links: ReadonlyMap<string, Link>): Attachment | undefined {
    const made = this.#options.journal.attachment(spec.owner);
    if (made === undefined || made.state !== 'made' || !isSameSpec(made, spec)) return undefined;
    if (made.mode !== 'existing' && netnsIdentity(made.netns) !== made.netnsIdentity) return undefined;
    if (made.mode === 'tap') return this.#reopenTap(made) ? made : undefined;
    return links.get(made.hostInterface)?.ifindex === made.ifindex ? made : undefined;
  }

  /** Whether the namespace or interface of an attachment has gone from under it. */
  isGone(made: Attachment): boolean {
    return made.mode !== 'existing' && netnsIdentity(made.netns) !== made.netnsIdentity;
  }

  /**
   * Attaches a pod; whatever an earlier attempt left is removed first.
   * @throws NamespaceMissingError; CommandError and SystemError of the tools, each saying what failed
   */
  async attach(spec: AttachmentSpec): Promise<Attachment> {
    const { journal } = this.#options;
    if (journal.attachment(spec.owner) !== undefined) await this.detach(spec.owner);
    const identity = await this.#namespace(spec);
    journal.enterAttachment({ ...spec, state: 'making', netnsIdentity: identity, ifindex: 0 });
    const ifindex = await this.#make(spec);
    const made: Attachment = { ...spec, state: 'made', netnsIdentity: identity, ifindex };
    journal.enterAttachment(made);
    return made;
  }

  /** Removes what `attach` made for this owner; what is gone already is no error. */
  async detach(owner: string): Promise<void> {
    const { journal, firewall } = this.#options;
    const made = journal.attachment(owner);
    if (made === undefined) return;
    if (made.mode === 'tap') await this.#removeTap(made);
    else await firewall.unshield([made.hostInterface]);
    if (made.mode === 'veth') await removeLink(made.hostInterface);
    if (journal.namespaces.includes(made.netns)) {
      await deleteNetns(made.netns);
      journal.strikeNamespace(made.netns);
    }
    journal.strikeAttachment(owner);
  }

  async #namespace(spec: AttachmentSpec): Promise<string> {
    const found = netnsIdentity(spec.netns);
    if (found !== undefined || spec.mode === 'existing') return found ?? '';
    if (!this.#options.createNamespaces || spec.netns.includes('/')) {
      throw new NamespaceMissingError(`namespace missing: ip netns add ${spec.netns}`);
    }
    this.#options.journal.enterNamespace(spec.netns);
    await createNetns(spec.netns);
    return netnsIdentity(spec.netns) ?? '';
  }

  async #make(spec: AttachmentSpec): Promise<number> {
    switch (spec.mode) {
      case 'tap':
        await this.#makeTap(spec);
        return 0;
      case 'veth':
        return this.#makePair(spec);
      case 'existing':
        await this.#shield(spec.hostInterface);
        return (await findLink(spec.hostInterface)).ifindex;
    }
  }

  async #makePair(spec: AttachmentSpec): Promise<number> {
    await removeLink(spec.hostInterface);
    await ipBatch([pairLine(spec)]);
    await scriptIn('', sysctlLines(quietSysctls(spec.hostInterface)));
    await this.#shield(spec.hostInterface);
    await scriptIn(spec.netns, podScript(spec));
    await ipBatch([`link set ${spec.hostInterface} alias ${spec.owner}`, `link set ${spec.hostInterface} up`]);
    return (await findLink(spec.hostInterface)).ifindex;
  }

  async #makeTap(spec: AttachmentSpec): Promise<void> {
    const { fd } = this.#options.taps.openTap(this.#options.podInterface, { netns: spec.netns, persist: true });
    this.holdTapFd(spec.port, fd);
    await scriptIn(spec.netns, podScript(spec));
  }

  #reopenTap(made: Attachment): boolean {
    if (this.#tapFds.has(made.port)) return true;
    try {
      const { fd } = this.#options.taps.openTap(this.#options.podInterface, { netns: made.netns, persist: true });
      this.#tapFds.set(made.port, fd);
      return true;
    } catch {
      return false; // held by a dataplane that did not give it back, or gone: made anew
    }
  }

  async #removeTap(made: Attachment): Promise<void> {
    const fd = this.#tapFds.get(made.port);
    this.#tapFds.delete(made.port);
    if (fd !== undefined) this.#options.taps.closeFd(fd);
    if (netnsIdentity(made.netns) !== made.netnsIdentity) return;
    await scriptIn(made.netns, `ip link delete ${this.#options.podInterface} 2>/dev/null || true\n`);
  }

  async #shield(name: string): Promise<void> {
    this.#options.journal.setFirewall(true);
    await this.#options.firewall.shield([name]);
  }
}
