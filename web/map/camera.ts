/** What part of the map is seen: a point of the map at `x, y` of the screen is `(x - offsetX) / scale`, and so for y. */
import type { Spot } from './layout.ts';

const MIN_SCALE = 0.04;
const MAX_SCALE = 2.5;
/** A map of few cards fills a large screen, without cards like posters. */
const MAX_FIT = 1.5;
const MARGIN = 24;

interface Box extends Spot {
  readonly width: number;
  readonly height: number;
}

export type CameraState = Pick<Camera, 'offsetX' | 'offsetY' | 'scale' | 'width' | 'height' | 'ratio'>;

export class Camera {
  offsetX = 0;
  offsetY = 0;
  scale = 1;
  /** Of the screen, in CSS pixels. */
  width = 1;
  height = 1;
  /** Pixels of the screen to one of these. */
  ratio = 1;

  /** All that it is, for a worker. */
  get state(): CameraState {
    const { offsetX, offsetY, scale, width, height, ratio } = this;
    return { offsetX, offsetY, scale, width, height, ratio };
  }

  toMap(x: number, y: number): Spot {
    return { x: (x - this.offsetX) / this.scale, y: (y - this.offsetY) / this.scale };
  }

  pan(dx: number, dy: number): void {
    this.offsetX += dx;
    this.offsetY += dy;
  }

  /** Makes everything `factor` as large; what is at `x, y` of the screen stays there. */
  zoom(factor: number, x = this.width / 2, y = this.height / 2): void {
    const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, this.scale * factor));
    this.offsetX = x - ((x - this.offsetX) * scale) / this.scale;
    this.offsetY = y - ((y - this.offsetY) * scale) / this.scale;
    this.scale = scale;
  }

  /** Shows all of `box`, at most half as large again as it is. */
  fit({ x, y, width, height }: Box): void {
    const room = Math.min((this.width - 2 * MARGIN) / width, (this.height - 2 * MARGIN) / height);
    this.scale = Math.min(MAX_FIT, Math.max(MIN_SCALE, room));
    this.offsetX = (this.width - width * this.scale) / 2 - x * this.scale;
    this.offsetY = (this.height - height * this.scale) / 2 - y * this.scale;
  }

  /** Moves as little as needed to have `box` on the screen, and lets it be legible. */
  reveal({ x, y, width, height }: Box): void {
    if (this.scale < 0.5) this.zoom(0.8 / this.scale);
    const [left, top] = [x * this.scale + this.offsetX, y * this.scale + this.offsetY];
    const [right, bottom] = [left + width * this.scale, top + height * this.scale];
    this.offsetX += Math.max(0, MARGIN - left) - Math.max(0, right - this.width + MARGIN);
    this.offsetY += Math.max(0, MARGIN - top) - Math.max(0, bottom - this.height + MARGIN);
  }

  /** Whether any of the box is seen. */
  sees(x: number, y: number, width: number, height: number): boolean {
    const [left, top] = [x * this.scale + this.offsetX, y * this.scale + this.offsetY];
    return left < this.width && top < this.height && left + width * this.scale > 0 && top + height * this.scale > 0;
  }
}
