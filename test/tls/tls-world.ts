/** A parser of TLS names under rules, with what it told. */
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { TlsProtocol } from '../../l7proxy/tls/protocol.ts';
import type { TlsJudge } from '../../l7proxy/tls/rules.ts';
import { OWNER, ParserWire } from '../stream/parser-wire.ts';
import { ToldLog } from '../told.ts';

interface Told {
  readonly verdict: string;
  readonly what: string | undefined;
}

export interface World {
  readonly wire: ParserWire<TlsJudge>;
  readonly told: Told[];
}

/** Rules for identity 5, one for each name; null = one that says nothing of names. */
export function setOf(names: readonly (string | null)[]): L7RuleSet {
  const rules = names.map((name, i) => ({
    remotes: [5],
    cookie: i + 1,
    ...(name !== null && { serverNames: [name] }),
  }));
  return { parser: 'tls', endpoint: 1, ingress: true, port: 443, rules };
}

export function world(...names: (string | null)[]): World {
  const ruleSet = setOf(names);
  const told: Told[] = [];
  const log = new ToldLog(true, 0, ({ log: { Verdict, TLS, Info } }) => {
    told.push({ verdict: Verdict, what: Info ?? TLS?.SNI });
  });
  const ruleSets = { generation: 1, get: () => ({ generation: 1, ruleSet }) };
  const protocol = new TlsProtocol({ name: 'tls', ruleSets, log, seed: 1 });
  return { wire: new ParserWire(protocol.makeParser(), protocol.judgeOf(OWNER)), told };
}

/** All that came of these bytes, in two pieces, as one text. */
export function outcomeOf(bytes: string, cut: number): string {
  const { wire, told } = world('www.one.example', 'a.example');
  wire.request(bytes.slice(0, cut)).request(bytes.slice(cut));
  return JSON.stringify([told, wire.out, wire.isClosed, wire.isReset]);
}
