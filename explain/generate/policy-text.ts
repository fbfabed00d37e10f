/** A generated policy as YAML, with what is to be said of it in comments. */
import { Document, isCollection } from 'yaml';
import { stepsOf } from '../../policy/document/document-path.ts';
import type { GeneratedPolicy } from './policy.ts';

/** Pods that a comment names. */
const MOST_NAMED = 5;

/** One document, ending in a newline. */
export function policyText({ object, subjects, notes, comments, unsaid }: GeneratedPolicy): string {
  const document = new Document(object, { aliasDuplicateObjects: false });
  const named = subjects.slice(0, MOST_NAMED).join(', ') + (subjects.length > MOST_NAMED ? ', ...' : '');
  const lines = [
    `Out of recorded flows of ${named}`,
    ...list('Allowed besides what was recorded:', notes),
    ...list('Recorded, and not allowed, since a NetworkPolicy cannot say it:', unsaid),
  ];
  document.commentBefore = lines.map(commentLine).join('\n');
  for (const [path, text] of comments) {
    const node = document.getIn(stepsOf(path), true);
    if (isCollection(node)) node.commentBefore = commentLine(text);
  }
  return document.toString({ lineWidth: 0 });
}

function list(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [title, ...items.map((item) => `  ${item}`)];
}

/** Names in flows are foreign text: whatever is no plain character is shown as a question mark, so that no comment ends early. */
function commentLine(text: string): string {
  return ` ${text.replace(/[^ -~]/g, '?')}`;
}
