// A circle of files can only be understood, tested and moved as one. Imports of types count: they tie a reader as well.
// Tarjan's strongly connected components, over the imports of every source.

export function circles({ sources, byPath }) {
  const index = new Map();
  const low = new Map();
  const stack = [];
  const found = [];

  const visit = (path) => {
    index.set(path, index.size);
    low.set(path, index.get(path));
    stack.push(path);
    for (const { target } of byPath.get(path).imports) {
      if (!byPath.has(target)) continue;
      if (!index.has(target)) visit(target);
      // A file that has left the stack belongs to a component that is complete: no way leads back from it.
      if (stack.includes(target)) low.set(path, Math.min(low.get(path), low.get(target)));
    }
    if (low.get(path) !== index.get(path)) return;
    const component = stack.splice(stack.indexOf(path));
    if (component.length > 1 || byPath.get(path).imports.some(({ target }) => target === path)) found.push(component);
  };
  for (const { path } of sources) if (!index.has(path)) visit(path);

  return found.map((component) => `${component[0]}: imports itself in a circle: ${wayRound(component, byPath)}`);
}

/** The shortest way from a component's first file back to itself. */
function wayRound([first, ...rest], byPath) {
  const members = new Set([first, ...rest]);
  const queue = [[first]];
  const seen = new Set();
  for (let way = queue.shift(); way !== undefined; way = queue.shift()) {
    for (const { target } of byPath.get(way.at(-1)).imports) {
      if (target === first) return [...way, first].join(' -> ');
      if (!members.has(target) || seen.has(target)) continue;
      seen.add(target);
      queue.push([...way, target]);
    }
  }
  throw new Error(`no way round ${first} within its component`);
}
