/** What the map says to the worker that draws it. */
import type { MapChanges } from '../stream/traffic-map.ts';
import type { CameraState } from './camera.ts';
import type { Standing } from './layout.ts';
import type { Look } from './painter.tsx';

export type ToPainter =
  /** Where to draw from now on. */
  | { readonly is: 'canvas'; readonly canvas: OffscreenCanvas; readonly look: Look }
  | { readonly is: 'hide' }
  | { readonly is: 'look'; readonly look: Look }
  | { readonly is: 'changes'; readonly changes: MapChanges }
  | { readonly is: 'standing'; readonly standing: Standing }
  | { readonly is: 'camera'; readonly camera: CameraState }
  | { readonly is: 'focus'; readonly focus: string };
