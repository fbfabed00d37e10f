/** The API as programs of others meet it: gRPC's own library (Python) and TLS with certificates by openssl. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { create, type DescFile, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import t from 'tap';
import { run } from '../../../test/command.ts';
import { FakeSource } from '../../../test/hubble/observer-source.ts';
import { file_observer_observer, Observer } from '../../../hubble/proto/observer/observer_pb.ts';
import { FlowServer } from '../flow-server.ts';
import { ObserverApi } from './observer-api.ts';
import { TlsFiles } from './tls-files.ts';

const source = new FakeSource();
source.fill(50);
const server = new FlowServer([new ObserverApi(source)]);
t.teardown(() => server.stop());
const folder = t.testdir();

/** A file and what it imports, imports first, as pools of descriptors want them. */
function withImports(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  for (const imported of file.dependencies) withImports(imported, found);
  return found.add(file);
}

const PYTHON = `
import sys, grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
pool = descriptor_pool.DescriptorPool()
for file in descriptor_pb2.FileDescriptorSet.FromString(open(sys.argv[2], 'rb').read()).file: pool.Add(file)
factory = message_factory.MessageFactory(pool)
of = lambda name: factory.GetPrototype(pool.FindMessageTypeByName(name))
Request, Response = of('observer.GetFlowsRequest'), of('observer.GetFlowsResponse')
with grpc.insecure_channel(sys.argv[1]) as channel:
    get = channel.unary_stream('/observer.Observer/GetFlows', request_serializer=Request.SerializeToString, response_deserializer=Response.FromString)
    for answer in get(Request(number=3)):
        flow = answer.flow
        print(flow.uuid, flow.source.pod_name, pool.FindEnumTypeByName('flow.Verdict').values_by_number[flow.verdict].name, answer.node_name, len(flow.SerializeToString()) > 100, len(answer.UnknownFields()))
    try:
        list(get(Request(first=True, follow=True)))
    except grpc.RpcError as error:
        print(error.code(), error.details())
    follow = get(Request(follow=True, number=1), timeout=1)
    try:
        for answer in follow: print('followed', answer.flow.uuid)
    except grpc.RpcError as error:
        print(error.code())
`;

t.test("gRPC's own library reads what we send", async (t) => {
  const path = join(folder, 'hubble.sock');
  await server.listen({ path, groupId: undefined });
  const protos = join(folder, 'protos.binpb');
  const set = create(FileDescriptorSetSchema, {
    file: [...withImports(file_observer_observer)].map(({ proto }) => proto),
  });
  writeFileSync(protos, toBinary(FileDescriptorSetSchema, set));
  const { stdout, stderr } = await run(['/usr/bin/python3', '-c', PYTHON, `unix:${path}`, protos]);
  t.equal(
    stdout,
    [
      '47 web-0 FORWARDED node-1 True 0',
      '48 web-0 FORWARDED node-1 True 0',
      '49 web-0 FORWARDED node-1 True 0',
      'StatusCode.INVALID_ARGUMENT first cannot be specified with follow',
      'followed 49',
      'StatusCode.DEADLINE_EXCEEDED',
      '',
    ].join('\n'),
    stderr,
  );
});

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
}

/** An authority, or with one a certificate for \`name\` that it signed. */
function certificate(file: string, name: string, authority?: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${file}.key`];
  const signed = authority === undefined ? [] : ['-CA', `${authority}.crt`, '-CAkey', `${authority}.key`];
  const names =
    authority === undefined ? [] : ['-addext', `subjectAltName=DNS:${name}`, '-addext', 'basicConstraints=CA:FALSE'];
  openssl('req', '-x509', ...key, ...signed, ...names, '-subj', `/CN=${name}`, '-days', '2', '-out', `${file}.crt`);
}

const inFolder = (name: string) => join(folder, name);
const nodesWith = (port: number, nodeOptions: object) =>
  createClient(Observer, createGrpcTransport({ baseUrl: `https://localhost:${port}`, nodeOptions })).getNodes({});
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'none',
    (error: unknown) => Code[ConnectError.from(error).code],
  );

