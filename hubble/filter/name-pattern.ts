/** Name patterns of filters: letters, digits, `-`, `_`, `.`, and `*` for any characters, dots included; upper and lower case alike. */

/** Answers whether a name matches. */
export type NamePredicate = (name: string) => boolean;

/** A pattern as the pieces between its stars; matching is a search for each in turn, linear in the name. */
function compilePattern(pattern: string): NamePredicate {
  const canonical = pattern.trim().replace(/\.$/, '').toLowerCase();
  if (canonical === '') throw new SyntaxError('empty pattern');
  if (canonical.endsWith('.')) throw new SyntaxError(`multiple trailing dots in pattern "${pattern}"`);
  const stranger = /[^-_.*0-9a-z]/.exec(canonical);
  if (stranger !== null) throw new SyntaxError(`'${stranger[0]}': invalid character in pattern "${pattern}"`);
  const pieces = canonical.split('*');
  return (name) => matchesPieces(name.replace(/\.$/, '').toLowerCase(), pieces);
}

function matchesPieces(name: string, pieces: readonly string[]): boolean {
  if (pieces.length === 1) return name === pieces[0];
  const last = pieces[pieces.length - 1];
  if (!name.startsWith(pieces[0]) || !name.endsWith(last)) return false;
  let at = pieces[0].length;
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= name.length - last.length;
}

/**
 * Compiles alternatives for names of pods and services: `namespace/prefix`; without a slash namespace `default`; an empty namespace is any.
 * @returns whether something of that namespace and name is meant
 * @throws SyntaxError
 */
export function compileQualifiedNames(values: readonly string[]): (namespace: string, name: string) => boolean {
  const wanted = values.map(qualified);
  return (namespace, name) =>
    wanted.some((one) => (one.namespace === '' || one.namespace === namespace) && name.startsWith(one.prefix));
}

/** Whether such a text means all of a namespace, or of every one. */
export function isWholeNamespace(value: string): boolean {
  return qualified(value).prefix === '';
}

function qualified(value: string): { namespace: string; prefix: string } {
  const slash = value.indexOf('/');
  if (value === '') throw new SyntaxError('invalid filter, must be [namespace/][<name>], got ""');
  return slash < 0
    ? { namespace: 'default', prefix: value }
    : { namespace: value.slice(0, slash), prefix: value.slice(slash + 1) };
}

/** Compiles alternatives for DNS names. @throws SyntaxError */
export function compileNamePatterns(patterns: readonly string[]): NamePredicate {
  const compiled = patterns.map(compilePattern);
  return (name) => compiled.some((matches) => matches(name));
}

/**
 * Compiles alternatives for node names: `node`, `cluster/node`, `cluster/` or `/node`; an empty part is any. A node name
 * without a cluster is in cluster `default`.
 * @throws SyntaxError
 */
export function compileNodePatterns(patterns: readonly string[]): NamePredicate {
  const compiled = patterns.map((pattern) => {
    const parts = pattern.split('/');
    if (pattern === '') throw new SyntaxError('empty pattern');
    if (parts.length > 2) throw new SyntaxError(`too many slashes in pattern "${pattern}"`);
    const [cluster, node] = parts.length === 1 ? ['', parts[0]] : parts;
    return { cluster: compilePattern(cluster || '*'), node: compilePattern(node || '*') };
  });
  return (name) => {
    const slash = name.indexOf('/');
    const [cluster, node] = slash < 0 ? ['default', name] : [name.slice(0, slash), name.slice(slash + 1)];
    return compiled.some((pattern) => pattern.cluster(cluster) && pattern.node(node));
  };
}
