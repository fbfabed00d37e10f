/** A question to another server, and whether what comes back is its answer. */
import { setU16 } from '../wire/bytes.ts';
import { type DnsMessage, FLAG_CHECKING_DISABLED, FLAG_RECURSION_DESIRED } from '../wire/dns/message.ts';
import { DNS_HEADER_BYTES } from '../wire/dns/name.ts';
import { emitOpt, FLAG_DNSSEC_OK, MAX_OPT_BYTES } from '../wire/dns/opt.ts';
import { CLASS_IN } from '../wire/dns/types.ts';

export interface Question {
  /** Wire form in lower case. */
  readonly name: Uint8Array;
  readonly type: number;
  /** The asker wants signatures. */
  readonly isSecure: boolean;
  /** The asker checks them itself. */
  readonly isUnchecked: boolean;
}

/** The message that asks it. @param hasOpt without an OPT record for servers that do not know it */
export function queryBytes(id: number, question: Question, hasOpt: boolean): Uint8Array {
  const { name, type, isSecure, isUnchecked } = question;
  const bytes = new Uint8Array(DNS_HEADER_BYTES + name.length + 4 + MAX_OPT_BYTES);
  setU16(bytes, 0, id);
  setU16(bytes, 2, FLAG_RECURSION_DESIRED | (isUnchecked ? FLAG_CHECKING_DISABLED : 0));
  setU16(bytes, 4, 1);
  setU16(bytes, 10, hasOpt ? 1 : 0);
  bytes.set(name, DNS_HEADER_BYTES);
  const at = DNS_HEADER_BYTES + name.length;
  setU16(bytes, at, type);
  setU16(bytes, at + 2, CLASS_IN);
  const opt = hasOpt ? emitOpt(bytes, at + 4, isSecure ? FLAG_DNSSEC_OK : 0, 0, -1) : 0;
  return bytes.subarray(0, at + 4 + opt);
}

/** Whether a message that was parsed answers it: same id, name (in any case), type and class. */
export function isAnswerTo(id: number, question: Question, message: DnsMessage, bytes: Uint8Array): boolean {
  const { name } = question;
  if (!message.isResponse || message.id !== id || message.nameBytes !== name.length) return false;
  if (message.type !== question.type || message.class !== CLASS_IN) return false;
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[message.questionAt + i];
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== name[i]) return false;
  }
  return true;
}
