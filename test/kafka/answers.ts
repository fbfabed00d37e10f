/** Prints how each request of requests.json is refused, a JSON line each, for make_vectors.py to decode. */
import { AnswerWriter } from '../../l7proxy/kafka/answers.ts';
import { gathered } from './gathered.ts';
import { CORRELATION, VECTORS } from './vectors.ts';

const writer = new AnswerWriter();
for (const vector of VECTORS) {
  const answer = writer.denial(
    { apiKey: vector.key, version: vector.version, correlation: CORRELATION, collected: gathered(vector) },
    29,
    { host: '10.0.0.1', port: 9092 },
  );
  if (answer === undefined) throw new Error(`request ${vector.key} version ${vector.version}: found no answer`);
  const { key, version, topics, partitions } = vector;
  const repeats = answersRepeat(key) ? { topics, partitions } : { topics: [], partitions: [] };
  console.log(JSON.stringify({ key, version, hex: Buffer.from(answer).toString('hex'), ...repeats }));
}

/** Answers to these say nothing of single topics. */
function answersRepeat(key: number): boolean {
  return ![35, 46, 68].includes(key);
}
