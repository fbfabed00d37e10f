/** The query line: what is written here holds in every view, and stands in the address. Its offers are a listbox (ARIA's combobox). */
import { signal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import { visible } from '../controls/visible.ts';
import { agent } from '../shell/agent.ts';
import { queryText, setParam } from '../shell/location.tsx';
import { announce } from '../shell/notices.tsx';
import { complete, type Completion, type KnownValues, type Offer } from './completion.ts';
import { queryProblem } from './following.tsx';
import { knownValues } from './known-values.ts';
import { pastedQuery } from './observe-command.ts';
import './line.css';

const ID = 'query-line';
const KNOWN_MS = 15_000;

/** Puts the cursor into the query line. */
export function focusQueryLine(): void {
  const input = document.getElementById(ID) as HTMLInputElement | null;
  input?.focus();
  input?.select();
}

const known = signal<KnownValues>({});
let knownAtMs = -KNOWN_MS;

/** Asks for the names to offer, when what was heard is old. Without them there are fewer offers, so failures are nobody's business. */
async function learn(): Promise<void> {
  if (performance.now() - knownAtMs < KNOWN_MS) return;
  knownAtMs = performance.now();
  const none = () => undefined;
  const [endpoints, services, identities] = await Promise.all([
    agent.get('/v1/endpoints').catch(none),
    agent.get('/v1/services').catch(none),
    agent.get('/v1/identities').catch(none),
  ]);
  known.value = knownValues({
    ...(Array.isArray(endpoints) && { endpoints }),
    ...(Array.isArray(services) && { services }),
    ...(Array.isArray(identities) && { identities }),
  });
}

const NONE: Completion = { from: 0, to: 0, offers: [] };
const completion = signal(NONE);
const chosen = signal(-1);

function offerAt(input: HTMLInputElement): void {
  completion.value = complete(input.value, input.selectionStart ?? input.value.length, known.value);
  chosen.value = -1;
}

function close(): void {
  completion.value = NONE;
}

function take(input: HTMLInputElement, { insert }: Offer): void {
  const { from, to } = completion.value;
  const before = input.value.slice(0, from) + insert;
  input.value = before + input.value.slice(to).replace(/^ /, '');
  input.setSelectionRange(before.length, before.length);
  setParam('q', input.value);
  offerAt(input);
}

/** @returns whether the key was for the offers */
function steer(key: string, input: HTMLInputElement): boolean {
  const { offers } = completion.value;
  if (key === 'ArrowDown' && offers.length === 0) offerAt(input);
  else if (offers.length === 0) return false;
  else if (key === 'ArrowDown') chosen.value = (chosen.value + 1) % offers.length;
  else if (key === 'ArrowUp') chosen.value = (chosen.value <= 0 ? offers.length : chosen.value) - 1;
  else if ((key === 'Enter' || key === 'Tab') && chosen.value >= 0) take(input, offers[chosen.value]);
  else if (key === 'Enter' || key === 'Escape') close();
  else return false;
  return true;
}

function onKeyDown(event: KeyboardEvent): void {
  const input = event.currentTarget as HTMLInputElement;
  if (!steer(event.key, input)) {
    if (event.key !== 'Escape') return;
    input.blur();
  }
  event.preventDefault(); // Escape would take the text away
}

function onPaste(event: ClipboardEvent): void {
  const input = event.currentTarget as HTMLInputElement;
  if (input.selectionStart !== 0 || input.selectionEnd !== input.value.length) return;
  const query = pastedQuery(event.clipboardData?.getData('text') ?? '');
  if (query === undefined) return;
  event.preventDefault();
  setParam('q', query, true);
  announce('The command is now the query');
}

export function QueryLine() {
  const list = useId();
  const input = useRef<HTMLInputElement>(null);
  const { offers } = completion.value;
  const isOpen = offers.length > 0;
  const problem = queryProblem.value;
  useEffect(() => {
    // While one writes, the line is ahead of the address by nothing: so this only moves what links and the Back button bring.
    if (input.current !== null && input.current.value !== queryText.value) input.current.value = queryText.value;
  });
  return (
    <search class="query-line">
      <input
        id={ID}
        ref={input}
        type="search"
        role="combobox"
        aria-label="Query"
        aria-expanded={isOpen}
        aria-controls={list}
        list={undefined}
        aria-autocomplete="list"
        aria-activedescendant={chosen.value >= 0 && isOpen ? `${list}-${chosen.value}` : undefined}
        aria-invalid={problem !== undefined}
        aria-describedby={`${list}-problem`}
        placeholder="Query: --namespace shop --verdict DROPPED, or any word"
        spellcheck={false}
        autocomplete="off"
        defaultValue={queryText.value}
        onFocus={() => void learn()}
        onBlur={close}
        onInput={(event) => {
          setParam('q', event.currentTarget.value);
          offerAt(event.currentTarget);
        }}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
      />
      <div class="query-below">
        <p id={`${list}-problem`} class="query-problem" role="status" hidden={problem === undefined}>
          {problem !== undefined && (
            <>
              {problem.at !== '' && <code>{visible(problem.at)}</code>} {visible(problem.message)}
            </>
          )}
        </p>
        <ul id={list} role="listbox" aria-label="What could come next" hidden={!isOpen}>
          {offers.map((offer, index) => (
            <Choice key={offer.insert} offer={offer} id={`${list}-${index}`} index={index} input={input.current} />
          ))}
        </ul>
      </div>
    </search>
  );
}

interface ChoiceProps {
  readonly offer: Offer;
  readonly id: string;
  readonly index: number;
  readonly input: HTMLInputElement | null;
}

function Choice({ offer, id, index, input }: ChoiceProps) {
  const isChosen = chosen.value === index;
  const self = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isChosen) self.current?.scrollIntoView({ block: 'nearest' });
  }, [isChosen]);
  return (
    <li
      ref={self}
      id={id}
      role="option"
      aria-selected={isChosen}
      // The line keeps the cursor.
      onPointerDown={(event) => {
        event.preventDefault();
        if (input !== null) take(input, offer);
      }}
    >
      <code>{visible(offer.insert.trim())}</code>
      <span>{offer.says}</span>
    </li>
  );
}
