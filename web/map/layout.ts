/**
 * Where cards stand. A card that has its spot keeps it: what comes later takes a free spot of its group, whose block grows where there is room, or a
 * new block beside all others, and nothing moves until somebody asks for a new arrangement.
 *
 *     group   the places of a namespace, those outside, the entities; it has one block, and more when that is full and walled in
 *     block   a grid of spots in a box, some of them spare
 *     column  blocks one below the other; columns from left to right
 *
 * `arrange` ranks places by the longest way from who asks to who is asked, and lets groups follow each other in that order, so that traffic
 * mostly goes from left to right. A small group has a column of spots for each rank, a large one is a square in the order of ranks.
 */
import type { MapEdge, MapPlace } from './map-model.ts';

export const CARD_WIDTH = 176;
export const CARD_HEIGHT = 44;
/** Room for a label between two cards. */
const GAP_X = 84;
const GAP_Y = 16;
const PADDING = 16;
/** Above the spots, with the group's name. */
export const TITLE_HEIGHT = 28;
const BLOCK_GAP_X = 72;
const BLOCK_GAP_Y = 32;
const SMALL_GROUP = 12;
const MAX_RANKS = 5;
/** Of a group that is new, or walled in. */
const MORE = { columns: 2, rows: 4 } as const;
const ASPECT = 1.7;
/** Blocks grow down to this part of the height that the arrangement aims at. */
const GROWN_SHARE = 1.5;

export interface Spot {
  readonly x: number;
  readonly y: number;
}

export interface Block {
  readonly title: string;
  readonly group: string;
  readonly x: number;
  readonly y: number;
  width: number;
  /** Down to the last card; 0 without any. */
  height: number;
  columns: number;
  /** Keys of the places at its spots, row by row; undefined: free. */
  spots: (string | undefined)[];
}

/** @returns the group of a place: its key, and its name to show */
function groupOf({ namespace, kind, name }: MapPlace): { readonly key: string; readonly title: string } {
  if (namespace !== '') return { key: `namespace ${namespace}`, title: namespace };
  if (kind === 'entity' && !/^(world|identity|unknown)/.test(name))
    return { key: 'cluster', title: 'Node and cluster' };
  return { key: 'outside', title: 'Outside' };
}

/** Where all stands, for who draws it. */
export interface Standing {
  readonly blocks: readonly Block[];
  /** Top left corners of cards by the key of their place. */
  readonly spots: ReadonlyMap<string, Spot>;
  /** Blocks of places, as numbers in `blocks`. */
  readonly homes: ReadonlyMap<string, number>;
}

export class Layout {
  readonly blocks: Block[] = [];
  /** Top left corners of cards by the key of their place. */
  readonly #spots = new Map<string, Spot>();
  readonly #homes = new Map<string, readonly [Block, number]>();
  #columnX = 0;
  #columnY = 0;
  #columnWidth = 0;
  #height = 600;

  /** Counts how often anything was put, so that who draws knows when to ask again. */
  version = 0;

