/**
 * The protocol of connections whose rules nobody here can read: they are refused from their SYN on, and should bytes of one
 * come all the same, it is reset.
 */
import type { Judge, Operations, Parser, Way } from '../parser.ts';
import type { StreamProtocol } from '../protocol.ts';

const JUDGE: Judge = { isUsable: false, refresh: () => 0 };

const PARSER: Parser = {
  begin() {},
  setJudge() {},
  end() {},
  onData(_way: Way, _bytes: Uint8Array, _start: number, _end: number, _isEnd: boolean, operations: Operations) {
    operations.reset();
  },
  isReady: () => false,
  isWaiting: () => false,
  saveState: () => false,
  loadState: () => false,
};

export const REFUSING: StreamProtocol = {
  number: 0,
  counters: [],
  judgeOf: () => JUDGE,
  makeParser: () => PARSER, // it keeps nothing: one does for all
  tellError() {},
};
