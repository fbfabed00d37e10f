/** Colours, or none: `auto` paints only on a terminal, and NO_COLOR (https://no-color.org) beats `auto`. */
import pico from 'picocolors';
import type { Host, Sink } from './host.ts';

export type ColorMode = 'auto' | 'always' | 'never';
export type Paint = (text: string) => string;
export type Palette = ReturnType<typeof pico.createColors>;

/** Whether to paint on a sink. A NO_COLOR of any length but 0 counts. */
export function wantsColor(mode: ColorMode, sink: Sink, env: Host['env']): boolean {
  if (mode !== 'auto') return mode === 'always';
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  return sink.isTTY === true && env['TERM'] !== 'dumb';
}

/** The functions that paint, or that hand the text back as it is. */
export function palette(enabled: boolean): Palette {
  return pico.createColors(enabled);
}
