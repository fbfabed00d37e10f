/** Queries that are none are refused in words, whatever JSON they are. */
import t from 'tap';
import { readQuery } from './query.ts';

const ENDS = { from: { pod: 'a/b' }, to: { entity: 'world' } };

t.test('readQuery() takes nothing for a text that is none', async (t) => {
  for (const [rest, problem] of [
    [{ port: { toString: 53 } }, /port: found \{"toString":53\}, wanted a number/],
    [{ port: [80] }, /port: found \[80\]/],
    [{ port: true }, /port: found true/],
    [{ port: 80, protocol: { toString: 1 } }, /protocol: found \{"toString":1\}, wanted TCP/],
    [{ icmp: { type: [8] } }, /icmp.type: found \[8\]/],
    [{ port: 80, http: { headers: { a: {} } } }, /http.headers: found/],
    [{ port: 80, kafka: { apiKey: {} } }, /kafka.apiKey: found \{\}, wanted a text/],
    [{ port: 80, kafka: { topic: 1 } }, /kafka.topic: found 1/],
    [{ port: 80, to: { labels: ['app=a', { b: 'c' }] } }, /to.labels: found/],
  ] as const) {
    t.throws(() => readQuery({ ...ENDS, ...rest }), { name: 'SyntaxError', message: problem });
  }
  const taken = readQuery({ ...ENDS, port: '9092', kafka: { apiKey: 0, apiVersion: 1, topic: 't' }, dns: null });
  t.match(taken, { port: 9092, kafka: { apiKey: 0, apiVersion: 1, topic: 't' } });
});
