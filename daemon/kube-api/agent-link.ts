/**
 * The thread's end of what it hands to the agent: every write of an object that the agent enforces, in the order of the writes, and questions
 * about objects that are about to be written. It is the Admission of the API.
 *
 *     Storage.watch --> gathered until the loop turns --> { objects, ticket } --> agent: store, sync --> { answer }
 *
 * One message is under way at a time; what is written meanwhile goes with the next. An agent that does not answer within PATIENCE_MS (it is
 * compiling a large world) keeps nobody waiting longer: the write stands, and its writer is warned.
 */
import type { Admission, Verdict } from '../../apiserver/http/admission.ts';
import { keyOfObject, type KubeObject, type ResourceName } from '../../apiserver/storage/kube-object.ts';
import type { StatusCause } from '../../apiserver/storage/status-error.ts';
import { StatusError } from '../../apiserver/storage/status-error.ts';
import type { Storage } from '../../apiserver/storage/storage.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import type { Reference } from '../source/text.ts';
import { fedManifest, fedObject, FED_RESOURCES, isFed, isWanted } from './fed-objects.ts';
import type { FromKubeApi, ToKubeApi } from './messages.ts';

const PATIENCE_MS = 10_000;
/** Questions that wait for the agent. */
const CHECKS = 256;

type Answered = NonNullable<ToKubeApi['answer']>;

export class AgentLink implements Admission {
  readonly #storage: Storage;
  readonly #tell: (message: FromKubeApi) => void;
  readonly #waiting = new Map<number, (answer: Answered | undefined) => void>();
  readonly #changed = new Map<string, { readonly resource: ResourceName; readonly object: KubeObject }>();
  #lastTicket = 0;
  /** Of the message that is under way. */
  #sending: Promise<string> | undefined;
  #next: Promise<string> | undefined;
  #isAll = true;

  constructor(storage: Storage, tell: (message: FromKubeApi) => void) {
    this.#storage = storage;
    this.#tell = tell;
  }

  /** Hands over what there is, and then each write. @returns when the agent has published it, or has had its time */
  async start(): Promise<void> {
    for (const resource of FED_RESOURCES) {
      this.#storage.watch(resource, ({ object }) => this.#note(resource, object));
      for (const object of this.#storage.list(resource)) this.#note(resource, object);
    }
    await this.published();
  }

  /** Takes what the agent says. */
  take(answer: Answered): void {
    this.#waiting.get(answer.ticket)?.(answer);
  }

  concerns(resource: ResourceName): boolean {
    return isFed(resource);
  }

  async check(object: KubeObject): Promise<Verdict> {
    if (this.#waiting.size >= CHECKS) throw StatusError.tooManyRequests(`${CHECKS} objects are being read: try again`);
    const answer = await this.#ask((ticket) => ({ check: { ticket, object: fedManifest(object) } }));
    if (answer === undefined) throw new StatusError(504, 'Timeout', unanswered('read the object'));
    if (answer.error !== '') throw StatusError.internal(answer.error);
    const isError = ({ severity }: Problem): boolean => severity === 'error';
    return {
      causes: answer.problems.filter(isError).map(causeOf),
      warnings: answer.problems.filter((one) => !isError(one)).map(textOf),
    };
  }

  /** Waits for what was written before; a message that is under way may have begun without it. */
  async published(): Promise<string> {
    if (this.#changed.size === 0 && !this.#isAll) return (await this.#sending) ?? '';
    this.#next ??= this.#after(this.#sending);
    return await this.#next;
  }

  async #after(before: Promise<string> | undefined): Promise<string> {
    await before;
    this.#next = undefined;
    this.#sending = this.#send();
    try {
      return await this.#sending;
    } finally {
      this.#sending = undefined;
    }
  }

  async #send(): Promise<string> {
    const isAll = this.#isAll;
    const changes = [...this.#changed.values()];
    this.#changed.clear();
    this.#isAll = false;
    const put: KubeObject[] = [];
    const removed: Reference[] = [];
    for (const { resource, object } of changes) {
      const { name, namespace = '' } = object.metadata;
      const now = this.#storage.get(resource, namespace, name);
      const isOurs = now !== undefined && !this.#storage.isMirrored(resource, namespace, name);
      if (isOurs && isWanted(resource, now)) put.push(now);
      else removed.push({ kind: object.kind, namespace, name });
    }
    const answer = await this.#ask((ticket) => ({ objects: { ticket, put: put.map(fedObject), removed, isAll } }));
    if (answer === undefined) return unanswered('publish what was written');
    return answer.error === '' ? '' : `not in force: ${answer.error}`;
  }

  #note(resource: ResourceName, object: KubeObject): void {
    const { name, namespace = '' } = object.metadata;
    // What is mirrored is the agent's already.
    if (this.#storage.isMirrored(resource, namespace, name)) return;
    this.#changed.set(`${resource} ${keyOfObject(object)}`, { resource, object });
    void this.published();
  }

  #ask(message: (ticket: number) => FromKubeApi): Promise<Answered | undefined> {
    const ticket = ++this.#lastTicket;
    return new Promise((resolve) => {
      const timer = setTimeout(() => done(undefined), PATIENCE_MS).unref();
      const done = (answer: Answered | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(ticket);
        resolve(answer);
      };
      this.#waiting.set(ticket, done);
      this.#tell(message(ticket));
    });
  }
}

function unanswered(what: string): string {
  return `the agent has not found the time to ${what} within ${PATIENCE_MS / 1000} s; \`sluice status\` says how it is`;
}

function causeOf(problem: Problem): StatusCause {
  return { field: problem.path, reason: 'FieldValueInvalid', message: textOf({ ...problem, path: '' }) };
}

/** As `sluice policy validate` says it, without a file that nobody has. */
function textOf({ path, message, hint }: Problem): string {
  return `${message}${path === '' ? '' : ` (${path})`}${hint === undefined ? '' : `; hint: ${hint}`}`;
}
