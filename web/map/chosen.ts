/** What is looked at: a card or an edge, as the address names it (`focus`), and what is pale beside it. */
import type { MapEdge, MapModel, MapPlace } from './map-model.ts';

/** Between the keys of the ends of an edge. */
const ARROW = ' → ';

export class Chosen {
  readonly place: MapPlace | undefined;
  readonly edge: MapEdge | undefined;
  readonly #near = new Set<MapPlace>();

  constructor(model: MapModel, focus: string) {
    if (focus === '') return;
    for (const place of model.places.values()) if (place.key === focus) this.place = place;
    for (const edge of model.edges.values()) {
      if (focusOf(edge) === focus) this.edge = edge;
      if (edge === this.edge || edge.from === this.place || edge.to === this.place)
        this.#near.add(edge.from).add(edge.to);
    }
    if (this.place !== undefined) this.#near.add(this.place);
  }

  get isEmpty(): boolean {
    return this.place === undefined && this.edge === undefined;
  }

  dims(edge: MapEdge): boolean {
    return !this.isEmpty && edge !== this.edge && edge.from !== this.place && edge.to !== this.place;
  }

  dimsPlace(place: MapPlace): boolean {
    return !this.isEmpty && !this.#near.has(place);
  }
}

/** What the address calls a card or an edge. */
export function focusOf(one: MapPlace | MapEdge): string {
  return 'key' in one ? one.key : `${one.from.key}${ARROW}${one.to.key}`;
}
