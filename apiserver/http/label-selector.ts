/** Label selectors as text, as `kubectl -l` sends them: `app=web,tier!=db,zone in (a, b),!canary`. */
import { StatusError } from '../storage/status-error.ts';

type Labels = Readonly<Record<string, string>>;
type Requirement = (value: string | undefined) => boolean;

const KEY = String.raw`([A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?)`;
const VALUE = '[-A-Za-z0-9_.]*';

/** A form of requirement, and what its value must be. The key is the first group. */
const FORMS: readonly (readonly [RegExp, (text: string) => Requirement])[] = [
  [new RegExp(`^!\\s*${KEY}$`), () => (value) => value === undefined],
  [new RegExp(`^${KEY}$`), () => (value) => value !== undefined],
  [new RegExp(`^${KEY}\\s*={1,2}\\s*(${VALUE})$`), (text) => (value) => value === text],
  [new RegExp(`^${KEY}\\s*!=\\s*(${VALUE})$`), (text) => (value) => value !== text],
  [new RegExp(`^${KEY}\\s+in\\s*\\(([^()]*)\\)$`), (text) => oneOf(text)],
  [
    new RegExp(`^${KEY}\\s+notin\\s*\\(([^()]*)\\)$`),
    (text) => {
      const isIn = oneOf(text);
      return (value) => !isIn(value);
    },
  ],
  [new RegExp(`^${KEY}\\s*>\\s*(-?\\d+)$`), (text) => (value) => value !== undefined && Number(value) > Number(text)],
  [new RegExp(`^${KEY}\\s*<\\s*(-?\\d+)$`), (text) => (value) => value !== undefined && Number(value) < Number(text)],
];

/** @returns a function that answers whether labels match @throws StatusError 400 */
export function labelSelector(text: string): (labels: Labels | undefined) => boolean {
  const wanted = splitTop(text).map(requirement);
  return (labels = {}) => wanted.every(([key, holds]) => holds(Object.hasOwn(labels, key) ? labels[key] : undefined));
}

function requirement(text: string): [key: string, holds: Requirement] {
  for (const [form, requirementOf] of FORMS) {
    const [match, key, value = ''] = form.exec(text) ?? [];
    if (match !== undefined) return [key, requirementOf(value)];
  }
  const found = JSON.stringify(text.slice(0, 100));
  throw StatusError.badRequest(
    `unable to parse requirement: found ${found}, wanted one such as app=web, app!=web, app in (a, b), app or !app`,
  );
}

function oneOf(text: string): Requirement {
  const values = new Set(text.split(',').map((one) => one.trim()));
  return (value) => value !== undefined && values.has(value);
}

/** At the commas that stand in no parentheses. */
function splitTop(text: string): string[] {
  if (text.trim() === '') return [];
  const parts: string[] = [];
  let [from, depth] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') depth++;
    else if (text[at] === ')') depth--;
    else if (text[at] === ',' && depth === 0) {
      parts.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  return [...parts, text.slice(from).trim()];
}
