/**
 * A document away from its text: the object as it was read, with the places of its rules. It can be sent to another program, or
 * changed, and read again there; its rules are still named by the file and lines that they were written in.
 */
import { parentPath } from './document-path.ts';
import { type Document, type Documents, readDocuments } from './document.ts';
import type { PolicyConfig } from '../rule/options.ts';
import type { Element, Origin, Policy, Rule } from '../rule/rule.ts';

export interface PlacedObject {
  readonly object: Document['object'];
  readonly file: string;
  /** Of the document, from 1. */
  readonly line: number;
  /** Of its rules, by path. */
  readonly lines: Readonly<Record<string, number>>;
}

export function placedObject({ object, file, line, policy }: Document): PlacedObject {
  const origins = (policy?.rules ?? []).flatMap(({ origin, ingress, egress }) => [
    origin,
    ...[...ingress, ...egress].map((element) => element.origin),
  ]);
  return { object, file, line, lines: Object.fromEntries(origins.map((origin) => [origin.path, origin.line])) };
}

/** Reads it again. What has no place yet, because it was added since, has that of what it stands in. */
export function readPlaced(placed: PlacedObject, config: PolicyConfig): Documents {
  const { documents, problems } = readDocuments(JSON.stringify(placed.object), placed.file, config);
  const put = (one: Document): Document => {
    const { policy } = one;
    return { ...one, line: placed.line, ...(policy !== undefined && { policy: placedPolicy(policy, placed) }) };
  };
  return { documents: documents.map(put), problems: problems.map((one) => ({ ...one, line: placed.line, column: 1 })) };
}

function placedPolicy(policy: Policy, placed: PlacedObject): Policy {
  const origin = (one: Origin): Origin => ({ ...one, line: lineOf(one.path, placed) });
  const element = (one: Element): Element => ({ ...one, origin: origin(one.origin) });
  const rule = (one: Rule): Rule => ({
    ...one,
    origin: origin(one.origin),
    ingress: one.ingress.map(element),
    egress: one.egress.map(element),
  });
  return { ...policy, rules: policy.rules.map(rule) };
}

function lineOf(path: string, { line, lines }: PlacedObject): number {
  for (let at = path; at !== ''; at = parentPath(at)) if (Object.hasOwn(lines, at)) return lines[at];
  return line;
}
