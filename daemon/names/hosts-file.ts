/** The /etc/hosts of a pod, as the kubelet makes it: itself by its name, and its `hostAliases`. Pure. */
import { hostNameLine } from '../../linux/netns-files.ts';
import type { PodNames } from '../../policy/document/pod-names.ts';

/** The longest name that the kernel takes for a host. */
const HOST_NAME_CHARACTERS = 63;

const FIRST_LINES = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
];

interface Named {
  readonly namespace: string;
  readonly name: string;
}

/** The name that a pod goes by, and its whole name beneath the service that it names ('' when it names none). */
export function hostNamesOf(
  { namespace, name }: Named,
  names: PodNames,
  domain: string,
): { short: string; whole: string } {
  const { hostname, subdomain } = names;
  const short = (hostname === '' ? name : hostname).slice(0, HOST_NAME_CHARACTERS).replace(/[-.]+$/, '');
  return { short, whole: subdomain === '' ? '' : `${short}.${subdomain}.${namespace}.svc.${domain}` };
}

/** @param addresses the pod's own */
export function hostsFile(pod: Named, names: PodNames, at: { domain: string; addresses: readonly string[] }): string {
  const { short, whole } = hostNamesOf(pod, names, at.domain);
  const own = whole === '' ? short : `${whole}\t${short}`;
  const aliases = names.hostAliases.map(({ ip, hostnames }) => [ip, ...hostnames].join('\t'));
  const called = names.isHostnameWhole && whole !== '' && whole.length <= HOST_NAME_CHARACTERS ? whole : short;
  const lines = [
    hostNameLine(called),
    ...FIRST_LINES,
    ...at.addresses.map((address) => `${address}\t${own}`),
    ...aliases,
  ];
  return lines.map((line) => `${line}\n`).join('');
}
