/** The ring of a recording: what goes in comes out, what has no room is counted, and neither side believes the other. */
import t, { type Test } from 'tap';
import { randomFrom, SEED } from '../test/random.ts';
import { PAYLOAD_OFFSET } from '../wire/event.ts';
import { FRAME_ROW_WORDS, MAX_FRAME_ROWS } from '../wire/frame-filter.ts';
import { MIN_RECORDING_BYTES, RECORD_HEAD_BYTES, RecordingMap } from './recording-map.ts';
import { HEADER_BYTES } from './table/map-header.ts';
import { memoryMapper } from './table/memory-mapper.ts';

const W_COMMITTED = 54;
const W_FETCHED = 57;
const LONGEST = 65_600;

const folder = t.testdir();
let maps = 0;
function recording(): RecordingMap {
  return RecordingMap.create(`${folder}/recording-${maps++}`, { capacity: MIN_RECORDING_BYTES }, memoryMapper());
}

type Writer = ReturnType<RecordingMap['writer']>;

/** Writes a frame of bytes that say how long it is. @returns whether it found room */
function put(writer: Writer, length: number): boolean {
  const at = writer.take(length);
  if (at < 0) return false;
  writer.map.bytes.fill(length & 255, at, at + PAYLOAD_OFFSET + length);
  writer.commit();
  return true;
}

/** Lengths of the frames that are there; checks their bytes. */
function taken(t: Test, reader: ReturnType<RecordingMap['reader']>, most?: number) {
  const lengths: number[] = [];
  let lost = 0;
  reader.read((frame) => {
    const { bytes, at, frameBytes } = frame;
    const all = bytes.subarray(at, at + PAYLOAD_OFFSET + frameBytes);
    if (!all.every((byte) => byte === (frameBytes & 255)))
      t.fail(`a frame of ${frameBytes} bytes is not as it was written`);
    lengths.push(frameBytes);
    lost += frame.lost;
  }, most);
  return { lengths, lost };
}

t.test('frames of any length come out in their order, however often the ring comes round', (t) => {
  const map = recording();
  const [writer, reader] = [map.writer(), map.reader()];
  const below = randomFrom(SEED);
  t.comment(`SEED=${SEED}`);
  for (let round = 0; round < 400; round++) {
    const lengths = Array.from({ length: 1 + below(9) }, () => below(LONGEST + 1));
    for (const length of lengths) t.ok(put(writer, length) || `round ${round}`);
    t.strictSame(taken(t, reader, Number.POSITIVE_INFINITY), { lengths, lost: 0 });
  }
  t.equal(map.lost, 0);
  t.end();
});

t.test('what finds no room is lost and counted; what was not fetched stays', (t) => {
  const map = recording();
  const [writer, reader] = [map.writer(), map.reader()];
  let room = 0;
  while (put(writer, 10_000)) room++;
  t.ok(room >= Math.floor(MIN_RECORDING_BYTES / (10_000 + RECORD_HEAD_BYTES + 16)));
  t.equal(put(writer, 10_000), false);
  t.equal(map.lost, 2);
  const first = taken(t, reader, 1);
  t.strictSame(first, { lengths: [10_000], lost: 0 }, 'a limit ends between frames');
  t.ok(put(writer, 9000));
  t.strictSame(taken(t, reader, Number.POSITIVE_INFINITY), {
    lengths: [...Array.from({ length: room - 1 }, () => 10_000), 9000],
    lost: 2,
  });
  t.ok(reader.isDry);
  t.end();
});

t.test(
  'what was taken is told when it is committed, or something follows from it, and not when it is given back',
  (t) => {
    const map = recording();
    const [writer, reader] = [map.writer(), map.reader()];
    writer.take(5);
    t.ok(reader.isDry);
    writer.giveBack();
    writer.commit();
    t.ok(reader.isDry);
    const at = writer.take(7);
    map.bytes.fill(7, at, at + PAYLOAD_OFFSET + 7);
    put(writer, 9);
    writer.giveBack();
    t.strictSame(taken(t, reader), { lengths: [7, 9], lost: 0 });
    t.end();
  },
);

t.test('a reader that lies about its place costs frames, and nothing else', (t) => {
  for (const fetched of [1, -1, 0x7fffffff, -0x80000000, MIN_RECORDING_BYTES + 16]) {
    const map = recording();
    const writer = map.writer();
    map.file.header[W_FETCHED] = fetched;
    const before = map.file.header[W_COMMITTED];
    for (let i = 0; i < 100; i++) put(writer, LONGEST);
    const written = (map.file.header[W_COMMITTED] - before) >>> 0;
    t.ok(written <= MIN_RECORDING_BYTES, `${fetched}`);
    t.ok(map.lost > 0);
  }
  t.end();
});

t.test('a reader refuses what no writer writes', (t) => {
  const wrong: Record<string, [length: number, frame: number]> = {
    'no length': [0, 0],
    'a negative length': [-16, 0],
    'longer than what is there': [4096, 100],
    'beyond the ring': [1 << 30, 100],
    'no multiple of 16': [81, 0],
    'a frame longer than its record': [96, 17],
  };
  for (const [name, [length, frame]] of Object.entries(wrong)) {
    const map = recording();
    put(map.writer(), 16);
    const words = map.file.words(HEADER_BYTES + MAX_FRAME_ROWS * FRAME_ROW_WORDS * 4, 4);
    words[0] = length;
    words[1] = frame;
    t.throws(() => taken(t, map.reader()), { code: 'ERR_MAP_FORMAT' }, name);
  }
  t.end();
});

t.test('rows are read whole or not at all, and an end is put off', (t) => {
  const map = recording();
  const into = new Int32Array(MAX_FRAME_ROWS * FRAME_ROW_WORDS);
  const rows = Int32Array.from({ length: 2 * FRAME_ROW_WORDS }, (_, i) => i);
  map.setRows(rows, 2);
  t.equal(map.readRows(into), 2);
  t.strictSame(into.subarray(0, rows.length), rows);
  Atomics.add(map.file.header, 52, 1); // as if the agent had died in the middle
  t.equal(map.readRows(into), -1);
  map.file.header[51] = 1 << 20;
  Atomics.add(map.file.header, 52, 1);
  t.equal(map.readRows(into), MAX_FRAME_ROWS);
  map.extend(2 ** 32 + 500); // the clock has come round
  t.equal(map.isOver(2 ** 32 + 499), false);
  t.equal(map.isOver(2 ** 32 + 501), true);
  t.end();
});
