/**
 * nginx and HAProxy, one worker each, as proxies in a namespace between client and server, with the method and path
 * rules that sluice.ts states as a policy, connections to the server kept alive, and no access log.
 *
 *   slb-client [eth0] ---- [client] slb-middle [server] ---- [eth0] slb-server
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cleanup, inNetns, isListening, must, mustAll, start, waitFor } from '../test/command.ts';
import {
  CHATTY_PORT,
  CLIENT,
  GRPC_PORT,
  MIDDLE,
  makeNamespaces,
  plugIn,
  type Raised,
  SERVER,
  type Subject,
  WEB2_PORT,
  WEB_PORT,
} from './subject.ts';

export const PROXY_ADDRESS = '10.99.1.1';
export const SERVER_ADDRESS = '10.99.2.3';

/** To the server nginx speaks HTTP/1.1 in any case. */
const nginxServer = (listen: string) => `
  server {
    listen ${listen};
    keepalive_requests 100000000;
    location / {
      if ($allowed = 0) { return 403 "Access denied\\r\\n"; }
      proxy_pass http://server;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
`;

const nginxConfig = (dir: string) => `
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  map "$request_method:$request_uri" $allowed {
    default 0;
    "~^GET:/public(/.*)?$" 1;
    "~^PUT:/version$" 1;
  }
  upstream server {
    server ${SERVER_ADDRESS}:${WEB_PORT};
    keepalive 128;
    keepalive_requests 100000000;
  }
  ${nginxServer(String(WEB_PORT))}
  ${nginxServer(`${WEB2_PORT} http2`)}
  ${nginxServer(`${CHATTY_PORT} http2`)}
  map "$request_method:$request_uri" $is_call {
    default 0;
    "~^POST:/shop.Open/.*$" 1;
  }
  upstream calls {
    server ${SERVER_ADDRESS}:${GRPC_PORT};
    keepalive 128;
    keepalive_requests 100000000;
  }
  server {
    listen ${GRPC_PORT} http2;
    keepalive_requests 100000000;
    location / {
      if ($is_call = 0) { return 403 "Access denied\\r\\n"; }
      grpc_pass grpc://calls;
    }
  }
}
`;

const HAPROXY_WEB = `
  acl get_public method GET
  acl path_public path_reg ^/public(/.*)?$
  acl put_version method PUT
  acl path_version path_reg ^/version$
  http-request allow if get_public path_public
  http-request allow if put_version path_version`;

const HAPROXY_GRPC = `
  acl call method POST
  acl path_open path_reg ^/shop.Open/.*$
  http-request allow if call path_open`;

const haproxySide = (port: number, protocol: string, rules: string) => `
frontend in${port}
  bind ${PROXY_ADDRESS}:${port}${protocol}${rules}
  http-request deny deny_status 403
  default_backend out${port}
backend out${port}
  server server ${SERVER_ADDRESS}:${port}${protocol}
`;

const haproxyConfig = () => `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse always
${haproxySide(WEB_PORT, '', HAPROXY_WEB)}
${haproxySide(WEB2_PORT, ' proto h2', HAPROXY_WEB)}
${haproxySide(CHATTY_PORT, ' proto h2', HAPROXY_WEB)}
${haproxySide(GRPC_PORT, ' proto h2', HAPROXY_GRPC)}
`;

/** A proxy that runs in the middle namespace; `argv` makes its command line from the directory of its config. */
export function proxy(name: string, config: (dir: string) => string, argv: (file: string) => string[]): Subject {
  return {
    name,
    ruleSets: ['http'],
    up: async (_rules, cleanup): Promise<Raised> => {
      await layCables(cleanup);
      const dir = mkdtempSync(`/tmp/slb-${name}-`);
      cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
      const file = join(dir, 'proxy.yaml'); // Envoy goes by the end of the name
      writeFileSync(file, config(dir));
      const daemon = start(inNetns(MIDDLE, argv(file)));
      cleanup.add(() => daemon.child.kill());
      await waitFor(`${name} to listen`, () => isListening(MIDDLE, GRPC_PORT)).catch((error: unknown) => {
        throw new Error(`${String(error)}: ${daemon.output()}`);
      });
      const pids = (await must(['ip', 'netns', 'pids', MIDDLE])).trim().split('\n').map(Number);
      return { address: PROXY_ADDRESS, pids: () => pids };
    },
  };
}

async function layCables(cleanup: Cleanup): Promise<void> {
  await makeNamespaces(cleanup, MIDDLE);
  await plugIn(CLIENT, 'client', '10.99.1.2/24');
  await plugIn(SERVER, 'server', `${SERVER_ADDRESS}/24`);
  await mustAll(`
    ip -n ${MIDDLE} addr add ${PROXY_ADDRESS}/24 dev client
    ip -n ${MIDDLE} addr add 10.99.2.1/24 dev server
  `);
}

export const nginx = proxy('nginx', nginxConfig, (file) => ['nginx', '-c', file]);
export const haproxy = proxy('haproxy', haproxyConfig, (file) => ['haproxy', '-W', '-db', '-f', file]);
