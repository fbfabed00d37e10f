/** The requests of docs/api.md by name. */
import { type ApiAddress, ApiClient, type Query } from './client.ts';
import type { ApplyAnswer, EndpointView, IdentityView, ObjectReference, PolicyView, StatusView } from './shapes.ts';
import type { Manifest } from '../policy/document/manifest.ts';

export class DaemonApi {
  readonly client: ApiClient;

  constructor(address: ApiAddress) {
    this.client = new ApiClient(address);
  }

  status(): Promise<StatusView> {
    return this.client.get('/v1/status');
  }

  endpoints(): Promise<readonly EndpointView[]> {
    return this.client.get('/v1/endpoints');
  }

  identities(): Promise<readonly IdentityView[]> {
    return this.client.get('/v1/identities');
  }

  policies(): Promise<readonly PolicyView[]> {
    return this.client.get('/v1/policies');
  }

  async objects(query: { kind?: string; namespace?: string; name?: string }): Promise<readonly Manifest[]> {
    return (await this.client.get<{ items: readonly Manifest[] }>('/v1/objects', query)).items;
  }

  /** Applies one file's text; what is wrong with it comes back in `problems`. */
  async apply(text: string, file: string): Promise<ApplyAnswer> {
    return (
      await this.client.fetch<ApplyAnswer>('/v1/apply', { method: 'POST', query: { file }, body: text, accept: [400] })
    ).body;
  }

  /** Deletes the objects that a file's text names. */
  async delete(text: string, file: string): Promise<ApplyAnswer> {
    return (
      await this.client.fetch<ApplyAnswer>('/v1/delete', { method: 'POST', query: { file }, body: text, accept: [400] })
    ).body;
  }

  /** Deletes objects by name, all or none. */
  async deleteReferences(references: readonly ObjectReference[]): Promise<ApplyAnswer> {
    const call = { method: 'POST', body: references, accept: [400] } as const;
    return (await this.client.fetch<ApplyAnswer>('/v1/delete', call)).body;
  }

  flows(query: Query, signal: AbortSignal, onLine: (line: unknown) => unknown): Promise<void> {
    return this.client.stream('/v1/flows', query, signal, onLine);
  }
}
