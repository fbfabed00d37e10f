/** How the address, the agent's problems and the views name a policy: `Kind/namespace/name`, of a cluster-wide one `Kind/name`. */
export interface PolicyName {
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
}

export function policyKey({ kind = '', namespace = '', name }: PolicyName): string {
  return [kind, namespace, name].filter((part) => part !== '').join('/');
}

/** A key that somebody wrote, as `policyKey` writes it: `Kind//name` is the same as `Kind/name`. */
export function plainKey(text: string): string {
  return text.replace(/\/{2,}/g, '/');
}
