/** The drawing of one policy: the pods that it is about in the middle, sources to the left, destinations to the right. */
import { visible } from '../controls/visible.ts';
import { EntryCard } from './entry-card.tsx';
import { openForm } from './form-dialog.tsx';
import { DIRECTIONS, type Direction, type Drawing, type DrawnRule, type DrawnSide } from './model/drawing.ts';
import { entryForm, subjectForm } from './model/forms.ts';
import { partOf } from './model/part.ts';
import { groupText } from './model/peer-text.ts';
import type { Group } from './model/peers.ts';
import { selectorText } from './model/selector-text.ts';
import { click } from './store.tsx';

const GROUPS: readonly Group[] = ['anyone', 'namespace', 'cluster', 'outside'];

export function Board({ drawing, isCurrent }: { readonly drawing: Drawing; readonly isCurrent: boolean }) {
  return (
    <section class="board" aria-label="Drawing">
      {!isCurrent && (
        <p class="stale" role="status">
          The text has mistakes. This is what it was before; mend the text to go on here.
        </p>
      )}
      <fieldset disabled={!isCurrent}>
        <legend class="heard">Drawing of the policy</legend>
        {drawing.rules.map((rule, i) => (
          <Rule key={String(rule.path)} rule={rule} drawing={drawing} number={drawing.rules.length > 1 ? i + 1 : 0} />
        ))}
        {drawing.kept.length > 0 && (
          <p class="kept">
            Kept as text, not drawn: <span class="mono">{visible(drawing.kept.join(', '))}</span>
          </p>
        )}
      </fieldset>
    </section>
  );
}

interface RuleProps {
  readonly rule: DrawnRule;
  readonly drawing: Drawing;
  /** 0: the only one. */
  readonly number: number;
}

function Rule({ rule, drawing, number }: RuleProps) {
  const [ingress, egress] = DIRECTIONS.map((direction) => (
    <Side key={direction} side={rule[direction]} direction={direction} rule={rule} drawing={drawing} />
  ));
  return (
    <section class="rule" aria-label={number === 0 ? 'Rule' : `Rule ${number}`}>
      {ingress}
      <Subject rule={rule} drawing={drawing} />
      {egress}
    </section>
  );
}

function Subject({ rule, drawing }: Omit<RuleProps, 'number'>) {
  const { selector, isOfNodes, path, description } = rule;
  const who = selectorText(selector) || (isOfNodes ? 'Every node' : 'Every pod');
  const where = drawing.namespace === '' ? 'of any namespace' : `of ${drawing.namespace}`;
  return (
    <div class="subject">
      <h3>{isOfNodes ? 'Nodes' : 'Pods'}</h3>
      <button
        type="button"
        class="who"
        aria-label={`Change the pods: ${visible(who)}`}
        onClick={() => openForm(subjectForm(path, selector))}
      >
        {visible(who)}
      </button>
      {!isOfNodes && <p class="where">{visible(where)}</p>}
      {description !== '' && <p class="description">{visible(description)}</p>}
    </div>
  );
}

interface SideProps {
  readonly side: DrawnSide;
  readonly direction: Direction;
  readonly rule: DrawnRule;
  readonly drawing: Drawing;
}

const TITLES = { ingress: 'May come in', egress: 'May be reached' } as const;

function Side({ side, direction, rule, drawing }: SideProps) {
  const { isClosed, entries } = side;
  const isNobody = isClosed && entries.every(({ peers, isDeny }) => isDeny || peers.length === 0);
  return (
    <section class={`side ${direction}`} aria-label={TITLES[direction]}>
      <h3>{TITLES[direction]}</h3>
      <button
        type="button"
        class="closes"
        aria-pressed={isClosed}
        onClick={() => click({ do: 'default-deny', rule: rule.path, direction, isOn: !isClosed })}
      >
        {isClosed ? (isNobody ? 'Everything is dropped' : 'Everything else is dropped') : 'Everything else passes'}
      </button>
      {GROUPS.map((group) => (
        <GroupBox key={group} group={group} side={side} direction={direction} rule={rule} drawing={drawing} />
      ))}
    </section>
  );
}

function GroupBox({ group, side, direction, rule, drawing }: SideProps & { readonly group: Group }) {
  const cards = side.entries.flatMap((entry) => {
    const peers = entry.peers.filter((peer) => peer.group === group);
    return peers.length === 0 ? [] : [{ entry, peers }];
  });
  const { shown, rest } = partOf(cards);
  const { namespace } = drawing;
  if (group === 'namespace' && namespace === '') return null;
  const title = groupText(group, visible(namespace));
  return (
    <section class={`group ${group}`} aria-label={title}>
      <header>
        <h4>{title}</h4>
        <button
          type="button"
          class="quiet"
          aria-label={`Add: ${title}, ${direction}`}
          onClick={() => openForm(entryForm({ rule: rule.path, direction, group, namespace }))}
        >
          + Add
        </button>
      </header>
      {shown.map(({ entry, peers }) => (
        <EntryCard key={String(entry.path)} entry={entry} peers={peers} namespace={namespace} kind={drawing.kind} />
      ))}
      {rest !== '' && <p class="shared">{rest}</p>}
    </section>
  );
}
