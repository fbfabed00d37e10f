/** The header: views, the query line, the connection, the theme. */
import { useEffect, useState } from 'preact/hooks';
import { visible } from '../controls/visible.ts';
import { QueryLine } from '../query/line.tsx';
import { agentStatus, beat, connection } from './connection.tsx';
import { openHelp } from './help.tsx';
import { hrefOf, route } from './location.tsx';
import { theme, turnTheme } from './theme.tsx';
import { VIEW_NAMES } from './view-names.ts';
import { VIEWS } from './views.tsx';

export function Header() {
  return (
    <header class="header">
      <a class="brand" href={hrefOf(VIEW_NAMES[0])}>
        Sluice
      </a>
      <nav aria-label="Views">
        {VIEW_NAMES.map((name) => (
          <a key={name} href={hrefOf(name)} aria-current={route.value.view === name ? 'page' : undefined}>
            {VIEWS[name].title}
          </a>
        ))}
      </nav>
      <QueryLine />
      <ConnectionState />
      <button type="button" class="quiet" onClick={turnTheme} title="Light, dark, or as the system says">
        Theme: {theme.value}
      </button>
      <button type="button" class="quiet" aria-label="Help: keys" onClick={openHelp}>
        ?
      </button>
    </header>
  );
}

const WORDS = { connecting: 'Connecting', live: 'Live', lost: 'Not connected', locked: 'Locked' } as const;

function ConnectionState() {
  const { state, problem, retryAtMs } = connection.value;
  const status = agentStatus.value;
  return (
    <div class={`connection ${state}`} role="status" title={status && `${status.name} ${status.version}`}>
      <span class="dot" aria-hidden="true" />
      <span class="word">
        {WORDS[state]}
        {state === 'live' && status !== undefined ? `: ${visible(status.nodeName)}` : ''}
      </span>
      {problem !== '' && (
        <span class="problem" title={visible(problem)}>
          {visible(problem)}
        </span>
      )}
      {state === 'lost' && <Retry atMs={retryAtMs} />}
    </div>
  );
}

/** Counts down to the next try, without a word to screen readers each second. */
function Retry({ atMs }: { readonly atMs: number }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return (
    <>
      <span aria-hidden="true">again in {Math.max(0, Math.ceil((atMs - now) / 1000))} s</span>
      <button type="button" class="quiet" onClick={() => void beat()}>
        Try now
      </button>
    </>
  );
}
