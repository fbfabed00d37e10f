/**
 * Attaches pods to the dataplane and takes them off again.
 *
 * Making a pair, in order: the journal entry; the pair, with the far end born in the pod's namespace; the near end
 * silenced (no IPv6) and shielded from the host stack while it is still down; the pod's side set up; the near end up;
 * the journal entry completed. A TAP is born in the pod's namespace by the addon and kept there (persistent), so that
 * it outlives both processes; its descriptor is held here and passed to the dataplane. An `eth0` that others made is
 * never touched.
 *
 * After a restart every pod is offered to `adopt` first: what is still there and still as wanted is taken over without
 * being touched, which is what keeps traffic flowing; anything else is detached and made anew.
 *
 * Calls for different owners may overlap; calls for one owner must not (the reconciler sees to it).
 */
import type { InterfaceInfo } from '../../dataplane/native/index.ts';
import {
  type Attachment,
  type AttachmentSpec,
  hasHostLink,
  isSameSpec,
  pairLine,
  podInterfaceOf,
  podScript,
  quietSysctls,
  shieldedInterface,
} from '../../linux/attachment.ts';
import type { CommandError } from '../../linux/command.ts';
import type { Firewall } from './firewall.ts';
import type { Journal } from '../../linux/journal.ts';
import { findLink, linkIndex, macText, refuseForeignLink, removeLink, setSysctls } from '../../linux/links.ts';
import { createNetns, deleteNetns, ipBatch, ipJson, netnsIdentity, scriptIn } from '../../linux/netns.ts';
import { PORT_KINDS, upperInterfaceName } from '../../wire/port-kinds.ts';

/** The pod's namespace does not exist, and the agent may not make it. */
export class NamespaceMissingError extends Error {
  override readonly name = 'NamespaceMissingError';
  readonly code = 'ERR_NETNS_MISSING';
}

/** What the attacher needs of the native addon. */
interface AttachNatives {
  openTap(name: string, options: { netns: string; persist: boolean }): { fd: number };
  closeFd(fd: number): void;
  isTapThere(fd: number): boolean;
  disableOffloads(name: string, netns: string): void;
}

/** An open TAP. One that is made anew is another object, though the kernel may give it the number of the one before. */
export interface HeldTap {
  readonly fd: number;
}

interface AttacherOptions {
  readonly journal: Journal;
  readonly firewall: Firewall;
  readonly natives: AttachNatives;
  /** Whether a namespace that is missing is to be made. */
  readonly mayCreate: (netns: string) => boolean;
}

/** All attachments of one instance. */
export class Attacher {
  readonly #options: AttacherOptions;
  readonly #taps = new Map<number, HeldTap>();

  constructor(options: AttacherOptions) {
    this.#options = options;
  }

  /** TAPs by port index; their descriptors stay the attacher's. */
  get taps(): ReadonlyMap<number, HeldTap> {
    return this.#taps;
  }

  /** Keeps a descriptor, such as one that a running dataplane gave back, until `adopt` asks for it. */
  holdTap(port: number, fd: number): HeldTap {
    const before = this.#taps.get(port);
    if (before !== undefined) this.#options.natives.closeFd(before.fd);
    const held = { fd };
    this.#taps.set(port, held);
    return held;
  }

