/**
 * What container runtimes have attached: the memory by which a pod of theirs stays an endpoint over restarts of the agent.
 *
 * An attachment is known by container id and interface name, as in CNI. Of several that say they are the same pod (a sandbox
 * that was made anew before the old one was taken away) the one that came last holds the pod's name; when it goes, the one before it
 * has it again. So one pod is one endpoint at any time.
 *
 * Kept in `<runDir>/cni/attachments.json`, not among the state that a clean stop removes: the containers run on, and an agent that starts
 * again attaches them again, with the same addresses. An attachment whose network namespace has gone is dropped: none comes back.
 */
import { rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Document } from '../../policy/document/document.ts';
import { netnsIdentity } from '../../linux/netns.ts';
import { StateFile } from '../../linux/state-file.ts';
import type { Labels } from './labels.ts';
import type { PodIdentity } from './pod-identity.ts';
import type { AttachmentName } from './request.ts';

export interface CniAttachment extends AttachmentName {
  /** The network's name. */
  readonly network: string;
  readonly netns: string;
  readonly netnsIdentity: string;
  readonly pod: PodIdentity;
  /** Host's end of an interface that other plugins made; '' = ours. */
  readonly hostInterface: string;
  /** '' = derived from the pod's name, or found on the interface. */
  readonly mac: string;
  /** Those that it has; none = not drawn yet. */
  readonly addresses: readonly string[];
  /** Addresses are given by others: none is drawn. */
  readonly hasOwnAddresses: boolean;
  /** 0 = the agent's. */
  readonly mtu: number;
  /** As the call told them; they count where no document tells any. */
  readonly labels: Labels;
  /** A document was to be there, and was not: until it is, nobody knows who this is. */
  readonly isAwaited: boolean;
  /** Of the IPAM plugin's result. */
  readonly dns: object;
}

/** Beside the file: calls of DEL that wait for an agent (cni/queue.c). */
export const DELETED = 'deleted';

/** What names an attachment, as one word. */
export function attachmentId({ containerId, ifname }: AttachmentName): string {
  return `${containerId}@${ifname}`;
}

export class CniAttachments {
  readonly #file: StateFile<readonly CniAttachment[]>;
  readonly #all = new Map<string, CniAttachment>();
  #hasChanged = false;

  constructor(runDir: string) {
    this.#file = new StateFile(join(runDir, 'cni/attachments.json'), 1);
    for (const one of this.#file.load([])) this.#all.set(attachmentId(one), one);
    this.#hasChanged = this.#all.size > 0;
    this.dropGone();
  }

  /** Why the file found at start was put aside, when it was. */
  get problem(): string | undefined {
    return this.#file.problem;
  }

  get(name: AttachmentName): CniAttachment | undefined {
    return this.#all.get(attachmentId(name));
  }

  all(): CniAttachment[] {
    return [...this.#all.values()];
  }

  /** By `namespace/name`, the attachment that counts for each pod. */
  byPod(): Map<string, CniAttachment> {
    return new Map(this.all().map((one) => [`${one.pod.namespace}/${one.pod.name}`, one]));
  }

  /** Adds one, which counts for its pod from now on; or changes one. @throws Error when it cannot be kept */
  put(attachment: CniAttachment): void {
    this.#all.set(attachmentId(attachment), attachment);
    this.#save();
  }

  /** @returns whether there was such a one */
  remove(name: AttachmentName): boolean {
    const isThere = this.#all.delete(attachmentId(name));
    if (isThere) this.#save();
    return isThere;
  }

  /** Forgets those whose network namespace has gone. @returns whether there were such */
  dropGone(): boolean {
    const gone = this.all().filter((one) => netnsIdentity(one.netns) !== one.netnsIdentity);
    for (const one of gone) this.#all.delete(attachmentId(one));
    if (gone.length > 0) this.#save();
    return gone.length > 0;
  }

  /** Whether any came, changed or went since the last call. */
  takeChanged(): boolean {
    const has = this.#hasChanged;
    this.#hasChanged = false;
    return has;
  }

  /** Takes what is kept away when there is nothing in it. */
  close(): void {
    if (this.#all.size > 0) return;
    this.#file.remove();
    const folder = dirname(this.#file.path);
    for (const one of [join(folder, DELETED), folder]) {
      try {
        rmdirSync(one);
      } catch {
        // There is none, or calls wait in it.
      }
    }
  }

  #save(): void {
    this.#hasChanged = true;
    this.#file.save(this.all());
  }
}

/** In place of a file that the pod stands in. */
const CNI_FILE = 'cni';

const documents = new WeakMap<CniAttachment, Document>();

/** The document of a pod that nobody else has one of; always the same for one attachment. */
export function attachedDocument(attachment: CniAttachment): Document {
  const known = documents.get(attachment);
  if (known !== undefined) return known;
  const made = documentOf(attachment);
  documents.set(attachment, made);
  return made;
}

function documentOf({ pod, labels, addresses }: CniAttachment): Document {
  const { namespace, name, uid } = pod;
  const metadata = { namespace, name, labels, ...(uid !== '' && { uid }) };
  const status = addresses.length === 0 ? {} : { podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) };
  const object = { apiVersion: 'v1', kind: 'Pod', metadata, spec: {}, status };
  return { kind: 'Pod', apiVersion: 'v1', namespace, name, labels, annotations: {}, file: CNI_FILE, line: 1, object };
}

/** A static pod's own uid, in the annotation of the document that stands for it in the API. */
const STATIC_UID = 'kubernetes.io/config.hash';

/** Whether a document is about the pod that was attached, and not about an earlier one of its name. */
export function isAbout({ annotations, object }: Document, { uid }: PodIdentity): boolean {
  const { uid: found = '' } = (object['metadata'] ?? {}) as { uid?: string };
  return uid === '' || found === '' || found === uid || annotations[STATIC_UID] === uid;
}
