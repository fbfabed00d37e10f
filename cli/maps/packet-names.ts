/** Numbers of packets and policies as people call them. */

/** Names of policy authentication types. */
export function authName(authType: number): string {
  return ['disabled', 'spire', 'test-always-fail'][authType] ?? String(authType);
}

/** Set bits of `flags` as the names that stand for them, lowest bit first. */
export function flagNames(flags: number, names: Readonly<Record<number, string>>): string[] {
  return Object.entries(names)
    .filter(([bit]) => (flags & Number(bit)) !== 0)
    .map(([, name]) => name);
}
