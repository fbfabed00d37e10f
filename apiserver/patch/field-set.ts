/**
 * Sets of fields, as managed fields have them: a tree of path elements, each with a mark of its own and elements below it. An element is
 * kept as it is written in `fieldsV1`: `f:spec`, `k:{"name":"web"}` (an item of a list by its keys), `v:"a"` (an item by its value). It is
 * canonical (keys are in order), so that equal elements are equal texts.
 *
 * A field and the fields below it are members apart from each other: who owns `spec.template` need not own `spec.template.spec`.
 */
import { isObject, type PlainDraft, type PlainObject } from './plain.ts';

/** From the object down; read only, sets share their parts. */
export class FieldSet {
  readonly members: ReadonlySet<string>;
  readonly children: ReadonlyMap<string, FieldSet>;

  constructor(members: ReadonlySet<string> = new Set(), children: ReadonlyMap<string, FieldSet> = new Map()) {
    this.members = members;
    this.children = children;
  }

  get isEmpty(): boolean {
    return this.members.size === 0 && this.children.size === 0;
  }

  has(path: readonly string[]): boolean {
    const [element, ...rest] = path;
    return rest.length === 0 ? this.members.has(element) : this.below(element).has(rest);
  }

  below(element: string): FieldSet {
    return this.children.get(element) ?? EMPTY_SET;
  }

  union(other: FieldSet): FieldSet {
    const children = new Map(this.children);
    for (const [element, set] of other.children) children.set(element, children.get(element)?.union(set) ?? set);
    return new FieldSet(new Set([...this.members, ...other.members]), children);
  }

  intersection(other: FieldSet): FieldSet {
    const members = [...this.members].filter((element) => other.members.has(element));
    return build(members, this.children, (set, element) => set.intersection(other.below(element)));
  }

  /** Members of this that are none of the other; what lies below a member of the other stays. */
  difference(other: FieldSet): FieldSet {
    const members = [...this.members].filter((element) => !other.members.has(element));
    return build(members, this.children, (set, element) => set.difference(other.below(element)));
  }

  /** As `difference`, and what lies below a member of the other goes too. */
  without(other: FieldSet): FieldSet {
    const members = [...this.members].filter((element) => !other.members.has(element));
    return build(members, this.children, (set, element) =>
      other.members.has(element) ? EMPTY_SET : set.without(other.below(element)),
    );
  }

  /** Every member as a path, a field before those below it. */
  *paths(above: readonly string[] = []): Generator<readonly string[]> {
    for (const element of [...this.members].sort(compare)) yield [...above, element];
    for (const [element, set] of [...this.children].sort(([a], [b]) => compare(a, b)))
      yield* set.paths([...above, element]);
  }

  /** The form of `fieldsV1`. */
  toJson(): PlainObject {
    const json: PlainDraft = {};
    for (const element of [...new Set([...this.members, ...this.children.keys()])].sort(compare)) {
      const below = this.children.get(element)?.toJson() ?? {};
      const isBoth = this.members.has(element) && this.children.has(element);
      json[element] = isBoth ? { '.': {}, ...below } : below;
    }
    return json;
  }

  /** @param json plain, as `checkPlain` passes it; elements of kinds that are not known are left out */
  static fromJson(json: unknown): FieldSet {
    const draft = new FieldSetDraft();
    if (isObject(json)) read(json, draft);
    return draft.toSet();
  }
}

export const EMPTY_SET = new FieldSet();

function read(json: PlainObject, draft: FieldSetDraft): void {
  for (const [element, below] of Object.entries(json)) {
    if (!/^[fkvi]:/.test(element) || !isObject(below)) continue;
    const names = Object.keys(below);
    if (names.length === 0 || Object.hasOwn(below, '.')) draft.insert([element]);
    if (names.some((name) => name !== '.')) read(below, draft.below(element));
  }
}

/** A set that is being made. */
export class FieldSetDraft {
  readonly #members = new Set<string>();
  readonly #children = new Map<string, FieldSetDraft>();

  /** Nobody owns the object as a whole: a path without elements is none. */
  insert(path: readonly string[]): void {
    const [element, ...rest] = path;
    if (rest.length > 0) this.below(element).insert(rest);
    else if (path.length > 0) this.#members.add(element);
  }

  below(element: string): FieldSetDraft {
    let draft = this.#children.get(element);
    if (draft === undefined) this.#children.set(element, (draft = new FieldSetDraft()));
    return draft;
  }

  toSet(): FieldSet {
    const children = [...this.#children].map(([element, draft]) => [element, draft.toSet()] as const);
    return new FieldSet(this.#members, new Map(children.filter(([, set]) => !set.isEmpty)));
  }
}

function build(
  members: readonly string[],
  children: ReadonlyMap<string, FieldSet>,
  change: (set: FieldSet, element: string) => FieldSet,
): FieldSet {
  const changed = [...children].map(([element, set]) => [element, change(set, element)] as const);
  return new FieldSet(new Set(members), new Map(changed.filter(([, set]) => !set.isEmpty)));
}

/** Fields stand before items, as Kubernetes writes them. */
const RANKS = 'fkvi';
function compare(a: string, b: string): number {
  return RANKS.indexOf(a[0]) - RANKS.indexOf(b[0]) || (a < b ? -1 : a > b ? 1 : 0);
}
