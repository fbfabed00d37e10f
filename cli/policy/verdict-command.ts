/** `sluice policy verdict`: one flow from the flags, or many from a file. */
import { createReadStream } from 'node:fs';
import { EXIT, Failure } from '../terminal/failure.ts';
import type { Host } from '../terminal/host.ts';
import { printDocument } from '../terminal/output.ts';
import { reportProblems } from '../objects/problems.ts';
import { counted } from '../terminal/counted.ts';
import type { Settings } from '../terminal/settings.ts';
import { loadPolicyConfig } from './config.ts';
import { endFrom } from '../../explain/end.ts';
import { readPolicyManifests } from './manifests.ts';
import { type FlowQuery, readQuery } from '../../explain/query.ts';
import { type Answer, type DirectionAnswer, FlowJudge } from '../../explain/verdict.ts';
import { PolicyWorld } from '../../explain/world.ts';

export interface WorldFlags {
  /** Absent: the running agent is asked. */
  readonly manifests?: readonly string[];
  readonly config?: string;
  readonly semantics?: 'cilium' | 'kubernetes';
  /** Documents that are invalid are left out; otherwise nothing is judged while there are any. */
  readonly skipInvalid?: boolean;
}

/** Output is handed over in pieces of about this size. */
const CHUNK_CHARS = 65_536;

/**
 * Loads a world. A policy that is left out may be the one that denies, so while a document is invalid nothing is judged: who
 * reads standard output alone must not find "allowed" there. With `skipInvalid` the rest is taken, as a cluster would have it, and
 * the exit code is 1. Conflicts between policies leave both in force as far as they go, live too, and are told.
 * @throws Failure when a document is invalid
 */
export async function loadWorld(settings: Settings, flags: WorldFlags): Promise<PolicyWorld> {
  const config = loadPolicyConfig(flags.config, flags.semantics);
  const { documents, problems } = await readPolicyManifests(settings.host, flags.manifests ?? [], config);
  const invalid = problems.filter(({ severity }) => severity === 'error');
  if (invalid.length > 0 && flags.skipInvalid !== true) {
    reportProblems(settings.host, invalid);
    const what = 'mend them, or leave them out with --skip-invalid';
    throw new Failure(`judge: found ${counted(invalid.length, 'error')} in the manifests, wanted none: ${what}`);
  }
  const world = new PolicyWorld(documents, config);
  const errors = [...problems, ...world.conflicts].filter(({ severity }) => severity === 'error');
  if (reportProblems(settings.host, errors)) settings.host.exitCode = EXIT.FAILED;
  return world;
}

/** Answers one query, as text or as the settings say. @param expect the command ends with 1 when the verdict is another */
export async function printVerdict(
  settings: Settings,
  judge: FlowJudge,
  query: FlowQuery,
  expect?: string,
): Promise<void> {
  const answer = judge.answer(query);
  checkVerdict(settings, answer, expect);
  if (answer.verdict === 'error') throw new Failure(answer.error ?? 'no answer');
  if (settings.output === 'table') settings.host.stdout.write(answerText(settings, answer));
  else await printDocument(settings, answer);
}

function checkVerdict({ host }: Settings, { id, verdict }: Answer, expect: string | undefined): void {
  if (expect === undefined || verdict === expect) return;
  const which = id === null || id === undefined ? '' : ` of query ${JSON.stringify(id)}`;
  host.stderr.write(`error: verdict${which}: found ${verdict}, wanted ${expect}\n`);
  host.exitCode = EXIT.FAILED;
}

/** Answers a file of queries, one line of JSON each; `-` is standard input. @param expect as of printVerdict(), for each */
export async function answerQueries(
  settings: Settings,
  judge: FlowJudge,
  path: string,
  expect?: string,
): Promise<void> {
  let text = '';
  for await (const line of linesOf(settings.host, path)) {
    if (line.trim() === '') continue;
    const answer = answerLine(judge, line);
    checkVerdict(settings, answer, expect);
    text += `${JSON.stringify(answer)}\n`;
    if (text.length < CHUNK_CHARS) continue;
    settings.host.stdout.write(text);
    text = '';
  }
  settings.host.stdout.write(text);
}

/** The answer to one line of JSON; what cannot be read is an answer too. Exported for tests. */
export function answerLine(judge: FlowJudge, line: string): Answer {
  let id: unknown = null;
  try {
    const value = JSON.parse(line) as { id?: unknown } | null;
    id = value?.id ?? null;
    return judge.answer(readQuery(value));
  } catch (error) {
    if (error instanceof SyntaxError) return { id, verdict: 'error', error: error.message };
    throw error;
  }
}

