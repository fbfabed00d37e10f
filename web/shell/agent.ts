/**
 * Questions to the agent that served the page: its API as docs/api.md tells it, as far as the page may ask, and what the
 * page's judge answers under /ui/v1/. Flows come another way, see stream/.
 */
import type { JudgeAnswers } from '../../explain/judge-answers.ts';
import type { Answers } from '../../api/shapes.ts';
import type { Problem } from '../../policy/rule/problems.ts';

type Path<Call> = Call extends `GET ${infer P}` ? P : never;
type GetPath = Path<keyof Answers>;

/** A question that got no answer. The message is a sentence to show. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  /** HTTP's status; 0 when nobody answered. */
  readonly status: number;
  /** What is wrong with manifests that were sent. */
  readonly problems: readonly Problem[];

  constructor(message: string, status = 0, problems: readonly Problem[] = []) {
    super(message);
    this.status = status;
    this.problems = problems;
  }
}

interface AskOptions {
  /** What follows the question mark. */
  readonly query?: Readonly<Record<string, string>>;
  /** Gives the question up; then the promise fails with an AbortError. */
  readonly signal?: AbortSignal | undefined;
}

/** `GET path`. @throws AgentError */
function get<P extends GetPath>(path: P, options: AskOptions = {}): Promise<Answers[`GET ${P}`]> {
  return ask('GET', path, undefined, options) as Promise<Answers[`GET ${P}`]>;
}

/** Puts a question to the judge: `explain`, `validate`, `replay` and so on. @throws AgentError */
function judge<Q extends keyof JudgeAnswers>(
  question: Q,
  body: unknown,
  options: AskOptions = {},
): Promise<JudgeAnswers[Q]> {
  return ask('POST', `/ui/v1/${question}`, JSON.stringify(body), options) as Promise<JudgeAnswers[Q]>;
}

/** Applies manifests; the agent refuses it without ui-write. @throws AgentError, with problems of the manifests */
function apply(manifests: string, options: AskOptions = {}): Promise<Answers['POST /v1/apply']> {
  return ask('POST', '/v1/apply', manifests, options) as Promise<Answers['POST /v1/apply']>;
}

/** What the page may do. */
interface Session {
  /** Manifests may be applied: the agent has `ui-write`. */
  readonly write?: boolean;
}

/** Who one is to the page's thread. @throws AgentError */
function session(): Promise<Session> {
  return ask('GET', '/ui/v1/session', undefined, {}) as Promise<Session>;
}

/** Metrics as Prometheus' text: of agent and dataplane, or of flows. @throws AgentError */
function metrics(path: '/metrics' | '/metrics/flows', options: AskOptions = {}): Promise<string> {
  return askText('GET', path, undefined, options);
}

/** The questions by kind. */
export const agent = { get, judge, apply, session, metrics } as const;

async function ask(method: string, path: string, body: string | undefined, options: AskOptions): Promise<unknown> {
  const text = await askText(method, path, body, options);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new AgentError(`the agent's answer to ${path} is no JSON`, 200);
  }
}

async function askText(method: string, path: string, body: string | undefined, options: AskOptions): Promise<string> {
  const query = new URLSearchParams(options.query).toString();
  const type = body === undefined ? undefined : path === '/v1/apply' ? 'application/yaml' : 'application/json';
  let response: Response;
  try {
    response = await fetch(query === '' ? path : `${path}?${query}`, {
      method,
      ...(body === undefined ? {} : { body }),
      headers: type === undefined ? {} : { 'content-type': type },
      signal: options.signal ?? null,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new AgentError('the agent does not answer');
  }
  const text = await response.text();
  if (!response.ok) throw errorOf(response.status, text);
  return text;
}

/** An error of the API is `{"error": "...", "problems": []}`; what a proxy on the way says may be anything. */
function errorOf(status: number, text: string): AgentError {
  try {
    const { error, problems } = JSON.parse(text) as { readonly error?: unknown; readonly problems?: unknown };
    const found = Array.isArray(problems) ? (problems as Problem[]) : [];
    if (typeof error === 'string') return new AgentError(error, status, found);
    if (found.length > 0) return new AgentError(found[0].message, status, found);
  } catch {
    // No JSON: the status must do.
  }
  return new AgentError(
    status === 401 ? 'the agent wants its token' : `the agent answered with status ${status}`,
    status,
  );
}
