/** Numbers of a status as Kubernetes writes them: those that are 0 are left out, so that `jsonpath` prints nothing for them. */
export function withoutZeros<T extends object>(status: T): Partial<T> {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0)) as Partial<T>;
}
