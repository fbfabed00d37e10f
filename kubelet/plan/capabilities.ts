/**
 * Which of root's rights a container has. As container runtimes give them by default, without MKNOD: a device made in a container would be
 * the machine's. `add` gives those that stay within the namespaces of the pod; one that reaches the whole machine is refused.
 *
 * So is SYS_PTRACE, with which a container could take over a command that is being started in it, before its rights are gone; a debugger needs none for its
 * own user. And NET_ADMIN: the other end of the pod's `eth0` lies in the machine's network namespace, which has a number in the pod's
 * (`link-netnsid`), and who holds this right in the machine's user namespace may make a macvlan on the machine's own card by it, past every policy.
 */
import type { ContainerSecurity } from '../pod-spec.ts';
import { ContainerProblem } from './environment.ts';

/** linux/capability.h */
const NUMBERS: Readonly<Record<string, number>> = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  FOWNER: 3,
  FSETID: 4,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  NET_BIND_SERVICE: 10,
  NET_BROADCAST: 11,
  NET_RAW: 13,
  IPC_LOCK: 14,
  IPC_OWNER: 15,
  SYS_CHROOT: 18,
  SYS_NICE: 23,
  LEASE: 28,
  AUDIT_WRITE: 29,
  SETFCAP: 31,
};

const DEFAULTS = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'NET_BIND_SERVICE'],
  ...['NET_RAW', 'SYS_CHROOT', 'AUDIT_WRITE', 'SETFCAP'],
];

/** What `kubectl debug` gives the container that it adds, nobody having asked for it. */
const DEBUGGERS = 'SYS_PTRACE';

/** Whether an ephemeral container goes without a right that it names. */
export function lacksPtrace({ capabilities = {} }: ContainerSecurity): boolean {
  return (capabilities.add ?? []).some((name) => plainName(name) === DEBUGGERS);
}

/**
 * @param isEphemeral it goes without what only debuggers get, instead of being refused: kubectl adds that by itself
 * @returns a mask, in hexadecimal
 * @throws ContainerProblem for a right that is not given
 */
export function capabilitiesOf({ capabilities = {} }: ContainerSecurity, isEphemeral = false): string {
  const held = new Set(DEFAULTS);
  const dropped = (capabilities.drop ?? []).map(plainName);
  if (dropped.includes('ALL')) held.clear();
  for (const name of dropped) held.delete(name);
  for (const name of (capabilities.add ?? []).map(plainName)) {
    if (isEphemeral && name === DEBUGGERS) continue;
    if (name === 'ALL') for (const each of Object.keys(NUMBERS)) held.add(each);
    else if (Object.hasOwn(NUMBERS, name)) held.add(name);
    else {
      const given = Object.keys(NUMBERS).join(', ');
      const what = name === 'NET_ADMIN' ? "the machine's interfaces by the other end of the pod's" : 'past the pod';
      throw new ContainerProblem(
        'CreateContainerConfigError',
        `securityContext.capabilities.add: found ${name}, which would reach ${what}: Sluice gives ${given}`,
      );
    }
  }
  let mask = 0n;
  for (const name of held) mask |= 1n << BigInt(NUMBERS[name]);
  return mask.toString(16);
}

function plainName(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '');
}
