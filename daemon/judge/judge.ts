/**
 * The judge: a process that answers what the page asks about policies (questions.ts), one question after another. It knows the agent by its
 * sockets, and has nothing that anybody else needs: who started it ends it whenever an answer is late, or its memory is used up.
 *
 * It goes when its parent goes. But a question may keep this process from seeing that it was left, so a thread looks, and ends it when the
 * parent is another, or when it has looked at nothing for STUCK_SEC.
 */
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { DaemonApi } from '../../api/daemon-api.ts';
import { ApiError } from '../../api/error.ts';
import { agentSocket } from '../../api/sockets.ts';
import { UnknownEndError } from '../../explain/verdict.ts';
import { LiveAgent } from './live.ts';
import type { JudgeReply, JudgeRequest } from './messages.ts';
import { InvalidManifests, type Question, QUESTIONS } from './questions.ts';

const AGENT_MS = 10_000;
/** Bytes of an answer. */
const ANSWER_LIMIT = 32 * 1024 * 1024;
/** Behind everything that forwards, and publishes. */
const NICENESS = 10;
/** When memory is short the kernel ends the judge first. */
const OOM_SCORE = '900';
/** Longer than whoever started it waits for an answer. */
const STUCK_SEC = 60;
const WATCH = `
const { workerData } = require('node:worker_threads');
const parent = process.ppid;
setInterval(() => {
  const isStuck = process.uptime() - Atomics.load(workerData, 0) > ${STUCK_SEC};
  if (isStuck || process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
}, 1000);
`;

async function answer(agent: LiveAgent, { question, body }: JudgeRequest): Promise<Omit<JudgeReply, 'id'>> {
  try {
    if (!Object.hasOwn(QUESTIONS, question)) return failure(404, `ask ${question}: no such question`);
    const document = await QUESTIONS[question as Question](agent, Buffer.from(body).toString('utf8'));
    const text = `${JSON.stringify(document)}\n`;
    if (text.length > ANSWER_LIMIT) return failure(413, `ask ${question}: the answer is too long: ask about less`);
    return { status: 200, text };
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof InvalidManifests) return failure(400, message, error.problems);
    if (error instanceof SyntaxError || error instanceof UnknownEndError) return failure(400, message);
    return failure(error instanceof ApiError ? 502 : 500, message);
  }
}

function failure(status: number, error: string, problems: readonly unknown[] = []): Omit<JudgeReply, 'id'> {
  return { status, text: `${JSON.stringify({ error, problems })}\n` };
}

function watch(): void {
  const seenSec = new Int32Array(new SharedArrayBuffer(4));
  const see = (): unknown => Atomics.store(seenSec, 0, Math.floor(process.uptime()));
  see();
  setInterval(see, 1000).unref();
  new Worker(WATCH, { eval: true, workerData: seenSec }).unref();
}

/** A service may be kept from it. */
function yieldToOthers(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', OOM_SCORE);
    setPriority(NICENESS);
  } catch {
    // it judges as it is
  }
}

function main(): void {
  const { values } = parseArgs({ options: { 'run-dir': { type: 'string', default: '/run/sluice' } } });
  if (process.send === undefined) throw new Error('start the judge: found no parent, wanted the page');
  watch();
  yieldToOthers();
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined); // for the agent, which ends us
  const agent = new LiveAgent(new DaemonApi({ socketPath: agentSocket(values['run-dir']), timeoutMs: AGENT_MS }));
  process.once('disconnect', () => process.exit(0));
  process.on('message', (request: JudgeRequest) => {
    void answer(agent, request).then((reply) => process.send?.({ id: request.id, ...reply }));
  });
}

main();
