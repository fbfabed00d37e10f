/** The page around the views. */
import { signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { Empty } from '../controls/empty.tsx';
import { followQuery } from '../query/following.tsx';
import { focusQueryLine } from '../query/line.tsx';
import { Boundary } from './boundary.tsx';
import { beat, connection } from './connection.tsx';
import { Header } from './header.tsx';
import { Help, openHelp } from './help.tsx';
import { type Key, useKeys } from './keyboard.tsx';
import { go, route } from './location.tsx';
import { Login } from './login.tsx';
import { announce } from './notices.tsx';
import { NoticesCorner } from './notices-corner.tsx';
import { VIEW_NAMES, type ViewName } from './view-names.ts';
import { VIEWS } from './views.tsx';
import './shell.css';

const SHELL_KEYS: readonly Key[] = [
  ...VIEW_NAMES.map((name, index) => ({
    key: String(index + 1),
    does: `go to ${VIEWS[name].title}`,
    run: () => go(name),
  })),
  { key: '/', does: 'write in the query line', run: focusQueryLine },
  { key: '?', does: 'show the keys', run: openHelp },
];

export function App() {
  useKeys(SHELL_KEYS);
  useEffect(() => {
    void beat();
    followQuery();
  }, []);
  const name = route.value.view as ViewName;
  useEffect(() => {
    document.title = `${VIEWS[name].title} - Sluice`;
    announce(VIEWS[name].title);
  }, [name]);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        To the content
      </a>
      <Header />
      <main id="main" tabIndex={-1} class={`view-${name}`}>
        {connection.value.state === 'locked' ? (
          <Login />
        ) : (
          <Boundary key={name}>
            <Loaded name={name} />
          </Boundary>
        )}
      </main>
      <Help />
      <NoticesCorner />
    </>
  );
}

/** The address names the view, so a jump inside the page must leave it alone. */
function skip(event: Event) {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

/** Views whose code has come, and why that of others has not. */
const loaded = signal<Readonly<Partial<Record<ViewName, ComponentType>>>>({});
const missing = signal<Readonly<Partial<Record<ViewName, true>>>>({});

function load(name: ViewName) {
  missing.value = { ...missing.value, [name]: undefined };
  VIEWS[name].load().then(
    (View) => (loaded.value = { ...loaded.value, [name]: View }),
    () => (missing.value = { ...missing.value, [name]: true }),
  );
}

function Loaded({ name }: { readonly name: ViewName }) {
  useEffect(() => {
    if (loaded.value[name] === undefined) load(name);
  }, [name]);
  const View = loaded.value[name];
  if (View !== undefined) return <View />;
  if (!missing.value[name]) return <p class="loading">Loading…</p>;
  return (
    <Empty title="This view did not load" text="The agent went away, or was replaced by another version.">
      <button type="button" onClick={() => load(name)}>
        Load it again
      </button>
      <button type="button" onClick={() => window.location.reload()}>
        Load the page again
      </button>
    </Empty>
  );
}
