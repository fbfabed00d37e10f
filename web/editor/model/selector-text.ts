/** Selectors and ports as people type and read them: `app=web, tier in (a, b), !old`, and `80/TCP, 8000-8080, http`. */
import type { Port } from './drawing.ts';
import { Unsayable } from './edits.ts';
import type { Selector } from './peers.ts';
import { fieldOf, fieldsOf, itemsOf, textOf } from './values.ts';

/** As kubectl has it; '' selects everything. */
export function selectorText(selector: Selector): string {
  const labels = Object.entries(fieldsOf(selector['matchLabels'])).map(([key, value]) => `${key}=${textOf(value)}`);
  return [...labels, ...itemsOf(selector['matchExpressions']).map(expressionText)].join(', ');
}

function expressionText(expression: unknown): string {
  const key = textOf(fieldOf(expression, 'key'));
  const values = itemsOf(fieldOf(expression, 'values')).map(textOf).join(', ');
  switch (fieldOf(expression, 'operator')) {
    case 'In':
      return `${key} in (${values})`;
    case 'NotIn':
      return `${key} notin (${values})`;
    case 'DoesNotExist':
      return `!${key}`;
    default:
      return key;
  }
}

/** @throws Unsayable with what was wanted */
export function parseSelector(text: string): Selector {
  const matchLabels: Record<string, string> = {};
  const matchExpressions: object[] = [];
  for (const part of partsOf(text)) {
    const among = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/i.exec(part);
    const differs = /^([^=!\s]+)\s*!=\s*([^=\s]*)$/.exec(part);
    const equals = /^([^=!\s]+)\s*==?\s*([^=\s]*)$/.exec(part);
    const name = /^(!?)\s*([^=!\s()]+)$/.exec(part);
    if (among !== null) {
      const [, key, operator, values] = among;
      const isIn = operator.toLowerCase() === 'in';
      matchExpressions.push({
        key,
        operator: isIn ? 'In' : 'NotIn',
        values: values.split(',').map((one) => one.trim()),
      });
    } else if (differs !== null) matchExpressions.push({ key: differs[1], operator: 'NotIn', values: [differs[2]] });
    else if (equals !== null) matchLabels[equals[1]] = equals[2];
    else if (name !== null)
      matchExpressions.push({ key: name[2], operator: name[1] === '!' ? 'DoesNotExist' : 'Exists' });
    else throw new Unsayable(`found ${JSON.stringify(part)}, wanted labels as in: app=web, tier in (a, b), !old`);
  }
  return {
    ...(Object.keys(matchLabels).length > 0 && { matchLabels }),
    ...(matchExpressions.length > 0 && { matchExpressions }),
  };
}

/** At commas that are not between brackets. */
function partsOf(text: string): string[] {
  return text
    .split(/,(?![^()]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** `80/TCP`, `1000-2000/UDP`, `every port/TCP`. */
export function portText({ port, endPort, protocol }: Port): string {
  const range = endPort === undefined ? '' : `-${endPort}`;
  return `${port === '' ? 'every port' : port}${range}/${protocol}`;
}

/** Ports with a comma between two; none = every port and protocol. @throws Unsayable with what was wanted */
export function parsePorts(text: string): Port[] {
  return partsOf(text).map(parsePort);
}

const PORT_MAX = 65_535;

function parsePort(text: string): Port {
  const [, port, end, protocol = 'TCP'] = /^([a-z0-9.-]+?|every port)(?:-(\d+))?(?:\/([a-z0-9]+))?$/i.exec(text) ?? [];
  const isNumber = /^\d+$/.test(port ?? '');
  const isInRange = !isNumber || (Number(port) >= 1 && Number(port) <= PORT_MAX);
  const isEnd = end === undefined || (isNumber && Number(end) >= Number(port) && Number(end) <= PORT_MAX);
  if (port === undefined || !isInRange || !isEnd)
    throw new Unsayable(`found ${JSON.stringify(text)}, wanted a port as in: 80, 8000-8080/TCP, http, 53/ANY`);
  return {
    port: port === 'every port' ? '' : port,
    endPort: end === undefined ? undefined : Number(end),
    protocol: protocol.toUpperCase(),
  };
}
