/** Endpoints by number or pod, as the pinned maps and the agent's journal have them: the daemons are not asked. */
import { readJournal } from '../../linux/journal.ts';
import { addressWords } from '../../wire/address.ts';
import { EXIT, Failure } from '../terminal/failure.ts';
import { openPinned } from './pinned-maps.ts';
import type { Settings } from '../terminal/settings.ts';

/**
 * The id of an endpoint.
 * @param text the id itself, or `namespace/name` of a pod that is attached
 * @throws Failure when it is neither
 */
export function pinnedEndpoint(settings: Settings, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  if (!/^[^/]+\/[^/]+$/.test(text)) {
    throw new Failure(`found endpoint '${text}', wanted its id, or namespace/name of its pod`, EXIT.USAGE);
  }
  const addresses = readJournal(settings.runDir)?.attachment(text)?.addresses;
  if (addresses === undefined) throw new Failure(`find endpoint of ${text}: no such pod is attached`);
  const endpoints = openPinned(settings, 'endpoints');
  const published = new Set(addresses.map((one) => addressWords(one).join()));
  const found = [...endpoints.entries()].find(({ address }) => published.has(address.join()));
  if (found === undefined) throw new Failure(`find endpoint of ${text}: none of its addresses is published`);
  return found.lxcId;
}