t.test('TLS: who has no certificate of ours gets nothing, and renewed files are taken', async (t) => {
  certificate('ca', 'ca');
  certificate('other-ca', 'other-ca');
  certificate('server', 'localhost', 'ca');
  certificate('renewed', 'localhost', 'ca');
  certificate('client', 'client', 'ca');
  certificate('stranger', 'stranger', 'other-ca');
  const paths = { cert: inFolder('tls.crt'), key: inFolder('tls.key'), clientAuthorities: [inFolder('ca.crt')] };
  const install = (name: string): void => {
    for (const part of ['crt', 'key']) {
      copyFileSync(inFolder(`${name}.${part}`), inFolder('new'));
      renameSync(inFolder('new'), inFolder(`tls.${part}`));
    }
  };
  install('server');
  const port = await server.listen({ host: '127.0.0.1', port: 0 }, paths);
  const ca = readFileSync(inFolder('ca.crt'));
  const as = (name: string) => ({
    ca,
    cert: readFileSync(inFolder(`${name}.crt`)),
    key: readFileSync(inFolder(`${name}.key`)),
  });
  t.equal((await nodesWith(port, as('client'))).nodes.length, 1);
  t.not(await codeOf(nodesWith(port, { ca })), 'none', 'no certificate');
  t.not(await codeOf(nodesWith(port, as('stranger'))), 'none', 'a certificate of another authority');
  t.not(await codeOf(nodesWith(port, { ...as('client'), maxVersion: 'TLSv1.2' })), 'none', 'an old version');
  const clear = createGrpcTransport({ baseUrl: `http://localhost:${port}` });
  t.not(await codeOf(createClient(Observer, clear).getNodes({})), 'none', 'no TLS');
  const curl = [
    'curl',
    '-sS',
    '--cacert',
    inFolder('ca.crt'),
    '--cert',
    inFolder('client.crt'),
    '--key',
    inFolder('client.key'),
  ];
  const call = [
    '-d',
    '{}',
    '-H',
    'content-type: application/json',
    `https://localhost:${port}/observer.Observer/GetNodes`,
  ];
  for (const version of ['--http1.1', '--http2'])
    t.match((await run([...curl, version, ...call])).stdout, '"name":"node-1"', version);
  t.equal((await nodesWith(port, as('client'))).nodes.length, 1, 'the others have ended nothing');

  const files = new TlsFiles(paths);
  t.equal(files.serverName, 'localhost');
  let taken = 0;
  files.watch(() => taken++);
  t.teardown(() => files.stop());
  files.look();
  t.equal(taken, 0, 'nothing is new');
  copyFileSync(inFolder('renewed.crt'), inFolder('tls.crt'));
  files.look();
  t.equal(taken, 0, 'a certificate without its key is not taken');
  t.match(files.problem, /wanted a certificate and its key/);
  install('renewed');
  files.look();
  t.same([taken, files.problem], [1, '']);
  t.throws(() => new TlsFiles({ ...paths, key: inFolder('nosuch') }), /ENOENT/);
});

t.test('TLS: a listener serves what its files are now', async (t) => {
  const paths = { cert: inFolder('tls.crt'), key: inFolder('tls.key'), clientAuthorities: [] };
  const port = await server.listen({ host: '127.0.0.1', port: 0 }, paths);
  const serial = () =>
    new Promise<string>((resolve, reject) => {
      const socket = connectTls(
        { port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(inFolder('ca.crt')) },
        () => {
          resolve(socket.getPeerCertificate().serialNumber);
          socket.destroy();
        },
      );
      socket.on('error', reject);
    });
  const before = await serial();
  for (const part of ['crt', 'key']) copyFileSync(inFolder(`server.${part}`), inFolder(`tls.${part}`));
  server.lookAtFiles();
  const renewed = await serial();
  t.not(renewed, before);
  t.same(server.problems, []);
  copyFileSync(inFolder('renewed.crt'), inFolder('tls.crt'));
  server.lookAtFiles();
  t.equal(await serial(), renewed);
  t.match(server.problems, [
    /^flows are served with the certificate of before: read .*tls\.crt and .*wanted a certificate/,
  ]);
});
