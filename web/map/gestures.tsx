/**
 * Pointer and wheel on the map: drag to pan, wheel or two fingers to zoom, click to choose. A click is a press that moved less than a
 * finger trembles.
 */
import type { Camera } from './camera.ts';

const STILL_PX = 5;
const WHEEL_STEP = 0.0015;

export interface Gestures {
  /** Something has moved. */
  readonly moved: () => void;
  readonly clicked: (x: number, y: number) => void;
}

/** Listens on `canvas` until the function that it returns is called. */
export function listen(canvas: HTMLCanvasElement, camera: Camera, { moved, clicked }: Gestures): () => void {
  const fingers = new Map<number, { x: number; y: number }>();
  let travelled = 0;
  const stop = new AbortController();
  const { signal } = stop;
  const at = (event: MouseEvent) => {
    const { left, top } = canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const down = (event: PointerEvent) => {
    canvas.setPointerCapture(event.pointerId);
    if (fingers.size === 0) travelled = 0;
    fingers.set(event.pointerId, at(event));
  };
  const move = (event: PointerEvent) => {
    const before = fingers.get(event.pointerId);
    if (before === undefined) return;
    const now = at(event);
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other === undefined) camera.pan(now.x - before.x, now.y - before.y);
    else {
      const [was, is] = [
        Math.hypot(before.x - other.x, before.y - other.y),
        Math.hypot(now.x - other.x, now.y - other.y),
      ];
      camera.zoom(is / Math.max(1, was), (now.x + other.x) / 2, (now.y + other.y) / 2);
    }
    fingers.set(event.pointerId, now);
    moved();
  };
  const up = (event: PointerEvent) => {
    const wasAlone = fingers.size === 1 && fingers.delete(event.pointerId);
    fingers.delete(event.pointerId);
    if (wasAlone && event.type === 'pointerup' && travelled < STILL_PX) clicked(at(event).x, at(event).y);
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const { x, y } = at(event);
    camera.zoom(Math.exp(-event.deltaY * WHEEL_STEP * (event.deltaMode === 0 ? 1 : 20)), x, y);
    moved();
  };
  canvas.addEventListener('pointerdown', down, { signal });
  canvas.addEventListener('pointermove', move, { signal });
  canvas.addEventListener('pointerup', up, { signal });
  canvas.addEventListener('pointercancel', up, { signal });
  canvas.addEventListener('wheel', wheel, { signal, passive: false });
  return () => stop.abort();
}
