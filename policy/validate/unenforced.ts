/**
 * What is right in a policy, is compiled and judged offline, and is not enforced live yet: who writes such a rule must hear so
 * where it is read (a warning), where it is explained, and in the status of an instance that has it in force. This table is the one
 * home of that. When the dataplane gets a parser the row goes; explain/unenforced.test.ts holds the rows to
 * the registry of parsers.
 */
import { type CiliumElement, type CiliumPortRule, type CiliumRule, RULE_LISTS } from '../document/cilium-document.ts';

interface Row {
  /** The field as people know it. */
  readonly field: string;
  /** What is not done yet. */
  readonly lacking: string;
  /** What happens instead. */
  readonly instead: string;
}

const REFUSED = 'this dataplane refuses the stream: TCP is reset, UDP dropped (180)';

export const UNENFORCED = {
  kafka: { field: 'rules.kafka', lacking: 'the dataplane does not read Kafka', instead: REFUSED },
} as const satisfies Readonly<Record<string, Row>>;

/** A parser as rule sets name it. */
export type Unenforced = keyof typeof UNENFORCED;

/** One place in a policy. */
export interface UnenforcedUse {
  readonly feature: Unenforced;
  /** Of the field, e.g. `spec.egress[0].toPorts[0].rules.dns`. */
  readonly path: string;
}

/** @param object of a Cilium policy; of any other kind nothing is found */
export function unenforcedUses(object: { spec?: CiliumRule; specs?: readonly CiliumRule[] }): readonly UnenforcedUse[] {
  const { spec, specs = [] } = object;
  const rules = [...(spec === undefined ? [] : [{ rule: spec, path: 'spec' }])];
  for (const [i, rule] of specs.entries()) rules.push({ rule, path: `specs[${i}]` });
  return rules.flatMap(({ rule, path }) =>
    RULE_LISTS.flatMap(({ field }) =>
      (rule[field] ?? []).flatMap((element, i) => usesOfElement(element, `${path}.${field}[${i}]`)),
    ),
  );
}

function usesOfElement({ toPorts = [] }: CiliumElement, path: string): UnenforcedUse[] {
  return toPorts.flatMap((rule, i) => usesOfPorts(rule, `${path}.toPorts[${i}]`));
}

function usesOfPorts(rule: CiliumPortRule, path: string): UnenforcedUse[] {
  const { rules = {}, terminatingTLS, originatingTLS } = rule;
  // These close the port, offline too, and are warned about by themselves.
  if (terminatingTLS !== undefined || originatingTLS !== undefined) return [];
  const uses: UnenforcedUse[] = [];
  if ((rules.kafka ?? []).length > 0) uses.push({ feature: 'kafka', path: `${path}.rules.kafka` });
  return uses;
}