  /** Takes over what an earlier agent made for this owner, if it is intact and still what is wanted. */
  adopt(spec: AttachmentSpec): Attachment | undefined {
    const made = this.#options.journal.attachment(spec.owner);
    if (made === undefined || made.state !== 'made' || !isSameSpec(made, spec) || this.isGone(made)) return undefined;
    return hasHostLink(made) || (isOurTap(made) && this.#reopenTap(made)) ? made : undefined;
  }

  /** Makes sure that the host stack is kept off everything that was taken over. */
  async shieldAdopted(): Promise<void> {
    const made = this.#options.journal.attachments.filter((one) => one.state === 'made' && hasHostLink(one));
    const present = made.map(shieldedInterface).filter((name) => linkIndex(name) !== 0);
    await this.#options.firewall.shield(present);
    await this.#handOver(made);
    for (const one of made) if (hasOwnLink(one)) for (const name of shieldedNames(one)) setSysctls(quietSysctls(name));
  }

  /** Closes descriptors that a dataplane gave back for ports that nobody has any more. */
  dropStrayTaps(): void {
    const ports = new Set(this.#options.journal.attachments.map(({ port }) => port));
    for (const [port, { fd }] of this.#taps) {
      if (ports.has(port)) continue;
      this.#options.natives.closeFd(fd);
      this.#taps.delete(port);
    }
  }

  /** Whether the namespace or interface of an attachment has gone from under it. */
  isGone(made: Attachment): boolean {
    if (made.mode !== 'existing' && netnsIdentity(made.netns) !== made.netnsIdentity) return true;
    if (hasHostLink(made)) return linkIndex(made.hostInterface) !== made.ifindex || isUpperGone(made);
    const held = this.#taps.get(made.port);
    return held !== undefined && !this.#options.natives.isTapThere(held.fd);
  }

  /**
   * Attaches a pod; whatever an earlier attempt left is removed first.
   * @throws NamespaceMissingError; CommandError and SystemError of the tools, each saying what failed
   */
  async attach(spec: AttachmentSpec): Promise<Attachment> {
    const { journal } = this.#options;
    if (journal.attachment(spec.owner) !== undefined) await this.detach(spec.owner);
    refuseOwnNamespace(spec);
    const isNew = this.#mustMakeNamespace(spec);
    if (!hasHostLink(spec) && !isNew) refuseForeign(spec);
    const netnsFound = netnsIdentity(spec.netns) ?? '';
    const begun: Attachment = { ...spec, state: 'making', netnsIdentity: netnsFound, ifindex: 0, foundMac: '' };
    journal.enterAttachment(begun, isNew ? spec.netns : undefined);
    if (isNew) await createNetns(spec.netns);
    const found = await this.#make(spec);
    const made: Attachment = { ...begun, ...found, netnsIdentity: netnsIdentity(spec.netns) ?? '', state: 'made' };
    journal.enterAttachment(made);
    return made;
  }

  /** Removes what `attach` made for this owner; what is gone already is no error. */
  async detach(owner: string): Promise<void> {
    const { journal, firewall } = this.#options;
    const made = journal.attachment(owner);
    if (made === undefined) return;
    journal.markUnmade([owner]);
    if (!hasHostLink(made)) await this.#removeTap(made);
    // The link before its shield: else the host's stack would get the last frames.
    if (hasOwnLink(made)) await removeLink(made.hostInterface);
    if (hasHostLink(made)) await firewall.unshield(shieldedNames(made));
    if (journal.namespaces.includes(made.netns)) await deleteNetns(made.netns);
    journal.strikeAttachments([owner]);
  }

  /**
   * Removes everything that was made for pods, many at once.
   * @throws CommandError when something resisted; it stays in the journal
   */
  async detachAll(owners: readonly string[]): Promise<void> {
    const { journal, firewall } = this.#options;
    const made = owners.map((owner) => journal.attachment(owner)).filter((one) => one !== undefined);
    journal.markUnmade(owners);
    for (const one of made) if (!hasHostLink(one)) await this.#removeTap(one);
    const pairs = made.filter((one) => hasOwnLink(one) && linkIndex(one.hostInterface) !== 0);
    await ipBatch(
      pairs.map(({ hostInterface }) => `link delete dev ${hostInterface}`),
      true,
    );
    await firewall.unshield(made.filter(hasHostLink).flatMap(shieldedNames));
    const namespaces = made.map(({ netns }) => netns).filter((netns) => journal.namespaces.includes(netns));
    const present = namespaces.filter((netns) => netnsIdentity(netns) !== undefined);
    await ipBatch(
      present.map((netns) => `netns delete ${netns}`),
      true,
    );
    journal.strikeAttachments(made.map(({ owner }) => owner));
  }

  /** @throws NamespaceMissingError when it is not there and is not ours to make */
  #mustMakeNamespace({ netns, mode }: AttachmentSpec): boolean {
    if (mode === 'existing' || netnsIdentity(netns) !== undefined) return false;
    if (!netns.includes('/') && this.#options.mayCreate(netns)) return true;
    throw new NamespaceMissingError(`namespace missing: ip netns add ${netns}`);
  }

  async #make(spec: AttachmentSpec): Promise<{ ifindex: number; foundMac: string }> {
    if (spec.mode === 'existing') {
      const link = existingLink(spec.hostInterface);
      const foundMac = spec.mac === '' ? await peerMac(spec, link) : '';
      await this.#shield(spec.hostInterface);
      return { ifindex: link.index, foundMac };
    }
    if (!hasHostLink(spec)) {
      await this.#makeTap(spec);
      return { ifindex: 0, foundMac: '' };
    }
    await this.#makePair(spec);
    if (PORT_KINDS[spec.mode].needsPlainFrames) this.#options.natives.disableOffloads(podInterfaceOf(spec), spec.netns);
    return { ifindex: linkIndex(spec.hostInterface), foundMac: '' };
  }

  async #makePair(spec: AttachmentSpec): Promise<void> {
    refuseForeignLink(spec.hostInterface);
    await ipBatch([pairLine(spec)]).catch((error: unknown) => {
      throw (error as CommandError).message.includes('File exists') ? foreign(spec) : error;
    });
    setSysctls(quietSysctls(spec.hostInterface));
    const upper = upperInterfaceName(spec.hostInterface);
    if (spec.hasUpper === true) {
      await ipBatch([`link add link ${spec.hostInterface} name ${upper} type macvlan mode passthru`]);
      setSysctls(quietSysctls(upper));
    }
    await this.#shield(shieldedInterface(spec));
    await this.#handOver([spec]);
    await scriptIn(spec.netns, podScript(spec));
    await ipBatch([`link set ${spec.hostInterface} alias ${spec.owner}`, `link set ${spec.hostInterface} up`]);
    if (spec.hasUpper === true) await ipBatch([`link set ${upper} allmulticast on up`]);
  }

