import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { SERVERS } from './servers.ts';
import { standIn } from './stand-in.ts';
import { useOfImage } from './image-table.ts';
import { planRig } from '../../cli/rig/rig-plan.ts';

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '::');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const argvProgram = (argv: readonly string[]): string => argv.find((word) => word.endsWith('stand-in.cjs')) ?? 'none';

t.test('images are known by name, whatever registry, tag or digest they carry', (t) => {
  const kindOf = (image: string): string | undefined => {
    const use = useOfImage(image);
    return use && (use.kind ?? 'idle');
  };
  for (const [image, kind] of [
    ['docker.io/kennethreitz/httpbin', 'httpbin'],
    ['docker.io/mccutchen/go-httpbin:v2.15.0', 'httpbin'],
    ['docker.io/cilium/json-mock:1.2', 'json-mock'],
    [
      'quay.io/cilium/json-mock:v1.3.8@sha256:5aad04835eda9025fe4561ad31be77fd55309af8158ca8663a72f6abb78c2603',
      'json-mock',
    ],
    ['docker.io/cilium/starwars', 'deathstar'],
    ['localhost:5000/nginx', 'nginx'],
    ['nginx:1.27', 'nginx'],
    ['ealen/echo-server', 'echo'],
    ['curlimages/curl:latest', 'idle'],
    ['docker.io/byrnedo/alpine-curl:0.1.8', 'idle'],
    ['busybox', 'idle'],
    ['example/mynginx', undefined],
    ['nginx/unit', undefined],
    ['', undefined],
  ] as const)
    t.equal(kindOf(image), kind, image);
  t.end();
});

t.test('a rig plans stand-ins for servers, its own command before them, and names what does not run', (t) => {
  const containers = [
    { name: 'bin', image: 'kennethreitz/httpbin', ports: [{ containerPort: 8000 }] },
    { name: 'mock', image: 'cilium/json-mock', env: [{ name: 'PORT', value: '8081' }] },
    { name: 'own', image: 'nginx', command: ['/bin/ash', '-c', 'true'] },
    { name: 'tools', image: 'curlimages/curl' },
    { name: 'db', image: 'oracle:16' },
  ];
  const [pod] = planRig([{ kind: 'Pod', metadata: { name: 'p' }, spec: { containers } }]).pods;
  t.strictSame(
    pod.containers.map(({ name, argv, tcpPorts }) => [name, argv.slice(-3), tcpPorts]),
    [
      ['bin', [argvProgram(pod.containers[0].argv), 'httpbin', '8000'], [8000]],
      ['mock', [argvProgram(pod.containers[1].argv), 'json-mock', '8081'], [8081]],
      ['own', ['sh', '-c', 'true'], []],
    ],
  );
  t.strictSame(pod.idle, [{ name: 'db', image: 'oracle:16' }]);
  t.end();
});

t.test('standIns of the configuration come first, and mean images by their end, with stars', (t) => {
  const standIns = {
    'shop/*-api': ['node', '/srv/api.mjs'],
    nginx: ['stand-in', 'echo'],
    'db:16': ['db', '-p'],
    'quiet*': [],
    odd: ['stand-in', 'nothing'],
    far: ['stand-in', 'echo', '70000'],
  };
  const plan = (container: object) => {
    const spec = { containers: [{ name: 'c', ...container }] };
    return planRig([{ kind: 'Pod', metadata: { name: 'p' }, spec }], { standIns }).pods[0];
  };
  const argv = (container: object) => plan(container).containers[0]?.argv;
  t.strictSame(argv({ image: 'reg.example:5000/shop/cart-api:7@sha256:1' }), ['node', '/srv/api.mjs']);
  t.strictSame(argv({ image: 'shop/cart-api', args: ['--port', 8080] }), ['node', '/srv/api.mjs', '--port', '8080']);
  t.strictSame(argv({ image: 'shop/cart-api', command: ['true'] }), ['true'], 'its own command comes before');
  t.strictSame(argv({ image: 'nginx:1' })?.slice(-2), ['echo', '80'], 'before the table');
  t.strictSame(argv({ image: 'x/db:16' }), ['db', '-p']);
  t.strictSame(plan({ image: 'x/db:15' }).idle, [{ name: 'c', image: 'x/db:15' }], 'another tag');
  t.strictSame(plan({ image: 'myshop/cart-api' }).idle.length, 1, 'the end of a word is not the end of a name');
  t.match(
    plan({ image: 'quietly' }),
    { containers: [], idle: [] },
    'an empty command: nothing runs, nothing is missing',
  );
  t.strictSame(argv({ image: 'alpine', args: ['sleep', '9'] }), ['sleep', '9']);
  t.match(plan({ image: 'some/server', args: ['--listen', ':80'] }), { containers: [], idle: [{ name: 'c' }] });
  t.throws(
    () => plan({ image: 'odd' }),
    /standIns.*: odd: found 'stand-in nothing', wanted stand-in KIND \[PORT\], KIND one/,
  );
  t.throws(() => plan({ image: 'far' }), /found 'stand-in echo 70000'/);
  t.end();
});

