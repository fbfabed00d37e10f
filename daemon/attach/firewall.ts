/**
 * Keeps the host's own stack away from interfaces whose frames belong to the dataplane.
 *
 * An AF_PACKET socket gets a copy; without more, the kernel would also route, answer and forward what arrives. The packet taps see
 * a frame before the netdev ingress hook does, so a chain that drops everything there leaves the copy alone. One table
 * `netdev <instance>`, one chain for each interface, named like it. Changes go through `nft -f` as one transaction.
 *
 * Where frames are read one floor above (`hasUpper` of an attachment), the upper interface is shielded like that, and the lower one
 * gives it all frames: its chain only gives frames to a group another address (GROUP_STAND_IN), because the kernel would show frames to a group to
 * the host's stack as well.
 *
 * The rule set belongs to the whole machine, and others flush it (`systemctl restart nftables` does): `restore` finds what
 * is no longer there and puts it back, and firewall-guard.ts calls it all the time. Until then the settings of our own
 * interfaces stand (`quietSysctls` in linux/attachment.ts), which nobody flushes.
 */
import { CommandError, run } from '../../linux/command.ts';
import { linkIndex } from '../../linux/links.ts';
import { GROUP_STAND_IN } from '../../wire/header/ethernet.ts';

/** The nft table of one instance. */
export class Firewall {
  readonly #table: string;
  /** By interface: whether another is above it. */
  readonly #shielded = new Map<string, boolean>();
  /** Changes and looks go one after the other: a look in the middle of a change would find fault with it. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(instance: string) {
    this.#table = instance;
  }

  /** Drops what arrives on these interfaces, which must exist. Shielding one twice is harmless. */
  async shield(interfaces: readonly string[]): Promise<void> {
    await this.#shield(new Map(interfaces.map((name) => [name, false])));
  }

  /** Has these interfaces, which have another above them, hand over what is for a group to that one alone. */
  async handOver(interfaces: readonly string[]): Promise<void> {
    await this.#shield(new Map(interfaces.map((name) => [name, true])));
  }

  async #shield(interfaces: ReadonlyMap<string, boolean>): Promise<void> {
    if (interfaces.size === 0) return;
    await this.#inTurn(() => this.#load(this.#shieldLines(interfaces)));
    for (const [name, hasUpper] of interfaces) this.#shielded.set(name, hasUpper);
  }

  /**
   * Puts back what of the table is not as it was made: the table, a chain, its hook or its policy.
   * @returns the interfaces that were not shielded, and are again
   * @throws CommandError when it cannot be put back
   */
  restore(): Promise<string[]> {
    return this.#inTurn(async () => {
      if (this.#shielded.size === 0) return [];
      const intact = intactChains(await this.#list());
      const lost = [...this.#shielded.keys()].filter((name) => !intact.has(quoted(name)) && linkIndex(name) !== 0);
      if (lost.length === 0) return [];
      // All of it anew, in one transaction: a table can be dormant, too.
      const present = new Map([...this.#shielded].filter(([name]) => linkIndex(name) !== 0));
      await this.#load([...this.#removal(), ...this.#shieldLines(present)]);
      return lost;
    });
  }

  /** Lets the host have these interfaces again, those that are gone included. */
  async unshield(interfaces: readonly string[]): Promise<void> {
    if (interfaces.length === 0) return;
    for (const name of interfaces) this.#shielded.delete(name);
    // `delete` of an unknown chain fails, and `destroy` is newer than the nft of Debian 12: add first, then delete.
    const chains = interfaces.flatMap((name) => [
      this.#bare(name),
      `delete chain netdev ${this.#table} ${quoted(name)}`,
    ]);
    await this.#inTurn(() => this.#load([`add table netdev ${this.#table}`, ...chains]));
  }

  /** Removes the table with all chains; one that is not there is no error. */
  async remove(): Promise<void> {
    this.#shielded.clear();
    await this.#inTurn(() => this.#load(this.#removal()));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => {});
    return done;
  }

  #shieldLines(interfaces: ReadonlyMap<string, boolean>): string[] {
    return [
      `add table netdev ${this.#table}`,
      ...[...interfaces].flatMap(([name, hasUpper]) => this.#replace(name, hasUpper)),
    ];
  }

  #removal(): string[] {
    return [`add table netdev ${this.#table}`, `delete table netdev ${this.#table}`];
  }

  /** The table as nft shows it, '' when it is gone. */
  async #list(): Promise<string> {
    try {
      return await run('nft', ['list', 'table', 'netdev', this.#table]);
    } catch (error) {
      if ((error as CommandError).message.includes('No such file')) return '';
      throw error;
    }
  }

  #bare(name: string): string {
    return `add chain netdev ${this.#table} ${quoted(name)}`;
  }

  /** An interface that was made anew under an old name needs its hook again: the chain is made anew as well. */
  #replace(name: string, hasUpper: boolean): string[] {
    const policy = hasUpper ? 'accept' : 'drop';
    const hook = `{ type filter hook ingress device "${name}" priority -500; policy ${policy}; }`;
    const chain = [
      this.#bare(name),
      `delete chain netdev ${this.#table} ${quoted(name)}`,
      `${this.#bare(name)} ${hook}`,
    ];
    const rule = `add rule netdev ${this.#table} ${quoted(name)} ${GROUP} ether daddr set ${GROUP_STAND_IN}`;
    return hasUpper ? [...chain, rule] : chain;
  }

  async #load(lines: readonly string[]): Promise<void> {
    try {
      await run('nft', ['-f', '-'], `${lines.join('\n')}\n`);
    } catch (error) {
      const { code, message } = error as CommandError;
      throw new CommandError(`keep the host stack off (table netdev ${this.#table})`, code, message);
    }
  }
}

/**
 * Chains that drop all that comes in by an interface: hooked to one, policy drop, and no rule that lets anything pass.
 * @param table as `nft list table` shows it
 */
function intactChains(table: string): Set<string> {
  if (/^\s*flags .*dormant/m.test(table)) return new Set();
  const chains = table.matchAll(/^\s*chain (\S+) \{\n([^}]*)\}/gm);
  return new Set([...chains].filter(([, , body]) => INTACT.test(body.trim())).map(([, name]) => name));
}

const GROUP = 'ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00';
const INTACT =
  /^type filter hook ingress devices? .*policy (drop;|accept;\s*ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 ether daddr set 02:00:00:67:72:70)$/;

/** Chain names may not hold what interface names may (dots, digits first), so they are spelt out. */
function quoted(name: string): string {
  return `p_${name.replaceAll(/[^A-Za-z0-9_-]/g, (character) => `_${character.charCodeAt(0).toString(16)}_`)}`;
}
