/** How the map says things. */
import type { Place } from '../stream/place.ts';
import type { Verdicts } from '../stream/verdicts.ts';

/** `shop/web`, `api.example.com`. */
export function nameOf({ namespace, name }: Place): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** The verdict that an edge is coloured by: the worst of its flows. */
export function worstOf({ dropped, error, audit }: Verdicts): 'DROPPED' | 'ERROR' | 'AUDIT' | 'FORWARDED' {
  if (dropped > 0) return 'DROPPED';
  if (error > 0) return 'ERROR';
  return audit > 0 ? 'AUDIT' : 'FORWARDED';
}

/** Flows a second with two digits: `0`, `0.25`, `12`, `1.2k`. */
export function rateText(rate: number): string {
  if (rate < 0.005) return '0';
  if (rate < 10) return rate.toFixed(rate < 1 ? 2 : 1);
  return rate < 1000 ? rate.toFixed(0) : `${(rate / 1000).toFixed(1)}k`;
}
