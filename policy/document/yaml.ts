/** YAML text -> tree -> plain values, with the problems of both steps in the words of problems.ts. */
import {
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  type ParsedNode,
  type Document as YamlDocument,
  type YAMLError,
} from 'yaml';
import { hasErrors, type Problem } from '../rule/problems.ts';
import { Reader } from './reader.ts';
import { depthFault, STACK_EXCEEDED, tooDeep } from './nesting.ts';
import { withoutMark } from './stream.ts';
import type { Shape } from './shape.ts';

/** What was read of a text; `reader` tells the place of each value, and takes further problems. */
export interface Reading {
  /** undefined when the text is empty, or is no YAML. */
  readonly value: unknown;
  readonly reader: Reader;
}

/** Reads a text of one YAML document as `shape`. Everything that is wrong with it is in `reader.problems`. */
export function readYaml(text: string, file: string, shape: Shape): Reading {
  const lines = new LineCounter();
  const options = { lineCounter: lines, merge: false, logLevel: 'silent' } as const;
  const plain = withoutMark(text);
  const fault = depthFault(plain);
  const yaml = fault === undefined ? parseDocument(plain, options) : tooDeep(plain, fault, lines);
  const reader = new Reader(yaml, lines, file);
  reader.problems.push(...syntaxProblems(yaml, lines, file));
  const isReadable = !hasErrors(reader.problems) && !isEmpty(yaml.contents);
  return { value: isReadable ? reader.read(yaml.contents, shape, '') : undefined, reader };
}

/** Nothing but comments. */
export function isEmpty(node: Node | ParsedNode | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

/** More of one document help nobody: they follow from the first. */
const SYNTAX_PROBLEMS_MAX = 20;

/** What the parser says of a document. */
export function syntaxProblems(yaml: YamlDocument, lines: LineCounter, file: string): Problem[] {
  const toProblem =
    (severity: 'error' | 'warning') =>
    (error: YAMLError): Problem => {
      const { line, col } = lines.linePos(error.pos[0]);
      const place = { file, line: Math.max(1, line), column: Math.max(1, col), path: '' };
      const hint = { hint: 'check the indentation; a line --- stands between two documents' };
      const message = `read YAML: ${syntaxSentence(error)}`;
      return { ...place, severity, message, code: 'syntax', ...(error.code === 'DUPLICATE_KEY' && hint) };
    };
  const template = templateProblem(yaml, lines, file);
  if (template !== undefined) return [template];
  const errors = leadingErrors(yaml.errors);
  const told = errors.slice(0, SYNTAX_PROBLEMS_MAX).map(toProblem('error'));
  const more = errors.length - told.length;
  if (more > 0) told.push({ ...told[told.length - 1], message: `read YAML: ${more} more errors follow` });
  return [...told, ...yaml.warnings.map(toProblem('warning'))];
}

/** A document with `{{ }}` in it that is no YAML is a template that nobody has filled in: one line instead of twenty. */
function templateProblem(yaml: YamlDocument, lines: LineCounter, file: string): Problem | undefined {
  for (const { message: shown, pos } of yaml.errors) {
    const [marks] = /\{\{[^{}]{0,200}\}\}/.exec(shown) ?? [];
    if (marks === undefined) continue;
    const { line, col } = lines.linePos(pos[0]);
    const place = { file, line: Math.max(1, line), column: Math.max(1, col), path: '' };
    const message = `read YAML: found the template ${marks}, wanted what it stands for`;
    return { ...place, severity: 'error', code: 'syntax', message, hint: 'render it first (helm template)' };
  }
  return undefined;
}

/** The first error of each place; of a document that is too deep the place alone: it has one error for each level. */
function leadingErrors(errors: readonly YAMLError[]): readonly YAMLError[] {
  const deep = errors.find(({ message }) => message.startsWith(STACK_EXCEEDED));
  if (deep !== undefined) return [deep];
  const places = new Set<number>();
  return errors.filter(({ pos: [at] }) => !places.has(at) && places.add(at));
}

function syntaxSentence({ code, message }: YAMLError): string {
  if (code === 'DUPLICATE_KEY') return 'found a key that is there already, wanted each once';
  if (message.startsWith(STACK_EXCEEDED)) return 'found brackets or indentation nested too deeply';
  return message.split(' at line ')[0].split('\n')[0];
}
