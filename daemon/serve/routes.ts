/** The calls of the API, see docs/api.md for a request and an answer of each. */
import type { Agent } from '../agent.ts';
import { type Answer, ApiError, type Call, type Route } from './router.ts';
import type { Answers, ApplyAnswer } from '../../api/shapes.ts';
import { shownObject } from '../../policy/document/secret.ts';
import type { Registry } from '../../hubble/metrics/registry.ts';
import { serveMetrics } from '../metrics/listener.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import type { Reference } from '../source/text.ts';
import { cookieDocuments, endpointDocuments, identityDocuments, policyDocuments, statusDocument } from './status.ts';
import { fqdnCacheDocuments, fqdnSelectorDocuments, patternIn } from './names.ts';
import { serviceDocuments } from './services.ts';
import type { ApplyResult } from '../source/store.ts';
import { Recordings } from './recordings.ts';
import { sendWorld } from './world.ts';

/** A route for each call, which answers with that call's document. */
type Routes = { readonly [Path in keyof Answers]: Route<Answers[Path]> };

/** @param metrics of the agent and the dataplane @param onShutdown ends the agent, after the answer has gone out */
export function apiRoutes(agent: Agent, metrics: Registry, onShutdown: () => void): Routes {
  const { directory, maps } = agent;
  const recordings = new Recordings({ config: maps.config, mapDirectory: maps.directory, directory });
  return {
    'GET /metrics': ({ request, response }) => {
      serveMetrics(metrics, request, response);
      return undefined;
    },
    'GET /v1/healthz': () => ({ document: { status: 'ok' } }),
    'GET /v1/status': () => ({ document: statusDocument(agent) }),
    'GET /v1/endpoints': () => ({ document: endpointDocuments(agent) }),
    'GET /v1/endpoints/*': ({ argument }) => ({
      document: found(
        endpointDocuments(agent).find(({ id }) => String(id) === argument),
        `endpoint ${argument}`,
      ),
    }),
    'GET /v1/identities': () => ({ document: identityDocuments(agent) }),
    'GET /v1/identities/*': ({ argument }) => ({
      document: found(
        identityDocuments(agent).find(({ id }) => String(id) === argument),
        `identity ${argument}`,
      ),
    }),
    'GET /v1/services': () => ({ document: serviceDocuments(agent) }),
    'GET /v1/fqdn/cache': ({ query }) => ({ document: fqdnCacheDocuments(agent, query) }),
    'DELETE /v1/fqdn/cache': ({ query }) => ({ document: { removed: agent.learning.clean(patternIn(query)) } }),
    'GET /v1/fqdn/names': () => ({ document: fqdnSelectorDocuments(agent) }),
    'GET /v1/policies': () => ({ document: policyDocuments(agent) }),
    'GET /v1/cookies': () => ({ document: cookieDocuments(agent) }),
    'GET /v1/cookies/*': ({ argument }) => ({ document: agent.compilation.cluster.origins(Number(argument)) }),
    'GET /v1/objects': (call) => ({ document: { items: objects(agent, call) } }),
    'POST /v1/apply': (call) => applied(agent, call, put(agent, call)),
    'POST /v1/delete': (call) => applied(agent, call, remove(agent, call)),
    'GET /v1/world': ({ query, response }) => sendWorld(agent, response, query.get('unless')),
    'POST /v1/recording': ({ body, response }) => {
      recordings.begin(body, response);
      return undefined;
    },
    'POST /v1/shutdown': () => {
      setImmediate(onShutdown);
      return { status: 202, document: { status: 'stopping' } };
    },
  };
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new ApiError(404, `find ${what}: no such object`);
  return value;
}

function objects(agent: Agent, { query }: Call): Manifest[] {
  const wanted = (field: string, value: string): boolean => (query.get(field) ?? value) === value;
  const except = query.get('exceptKind');
  return [...agent.store.documents()]
    .filter(
      (one) =>
        one.kind !== except &&
        wanted('kind', one.kind) &&
        wanted('namespace', one.namespace) &&
        wanted('name', one.name),
    )
    .map((one) => withCreation(shownObject(one.object), agent.store.createdMs(one)));
}

function withCreation(object: Manifest, createdMs: number | undefined): Manifest {
  if (createdMs === undefined) return object;
  const creationTimestamp = `${new Date(createdMs).toISOString().slice(0, 19)}Z`;
  return { ...object, metadata: { ...object.metadata, creationTimestamp } };
}

/** What has changed is published, also when something else of the request was refused. */
function applied(agent: Agent, call: Call, result: ApplyResult): Answer<ApplyAnswer> {
  const isRefused = result.problems.some(({ severity }) => severity === 'error');
  const error = result.applied.length === 0 || isDryRun(call) ? '' : agent.sync();
  if (error !== '') throw new ApiError(500, `publish what was applied: ${error}`);
  return { status: isRefused ? 400 : 200, document: result };
}

const isDryRun = ({ query }: Call): boolean => query.get('dryRun') === 'true';

function put(agent: Agent, call: Call): ApplyResult {
  const { query, body } = call;
  const isCreate = query.get('create') === 'true';
  const options = { namespace: namespaceIn(query), isCreate, isDryRun: isDryRun(call) };
  return agent.store.apply(body, query.get('file') ?? 'request', options);
}

/** For documents that name none. */
function namespaceIn(query: URLSearchParams): string | undefined {
  const namespace = query.get('namespace') ?? undefined;
  if (namespace === undefined || /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace)) return namespace;
  throw new ApiError(400, `namespace: found "${namespace}", wanted at most 63 lower-case letters, digits and '-'`);
}

/** A body that is a JSON array names objects; anything else is manifests. */
function remove(agent: Agent, call: Call): ApplyResult {
  const { query, body } = call;
  const file = query.get('file') ?? 'request';
  const contents = query.get('contents') === 'true';
  const options = { namespace: namespaceIn(query), contents, isDryRun: isDryRun(call) };
  if (!body.trimStart().startsWith('[')) return agent.store.deleteText(body, file, options);
  let references: unknown;
  try {
    references = JSON.parse(body);
  } catch {
    throw new ApiError(400, 'read body: found text that is not JSON, wanted [{"kind","namespace","name"}]');
  }
  return agent.store.delete((references as Partial<Reference>[]).map(checkReference), file, options);
}

function checkReference({ kind, namespace, name }: Partial<Reference>): Reference {
  if (typeof kind !== 'string' || typeof name !== 'string') {
    throw new ApiError(400, 'read body: found an entry without kind or name, wanted {"kind","namespace","name"}');
  }
  return { kind, namespace: namespace ?? '', name };
}