t.test('every kind of the table has a server', (t) => {
  for (const image of ['go-httpbin', 'json-mock', 'starwars', 'nginx', 'whoami', 'hello-app']) {
    const kind = useOfImage(image)?.kind ?? '';
    t.ok(Object.hasOwn(SERVERS, kind), `${image}: ${kind}`);
  }
  t.end();
});

t.test('the servers answer as the images do, and refuse what is too large', async (t) => {
  const ports = new Map<string, number>();
  for (const kind of Object.keys(SERVERS)) {
    const port = await freePort();
    ports.set(kind, port);
    t.teardown(standIn(kind, [port]));
  }
  const ask = async (kind: string, method: string, path: string, body?: string): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${ports.get(kind)}${path}`, {
      method,
      ...(body !== undefined && { body }),
    });
    return [response.status, await response.text()];
  };
  for (const [kind, method, path, status, said] of [
    ['httpbin', 'GET', '/headers', 200, /"headers": {[^}]*"Host"/],
    ['httpbin', 'GET', '/get?a=1', 200, /"a": "1"/],
    ['httpbin', 'POST', '/get', 405, /method/],
    ['httpbin', 'GET', '/ip', 200, /"origin": "127.0.0.1"/],
    ['httpbin', 'GET', '/status/418', 418, /^$/],
    ['httpbin', 'GET', '/status/99', 404, /not found/],
    ['httpbin', 'GET', '/bytes/10', 200, /^x{10}$/],
    ['deathstar', 'GET', '/v1', 200, /"name": "Death Star"/],
    ['deathstar', 'POST', '/v1/request-landing', 200, /^Ship landed\n$/],
    ['deathstar', 'PUT', '/v1/exhaust-port', 503, /Panic: deathstar exploded/],
    ['deathstar', 'GET', '/v1/exhaust-port', 404, /not found/],
    ['json-mock', 'GET', '/', 200, /JSON Server/],
    ['prometheus', 'GET', '/metrics', 200, /prometheus_build_info/],
    ['json-mock', 'GET', '/public', 200, /public information/],
    ['json-mock', 'GET', '/posts/9', 404, /not found/],
    ['json-mock', 'GET', '/__proto__', 404, /not found/],
    ['echo', 'GET', '/x?y', 200, /"path": "\/x\?y"/],
    ['nginx', 'GET', '/', 200, /Welcome to nginx!/],
    ['nginx', 'GET', '/x', 404, /not found/],
  ] as const) {
    const [code, text] = await ask(kind, method, path);
    t.equal(code, status, `${kind} ${method} ${path}`);
    t.match(text, said, `${kind} ${method} ${path}`);
  }
  t.match((await ask('httpbin', 'POST', '/post', 'hello'))[1], /"data": "hello"/);
  t.equal((await ask('httpbin', 'POST', '/post', 'x'.repeat((1 << 20) + 1)))[0], 413);
});
