/** grpc.health.v1.Health: the observer answers as long as there is somebody to answer. */
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import {
  type Health,
  type HealthCheckRequest,
  HealthCheckResponse_ServingStatus as Status,
} from '../proto/grpc/health/v1/health_pb.ts';
import { untilAborted } from './until-aborted.ts';

export class HealthService implements ServiceImpl<typeof Health> {
  readonly #services: ReadonlySet<string>;

  /** @param services full names of what is served; '' stands for all, and Hubble's client asks for a name of its own */
  constructor(services: Iterable<string>) {
    this.#services = new Set(['', 'hubble.server.Observer', ...services]);
  }

  check({ service }: HealthCheckRequest) {
    if (this.#services.has(service)) return { status: Status.SERVING };
    throw new ConnectError(`unknown service ${JSON.stringify(service)}`, Code.NotFound);
  }

  list() {
    const statuses = [...this.#services].map((name) => [name, { status: Status.SERVING }] as const);
    return { statuses: Object.fromEntries(statuses) };
  }

  async *watch({ service }: HealthCheckRequest, { signal }: HandlerContext) {
    yield { status: this.#services.has(service) ? Status.SERVING : Status.SERVICE_UNKNOWN };
    await untilAborted(signal);
  }
}
