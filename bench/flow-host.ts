// An observatory as the agent starts it, over rings that its parent has made in RUN_DIR/maps: `node flow-host.js RUN_DIR`.
import { loadConfig } from '../daemon/config/config.ts';
import { Observatory } from '../daemon/observe/observatory.ts';
import { townDirectory } from './event-town.ts';

const config = loadConfig(undefined, { runDir: process.argv[2], nodeName: 'node-1' });
const say = (...what: unknown[]): void => console.error('bench: observatory:', ...what);
const observatory = new Observatory({ config, log: { info: say, warn: say, error: say }, snapshot: townDirectory });
await observatory.start();
process.send?.('ready');
process.on('message', () => process.send?.(observatory.counts));
process.on('disconnect', () => void observatory.stop().then(() => process.exit(0)));
