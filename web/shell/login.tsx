/** The token that an agent on an address of a network wants; the agent answers with a cookie that scripts cannot read. */
import { signal } from '@preact/signals';
import { beat } from './connection.tsx';

const problem = signal('');

async function login(event: SubmitEvent) {
  event.preventDefault();
  const form = event.currentTarget as HTMLFormElement;
  const token = new FormData(form).get('token') as string;
  problem.value = '';
  try {
    const answer = await fetch('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    });
    if (!answer.ok) problem.value = ((await answer.json()) as { readonly error: string }).error;
    form.reset();
  } catch {
    problem.value = 'The agent does not answer.';
  }
  await beat();
}

export function Login() {
  return (
    <form class="login" onSubmit={(event) => void login(event)}>
      <h1>Token</h1>
      <p>The agent wants the token of its ui-token-file.</p>
      <label>
        Token <input name="token" type="password" autocomplete="current-password" required />
      </label>
      <button type="submit">Open the page</button>
      <p role="alert">{problem.value}</p>
    </form>
  );
}