  async #makeTap(spec: AttachmentSpec): Promise<void> {
    const { fd } = this.#options.natives.openTap(podInterfaceOf(spec), { netns: spec.netns, persist: true });
    this.holdTap(spec.port, fd);
    await scriptIn(spec.netns, podScript(spec));
  }

  #reopenTap(made: Attachment): boolean {
    if (this.#taps.has(made.port)) return true;
    try {
      const { fd } = this.#options.natives.openTap(podInterfaceOf(made), { netns: made.netns, persist: true });
      this.holdTap(made.port, fd);
      return true;
    } catch {
      return false; // held by a dataplane that did not give it back, or gone: made anew
    }
  }

  async #removeTap(made: Attachment): Promise<void> {
    const held = this.#taps.get(made.port);
    this.#taps.delete(made.port);
    if (held !== undefined) this.#options.natives.closeFd(held.fd);
    if (netnsIdentity(made.netns) !== made.netnsIdentity) return;
    await scriptIn(made.netns, `ip link delete ${podInterfaceOf(made)} 2>/dev/null || true\n`);
  }

  /** What is below an upper interface hands it all frames. */
  async #handOver(specs: readonly AttachmentSpec[]): Promise<void> {
    const lower = specs.filter(({ hasUpper, hostInterface }) => hasUpper === true && linkIndex(hostInterface) !== 0);
    await this.#options.firewall.handOver(lower.map(({ hostInterface }) => hostInterface));
  }

  async #shield(name: string): Promise<void> {
    this.#options.journal.setFirewall(true);
    await this.#options.firewall.shield([name]);
  }
}

/** Interfaces that have a chain of the firewall. */
function shieldedNames(spec: AttachmentSpec): string[] {
  return [...new Set([spec.hostInterface, shieldedInterface(spec)])];
}

function isUpperGone({ hasUpper, hostInterface }: Attachment): boolean {
  return hasUpper === true && linkIndex(upperInterfaceName(hostInterface)) === 0;
}

/** Whether the host side of a pair is the one that was made, or may be: one that was begun has no index yet. */
function hasOwnLink(made: Attachment): boolean {
  const { mode, hostInterface, ifindex } = made;
  return mode !== 'existing' && hasHostLink(made) && (ifindex === 0 || linkIndex(hostInterface) === ifindex);
}

/** Opening a TAP that has gone would make another, without addresses: its MAC tells whether it is still there. */
function isOurTap(made: Attachment): boolean {
  const { netns, mac } = made;
  const link = findLink(podInterfaceOf(made), netns);
  return link !== undefined && macText(link.mac) === mac;
}

/** A TAP opens whatever TAP has its name: one that was there before is somebody else's. */
function refuseForeign(spec: AttachmentSpec): void {
  if (findLink(podInterfaceOf(spec), spec.netns) !== undefined) throw foreign(spec);
}

/** What runs in it would be the host to everybody, and no policy would hold for it; addresses of the pod would be the host's. */
function refuseOwnNamespace({ netns, mode }: AttachmentSpec): void {
  if (mode === 'existing' || netnsIdentity(netns) !== netnsIdentity('/proc/self/ns/net')) return;
  throw new Error(`found the host's own network namespace at ${netns}, wanted a pod's`);
}

function foreign(spec: AttachmentSpec): Error {
  const advice = 'remove it, or name its host side in the annotation sluice.io/interface';
  return new Error(`namespace ${spec.netns} has an ${podInterfaceOf(spec)} of somebody else's: ${advice}`);
}

function existingLink(name: string): InterfaceInfo {
  const link = findLink(name);
  if (link === undefined) throw new Error(`interface missing: there is no ${name} in the agent's network namespace`);
  return link;
}

/** MAC of the pod's end of a pair that others made: the interface in the pod's namespace whose peer ours is. */
async function peerMac({ netns, hostInterface }: AttachmentSpec, { index }: InterfaceInfo): Promise<string> {
  const advice = 'give the MAC in the annotation sluice.io/mac';
  const missing = `who is behind ${hostInterface}: no namespace ${netns} to look into: ${advice}`;
  if (netnsIdentity(netns) === undefined) throw new NamespaceMissingError(missing);
  const links = await ipJson<{ address: string; link_index?: number }>(netns, ['link', 'show']);
  const peer = links.find(({ link_index: peerIndex }) => peerIndex === index);
  if (peer === undefined)
    throw new Error(`who is behind ${hostInterface}: no interface of ${netns} is its peer: ${advice}`);
  return peer.address;
}