  get standing(): Standing {
    const numbers = new Map(this.blocks.map((block, index) => [block, index]));
    const homes = new Map([...this.#homes].map(([key, [block]]) => [key, numbers.get(block)!]));
    return { blocks: this.blocks, spots: this.#spots, homes };
  }

  spotOf(key: string): Spot | undefined {
    return this.#spots.get(key);
  }

  /** The box around everything. */
  get bounds(): { readonly x: number; readonly y: number; readonly width: number; readonly height: number } {
    let [width, height] = [CARD_WIDTH, CARD_HEIGHT];
    for (const block of this.blocks) {
      width = Math.max(width, block.x + block.width);
      height = Math.max(height, block.y + block.height);
    }
    return { x: 0, y: 0, width, height };
  }

  /** Gives spots to places that have none, and takes back those of places that have gone. */
  follow(places: Iterable<MapPlace>): void {
    const there = new Set<string>();
    for (const place of places) {
      there.add(place.key);
      if (!this.#spots.has(place.key)) this.#add(place);
    }
    for (const [key, [block, index]] of this.#homes) {
      if (there.has(key)) continue;
      this.version++;
      block.spots[index] = undefined;
      trim(block);
      this.#homes.delete(key);
      this.#spots.delete(key);
    }
  }

  /** Puts everything anew. */
  arrange(places: Iterable<MapPlace>, edges: Iterable<MapEdge>): void {
    this.version++;
    this.blocks.length = 0;
    this.#spots.clear();
    this.#homes.clear();
    this.#columnX = this.#columnY = this.#columnWidth = 0;
    const all = [...places];
    const ranks = ranksOf(all, edges);
    const groups = new Map<string, { title: string; members: MapPlace[] }>();
    for (const place of all) {
      const { key, title } = groupOf(place);
      if (!groups.has(key)) groups.set(key, { title, members: [] });
      groups.get(key)!.members.push(place);
    }
    const rankOf = ({ number }: MapPlace) => ranks.get(number) ?? 0;
    const drawn = [...groups].map(([key, { title, members }]) => {
      members.sort((a, b) => rankOf(a) - rankOf(b) || a.name.localeCompare(b.name));
      const rank = members.reduce((sum, place) => sum + rankOf(place), 0) / members.length;
      return { key, title, rank, grid: gridOf(members, rankOf) };
    });
    drawn.sort((a, b) => a.rank - b.rank || a.title.localeCompare(b.title));
    const area = drawn.reduce(
      (sum, { grid }) => sum + (widthOf(grid.columns) + BLOCK_GAP_X) * (heightOf(grid.rows) + BLOCK_GAP_Y),
      0,
    );
    this.#height = Math.max(480, Math.sqrt(area / ASPECT));
    for (const { key, title, grid } of drawn) {
      const block = this.#block(key, title, grid.columns, grid.rows);
      for (const [index, place] of grid.cells.entries()) if (place !== undefined) this.#settle(block, index, place.key);
    }
  }

  #add(place: MapPlace): void {
    const { key, title } = groupOf(place);
    const own = this.blocks.filter(({ group }) => group === key);
    const block =
      own.find(({ spots }) => spots.includes(undefined)) ??
      own.find((one) => this.#grow(one)) ??
      this.#block(key, own.length === 0 ? title : `${title}, continued`, MORE.columns, MORE.rows);
    this.#settle(block, block.spots.indexOf(undefined), place.key);
  }

  /** Gives a full block another row if nothing stands below it, or another column beside the last ones; no card moves. */
  #grow(block: Block): boolean {
    const rows = block.spots.length / block.columns;
    const isLowest = this.blocks.every(({ x, y }) => x !== block.x || y <= block.y);
    const bottom = block.y + heightOf(rows + 1);
    if (isLowest && bottom <= this.#height * GROWN_SHARE) {
      block.spots.push(...new Array<undefined>(block.columns).fill(undefined));
      if (block.x === this.#columnX) this.#columnY = bottom + BLOCK_GAP_Y;
      return true;
    }
    if (block.x !== this.#columnX) return false;
    const { columns: before, spots } = block;
    block.columns++;
    block.spots = Array.from({ length: rows * block.columns }, (_, index) => {
      const [row, column] = [Math.floor(index / block.columns), index % block.columns];
      return column === before ? undefined : spots[row * before + column];
    });
    block.width = widthOf(block.columns);
    this.#columnWidth = Math.max(this.#columnWidth, block.width);
    for (const [index, key] of block.spots.entries()) if (key !== undefined) this.#homes.set(key, [block, index]);
    return true;
  }

  #settle(block: Block, index: number, key: string): void {
    this.version++;
    block.spots[index] = key;
    trim(block);
    const x = block.x + PADDING + (index % block.columns) * (CARD_WIDTH + GAP_X);
    const y = block.y + TITLE_HEIGHT + Math.floor(index / block.columns) * (CARD_HEIGHT + GAP_Y);
    this.#spots.set(key, { x, y });
    this.#homes.set(key, [block, index]);
  }

  /** A new block below the last one, or in a new column. */
  #block(group: string, title: string, columns: number, rows: number): Block {
    const [width, height] = [widthOf(columns), heightOf(rows)];
    if (this.#columnY > 0 && this.#columnY + height > this.#height) {
      this.#columnX += this.#columnWidth + BLOCK_GAP_X;
      this.#columnY = this.#columnWidth = 0;
    }
    const spots = new Array<string | undefined>(columns * rows).fill(undefined);
    const block = { title, group, x: this.#columnX, y: this.#columnY, width, height: 0, columns, spots };
    this.#columnY += height + BLOCK_GAP_Y;
    this.#columnWidth = Math.max(this.#columnWidth, width);
    this.blocks.push(block);
    return block;
  }
}

function trim(block: Block): void {
  const last = block.spots.findLastIndex((key) => key !== undefined);
  block.height = last < 0 ? 0 : heightOf(Math.floor(last / block.columns) + 1);
}

const widthOf = (columns: number) => 2 * PADDING + columns * CARD_WIDTH + (columns - 1) * GAP_X;
const heightOf = (rows: number) => TITLE_HEIGHT + PADDING + rows * CARD_HEIGHT + (rows - 1) * GAP_Y;

interface Grid {
  readonly columns: number;
  readonly rows: number;
  readonly cells: readonly (MapPlace | undefined)[];
}

/** @param members in the order of their ranks */
function gridOf(members: readonly MapPlace[], rankOf: (place: MapPlace) => number): Grid {
  const ranks = [...new Set(members.map(rankOf))];
  if (members.length <= SMALL_GROUP && ranks.length <= MAX_RANKS) {
    const layers = ranks.map((rank) => members.filter((place) => rankOf(place) === rank));
    const rows = Math.max(...layers.map(({ length }) => length)) + 1; // one spare, for who comes next
    const cells = Array.from(
      { length: rows * layers.length },
      (_, index) => layers[index % layers.length][Math.floor(index / layers.length)],
    );
    return { columns: layers.length, rows, cells };
  }
  // Cards are wide: a box is about square when it has fewer columns than rows. A fifth is spare.
  const columns = Math.max(2, Math.round(Math.sqrt(members.length / 4)));
  return { columns, rows: Math.ceil((members.length * 1.2) / columns), cells: members };
}

/** Places by number with the longest way that leads to each; an edge that would close a circle does not count. */
function ranksOf(places: readonly MapPlace[], edges: Iterable<MapEdge>): Map<number, number> {
  const callers = new Map<number, number[]>(places.map(({ number }) => [number, []]));
  for (const { from, to } of edges) if (from !== to) callers.get(to.number)?.push(from.number);
  const ranks = new Map<number, number>();
  const open = new Set<number>();
  for (const { number: start } of places) {
    // By hand, not by calls: a chain may be as long as there are places.
    const way = [{ place: start, next: 0, rank: 0 }];
    if (ranks.has(start)) continue;
    open.add(start);
    while (way.length > 0) {
      const step = way[way.length - 1];
      const caller = callers.get(step.place)?.[step.next++];
      if (caller === undefined) {
        ranks.set(step.place, step.rank);
        open.delete(step.place);
        way.pop();
        const above = way.at(-1);
        if (above !== undefined) above.rank = Math.max(above.rank, step.rank + 1);
      } else if (ranks.has(caller)) step.rank = Math.max(step.rank, ranks.get(caller)! + 1);
      else if (!open.has(caller)) {
        open.add(caller);
        way.push({ place: caller, next: 0, rank: 0 });
      }
    }
  }
  return ranks;
}
