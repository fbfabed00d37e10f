/**
 * Draws the map on a canvas: boxes, edges, cards. Nothing is kept between two drawings but measured texts, so that a drawing is as
 * right as what it is given. Edges of one look are one path: a stroke costs more than the curves in it. From far away cards are boxes
 * without text; the many edges then become one line for each pair of groups, and those with drops stay what they are.
 */
import { visible } from '../controls/visible.ts';
import { VERDICT_CLASSES, type VerdictClass } from '../stream/verdicts.ts';
import type { Camera } from './camera.ts';
import type { Chosen } from './chosen.ts';
import { edgePath, pointAt } from './edge-path.ts';
import { labelSpot, type Rectangle } from './label-spot.ts';
import { type Block, CARD_HEIGHT, CARD_WIDTH, type Spot, type Standing, TITLE_HEIGHT } from './layout.ts';
import type { MapEdge, MapModel, MapPlace } from './map-model.ts';
import { classOf, rateText, subtitleOf } from './wording.ts';

/** From here on cards have all their text, and edges their dashes and heads; down to the second, a name as large as can be read. */
const FULL_SCALE = 0.55;
const NAME_SCALE = 0.3;
const NAME_PX = 10;
const LABEL_SCALE = 0.6;
const MAX_LABELS = 80;
/** With more, those that only cross what is seen, from elsewhere to elsewhere, are left out. */
const CROSSING_EDGES = 400;
/** So many can be told apart from far away. */
const BUNDLED_EDGES = 250;
const ARROW = 7;
const DASHES: Readonly<Record<VerdictClass, readonly number[]>> = {
  forwarded: [],
  dropped: [7, 5],
  audit: [2, 4],
  error: [12, 4, 2, 4],
};
const VERDICT_ORDER: readonly VerdictClass[] = ['forwarded', 'audit', 'error', 'dropped'];
/** Tokens of styles/tokens.css that are drawn with. */
export const DRAWN_TOKENS = [
  'paper',
  'paper-raised',
  'ink',
  'ink-soft',
  'line',
  'line-strong',
  'accent',
  'accent-paper',
  ...VERDICT_CLASSES,
] as const;

export interface Look {
  readonly colours: Readonly<Record<(typeof DRAWN_TOKENS)[number], string>>;
  readonly font: string;
}

export class Painter {
  readonly #canvas: OffscreenCanvas;
  readonly #context: OffscreenCanvasRenderingContext2D;
  readonly #texts = new Map<string, string>();
  readonly #path = new Float64Array(8);
  #look: Look;

