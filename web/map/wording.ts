/** How the map says things. */
import type { Place, PlaceKind } from '../stream/place.ts';
import type { VerdictClass, Verdicts } from '../stream/verdicts.ts';

/** `shop/web`, `api.example.com`. */
export function nameOf({ namespace, name }: Place): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

const KINDS: Readonly<Record<PlaceKind, string>> = {
  workload: 'workload',
  pod: 'pod',
  name: 'DNS name',
  prefix: 'addresses',
  entity: 'entity',
  other: 'all that the map has no room for',
};

/** The second line of a card. */
export function subtitleOf({ kind, namespace }: Place): string {
  return namespace === '' ? KINDS[kind] : `${KINDS[kind]} in ${namespace}`;
}

/** The class that an edge is coloured by: the worst of its flows. */
export function classOf({ dropped, error, audit }: Verdicts): VerdictClass {
  if (dropped > 0) return 'dropped';
  if (error > 0) return 'error';
  return audit > 0 ? 'audit' : 'forwarded';
}

const VERDICTS = { forwarded: 'FORWARDED', dropped: 'DROPPED', audit: 'AUDIT', error: 'ERROR' } as const;

/** The same as a verdict. */
export function worstOf(verdicts: Verdicts): (typeof VERDICTS)[VerdictClass] {
  return VERDICTS[classOf(verdicts)];
}

/** Flows a second with two digits: `0`, `0.25`, `12`, `1.2k`. */
export function rateText(rate: number): string {
  if (rate < 0.005) return '0';
  if (rate < 10) return rate.toFixed(rate < 1 ? 2 : 1);
  return rate < 1000 ? rate.toFixed(0) : `${(rate / 1000).toFixed(1)}k`;
}
