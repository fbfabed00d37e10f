/**
 * Keeps the host's own stack away from interfaces whose frames belong to the dataplane.
 *
 * An AF_PACKET socket gets a copy; without more, the kernel would also route, answer and forward what arrives. The packet taps see
 * a frame before the netdev ingress hook does, so a chain that drops everything there leaves the copy alone. One table
 * `netdev <instance>`, one chain for each interface, named like it. Changes go through `nft -f` as one transaction.
 */
import { CommandError, run } from '../../linux/command.ts';

/** The nft table of one instance. */
export class Firewall {
  readonly #table: string;

  constructor(instance: string) {
    this.#table = instance;
  }

  /** Drops what arrives on these interfaces, which must exist. Shielding one twice is harmless. */
  async shield(interfaces: readonly string[]): Promise<void> {
    if (interfaces.length === 0) return;
    const lines = [`add table netdev ${this.#table}`];
    for (const name of interfaces) lines.push(...this.#replace(name));
    await this.#load(lines);
  }

  /** Lets the host have these interfaces again, those that are gone included. */
  async unshield(interfaces: readonly string[]): Promise<void> {
    if (interfaces.length === 0) return;
    // `delete` of an unknown chain fails, and `destroy` is newer than the nft of Debian 12: add first, then delete.
    const chains = interfaces.flatMap((name) => [
      this.#bare(name),
      `delete chain netdev ${this.#table} ${quoted(name)}`,
    ]);
    await this.#load([`add table netdev ${this.#table}`, ...chains]);
  }

  /** Removes the table with all chains; one that is not there is no error. */
  async remove(): Promise<void> {
    await this.#load([`add table netdev ${this.#table}`, `delete table netdev ${this.#table}`]);
  }

  #bare(name: string): string {
    return `add chain netdev ${this.#table} ${quoted(name)}`;
  }

  /** An interface that was made anew under an old name needs its hook again: the chain is made anew as well. */
  #replace(name: string): string[] {
    const hook = `{ type filter hook ingress device "${name}" priority -500; policy drop; }`;
    return [this.#bare(name), `delete chain netdev ${this.#table} ${quoted(name)}`, `${this.#bare(name)} ${hook}`];
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

/** Chain names may not hold what interface names may (dots, digits first), so they are spelt out. */
function quoted(name: string): string {
  return `p_${name.replaceAll(/[^A-Za-z0-9_-]/g, (character) => `_${character.charCodeAt(0).toString(16)}_`)}`;
}
