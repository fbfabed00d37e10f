/** A reflector at work against a server of a test's own, and what it has told, as somebody keeps it who believes it. */
import type t from 'tap';
import type { KubeClient } from '../kubeclient/client.ts';
import { Reflector } from '../kubeclient/reflector.ts';
import { type ApiObject, keyOf, type Resource, type Sink } from '../kubeclient/resource.ts';

export class Copy implements Sink {
  readonly objects = new Map<string, ApiObject>();
  readonly told: string[] = [];
  problems: string[] = [];
  syncs = 0;
  isAbsent = false;
  wait: (() => Promise<void>) | undefined;

  put(object: ApiObject): void {
    this.objects.set(keyOf(object), object);
    this.told.push(`+${keyOf(object)}`);
  }

  remove(key: string): void {
    this.objects.delete(key);
    this.told.push(`-${key}`);
  }

  room(): Promise<void> | undefined {
    return this.wait?.();
  }

  synced(): void {
    this.syncs++;
  }

  absent(isAbsent: boolean): void {
    this.isAbsent = isAbsent;
  }

  problem(sentence: string): void {
    if (sentence !== '') this.problems.push(sentence);
  }
}

/** Starts it; the end of the test ends it, the client and the server. */
export function reflected(
  test: typeof t,
  server: { close(): Promise<void> },
  client: KubeClient,
  resource: Resource,
): { copy: Copy; reflector: Reflector } {
  const copy = new Copy();
  const reflector = new Reflector({ client, resource, sink: copy, timeScale: 0.02 });
  const running = reflector.run();
  test.teardown(async () => {
    reflector.stop();
    await running;
    client.close();
    await server.close();
  });
  return { copy, reflector };
}
