/**
 * The map as one handles it: what is there, where it stands, what part is seen, what is chosen. A worker draws it (paint-worker.tsx), so
 * that however much there is to draw, the page stays quick; it is told what has changed. All of this lives as long as the page, so
 * that who comes back finds the map as it was.
 */
import { announce } from '../shell/notices.tsx';
import type { MapChanges } from '../stream/traffic-map.ts';
import { Camera } from './camera.ts';
import { Chosen } from './chosen.ts';
import { distanceTo, edgePath } from './edge-path.ts';
import { CARD_HEIGHT, CARD_WIDTH, Layout } from './layout.ts';
import { type MapEdge, MapModel, type MapPlace } from './map-model.ts';
import { DRAWN_TOKENS, type Look } from './painter.tsx';
import type { ToPainter } from './paint-messages.tsx';
import { cardAt, isArrow, stepFrom } from './steps.ts';
import { nameOf, subtitleOf } from './wording.ts';

/** Of a click from an edge, in pixels. */
const NEAR_PX = 8;
/** What is told anew has the same spots when so much of it was there before. */
const SAME_SHARE = 0.6;
const ZOOM_STEP = 1.3;

export class Chart {
  readonly model = new MapModel();
  readonly layout = new Layout();
  readonly camera = new Camera();
  chosen = new Chosen(this.model, '');
  #focus = '';
  #worker: Worker | undefined;
  #standing = -1;
  #isFitted = false;
  /** Somebody has moved or zoomed: what comes then does not move the camera. */
  #isTouched = false;

  /** @returns whether places or edges came or went */
  apply(changes: MapChanges): boolean {
    this.#tell({ is: 'changes', changes });
    const before = changes.isFresh ? new Set([...this.model.places.values()].map(({ key }) => key)) : undefined;
    const isOther = this.model.apply(changes);
    if (before !== undefined) this.#beginAnew(before);
    else if (isOther) {
      this.layout.follow(this.model.places.values());
      if (!this.#isTouched) this.fit();
    }
    if (isOther) this.chosen = new Chosen(this.model, this.#focus);
    this.draw();
    return isOther;
  }

  #beginAnew(before: ReadonlySet<string>): void {
    const places = [...this.model.places.values()];
    const known = places.filter(({ key }) => before.has(key)).length;
    if (known > 0 && known >= before.size * SAME_SHARE) this.layout.follow(places);
    else this.arrange();
  }

  /** Draws on `canvas` from now on, which is the worker's then. */
  show(canvas: HTMLCanvasElement): void {
    const offscreen = canvas.transferControlToOffscreen();
    this.#tell({ is: 'canvas', canvas: offscreen, look: lookOf(canvas) }, [offscreen]);
    this.draw();
  }

  hide(): void {
    this.#tell({ is: 'hide' });
  }

  resize(width: number, height: number): void {
    Object.assign(this.camera, { width, height, ratio: window.devicePixelRatio });
    if (!this.#isFitted || !this.#isTouched) this.fit();
    else if (this.chosen.place !== undefined) this.reveal(this.chosen.place); // the panel may have come over it
    this.draw();
  }

  /** Tells the worker where all stands now, and what is seen of it; it draws at its next frame. */
  draw(): void {
    if (this.layout.version !== this.#standing) this.#tell({ is: 'standing', standing: this.layout.standing });
    this.#standing = this.layout.version;
    this.#tell({ is: 'camera', camera: this.camera.state });
  }

  #tell(message: ToPainter, transfer: Transferable[] = []): void {
    this.#worker ??= new Worker(new URL('./paint-worker.tsx', import.meta.url), { type: 'module' });
    this.#worker.postMessage(message, transfer);
  }

  /** The theme has changed. */
  repaint(canvas: HTMLCanvasElement): void {
    this.#tell({ is: 'look', look: lookOf(canvas) });
  }

  arrange(): void {
    this.layout.arrange(this.model.places.values(), this.model.edges.values());
    this.#isTouched = false;
    this.fit();
  }

  fit(): void {
    this.camera.fit(this.layout.bounds);
    this.#isFitted = this.model.places.size > 0;
    this.draw();
  }

  touched(): void {
    this.#isTouched = true;
    this.draw();
  }

  setFocus(focus: string): void {
    if (focus === this.#focus) return;
    this.#focus = focus;
    this.#tell({ is: 'focus', focus });
    this.chosen = new Chosen(this.model, focus);
    this.draw();
  }

  /** Brings a card onto the screen. */
  reveal(place: MapPlace): void {
    const spot = this.layout.spotOf(place.key);
    if (spot === undefined) return;
    this.camera.reveal({ ...spot, width: CARD_WIDTH, height: CARD_HEIGHT });
    this.touched();
  }

  /** What a click at a point of the screen means. */
  at(x: number, y: number): MapPlace | MapEdge | undefined {
    const point = this.camera.toMap(x, y);
    const card = cardAt(point, this.model.places.values(), this.layout);
    if (card !== undefined) return card;
    const path = new Float64Array(8);
    let nearest: MapEdge | undefined;
    let least = NEAR_PX / this.camera.scale;
    for (const edge of this.model.edges.values()) {
      const [from, to] = [this.layout.spotOf(edge.from.key), this.layout.spotOf(edge.to.key)];
      if (from === undefined || to === undefined) continue;
      const distance = distanceTo(edgePath(from, to, path), point);
      if (distance < least) [least, nearest] = [distance, edge];
    }
    return nearest;
  }

  /** A key on the map. @returns the card to choose, null for none, undefined when the key means nothing here */
  key(key: string): MapPlace | null | undefined {
    if (isArrow(key)) {
      const next = stepFrom(this.chosen.place ?? this.chosen.edge?.to, key, this.model.places.values(), this.layout);
      if (next !== undefined) this.#say(next);
      return next ?? this.chosen.place;
    }
    if (key === 'Escape') return null;
    if (key === '+' || key === '=') this.camera.zoom(ZOOM_STEP);
    else if (key === '-') this.camera.zoom(1 / ZOOM_STEP);
    else return undefined;
    this.touched();
    return this.chosen.place;
  }

  #say(place: MapPlace): void {
    const edges = [...this.model.edges.values()].filter(({ from, to }) => from === place || to === place);
    const dropped = edges.filter((edge) => edge.dropped > 0).length;
    announce(`${nameOf(place)}, ${subtitleOf(place)}, ${edges.length} connections, ${dropped} with drops`);
  }
}

/** The colours that hold now. A property holds light-dark(...) as it was written; a colour that was applied is resolved. */
function lookOf(canvas: HTMLCanvasElement): Look {
  const probe = document.createElement('span');
  canvas.parentElement!.append(probe);
  const read = (token: string) => {
    probe.style.color = `var(--${token})`;
    return getComputedStyle(probe).color;
  };
  const colours = Object.fromEntries(DRAWN_TOKENS.map((token) => [token, read(token)])) as Look['colours'];
  probe.remove();
  return { colours, font: getComputedStyle(canvas).fontFamily };
}
