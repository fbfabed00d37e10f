/** A list as JSON, item by item, no faster than its client reads: the text of a large one would take more memory than its objects. */
import type { ServerResponse } from 'node:http';
import type { KubeObject } from '../storage/kube-object.ts';

const STALLED_MS = 60_000;
/** At once. */
const WRITTEN_CHARS = 64 * 1024;

/** @param head what stands before the items @param shown an item as the client wants it */
export function writeList(
  response: ServerResponse,
  head: object,
  objects: readonly KubeObject[],
  shown: (object: KubeObject) => object,
): void {
  response.setHeader('content-type', 'application/json');
  let stalled: NodeJS.Timeout | undefined;
  let at = 0;
  let text = `${JSON.stringify(head).slice(0, -1)},"items":[`;
  const pump = (): void => {
    clearTimeout(stalled);
    while (at < objects.length && !response.destroyed) {
      text += `${at === 0 ? '' : ','}${JSON.stringify(shown(objects[at]))}`;
      at++;
      if (text.length < WRITTEN_CHARS) continue;
      const isTaken = response.write(text);
      text = '';
      if (isTaken) continue;
      stalled = setTimeout(() => response.destroy(), STALLED_MS).unref();
      response.once('drain', pump);
      return;
    }
    response.end(`${text}]}\n`);
  };
  response.once('close', () => clearTimeout(stalled));
  pump();
}
