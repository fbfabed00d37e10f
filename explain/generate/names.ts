/** Of the names of addresses, few that lead to all of them: those that were asked for first, then those that lead to most. */

type NamesOf = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * @param namesOf the names of each address; one without any is left out
 * @param asked names that were asked for
 * @returns the name chosen for each address
 */
export function chosenNames(namesOf: NamesOf, asked: ReadonlySet<string>): Map<string, string> {
  const left = new Map([...namesOf].filter(([, names]) => names.size > 0));
  const chosen: string[] = [];
  while (left.size > 0) {
    const best = bestOf(left, asked);
    chosen.push(best);
    for (const [address, names] of left) if (names.has(best)) left.delete(address);
  }
  const kept = needed(namesOf, chosen);
  const result = new Map<string, string>();
  for (const [address, names] of namesOf) {
    const name = kept.find((one) => names.has(one));
    if (name !== undefined) result.set(address, name);
  }
  return result;
}

/** Asked for before not, then the one of most addresses, then in order of the alphabet. */
function bestOf(left: NamesOf, asked: ReadonlySet<string>): string {
  const counts = countsOf(left);
  const weight = (name: string, count: number): number => count + (asked.has(name) ? left.size : 0);
  let best: readonly [string, number] = ['', 0];
  for (const [name, count] of counts) {
    const own = weight(name, count);
    if (own > best[1] || (own === best[1] && name < best[0])) best = [name, own];
  }
  return best[0];
}

function countsOf(namesOf: NamesOf): Map<string, number> {
  const counts = new Map<string, number>();
  for (const names of namesOf.values()) for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** Without the names whose addresses the others lead to, the last chosen first. */
function needed(namesOf: NamesOf, chosen: readonly string[]): readonly string[] {
  const kept = new Set(chosen);
  const leading = new Map(
    [...namesOf].map(([address, names]) => [address, chosen.filter((name) => names.has(name)).length]),
  );
  for (const name of [...chosen].reverse()) {
    const own = [...namesOf].filter(([, names]) => names.has(name)).map(([address]) => address);
    if (own.some((address) => leading.get(address) === 1)) continue;
    kept.delete(name);
    for (const address of own) leading.set(address, (leading.get(address) ?? 0) - 1);
  }
  return chosen.filter((name) => kept.has(name));
}
