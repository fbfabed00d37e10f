/**
 * Other programs' names: `hubble` and `cilium` as links to this program (`sluice shims install DIR`), so that the commands of a
 * tutorial run as they are written. What a name means here is a row below; what is not there is an error that says so. As
 * `kubectl` it is itself.
 */
import { basename } from 'node:path';

/** What a command line of another program amounts to. */
export type Shimmed = { readonly argv: readonly string[] } | { readonly say: string } | { readonly refuse: string };

const ALWAYS_ON = 'Hubble is always on here, and answers on the socket of the agent: nothing to do';

/** Words at the beginning -> what they mean; the first that fits counts. */
type Rows = readonly (readonly [words: string, means: readonly string[] | { readonly say: string }])[];

const HUBBLE: Rows = [
  ['observe', ['observe']],
  ['status', ['status']],
  ['list nodes', ['get', 'nodes']],
  ['list namespaces', ['get', 'namespaces']],
  ['watch', { say: ALWAYS_ON }],
  ['version', ['version']],
  ['completion', ['completion']],
];

const CILIUM: Rows = [
  ['hubble port-forward', { say: ALWAYS_ON }],
  ['hubble enable', { say: ALWAYS_ON }],
  ['install', { say: 'Sluice enforces the policies here: start it with `sluice daemon`' }],
  ['status', ['status']],
  ['version', ['version']],
  // Those of cilium-dbg, which was called cilium before, and which tutorials run in the agent's pod.
  ['endpoint', ['endpoint']],
  ['identity', ['identity']],
  ['service', ['service']],
  ['bpf', ['bpf']],
  ['map', ['map']],
  ['monitor', ['monitor']],
  ['policy get', ['policy', 'get']],
  ['policy selectors', ['policy', 'selectors']],
];

export const SHIMS: Readonly<Record<string, Rows>> = { hubble: HUBBLE, cilium: CILIUM, 'cilium-dbg': CILIUM };

/** Flags of the stock programs that say where their server is; with a value each, or none. */
const LEFT_OUT: ReadonlyMap<string, boolean> = new Map([
  ['--server', true],
  ['--tls', false],
  ['--tls-allow-insecure', false],
  ['-P', false],
  ['--port-forward', false],
  ['--interactive', false],
  ['--context', true],
]);

/**
 * @param name what the program was called as, without its folder
 * @returns undefined for a name of our own (`sluice`, `kubectl-sluice`)
 */
export function shimmed(name: string, argv: readonly string[]): Shimmed | undefined {
  if (!Object.hasOwn(SHIMS, name)) return name === 'sluice' ? undefined : inAgentPod(argv);
  const words = withoutServer(argv);
  const row = SHIMS[name].find(([begin]) => begin.split(' ').every((word, at) => words[at] === word));
  if (row === undefined) {
    const known = SHIMS[name].map(([begin]) => begin).join(', ');
    return {
      refuse: `${[name, ...argv].join(' ')}: found no such command in Sluice's stand-in, wanted one of ${known}`,
    };
  }
  const [begin, means] = row;
  return 'say' in means ? means : { argv: [...means, ...words.slice(begin.split(' ').length)] };
}

/**
 * `kubectl exec -n kube-system cilium-k6cb4 -- hubble observe`: tutorials enter the pod of the agent, which here is this machine.
 * @returns undefined for any other command
 */
function inAgentPod(argv: readonly string[]): Shimmed | undefined {
  const dashes = argv.indexOf('--');
  if (argv[0] !== 'exec' || dashes < 0) return undefined;
  const before = argv.slice(1, dashes);
  if (!before.some((word) => /^(pods?\/|ds\/|daemonset\/)?cilium(-[a-z0-9]+)?$/.test(word))) return undefined;
  if (!before.some((word) => /^(-n=?|--namespace=)?kube-system$/.test(word))) return undefined;
  const [program = '', ...words] = argv.slice(dashes + 1);
  return shimmed(basename(program), words);
}

function withoutServer(argv: readonly string[]): string[] {
  const words: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const [flag] = argv[at].split('=');
    const takesValue = LEFT_OUT.get(flag);
    if (takesValue === undefined) words.push(argv[at]);
    else if (takesValue && !argv[at].includes('=')) at++;
  }
  return words;
}