  constructor(canvas: OffscreenCanvas, look: Look) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { alpha: false })!;
    this.#look = look;
  }

  setLook(look: Look): void {
    this.#look = look;
    this.#texts.clear();
  }

  draw(model: MapModel, standing: Standing, camera: Camera, chosen: Chosen): void {
    const context = this.#context;
    const { ratio } = camera;
    const [width, height] = [Math.round(camera.width * ratio), Math.round(camera.height * ratio)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.#look.colours.paper;
    context.fillRect(0, 0, camera.width, camera.height);
    context.setTransform(
      ratio * camera.scale,
      0,
      0,
      ratio * camera.scale,
      ratio * camera.offsetX,
      ratio * camera.offsetY,
    );
    for (const block of standing.blocks) this.#drawBox(block, camera);
    const crossing = visibleEdges(model, standing, camera);
    // With many, pale ones beside what is chosen would only be fog.
    const isDrawn = chosen.isEmpty ? hasEndIn(camera) : ({ edge }: DrawnEdge) => !chosen.dims(edge);
    const edges = crossing.length > CROSSING_EDGES ? crossing.filter(isDrawn) : crossing;
    const isFar = camera.scale < FULL_SCALE && edges.length > BUNDLED_EDGES && chosen.isEmpty;
    if (isFar) this.#drawBundles(edges, standing, camera.scale);
    this.#drawEdges(isFar ? edges.filter(({ edge }) => classOf(edge) !== 'forwarded') : edges, chosen, camera.scale);
    for (const place of model.places.values()) this.#drawCard(place, standing, camera, chosen);
    for (const block of standing.blocks) this.#drawTitle(block, camera);
    if (camera.scale >= LABEL_SCALE) this.#drawLabels(edges, chosen, takenBy(standing, camera));
  }

  #drawBox({ x, y, width, height }: Block, camera: Camera): void {
    if (height === 0 || !camera.sees(x, y, width, height)) return;
    const context = this.#context;
    context.fillStyle = this.#look.colours['paper-raised'];
    context.strokeStyle = this.#look.colours.line;
    context.lineWidth = 1 / camera.scale;
    context.fillRect(x, y, width, height);
    context.strokeRect(x, y, width, height);
  }

  /** Over all else: far away the names of groups are what can be read. */
  #drawTitle({ title, x, y, width, height }: Block, camera: Camera): void {
    if (height === 0 || !camera.sees(x, y, width, height)) return;
    const context = this.#context;
    const isFar = camera.scale < FULL_SCALE;
    const size = isFar ? Math.min(13 / camera.scale, width / 7) : 13;
    context.font = `600 ${size}px ${this.#look.font}`;
    context.textBaseline = 'middle';
    const text = this.#fitted(title, width - 24, 600, size);
    const middle = isFar ? y + size * 0.7 : y + TITLE_HEIGHT / 2;
    if (isFar) {
      context.fillStyle = this.#look.colours['paper-raised'];
      context.fillRect(x + 6, middle - size * 0.6, context.measureText(text).width + 12, size * 1.2);
    }
    context.fillStyle = this.#look.colours[isFar ? 'ink' : 'ink-soft'];
    context.fillText(text, x + 12, middle);
  }

  /** One line for all edges between two groups, thicker by the tenfold of their number. */
  #drawBundles(edges: readonly DrawnEdge[], { blocks, homes }: Standing, scale: number): void {
    const counts = new Map<string, number>();
    for (const { edge } of edges) {
      const ends = `${homes.get(edge.from.key)} ${homes.get(edge.to.key)}`;
      counts.set(ends, (counts.get(ends) ?? 0) + 1);
    }
    const context = this.#context;
    context.strokeStyle = this.#look.colours.forwarded;
    context.globalAlpha = 0.35;
    for (const [ends, count] of counts) {
      const [from, to] = ends.split(' ').map((number) => blocks[Number(number)]);
      if (from === to || from === undefined || to === undefined) continue;
      context.lineWidth = (1 + Math.log10(count)) / scale;
      context.beginPath();
      context.moveTo(from.x + from.width / 2, from.y + from.height / 2);
      context.lineTo(to.x + to.width / 2, to.y + to.height / 2);
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  #drawEdges(edges: readonly DrawnEdge[], chosen: Chosen, scale: number): void {
    const looks = new Map<string, DrawnEdge[]>();
    for (const drawn of edges) {
      const look = `${classOf(drawn.edge)} ${widthOf(drawn.edge)} ${chosen.dims(drawn.edge) ? 'dim' : ''}`;
      if (!looks.has(look)) looks.set(look, []);
      looks.get(look)!.push(drawn);
    }
    const context = this.#context;
    // What is worst is drawn last, over all others; what is pale first.
    const order = (look: string) =>
      (look.endsWith('dim') ? 0 : 10) + VERDICT_ORDER.indexOf(look.split(' ')[0] as VerdictClass);
    for (const [look, some] of [...looks].sort(([a], [b]) => order(a) - order(b))) {
      const [verdict, width, dim] = look.split(' ') as [VerdictClass, string, string];
      context.globalAlpha = dim === '' ? 0.85 : 0.12;
      context.strokeStyle = context.fillStyle = this.#look.colours[verdict];
      context.lineWidth = Math.max(Number(width), (verdict === 'forwarded' ? 0.8 : 1.6) / scale);
      context.setLineDash(scale < FULL_SCALE ? [] : [...DASHES[verdict]]);
      context.beginPath();
      for (const { from, to } of some) {
        const p = edgePath(from, to, this.#path);
        context.moveTo(p[0], p[1]);
        context.bezierCurveTo(p[2], p[3], p[4], p[5], p[6], p[7]);
      }
      context.stroke();
      context.setLineDash([]);
      if (scale >= FULL_SCALE) this.#drawArrows(some, Number(width), verdict);
    }
    context.globalAlpha = 1;
  }

  /** Heads at the ends, and a cross in the middle of what was dropped. */
  #drawArrows(edges: readonly DrawnEdge[], width: number, verdict: VerdictClass): void {
    const context = this.#context;
    const size = ARROW + width;
    context.beginPath();
    for (const { from, to } of edges) {
      const p = edgePath(from, to, this.#path);
      const angle = Math.atan2(p[7] - p[5], p[6] - p[4]);
      for (const turn of [0, 2.6, -2.6]) {
        const [x, y] =
          turn === 0 ? [p[6], p[7]] : [p[6] + size * Math.cos(angle + turn), p[7] + size * Math.sin(angle + turn)];
        if (turn === 0) context.moveTo(x, y);
        else context.lineTo(x, y);
      }
      context.closePath();
    }
    context.fill();
    if (verdict !== 'dropped') return;
    context.lineWidth = 2.5;
    context.beginPath();
    for (const { from, to } of edges) {
      const { x, y } = pointAt(edgePath(from, to, this.#path), 0.5);
      for (const side of [-1, 1]) {
        context.moveTo(x - 6, y - 6 * side);
        context.lineTo(x + 6, y + 6 * side);
      }
    }
    context.stroke();
  }

  #drawCard(place: MapPlace, { spots }: Standing, camera: Camera, chosen: Chosen): void {
    const spot = spots.get(place.key);
    if (spot === undefined || !camera.sees(spot.x, spot.y, CARD_WIDTH, CARD_HEIGHT)) return;
    const context = this.#context;
    const { x, y } = spot;
    const isChosen = chosen.place === place;
    context.globalAlpha = chosen.dimsPlace(place) ? 0.35 : 1;
    context.fillStyle = this.#look.colours[isChosen ? 'accent-paper' : 'paper'];
    context.strokeStyle = this.#look.colours[isChosen ? 'accent' : 'line-strong'];
    context.lineWidth = isChosen ? 2.5 : Math.max(1, 0.7 / camera.scale);
    context.fillRect(x, y, CARD_WIDTH, CARD_HEIGHT);
    context.strokeRect(x, y, CARD_WIDTH, CARD_HEIGHT);
    if (camera.scale >= FULL_SCALE) {
      this.#write(place.name, 600, 13, 'ink', x, y + 14);
      this.#write(subtitleOf(place), 400, 11, 'ink-soft', x, y + 31);
    } else if (camera.scale >= NAME_SCALE)
      this.#write(place.name, 600, NAME_PX / camera.scale, 'ink', x, y + CARD_HEIGHT / 2);
    context.globalAlpha = 1;
  }

  /** A line of a card. */
  #write(text: string, weight: number, size: number, colour: 'ink' | 'ink-soft', x: number, y: number): void {
    const context = this.#context;
    context.textBaseline = 'middle';
    context.font = `${weight} ${size}px ${this.#look.font}`;
    context.fillStyle = this.#look.colours[colour];
    context.fillText(this.#fitted(text, CARD_WIDTH - 20, weight, size), x + 10, y);
  }

  /**
   * Ports and rates beside the edges that are looked at, or beside all when they are few, where they cover nothing that is read.
   * @param taken by titles, cards and, from then on, labels
   */
  #drawLabels(edges: readonly DrawnEdge[], chosen: Chosen, taken: Rectangle[]): void {
    const wanted = edges.filter(({ edge }) => (chosen.isEmpty ? edges.length <= MAX_LABELS / 2 : !chosen.dims(edge)));
    const context = this.#context;
    context.font = `400 11px ${this.#look.font}`;
    context.textBaseline = 'middle';
    for (const { edge, from, to } of wanted.slice(0, MAX_LABELS)) {
      const text = this.#fitted(edge.rate > 0 ? `${edge.label}  ${rateText(edge.rate)}/s` : edge.label, 140, 400, 11);
      const width = context.measureText(text).width + 8;
      const label = labelSpot(edgePath(from, to, this.#path), width, taken);
      taken.push(label);
      context.fillStyle = this.#look.colours.paper;
      context.globalAlpha = 0.9;
      context.fillRect(label.x, label.y, label.width, label.height);
      context.globalAlpha = 1;
      context.fillStyle = this.#look.colours.ink;
      context.fillText(text, label.x + 4, label.y + 8);
    }
  }

  /** `text` made harmless and cut to `width`, remembered. The context has the font. */
  #fitted(text: string, width: number, weight: number, size: number): string {
    const key = `${weight} ${Math.round(size)} ${Math.round(width)} ${text}`;
    const known = this.#texts.get(key);
    if (known !== undefined) return known;
    const all = visible(text.slice(0, 300));
    let [fits, over] = [0, all.length + 1];
    while (over - fits > 1) {
      const middle = (fits + over) >> 1;
      const part = middle === all.length ? all : `${all.slice(0, middle)}…`;
      if (this.#context.measureText(part).width <= width) fits = middle;
      else over = middle;
    }
    const fitted = fits === all.length ? all : `${all.slice(0, fits)}…`;
    if (this.#texts.size > 8000) this.#texts.clear();
    this.#texts.set(key, fitted);
    return fitted;
  }
}

interface DrawnEdge {
  readonly edge: MapEdge;
  readonly from: Spot;
  readonly to: Spot;
}

function visibleEdges({ edges }: MapModel, { spots }: Standing, camera: Camera): DrawnEdge[] {
  const found: DrawnEdge[] = [];
  for (const edge of edges.values()) {
    const from = spots.get(edge.from.key);
    const to = spots.get(edge.to.key);
    if (from === undefined || to === undefined) continue;
    const [x, y] = [Math.min(from.x, to.x) - 60, Math.min(from.y, to.y) - 30];
    const width = Math.abs(from.x - to.x) + CARD_WIDTH + 120;
    if (camera.sees(x, y, width, Math.abs(from.y - to.y) + CARD_HEIGHT + 60)) found.push({ edge, from, to });
  }
  return found;
}

/** What labels must not cover: titles, and cards. */
function takenBy({ blocks, spots }: Standing, camera: Camera): Rectangle[] {
  const titles = blocks
    .filter(({ height }) => height > 0)
    .map(({ x, y, width }) => ({ x, y, width, height: TITLE_HEIGHT }));
  const cards = [...spots.values()].map(({ x, y }) => ({ x, y, width: CARD_WIDTH, height: CARD_HEIGHT }));
  return [...titles, ...cards].filter(({ x, y, width, height }) => camera.sees(x, y, width, height));
}

const hasEndIn =
  (camera: Camera) =>
  ({ from, to }: DrawnEdge) =>
    camera.sees(from.x, from.y, CARD_WIDTH, CARD_HEIGHT) || camera.sees(to.x, to.y, CARD_WIDTH, CARD_HEIGHT);

/** Thicker by the tenfold of the rate. */
function widthOf({ rate }: MapEdge): number {
  if (rate < 1) return 1;
  return rate < 10 ? 1.75 : rate < 100 ? 2.5 : 3.5;
}
