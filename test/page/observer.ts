/**
 * The observer API over a ring that the test fills, for a page that the test serves: the handlers of hubble/service, as the agent has
 * them, without an agent.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import type { Test } from 'tap';
import type { Envelope } from '../../hubble/flow.ts';
import { Ring } from '../../hubble/ring.ts';
import { serviceHandlers } from '../../hubble/service/handlers.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Observer {
  readonly routes: Readonly<Record<string, Handler>>;
  /** Flows as the dataplane's events would bring them. */
  readonly tell: (envelopes: readonly Envelope[]) => void;
}

export function observer(t: Test, capacity = 65_535): Observer {
  const flows = new Ring({ capacity, nodeName: 'node-1', nowMs: Date.now });
  const agentEvents = new Ring({ capacity: 1, nodeName: 'node-1', nowMs: Date.now });
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const handlers = serviceHandlers(
    {
      nodeName: 'node-1',
      clusterName: 'default',
      version: '9.9.9',
      startedMs: Date.now(),
      nowMs: Date.now,
      flows,
      agentEvents,
      history: () => undefined,
      refresh: () => undefined,
      namespaces: () => [],
      address: '',
      tlsServerName: undefined,
    },
    { shutdown: stop.signal, interceptors: [] },
  );
  const routes = Object.fromEntries(
    [...handlers].map(([path, handler]): [string, Handler] => [
      path,
      (request, response) => {
        const universal = universalRequestFromNodeRequest(request, response, undefined, undefined);
        void handler(universal)
          .then((answer) => universalResponseToNodeResponse(answer, response))
          .catch(() => response.destroy());
      },
    ]),
  );
  return { routes, tell: (envelopes) => flows.take(envelopes) };
}
