/**
 * What runs in place of an image: rigs run none. A container that names a command runs that; one of an image that is known
 * here runs a stand-in; nothing runs in any other, which `rig up` says.
 *
 *     image, without registry, tag and digest  ->  kind of server (stand-in.ts) and its port, or `idle`
 *
 * `idle` is for images of tools: such a pod is there to run `sluice exec` in, and needs no program.
 */
import { programPath } from '../../linux/programs.ts';

export interface ImageUse {
  /** A kind of stand-in.ts, or `idle`. */
  readonly kind: string;
  /** Where it serves when the container names no port. */
  readonly port: number;
}

/** The first that matches counts. */
const TABLE: readonly (readonly [pattern: RegExp, kind: string, port: number])[] = [
  [/(^|\/)go-httpbin$/, 'httpbin', 8080],
  [/(^|\/)httpbin$/, 'httpbin', 80],
  [/(^|\/)json-mock$/, 'json-mock', 8080],
  [/(^|\/)(starwars|deathstar)$/, 'deathstar', 80],
  [/(^|\/)(nginx|nginx-unprivileged|httpd)$/, 'nginx', 80],
  [/(^|\/)http-echo$/, 'echo', 5678],
  [/(^|\/)echoserver$/, 'echo', 8080],
  [/(^|\/)(echo|echo-server|whoami|hello-app)$/, 'echo', 80],
  [/(^|\/)(curl|alpine-curl|busybox|alpine|debian|ubuntu|netshoot|netperf|shell|sleep|pause)$/, 'idle', 0],
];

/** What stands in for an image; undefined when nothing does. */
export function useOfImage(image: string): ImageUse | undefined {
  const name = image.replace(/@.*$/, '').replace(/:[^/]*$/, '');
  const row = TABLE.find(([pattern]) => pattern.test(name));
  return row && { kind: row[1], port: row[2] };
}

/** The program that serves in place of an image. */
export function standInCommand({ kind }: ImageUse, ports: readonly number[]): string[] {
  return [process.execPath, programPath('stand-in'), kind, ...ports.map(String)];
}
