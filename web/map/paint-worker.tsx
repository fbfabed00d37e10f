/** The worker that draws the map: at the next frame after it was told something, and never otherwise. */
import { Camera } from './camera.ts';
import { Chosen } from './chosen.ts';
import type { Standing } from './layout.ts';
import { MapModel } from './map-model.ts';
import type { ToPainter } from './paint-messages.tsx';
import { Painter } from './painter.tsx';

const model = new MapModel();
const camera = new Camera();
let standing: Standing = { blocks: [], spots: new Map(), homes: new Map() };
let focus = '';
let chosen = new Chosen(model, '');
let painter: Painter | undefined;
let frame = 0;

function draw(): void {
  frame = 0;
  painter?.draw(model, standing, camera, chosen);
}

function take(message: ToPainter): void {
  switch (message.is) {
    case 'canvas':
      painter = new Painter(message.canvas, message.look);
      return;
    case 'hide':
      painter = undefined;
      return;
    case 'look':
      painter?.setLook(message.look);
      return;
    case 'changes':
      if (model.apply(message.changes)) chosen = new Chosen(model, focus);
      return;
    case 'standing':
      standing = message.standing;
      return;
    case 'camera':
      Object.assign(camera, message.camera);
      return;
    case 'focus':
      focus = message.focus;
      chosen = new Chosen(model, focus);
      return;
  }
}

self.onmessage = ({ data }: MessageEvent<ToPainter>) => {
  take(data);
  if (painter !== undefined && frame === 0) frame = requestAnimationFrame(draw);
};
