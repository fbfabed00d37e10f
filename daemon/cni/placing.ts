/**
 * Pods of documents and pods of container runtimes, put together: where a runtime has attached a pod, what it says of the place counts, and a
 * document of that name says who it is. What a document's annotations say about the place counts for nothing then: it is the author's of
 * the pod, not the machine's.
 */
import type { Document } from '../../policy/document/document.ts';
import type { AttachMode } from '../../wire/port-kinds.ts';
import type { PodPlan } from '../source/pod-plan.ts';
import { attachedDocument, type CniAttachment, isAbout } from './attachments.ts';

export interface Place {
  /** The document that counts. */
  readonly document: Document;
  readonly plan: PodPlan;
  /** Nobody knows yet who it is: nothing is let through. */
  readonly isInit: boolean;
}

/**
 * @param document the pod's, of any source; undefined where there is none
 * @param plan of that document, or of attachedDocument()
 * @param attach how pods are attached here
 */
export function placed(
  attachment: CniAttachment,
  document: Document | undefined,
  planOf: (document: Document) => PodPlan,
  attach: AttachMode,
): Place {
  const isKnown = document !== undefined && isAbout(document, attachment.pod);
  const counting = isKnown ? document : attachedDocument(attachment);
  const plan = planOf(counting);
  const { netns, ifname, hostInterface, mac, addresses, hasOwnAddresses, mtu } = attachment;
  const isChained = hostInterface !== '';
  return {
    document: counting,
    isInit: !isKnown && attachment.isAwaited,
    plan: {
      ...plan,
      // Also when its document says that it has ended: whoever may write a status could have said so. It has no identity and is let nowhere then, but to
      // take an interface that others made off the dataplane would give it to the host's stack, past every policy.
      place: 'local',
      netns,
      mode: isChained ? 'existing' : attach,
      interface: hostInterface,
      mac,
      addresses,
      runtime: { podInterface: ifname, hasOwnAddresses, mtu },
    },
  };
}