async function* linesOf(host: Host, path: string): AsyncGenerator<string> {
  const input = path === '-' ? host.stdin : createReadStream(path);
  input.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of input) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Failure(`read ${path}: ${code ?? String(error)}: check the --queries argument`);
  }
  yield rest;
}

function answerText({ paint }: Settings, answer: Answer): string {
  const verdict = answer.verdict === 'allowed' ? paint.green('allowed') : paint.red('denied');
  const lines = [`verdict: ${verdict}`];
  if (answer.egress !== undefined) lines.push(`egress:  ${directionText(answer.egress)}`);
  if (answer.ingress !== undefined) lines.push(`ingress: ${directionText(answer.ingress)}`);
  lines.push(`l7:      ${answer.l7 ?? 'none'}`);
  return `${lines.join('\n')}\n`;
}

function directionText(answer: DirectionAnswer): string {
  if (!answer.enforced) return `${answer.verdict} (no policy)`;
  const by = answer.policies.length === 0 ? '' : ` by ${answer.policies.join(', ')}`;
  const why = answer.reason === 0 ? '' : ` (${REASONS[answer.reason] ?? `reason ${answer.reason}`})`;
  return `${answer.verdict} ${answer.match}${why}${by}${answer.audited === true ? ', audited: it would be dropped' : ''}`;
}

const REASONS: Readonly<Record<number, string>> = {
  133: 'no rule allows it',
  181: 'denied by a rule',
  189: 'authentication required',
};

/** Flags that describe one flow. */
export interface FlowFlags {
  readonly from?: string;
  readonly to?: string;
  readonly port?: string;
  readonly protocol?: string;
  readonly icmpType?: string;
  readonly httpMethod?: string;
  readonly httpPath?: string;
  readonly httpHost?: string;
  readonly header?: readonly string[];
  readonly dnsQuery?: string;
  readonly sni?: string;
  readonly kafkaApiKey?: string;
  readonly kafkaTopic?: string;
  readonly kafkaClientId?: string;
}

/**
 * The query that flags stand for: an end with a slash is a pod, one that is an address an address, else an entity.
 * @throws Failure (usage) when the flags describe no flow
 */
export function queryOf(flags: FlowFlags): FlowQuery {
  for (const end of ['from', 'to'] as const) checkEnd(end, flags[end]);
  const { httpMethod, httpPath, httpHost, header = [], kafkaApiKey, kafkaTopic, kafkaClientId } = flags;
  const hasHttp = httpMethod !== undefined || httpPath !== undefined || httpHost !== undefined || header.length > 0;
  const hasKafka = kafkaApiKey !== undefined || kafkaTopic !== undefined || kafkaClientId !== undefined;
  const headers = Object.fromEntries(header.map((pair) => [pair.split('=')[0], pair.split('=').slice(1).join('=')]));
  const isV6 = flags.protocol?.toLowerCase() === 'icmpv6';
  try {
    return readQuery({
      from: endFrom(flags.from),
      to: endFrom(flags.to),
      ...(flags.port !== undefined && { port: flags.port }),
      ...(flags.protocol !== undefined && { protocol: flags.protocol }),
      ...(flags.icmpType !== undefined && { icmp: { family: isV6 ? 'IPv6' : 'IPv4', type: flags.icmpType } }),
      ...(hasHttp && { http: withoutUndefined({ method: httpMethod, path: httpPath, host: httpHost, headers }) }),
      ...(flags.dnsQuery !== undefined && { dns: { query: flags.dnsQuery } }),
      ...(flags.sni !== undefined && { sni: flags.sni }),
      ...(hasKafka && { kafka: withoutUndefined({ apiKey: kafkaApiKey, topic: kafkaTopic, clientID: kafkaClientId }) }),
    });
  } catch (error) {
    if (error instanceof SyntaxError) throw new Failure(error.message, EXIT.USAGE);
    throw error;
  }
}

const ENDS = 'NAMESPACE/POD, an address, labels such as app=web, or an entity such as world';

function checkEnd(flag: string, value: string | undefined): void {
  if (value === undefined) throw new Failure(`found no --${flag}, wanted --${flag} with ${ENDS}`, EXIT.USAGE);
}

function withoutUndefined(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
