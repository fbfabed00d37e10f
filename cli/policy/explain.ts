/** `sluice policy explain`: why a flow is allowed or denied, entry by entry, and what would change it. */
import { type Origin, originText } from '../../policy/rule/rule.ts';
import { printDocument } from '../terminal/output.ts';
import { portText } from '../../policy-maps/printed-entry.ts';
import { authName } from '../maps/packet-names.ts';
import type { Settings } from '../terminal/settings.ts';
import { type Column, printable, renderTable } from '../terminal/table.ts';
import type { Candidate } from '../../explain/candidates.ts';
import { explanationDocument, remediesOf, type Side, sidesOf } from '../../explain/explanation.ts';
import type { FlowQuery } from '../../explain/query.ts';
import type { Answer, FlowJudge } from '../../explain/verdict.ts';
import { reservedName } from '../../wire/identities.ts';
import { Failure } from '../terminal/failure.ts';

/** What is told besides: of the flow that the question came from. */
export interface Besides {
  /** Members of the document. */
  readonly document: object;
  /** Printed first, and last. */
  readonly before: string;
  readonly after: string;
}

/** Prints the explanation of one query. @throws Failure when an end of it is not known */
export async function explain(
  settings: Settings,
  judge: FlowJudge,
  query: FlowQuery,
  besides?: Besides,
): Promise<void> {
  const answer = judge.answer(query);
  if (answer.verdict === 'error') throw new Failure(answer.error ?? 'no answer');
  const sides = sidesOf(judge, query);
  const remedies = remediesOf(judge, query, answer);
  if (settings.output !== 'table')
    return printDocument(settings, { ...explanationDocument(answer, sides, remedies), ...besides?.document });
  const { host, paint } = settings;
  host.stdout.write(besides?.before ?? '');
  for (const side of sides) host.stdout.write(sideText(side, host.stdout.columns ?? Number.POSITIVE_INFINITY));
  if (answer.l7 !== 'none') host.stdout.write(requestText(answer, judge.requestOrigins(query)));
  const verdict = answer.verdict === 'allowed' ? paint.green('allowed') : paint.red('denied');
  host.stdout.write(`verdict: ${verdict}\n`);
  for (const remedy of remedies) host.stdout.write(`to allow it, ${remedy}`);
  host.stdout.write(besides?.after ?? '');
  return undefined;
}

function requestText({ l7 = 'none' }: Answer, origins: readonly Origin[]): string {
  const by = origins.length === 0 ? '' : ` of ${[...new Set(origins.map(originText))].join(', ')}`;
  return `request: ${l7} by the L7 rules${by}\n\n`;
}

const INDENT = '  ';
/** Before what stands below a row. */
const BELOW = '      ';

const ENTRY: readonly Column<Candidate>[] = [
  { header: '', cell: ({ isWinner }) => (isWinner ? '*' : ' ') },
  { header: 'POLICY', cell: ({ entry }) => (entry.deny ? 'Deny' : entry.ruleSet > 0 ? 'Redirect' : 'Allow') },
  { header: 'IDENTITY', cell: ({ entry }) => identityText(entry.identity) },
  { header: 'PORT/PROTO', cell: ({ entry }) => portText(entry.protocol, entry.port, entry.portPrefix) },
  { header: 'AUTH', cell: ({ entry }) => authName(entry.authType) },
];

const rulesOf = ({ origins, additions }: Candidate): string[] => [...origins.map(originText), ...additions];

/** A table; where that is too wide, why an entry counts and its rules stand below it, in lines of words. */
function candidateText(candidates: readonly Candidate[], columns: number): string {
  const table = renderTable(
    [...ENTRY, { header: 'WHY', cell: ({ why }) => why }, { header: 'RULES', cell: (one) => rulesOf(one).join('\n') }],
    candidates,
  );
  if (table.split('\n').every((line) => line.length <= columns)) return table;
  const [header, ...rows] = renderTable(ENTRY, candidates).trimEnd().split('\n');
  const lines = rows.flatMap((row, at) => {
    const below = [candidates[at].why, ...rulesOf(candidates[at])];
    return [
      row,
      ...below.flatMap((text) => wrapped(printable(text), columns - BELOW.length).map((line) => BELOW + line)),
    ];
  });
  return `${[header, ...lines].join('\n')}\n`;
}

/** Lines of whole words. */
function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [''];
  for (const word of text.split(/\s+/)) {
    const last = lines[lines.length - 1];
    if (last !== '' && last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

function sideText(side: Side, columns: number): string {
  const { direction, subject, remote, outcome, candidates } = side;
  const { answer } = outcome;
  const [from, to] = direction === 'egress' ? [subject, remote] : [remote, subject];
  const title = `${direction} of ${subject.text}: ${from.text} (identity ${from.identity}) -> ${to.text} (identity ${to.identity})\n`;
  if (subject.endpoint === undefined) return `${title}  not judged: no policy is kept for it here\n\n`;
  const table = candidates.length === 0 ? 'no entry matches\n' : candidateText(candidates, columns - INDENT.length);
  const shown = table.replace(/^(?=.)/gm, INDENT);
  const closed = answer.match === 'none' && answer.verdict === 'denied' ? closedText(side) : '';
  return `${title}${shown}${closed}  => ${answer.verdict}\n\n`;
}

/** `11 aggregate-cluster`; identities of workloads and prefixes have no name. */
function identityText(identity: number): string {
  const name = identity === 0 ? 'any' : reservedName(identity);
  return name === undefined ? String(identity) : `${identity} ${name}`;
}

function closedText({ direction, origins }: Side): string {
  return origins.length === 0 ? '' : `  ${direction} is closed by ${origins.map(originText).join(', ')}\n`;
}
