/**
 * The log of the agent: JSON lines, or readable ones on a terminal. Written synchronously, so that the last line before
 * a crash is there; nothing logs per packet. Only daemon/ logs: the other folders return, count or emit.
 */
import { type DestinationStream, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type Log = Logger;

/**
 * Makes the log.
 * @param level least level that is written
 * @param instance name of the agent's instance, on every line
 * @param destination where to; default: standard output, readable when that is a terminal
 */
export function createLog(
  level: 'debug' | 'info' | 'warn' | 'error',
  instance: string,
  destination?: DestinationStream,
): Log {
  const options = { level, base: { pid: process.pid, instance }, timestamp: pino.stdTimeFunctions.isoTime };
  if (destination !== undefined) return pino(options, destination);
  if (process.stdout.isTTY)
    return pino(options, pretty({ sync: true, singleLine: true, ignore: 'pid,instance', translateTime: 'HH:MM:ss.l' }));
  return pino(options, pino.destination({ dest: 1, sync: true }));
}
