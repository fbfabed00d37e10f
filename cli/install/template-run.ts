/** Prints a template. A name that is not there is empty, as with Helm; a function that is not there is an error. */
import { FUNCTIONS, isTrue, textOf } from './template-functions.ts';
import type { Node, Template, Value } from './template-parser.ts';

/** Variables of a block; those around it are seen and may be changed. */
type Scope = Map<string, { value: unknown }>;

export class TemplateRun {
  readonly #defined: ReadonlyMap<string, readonly Node[]>;

  /** @param templates whose definitions are for all of them */
  constructor(templates: Iterable<Template>) {
    this.#defined = new Map([...templates].flatMap(({ defined }) => [...defined]));
  }

  /** @param dot what the template is about @throws RefusedValue, RangeError */
  print(body: readonly Node[], dot: unknown): string {
    return this.#block(body, dot, new Map([['$', { value: dot }]]));
  }

  #block(nodes: readonly Node[], dot: unknown, around: Scope): string {
    const scope: Scope = new Map(around);
    return nodes.map((node) => this.#node(node, dot, scope)).join('');
  }

  #node(node: Node, dot: unknown, scope: Scope): string {
    switch (node.kind) {
      case 'text':
        return node.text;
      case 'print':
        return textOf(this.#value(node.value, dot, scope));
      case 'assign':
        scope.set(node.name, { value: this.#value(node.value, dot, scope) });
        return '';
      case 'if':
        return this.#block(isTrue(this.#value(node.value, dot, scope)) ? node.body : node.otherwise, dot, scope);
      case 'with': {
        const value = this.#value(node.value, dot, scope);
        return isTrue(value) ? this.#block(node.body, value, scope) : this.#block(node.otherwise, dot, scope);
      }
      case 'range':
        return this.#range(node, this.#value(node.value, dot, scope), scope);
    }
  }

  #range({ names, body }: Node & { kind: 'range' }, value: unknown, around: Scope): string {
    const entries: (readonly [unknown, unknown])[] = Array.isArray(value)
      ? [...(value as unknown[]).entries()]
      : Object.entries(value ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return entries
      .map(([key, one]) => {
        const scope: Scope = new Map(around);
        const given = names.length > 1 ? [key, one] : [one];
        for (const [at, name] of names.entries()) scope.set(name, { value: given[at] });
        return this.#block(body, one, scope);
      })
      .join('');
  }

  #value(value: Value, dot: unknown, scope: Scope): unknown {
    switch (value.kind) {
      case 'literal':
        return value.value;
      case 'dot':
        return dot;
      case 'variable': {
        const found = scope.get(value.name);
        if (found === undefined) throw new RangeError(`template: there is no variable ${value.name}`);
        return found.value;
      }
      case 'field': {
        const of = this.#value(value.of, dot, scope);
        return typeof of === 'object' && of !== null ? (of as Record<string, unknown>)[value.name] : undefined;
      }
      case 'call':
        return this.#call(value, dot, scope);
    }
  }

  #call({ name, args }: Value & { kind: 'call' }, dot: unknown, scope: Scope): unknown {
    const values = args.map((arg) => this.#value(arg, dot, scope));
    if (name === 'include') {
      const body = this.#defined.get(textOf(values[0]));
      if (body === undefined) throw new RangeError(`template: nothing defines ${textOf(values[0])}`);
      return this.print(body, values[1]);
    }
    if (!Object.hasOwn(FUNCTIONS, name)) throw new RangeError(`template: there is no function ${name}`);
    return FUNCTIONS[name](...(values as never[]));
  }
}
