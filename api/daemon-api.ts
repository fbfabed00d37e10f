/** The requests of docs/api.md by name. */
import { type ApiAddress, ApiClient, type Query } from './client.ts';
import { ApiError } from './error.ts';
import type {
  ApplyAnswer,
  CniAttachmentDocument,
  CniRefusal,
  CookieDocument,
  EndpointDocument,
  FqdnCacheDocument,
  FqdnSelectorDocument,
  IdentityDocument,
  ObjectReference,
  PolicyDocument,
  RecordingRequest,
  ServiceDocument,
  StatusDocument,
  WorldLine,
} from './shapes.ts';
import { dirname } from 'node:path';
import { hubbleSocket } from './sockets.ts';
import type { Manifest } from '../policy/document/manifest.ts';
import type { Origin } from '../policy/rule/rule.ts';

interface ApplyQuery extends Query {
  readonly namespace?: string;
  readonly create?: true;
  readonly dryRun?: true;
}

interface DeleteQuery extends Query {
  readonly namespace?: string;
  readonly contents?: true;
  readonly dryRun?: true;
}

export class DaemonApi {
  readonly client: ApiClient;
  readonly #flows: ApiClient;

  constructor(address: ApiAddress) {
    this.client = new ApiClient(address);
    this.#flows = new ApiClient({ ...address, socketPath: hubbleSocket(dirname(address.socketPath)) });
  }

  status(): Promise<StatusDocument> {
    return this.client.get('/v1/status');
  }

  endpoints(): Promise<readonly EndpointDocument[]> {
    return this.client.get('/v1/endpoints');
  }

  identities(): Promise<readonly IdentityDocument[]> {
    return this.client.get('/v1/identities');
  }

  /** The cookies in use. */
  cookies(): Promise<readonly CookieDocument[]> {
    return this.client.get('/v1/cookies');
  }

  /** The rules behind one cookie; empty when it is unknown. */
  cookie(id: number): Promise<readonly Origin[]> {
    return this.client.get(`/v1/cookies/${id}`);
  }

  services(): Promise<readonly ServiceDocument[]> {
    return this.client.get('/v1/services');
  }

  /** What pods learnt from DNS. @param query `endpoint`, `source`, `pattern` of names; each narrows it */
  fqdnCache(query: Query): Promise<readonly FqdnCacheDocument[]> {
    return this.client.get('/v1/fqdn/cache', query);
  }

  /** Forgets names. @param pattern all when it is not given */
  async cleanFqdnCache(pattern?: string): Promise<{ readonly removed: number }> {
    const call = { method: 'DELETE', query: { pattern } } as const;
    return (await this.client.fetch<{ readonly removed: number }>('/v1/fqdn/cache', call)).body;
  }

  /** The names and patterns of toFQDNs. */
  fqdnNames(): Promise<readonly FqdnSelectorDocument[]> {
    return this.client.get('/v1/fqdn/names');
  }

  /** What container runtimes have attached. */
  cniAttachments(): Promise<readonly CniAttachmentDocument[]> {
    return this.client.get('/v1/cni');
  }

  /** Whether a runtime could attach a pod now. @returns why not, as the plugin would say it; undefined when it could */
  async cniStatus(): Promise<CniRefusal | undefined> {
    const config = JSON.stringify({ cniVersion: '1.1.0', name: 'status' });
    const body = { environment: { CNI_COMMAND: 'STATUS' }, config, outcomes: [] };
    const call = { method: 'POST', body, accept: [422] } as const;
    return (await this.client.fetch<CniRefusal | undefined>('/v1/cni', call)).body;
  }

  policies(): Promise<readonly PolicyDocument[]> {
    return this.client.get('/v1/policies');
  }

  async objects(query: { kind?: string; namespace?: string; name?: string }): Promise<readonly Manifest[]> {
    return (await this.client.get<{ items: readonly Manifest[] }>('/v1/objects', query)).items;
  }

  /**
   * Applies one file's text; what is wrong with it comes back in `problems`.
   * @param options.namespace of documents that name none
   * @param options.create true: an object that is there already is a problem
   * @param options.dryRun true: nothing changes, the answer says what would
   */
  apply(text: string, file: string, options: ApplyQuery = {}): Promise<ApplyAnswer> {
    return this.#change('/v1/apply', text, { file, ...options });
  }

  /**
   * Deletes the objects that a file's text names: those that are there; each of the others is a problem.
   * @param options.contents true: with a Namespace goes what was applied in it
   * @param options.dryRun true: nothing changes, the answer says what would
   */
  delete(text: string, file: string, options: DeleteQuery = {}): Promise<ApplyAnswer> {
    return this.#change('/v1/delete', text, { file, ...options });
  }

  /** As delete(), by name. */
  deleteReferences(references: readonly ObjectReference[], options: DeleteQuery = {}): Promise<ApplyAnswer> {
    return this.#change('/v1/delete', references, options);
  }

  async #change(path: string, body: unknown, query: Query): Promise<ApplyAnswer> {
    const call = { method: 'POST', query, body, accept: [400] } as const;
    const answer = (await this.client.fetch<ApplyAnswer | { readonly error: string }>(path, call)).body;
    if ('error' in answer) throw new ApiError(`post ${path}: 400: ${answer.error}`);
    return answer;
  }

  /** @param onLine called for each line, in order @param unless the tag of a world that need not be told again; '' for none */
  world(signal: AbortSignal, onLine: (line: WorldLine) => void, unless = ''): Promise<void> {
    const query = unless === '' ? {} : { unless };
    return this.client.stream('/v1/world', { query }, signal, (line) => onLine(line as WorldLine));
  }

  /** @throws ApiError when nobody answers, or flows are switched off */
  flows(query: Query, signal: AbortSignal, onLine: (line: unknown) => unknown): Promise<void> {
    return this.#told(this.#flows.stream('/v1/flows', { query }, signal, onLine));
  }

  /** As flows(), as lines of JSON in pieces of any size, which `onBytes` must not keep. */
  flowBytes(query: Query, signal: AbortSignal, onBytes: (bytes: Buffer) => void): Promise<void> {
    return this.#told(this.#flows.bytes('/v1/flows', query, signal, onBytes));
  }

  /** Says that flows are switched off, where they are. */
  async #told(flows: Promise<void>): Promise<void> {
    try {
      await flows;
    } catch (error) {
      if (!(error instanceof ApiError && error.isUnreachable)) throw error;
      const status = await this.status().catch(() => undefined);
      if (status?.flows.capacity === 0) throw new ApiError('flows: found none, wanted hubble.enabled: true');
      throw error;
    }
  }

  /**
   * Has frames recorded until the signal is given.
   * @param onLine called for each line: `recording` first, then what changes of `directory`
   */
  recording(request: RecordingRequest, signal: AbortSignal, onLine: (line: unknown) => unknown): Promise<void> {
    return this.client.stream('/v1/recording', { method: 'POST', body: request }, signal, onLine);
  }
}
