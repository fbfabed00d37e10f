/** Which interfaces `sluice capture` listens on. */
import { type Attachment, podInterfaceOf } from '../../linux/attachment.ts';
import { readJournal } from '../../linux/journal.ts';
import { linkIndex } from '../../linux/links.ts';
import { podReference } from '../terminal/argument.ts';
import { Failure } from '../terminal/failure.ts';
import type { Settings } from '../terminal/settings.ts';

export interface CaptureTarget {
  readonly interface: string;
  /** Name in the file: the pod, or the interface. */
  readonly label: string;
  /** Network namespace that holds the interface, by name or path; undefined: the caller's. */
  readonly netns: string | undefined;
}

/**
 * The interfaces of the named pods; of all pods when none is named; or just the named interfaces.
 * @throws Failure when a pod is not attached, an interface is not there, or nothing is left to listen on
 */
export function captureTargets(
  settings: Settings,
  pods: readonly string[],
  namespace: string,
  interfaces: readonly string[],
): CaptureTarget[] {
  for (const name of interfaces) {
    if (linkIndex(name) === 0) throw new Failure(`capture ${name}: no such interface: see \`ip link\``);
  }
  const targets: CaptureTarget[] = interfaces.map((name) => ({ interface: name, label: name, netns: undefined }));
  if (pods.length > 0 || interfaces.length === 0) targets.push(...podTargets(settings, pods, namespace));
  if (targets.length === 0) throw new Failure('capture: no pod is attached: raise a rig, or name an --interface');
  return targets;
}

function podTargets(settings: Settings, pods: readonly string[], namespace: string): CaptureTarget[] {
  const journal = readJournal(settings.runDir);
  if (journal === undefined) {
    throw new Failure(
      `capture: no journal of an agent under ${settings.runDir}: check --run-dir, or name an --interface`,
    );
  }
  if (pods.length === 0) return journal.attachments.map(targetOf);
  return pods.map((text) => {
    const pod = podReference(text, namespace);
    const owner = `${pod.namespace}/${pod.name}`;
    const found = journal.attachment(owner);
    if (found === undefined) throw new Failure(`capture ${owner}: not attached: see \`sluice endpoint list\``);
    return targetOf(found);
  });
}

/**
 * The pod's own end is listened on where there is one: the dataplane's frames go out past the taps of the host's end.
 */
function targetOf(made: Attachment): CaptureTarget {
  const { owner, mode, netns, hostInterface } = made;
  if (mode === 'existing') return { interface: hostInterface, label: `${owner} ${hostInterface}`, netns: undefined };
  return { interface: podInterfaceOf(made), label: owner, netns };
}
