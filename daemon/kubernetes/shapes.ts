/**
 * Pods of other nodes on their way from the thread to the agent: a row each, and the shapes (shaped-pod.ts) of the rows once.
 *
 *     thread: PodShapes  ── batch: shapes [7, {...}], rows [7, "web-x", "node-3", "10.0.0.1", ...] ──▶  agent: ShapeBook
 *
 * A pod whose shape has been read before is not read again: what could be wrong with it beyond its shape, `split` checks. Numbers of shapes are never
 * used twice by a thread; when it forgets its shapes, as there are too many, the agent does too. Pods keep the shapes that they have.
 */
import { type ShapedFields, ShapedPod, type ShapeParts, PodShape, split } from '../../policy/document/shaped-pod.ts';
import type { Document } from '../../policy/document/document.ts';
import type { SourcedDocument } from '../source/versions.ts';
import type { PodRow } from './messages.ts';
import type { Fields } from './trimming.ts';

/** Shapes that are remembered: a cluster of 50,000 pods has some thousands at a time. For tests. */
export const MAX_SHAPES = 32_768;
const MAX_NODES = 32_768;

/** A shape as the thread knows it. */
export interface NumberedShape {
  readonly number: number;
  readonly parts: ShapeParts;
}

export interface ShapedObject {
  readonly shape: NumberedShape;
  readonly fields: ShapedFields;
}

/** The thread's shapes. */
export class PodShapes {
  readonly #known = new Map<string, NumberedShape>();
  #last = 0;

  /** @param read reads an object whose shape is new @returns undefined when it must be told as a document, or refused */
  shaped(object: Fields, read: (object: Fields) => Document | undefined): ShapedObject | undefined {
    const found = split(object);
    if (found === undefined) return undefined;
    const text = JSON.stringify(found.parts);
    const shape = this.#known.get(text) ?? this.#learn(text, read(object));
    return shape && { shape, fields: found.fields };
  }

  #learn(text: string, document: Document | undefined): NumberedShape | undefined {
    // As it was read: what reading leaves out is none of the shape.
    const parts = document && split(document.object)?.parts;
    if (parts === undefined) return undefined;
    if (this.#known.size >= MAX_SHAPES) this.#known.clear();
    const shape = { number: ++this.#last, parts };
    this.#known.set(text, shape);
    return shape;
  }
}

/** Which shapes the agent has been told. */
export class ToldShapes {
  readonly #told = new Set<number>();

  /** What a batch says: shapes that the agent has not yet, and whether it is to forget the others first. */
  of(pods: readonly ShapedObject[]): { shapes: (readonly [number, ShapeParts])[]; forgets: boolean } {
    const forgets = this.#told.size >= MAX_SHAPES;
    if (forgets) this.#told.clear();
    const shapes: (readonly [number, ShapeParts])[] = [];
    for (const { shape } of pods) {
      if (this.#told.has(shape.number)) continue;
      this.#told.add(shape.number);
      shapes.push([shape.number, shape.parts]);
    }
    return { shapes, forgets };
  }
}

/** The agent's shapes, and the names of nodes, of which each is kept once. */
export class ShapeBook {
  readonly #shapes = new Map<number, PodShape>();
  readonly #nodes = new Map<string, string>();

  learn(shapes: readonly (readonly [number, ShapeParts])[]): void {
    for (const [number, parts] of shapes) this.#shapes.set(number, new PodShape(parts));
  }

  clear(): void {
    this.#shapes.clear();
    this.#nodes.clear();
  }

  /** @throws Error when the shape was not told */
  pod([number, name, nodeName, ips, atMs, createdMs]: PodRow): SourcedDocument {
    const shape = this.#shapes.get(number);
    if (shape === undefined) throw new Error(`take pod ${name}: found shape ${number}, wanted one that was told`);
    return { document: new ShapedPod(shape, [name, this.#node(nodeName), ips.split(',')]), atMs, createdMs };
  }

  #node(name: string): string {
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    if (this.#nodes.size >= MAX_NODES) this.#nodes.clear();
    this.#nodes.set(name, name);
    return name;
  }
}
