/** What is served on the observatory's sockets: every handler is added here, one line each, the last of which owns what is left. */
import { serveMetrics } from '../metrics/listener.ts';
import { Router } from '../serve/router.ts';
import type { Handler } from './flow-server.ts';
import { flowsRoute } from './flows-route.ts';
import { ObserverApi } from './serve/observer-api.ts';
import { ServedFlows } from './served-flows.ts';
import type { Means } from './sinks.ts';

export function openHandlers(means: Means): Handler[] {
  const routes = new Router({ 'GET /v1/flows': flowsRoute(means) });
  return [
    new ObserverApi(new ServedFlows(means)),
    {
      owns: (path) => path === '/metrics',
      serve: (request, response) => serveMetrics(means.metrics, request, response),
    },
    { owns: () => true, serve: (request, response) => void routes.serve(request, response) },
  ];
}
