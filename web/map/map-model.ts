/** Places and edges as the worker tells them, kept by number, for who draws them. */
import type { Place } from '../stream/place.ts';
import type { MapChanges } from '../stream/traffic-map.ts';
import { FIGURES, type Verdicts } from '../stream/verdicts.ts';

export interface MapPlace extends Place {
  readonly number: number;
}

export interface MapEdge extends Verdicts {
  readonly number: number;
  readonly from: MapPlace;
  readonly to: MapPlace;
  /** Ports: `TCP 8080 +2`. */
  label: string;
  /** Flows a second. */
  rate: number;
  lastMs: number;
  /** When something was dropped last; 0: never. */
  droppedMs: number;
}

export class MapModel {
  readonly places = new Map<number, MapPlace>();
  readonly edges = new Map<number, MapEdge>();

  /** @returns whether places or edges came or went, so that more than figures has changed */
  apply({ isFresh, places, edges, gonePlaces, goneEdges, figures, labels }: MapChanges): boolean {
    if (isFresh) {
      this.places.clear();
      this.edges.clear();
    }
    for (const edge of goneEdges) this.edges.delete(edge);
    for (const place of gonePlaces) this.places.delete(place);
    for (const place of places) this.places.set(place.number, place);
    for (const { edge: number, from, to } of edges) {
      const ends = { from: this.places.get(from)!, to: this.places.get(to)! };
      const none = { forwarded: 0, dropped: 0, audit: 0, error: 0, rate: 0, lastMs: 0, droppedMs: 0 };
      this.edges.set(number, { number, ...ends, label: '', ...none });
    }
    for (let row = 0; row < labels.length; row++) this.#setFigures(figures, row, labels[row]);
    return isFresh || places.length + edges.length + gonePlaces.length + goneEdges.length > 0;
  }

  #setFigures(figures: Float64Array, row: number, label: string): void {
    const at = row * FIGURES.length;
    const edge = this.edges.get(figures[at]);
    if (edge === undefined) return;
    edge.label = label;
    [edge.forwarded, edge.dropped, edge.audit, edge.error, edge.rate, edge.lastMs, edge.droppedMs] = figures.subarray(
      at + 1,
      at + FIGURES.length,
    );
  }
}
