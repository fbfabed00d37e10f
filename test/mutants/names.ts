/** Faults in learning from DNS: a wall that names open, and answers that arrive before what they teach. */
import type { Mutant } from './mutant.ts';

const NAMES = ['policy/fqdn/fqdn.test.ts'];
const LEARNING = ['daemon/fqdn/learning.test.ts'];

export const NAMES_LEARNT: readonly Mutant[] = [
  {
    name: 'names-guard',
    fault: 'a name of the outside opens the way to the metadata service, to a database, to a pod',
    file: 'policy/fqdn/guard.ts',
    was: 'return holds(inside, address) || holds(inside, meant) || isNobodys(meant);',
    is: 'return meant !== address && holds(inside, meant);',
    killedBy: [...NAMES, ...LEARNING],
  },
  {
    name: 'names-guard-translated',
    fault: 'the same by the IPv6 address that a translator makes an IPv4 one of',
    file: 'policy/fqdn/guard.ts',
    was: 'const meant = embeddedIn(address) ?? address;',
    is: 'const meant = address;',
    killedBy: NAMES,
  },
  {
    name: 'names-guard-suffix',
    fault: 'a name that ends in the letters of the domain may have any address: evilcluster.local',
    file: 'policy/fqdn/guard.ts',
    was: 'name.endsWith(`.${suffix}`)',
    is: 'name.endsWith(suffix)',
    killedBy: NAMES,
  },
  {
    name: 'names-guarded-pair',
    fault: 'what the guard refuses is told, and given to policies all the same',
    file: 'policy/fqdn/name-cache.ts',
    was: 'if (!isGuarded) this.#sink.learn(name, prefix);',
    is: 'this.#sink.learn(name, prefix);',
    killedBy: [...NAMES, ...LEARNING],
  },
  {
    name: 'names-answer-first',
    fault: 'an answer goes on before its address is published: the first packet to a name is dropped',
    file: 'daemon/fqdn/learning.ts',
    was: 'for (const answer of answers) this.cache.learn(answer, nowSec);',
    is: 'for (const answer of answers) this.cache.learn(answer, nowSec);\n    this.#reader.acknowledge(this.#reader.sequence);',
    killedBy: LEARNING,
  },
  {
    name: 'names-pair-first',
    fault: 'a pair passes for published before policies speak of it',
    file: 'daemon/fqdn/learning.ts',
    was: 'this.#publishProblem = this.#publish();',
    is: 'this.#pairs.put(put);\n    this.#publishProblem = this.#publish();',
    killedBy: LEARNING,
  },
  {
    name: 'names-pair-stays',
    fault: 'a pair passes for published when policies have forgotten it',
    file: 'daemon/fqdn/learning.ts',
    was: 'this.#pairs.remove(remove);',
    is: '',
    killedBy: LEARNING,
  },
  {
    name: 'names-not-kept',
    fault: 'what was learnt dies with the agent, and its connections with the next one',
    file: 'daemon/fqdn/learning.ts',
    was: 'this.#kept.append(answers.map((answer) => formatKept(this.#keptAnswer(answer, nowSec))));',
    is: '',
    killedBy: LEARNING,
  },
  {
    name: 'names-without-connection',
    fault: 'when its TTL is over an address is taken from the connections that use it',
    file: 'policy/fqdn/name-cache.ts',
    was: '} else if (connected.has(lookup)) lookup.aliveSec = nowSec;\n          else if (Math.max',
    is: '} else if (Math.max',
    killedBy: [...NAMES, ...LEARNING],
  },
  {
    name: 'names-connection-of-others',
    fault: 'a connection of another pod keeps an address for ever',
    file: 'daemon/fqdn/connections.ts',
    was: 'endpoint === 0 || endpoint === words[base + CT_SOURCE_ENDPOINT]',
    is: 'endpoint >= 0',
    killedBy: LEARNING,
  },
  {
    name: 'names-not-withdrawn',
    fault: 'an address that names no longer have stays reachable',
    file: 'policy/fqdn/name-cache.ts',
    was: 'if (!pair.isGuarded) this.#sink.forget(name, prefix);',
    is: '',
    killedBy: [...NAMES, ...LEARNING],
  },
  {
    name: 'names-identity-gap',
    fault: 'an address whose identity changes is denied until the ipcache is written',
    file: 'daemon/publish/publisher.ts',
    was: 'const kept = before.filter(({ identity }) => leaving.has(identity));',
    is: 'const kept = before.filter(({ identity }) => !leaving.has(identity) && leaving.has(0));',
    killedBy: ['daemon/publish/publication.test.ts'],
  },
];
