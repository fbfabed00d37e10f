/** Faults in the name server: answers to nobody's question believed, limits that are none, a zone that is not whole. */
import type { Mutant } from './mutant.ts';

const ZONE = ['nameserver/zone.test.ts'];
const SERVER = ['nameserver/server.test.ts'];
const CACHE = ['nameserver/cache.test.ts'];
const RESOLVER = ['nameserver/resolver.test.ts'];
const LISTENERS = ['nameserver/listeners.test.ts'];

export const NAME_SERVER: readonly Mutant[] = [
  {
    name: 'name-server-any-id',
    fault: 'an answer with any id is believed',
    file: 'nameserver/upstream-query.ts',
    was: '|| message.id !== id ||',
    is: '||',
    killedBy: RESOLVER,
  },
  {
    name: 'name-server-any-name',
    fault: 'an answer to another question is believed, and kept for this one',
    file: 'nameserver/upstream-query.ts',
    was: '!== name[i]) return false;',
    is: '!== name[i]) return true;',
    killedBy: RESOLVER,
  },
  {
    name: 'name-server-guesses',
    fault: 'who guesses at ids may guess as often as he likes',
    file: 'nameserver/exchange.ts',
    was: 'if (++this.#guesses === MAX_GUESSES) this.#askStream();',
    is: 'this.#guesses++;',
    killedBy: RESOLVER,
  },
  {
    name: 'name-server-unsound',
    fault: 'records whose data is no address or name are told to everybody',
    file: 'nameserver/exchange.ts',
    was: ' && isSound(message, bytes, start, end);',
    is: ';',
    killedBy: RESOLVER,
  },
  {
    name: 'name-server-client-share',
    fault: 'one client may have all questions that can be under way',
    file: 'nameserver/resolver.ts',
    was: ' || ofClient >= this.#limits.maxOfClient',
    is: '',
    killedBy: RESOLVER,
  },
  {
    name: 'name-server-stale-for-ever',
    fault: 'what was true once is told as if it were',
    file: 'nameserver/cache.ts',
    was: 'return nowSec < message.storedSec + message.ttlSec;',
    is: 'return true;',
    killedBy: [...SERVER, ...CACHE],
  },
  {
    name: 'name-server-negative-ttl',
    fault: 'that there is nothing is kept as long as the SOA record lives, not as its last number says',
    file: 'nameserver/cached-message.ts',
    was: 'Math.min(i32(bytes, soa), i32(bytes, this.#end(soa) - 4))',
    is: 'i32(bytes, soa)',
    killedBy: [...SERVER, ...CACHE],
  },
  {
    name: 'name-server-whole-case',
    fault: 'the question of an answer out of the cache is in the case of who asked first',
    file: 'nameserver/cached-message.ts',
    was: 'for (let i = 0; i < query.nameBytes; i++) to',
    is: 'for (let i = 0; i < 0; i++) to',
    killedBy: SERVER,
  },
  {
    name: 'name-server-amplifies',
    fault: 'an answer over UDP is as long as its asker, who may be forged, says',
    file: 'nameserver/reply.ts',
    was: 'return Math.min(UDP_BYTES, Math.max(LEAST_UDP_BYTES, query.optBytes));',
    is: 'return Math.max(LEAST_UDP_BYTES, query.optBytes);',
    killedBy: SERVER,
  },
  {
    name: 'name-server-no-data',
    fault: 'a name that has other records does not exist, and resolvers give up on it',
    file: 'nameserver/zone-answer.ts',
    was: 'if (node === undefined) this.rcode = RCODE_NAME_ERROR;',
    is: 'this.rcode = RCODE_NAME_ERROR;',
    killedBy: ZONE,
  },
  {
    name: 'name-server-pod-of-another',
    fault: 'the name of a pod is answered in every namespace, for any address',
    file: 'nameserver/zone.ts',
    was: 'if (words === undefined || !addresses.has(addressKey(words))) return undefined;',
    is: 'if (words === undefined) return undefined;',
    killedBy: ZONE,
  },
  {
    name: 'name-server-slow-loris',
    fault: 'a connection that sends a byte now and then stays for ever',
    file: 'nameserver/tcp-listener.ts',
    was: '  #take(chunk: Uint8Array): void {\n',
    is: '  #take(chunk: Uint8Array): void {\n    this.activeMs = Date.now();\n',
    killedBy: LISTENERS,
  },
];
