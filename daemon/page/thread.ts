/**
 * The thread of the page: a listener for browsers, on an address of the configuration. An address that is taken, a certificate or a
 * token that is missing are told and tried again; it never listens in another way than it was asked to.
 */
import { join } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { agentSocket, hubbleSocket } from '../../api/sockets.ts';
import { FollowedFile } from '../../linux/followed-file.ts';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import type { Config } from '../config/config.ts';
import { readListenAddress } from '../config/listen-address.ts';
import { FlowServer } from '../observe/flow-server.ts';
import { RetriedListening } from '../serve/retried-listening.ts';
import type { FromThread } from '../supervise/supervised-thread.ts';
import type { FromPage, PageStatus } from './messages.ts';
import { JudgeDesk } from './judge-desk.ts';
import { PageHandler } from './page-handler.ts';
import { Sessions } from './sessions.ts';
import { StaticFiles } from './static-files.ts';

/** Between two looks at what may be wrong. */
const TELL_MS = 1000;

class PageThread {
  readonly #port: MessagePort;
  readonly #config: Config;
  readonly #tokenFile: FollowedFile | undefined;
  readonly #sessions: Sessions;
  readonly #files = new StaticFiles(join(PACKAGE_ROOT, 'dist/page'));
  readonly #server: FlowServer;
  readonly #judge: JudgeDesk;
  readonly #looking: NodeJS.Timeout;
  readonly #listening: RetriedListening | undefined;
  #told = '';

  constructor(port: MessagePort, config: Config) {
    this.#port = port;
    this.#config = config;
    const { name, nodeName, runDir, 'ui-token-file': path, 'ui-hosts': hosts, 'ui-write': mayWrite } = config;
    const tokenFile = path === '' ? undefined : new FollowedFile(path, () => this.#tellHow());
    this.#tokenFile = tokenFile;
    this.#sessions = new Sessions({
      tokenText: tokenFile && (() => tokenFile.text),
      instance: name,
      isSecure: this.#isSecure,
      nowMs: Date.now,
    });
    this.#judge = new JudgeDesk({ runDir, onDeath: (reason) => this.#noteDeath(reason) });
    const handler = new PageHandler({
      judge: this.#judge,
      ...{ instance: name, nodeName, hosts, mayWrite },
      agentSocket: agentSocket(runDir),
      hubbleSocket: hubbleSocket(runDir),
      files: this.#files,
      sessions: this.#sessions,
    });
    this.#server = new FlowServer([handler], 'the page is');
    this.#listening = this.#newListening();
    this.#looking = setInterval(() => this.#tellHow(), TELL_MS);
  }

  async start(): Promise<void> {
    await this.#listening?.start();
    this.#tell({ ready: true });
  }

  async stop(): Promise<void> {
    clearInterval(this.#looking);
    this.#listening?.stop();
    this.#tokenFile?.close();
    this.#judge.stop();
    await this.#server.stop();
    process.exit(0);
  }

  get #isSecure(): boolean {
    return this.#config['ui-tls-cert'] !== '';
  }

  /** Undefined when no address is given. */
  #newListening(): RetriedListening | undefined {
    const { 'ui-address': address, 'ui-tls-cert': cert, 'ui-tls-key': key } = this.#config;
    const place = readListenAddress(address);
    const tls = this.#isSecure ? { cert, key, clientAuthorities: [] } : undefined;
    return (
      place &&
      new RetriedListening({
        address,
        texts: { served: 'the page is served', failed: 'cannot serve the page, trying again' },
        log: (level, text, fields) => this.#tell({ log: { level, text, fields } }),
        listen: () => this.#server.listen(place, tls),
        onAttempt: () => this.#tellHow(),
      })
    );
  }

  #noteDeath(reason: string): void {
    this.#tell({ log: { level: 'warn', text: 'a question of the page ended its judge', fields: { reason } } });
  }

  #tellHow(): void {
    this.#files.look();
    const listening = this.#listening;
    const unserved = listening?.problem ? `the page is not served on ${listening.address}: ${listening.problem}` : '';
    const found = [unserved, this.#files.problem, this.#sessions.problem, ...this.#server.problems];
    const { 'ui-address': address, nodeName } = this.#config;
    const shown = address.startsWith(':') ? nodeName + address : address;
    const page: PageStatus = {
      address: listening?.isServed === true ? `${this.#isSecure ? 'https' : 'http'}://${shown}/` : '',
      problems: found.filter((text) => text !== ''),
      judgeDeaths: this.#judge.counts.deaths,
    };
    const text = JSON.stringify(page);
    if (text === this.#told) return;
    this.#told = text;
    this.#tell({ page });
  }

  #tell(message: FromPage | FromThread): void {
    this.#port.postMessage(message);
  }
}

if (parentPort === null) throw new Error('start the page: found no parent, wanted the agent');
const thread = new PageThread(parentPort, workerData as Config);
parentPort.on('message', () => void thread.stop());
void thread.start();
