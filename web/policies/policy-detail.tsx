/** One policy: what it selects, decided and warns of, and its text with the lines that flows hit. */
import { useMemo } from 'preact/hooks';
import type { PolicyDocument } from '../../api/shapes.ts';
import { visible } from '../controls/visible.ts';
import { endName, l7Text, policyText as nameText } from '../flows/cells.ts';
import { queryTextOf, TEXT } from '../query/query.ts';
import { hrefOf } from '../shell/location.tsx';
import type { Situation } from '../stream/decisions.ts';
import { portOf } from '../stream/edge-detail.ts';
import { rulesHit, useExplained } from './explained.tsx';
import { policyKey } from '../controls/policy-key.ts';
import { type PolicyText, policyText, shownLine } from './policy-text.ts';
import { decisions, judged, known } from './store.tsx';
import { TextLines } from './text-lines.tsx';

const MAX_PODS = 100;

interface Props {
  readonly policy: PolicyDocument;
  /** Of its file, as the address has it. */
  readonly line: string;
  readonly path: string;
}

export function PolicyDetail({ policy, line, path }: Props) {
  const key = policyKey(policy);
  const text = useMemo(() => policyText(policy.object), [JSON.stringify(policy.object)]);
  const situations = decisions.value?.situations ?? [];
  useExplained(situations);
  const places = known.value.cookies.flatMap(({ origins }) => origins.filter((origin) => policyKey(origin) === key));
  const wanted = path !== '' ? text.lineOf(path) : line === '' ? 0 : shownLine(text, places, Number(line) || 0);
  return (
    <article class="detail" aria-label={`Policy ${visible(key)}`}>
      <header>
        <a class="back" href={hrefOf('policies')}>
          ← All policies
        </a>
        <h2>{visible(key)}</h2>
        <p class="note mono">{visible(`${policy.file}:${policy.line}`)}</p>
        <div class="actions">
          <a class="button" href={hrefOf('editor', { policy: key })}>
            Open in editor
          </a>
          <a class="button" href={hrefOf('flows', { q: queryTextOf([[TEXT, nameText(policy)]]) })}>
            Flows of this policy
          </a>
        </div>
      </header>
      <Warnings policy={key} text={text} />
      <Pods policy={key} />
      <Situations situations={situations} policy={key} text={text} />
      <TextLines policy={key} text={text} wanted={wanted} hits={rulesHit(situations, key, text)} />
    </article>
  );
}

function Warnings({ policy, text }: { readonly policy: string; readonly text: PolicyText }) {
  const problems = judged.value.problems.filter(({ document }) => document === policy);
  if (problems.length === 0) return null;
  return (
    <section>
      <h3>Warnings</h3>
      <ul class="warnings">
        {problems.map(({ code, message, hint, path, severity }, index) => (
          <li key={index}>
            <strong>
              {severity === 'error' ? '✕ error' : '⚠ warning'} {visible(code)}
            </strong>
            : {visible(message)} <LineLink policy={policy} text={text} path={path} />
            {hint !== undefined && <p class="note">{visible(hint)}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function LineLink({
  policy,
  text,
  path,
}: {
  readonly policy: string;
  readonly text: PolicyText;
  readonly path: string;
}) {
  return (
    <a href={hrefOf('policies', { policy, path: path === '' ? 'spec' : path })}>
      line {text.lineOf(path === '' ? 'spec' : path)}
    </a>
  );
}

function Pods({ policy }: { readonly policy: string }) {
  const { selected } = judged.value;
  const found = selected?.find((one) => policyKey(one) === policy);
  if (found === undefined) return null;
  const { pods, selectsNodes } = found;
  return (
    <section>
      <h3>Selects</h3>
      {pods.length === 0 && <p>{selectsNodes ? 'The nodes.' : 'No pod: it has no effect.'}</p>}
      {pods.length > 0 && (
        <ul class="pods mono">
          {pods.slice(0, MAX_PODS).map((pod) => (
            <li key={pod}>{visible(pod)}</li>
          ))}
          {pods.length > MAX_PODS && <li>and {pods.length - MAX_PODS} more</li>}
        </ul>
      )}
    </section>
  );
}

interface SituationsProps {
  readonly situations: readonly Situation[];
  readonly policy: string;
  readonly text: PolicyText;
}

function Situations({ situations, policy, text }: SituationsProps) {
  return (
    <section>
      <h3>Decided</h3>
      {situations.length === 0 && <p>Never matched: no flow that is kept was decided by it.</p>}
      {situations.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="What it decided">
          <table>
            <thead>
              <tr>
                {['Verdict', 'From', 'To', 'Port', 'Flows', 'Rule'].map((title) => (
                  <th key={title} scope="col">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {situations.map((situation) => (
                <SituationRow key={situation.key} situation={situation} policy={policy} text={text} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

const MARKS = { allowed: ['forwarded', '✓'], denied: ['dropped', '✕'], audited: ['audit', '◐'] } as const;

function SituationRow({ situation, policy, text }: { situation: Situation; policy: string; text: PolicyText }) {
  const { word, flow, count } = situation;
  const [kind, shape] = MARKS[word];
  const {
    source,
    destination,
    source_names: fromNames,
    destination_names: toNames,
    IP,
    is_reply: isReply = false,
  } = flow;
  const ends = [endName(source, fromNames, IP?.source), endName(destination, toNames, IP?.destination)];
  const [from, to] = isReply ? ends.reverse() : ends;
  const rules = [...rulesHit([situation], policy, text).keys()];
  return (
    <tr>
      <td>
        <span class={`verdict ${kind}`}>
          <span aria-hidden="true">{shape}</span>
          {word}
        </span>
      </td>
      <td class="mono">{visible(from)}</td>
      <td class="mono">{visible(to)}</td>
      <td>
        {portOf(flow, isReply)} {visible(l7Text(flow))}
      </td>
      <td class="number">{count}</td>
      <td>
        {rules.map((line) => (
          <a key={line} href={hrefOf('policies', { policy, path: pathAt(situation, policy, text, line) })}>
            line {line}
          </a>
        ))}
      </td>
    </tr>
  );
}

function pathAt(situation: Situation, policy: string, text: PolicyText, line: number): string {
  return rulesHit([situation], policy, text).get(line)?.path ?? '';
}
