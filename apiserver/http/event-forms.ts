/** Events are stored in the core's form; `events.k8s.io/v1` shows the same ones under other names. */
import type { KubeObject, NewObject } from '../storage/kube-object.ts';

/** Core -> events.k8s.io. */
const NAMES: Readonly<Record<string, string>> = {
  message: 'note',
  involvedObject: 'regarding',
  source: 'deprecatedSource',
  firstTimestamp: 'deprecatedFirstTimestamp',
  lastTimestamp: 'deprecatedLastTimestamp',
  count: 'deprecatedCount',
  reportingComponent: 'reportingController',
};
const CORE_NAMES = Object.fromEntries(Object.entries(NAMES).map(([core, other]) => [other, core]));

export const EVENTS_GROUP = 'events.k8s.io';

export function eventOfGroup(event: KubeObject): KubeObject {
  return { ...renamed(event, NAMES), apiVersion: `${EVENTS_GROUP}/v1` } as KubeObject;
}

export function coreEvent(event: NewObject): NewObject {
  return { ...renamed(event, CORE_NAMES), apiVersion: 'v1' };
}

function renamed(event: NewObject, names: Readonly<Record<string, string>>): NewObject {
  return Object.fromEntries(
    Object.entries(event).map(([name, value]) => [Object.hasOwn(names, name) ? names[name] : name, value]),
  );
}
