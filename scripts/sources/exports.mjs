// An export that nobody imports says that somebody may rely on it, and hides that it is dead. What only tests use belongs
// into test/, or the test asks for it by what the product uses.

export function unusedExports({ sources }) {
  const takenByCode = takenBy(sources.filter(({ isTest }) => !isTest));
  const takenByAll = takenBy(sources);
  const problems = [];
  for (const { path, exports, isTest } of sources) {
    for (const { name, line } of exports) {
      if (isTaken(isTest ? takenByAll : takenByCode, path, name)) continue;
      const who = isTaken(takenByAll, path, name) ? 'only tests import' : 'nothing imports';
      problems.push(`${path}:${line}: exports ${name}, which ${who}`);
    }
  }
  return problems;
}

const isTaken = (taken, path, name) => taken.get(path)?.has(name) || taken.get(path)?.has('*');

/** Path of a source -> the names that other files take from it, `*` when that may be any. */
function takenBy(sources) {
  const taken = new Map();
  for (const { path, imports } of sources) {
    for (const { target, names } of imports) {
      if (target === undefined || target === path) continue;
      if (!taken.has(target)) taken.set(target, new Set());
      for (const name of names ?? ['*']) taken.get(target).add(name);
    }
  }
  return taken;
}
