/** Members of JSON objects by name, found in the bytes of a line. */

/**
 * What becomes of a member: it is kept as it is, as the address of an end, as a port, as what says that this is a reply, or as the
 * number of an end; or of an object some members are kept.
 */
export type Use = 'nothing' | 'whole' | 'address' | 'port' | 'reply' | 'end' | Uses;
export interface Uses {
  readonly [name: string]: Use;
}

export interface Member {
  readonly name: Buffer;
  /** `"name":` */
  readonly key: Buffer;
  /** `inside`: an object of which `inside` is kept. */
  readonly use: Exclude<Use, Uses> | 'inside';
  readonly inside: Members;
  /** What came behind it last. */
  next: Member;
}

const SLOTS = 64;
/** Names that are not listed, and are remembered to be found again. */
const MOST_OTHERS = 64;

export class Members {
  readonly #slots: Member[][] = Array.from({ length: SLOTS }, () => []);
  #others = 0;
  /** Stands before the first. */
  readonly start: Member;
  readonly #unknown: Member;

  constructor(uses: Uses) {
    this.#unknown = this.#member('', 'nothing');
    this.start = this.#member('', 'nothing');
    for (const [name, use] of Object.entries(uses)) this.#add(this.#member(name, use));
  }

  #member(text: string, use: Use): Member {
    const name = Buffer.from(text, 'latin1');
    const key = Buffer.from(`"${text}":`, 'latin1');
    const isTable = typeof use === 'object';
    const member = { name, key, use: isTable ? 'inside' : use, inside: isTable ? new Members(use) : this } as Member;
    member.next = this.#unknown ?? member;
    return member;
  }

  #add(member: Member): void {
    const { name } = member;
    this.#slots[slotOf(name, 0, name.length)].push(member);
  }

  /** The member whose name are the bytes from..to; one of use `nothing` when no such is listed. */
  find(bytes: Buffer, from: number, to: number): Member {
    if (from === to) return this.#unknown;
    const slot = this.#slots[slotOf(bytes, from, to)];
    for (let i = 0; i < slot.length; i++) if (isAt(slot[i].name, bytes, from, to)) return slot[i];
    if (this.#others === MOST_OTHERS) return this.#unknown;
    this.#others++;
    const other = this.#member(bytes.toString('latin1', from, to), 'nothing');
    this.#add(other);
    return other;
  }
}

function slotOf(bytes: Buffer, from: number, to: number): number {
  return ((to - from) * 5 + bytes[from] + bytes[to - 1] * 3) & (SLOTS - 1);
}

function isAt(name: Buffer, bytes: Buffer, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[from + at]) return false;
  return true;
}
