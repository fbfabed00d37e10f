/** What runs in a container of an image: commands as they stand, what an image would have added, servers that stand in. */
import t from 'tap';
import { commandOfImage } from './image-command.ts';

const present = new Set(['sleep', 'sh', 'curl', '/bin/ash']);
const of = (
  image: string,
  more: { command?: string[]; args?: string[]; ports?: number[]; env?: [string, string][] } = {},
) =>
  commandOfImage(
    { image, command: more.command ?? [], args: more.args ?? [], ports: more.ports ?? [], env: new Map(more.env) },
    { standIns: { 'my/app': ['app', '--serve'] }, hasProgram: (name) => present.has(name), server: ['NODE'] },
  );

t.test('a command is what Kubernetes would run, as far as this machine can', (t) => {
  for (const [what, found, argv, standIn] of [
    ['a command of the machine', of('nginx', { command: ['sleep', '1'], args: ['2'] }), ['sleep', '1', '2'], undefined],
    [
      'a command of the image is stood in for',
      of('kennethreitz/httpbin', { command: ['gunicorn', '-b', '0:80'], ports: [8000] }),
      ['NODE', 'httpbin', '8000'],
      'httpbin',
    ],
    ['a command that nobody knows runs, and fails', of('some/thing', { command: ['thing'] }), ['thing'], undefined],
    [
      'a server by its image',
      of('cilium/json-mock', { env: [['PORT', '8080']] }),
      ['NODE', 'json-mock', '8080'],
      'json-mock',
    ],
    [
      'PORT that is none',
      of('cilium/json-mock', { env: [['PORT', 'tcp://1']] }),
      ['NODE', 'json-mock', '8080'],
      'json-mock',
    ],
    ['arguments of the image', of('curlimages/curl', { args: ['-s', 'x'] }), ['curl', '-s', 'x'], undefined],
    ['arguments that are a program', of('curlimages/curl', { args: ['sleep', '9'] }), ['sleep', '9'], undefined],
    ['a shell', of('busybox'), ['sh'], undefined],
    ['a pause', of('registry.k8s.io/pause:3.9'), ['sleep', 'infinity'], undefined],
    ['a row of the configuration', of('my/app:1', { args: ['-x'] }), ['app', '--serve', '-x'], undefined],
    [
      'agnhost by its command',
      of('agnhost', { command: ['/agnhost', 'serve-hostname'], args: ['--tcp'], ports: [80] }),
      ['NODE', 'agnhost', '80', '--', 'serve-hostname', '--tcp'],
      'agnhost',
    ],
    [
      'agnhost by its arguments',
      of('e2e-test-images/agnhost:2.47', { args: ['netexec'] }),
      ['NODE', 'agnhost', '8080', '--', 'netexec'],
      'agnhost',
    ],
  ] as const)
    t.match(found, { argv, standIn }, what);
  t.equal(of('no/such'), undefined);
  t.equal(of('no/such', { args: ['--flag'] }), undefined);
  t.equal(of('alpine', { command: ['/bin/ash'] })?.isBusybox, true);
  t.end();
});
