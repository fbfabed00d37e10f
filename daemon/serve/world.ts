/**
 * `GET /v1/world`: what the compiler was told and what it made numbers of, so that another program can judge as it does. Lines are made
 * as they are read: an answer of any length neither holds the agent up nor fills its memory. What is told is what was there when
 * the request came: objects are never changed, only replaced.
 */
import type { ServerResponse } from 'node:http';
import type { WorldLine } from '../../api/shapes.ts';
import { placedObject } from '../../policy/document/placed.ts';
import type { Document } from '../../policy/document/document.ts';
import type { Agent } from '../agent.ts';
import { isPodSource } from '../attach/pod-feed.ts';
import { cookieDocuments, identityDocuments } from './status.ts';

/** A reader that takes nothing for so long is given up. */
const IDLE_MS = 30_000;

/** Sends the world, a line of JSON each. @param unless the tag of a world that need not be told again */
export function sendWorld(agent: Agent, response: ServerResponse, unless: string | null = null): undefined {
  const tag = tagOf(agent);
  const lines = tag === unless ? [{ unchanged: true }].values() : worldLines(agent, tag);
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.setTimeout(IDLE_MS, () => response.destroy());
  const more = (): void => {
    if (response.destroyed) return;
    for (let next = lines.next(); next.done !== true; next = lines.next()) {
      if (!response.write(`${JSON.stringify(next.value)}\n`)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

/** Everything that changes the world ends in a publication. */
function tagOf({ startedMs, publisher }: Agent): string {
  return `${startedMs}.${publisher.revision}`;
}

/** What the compiler was told: everything that judging needs. */
function documentsOf({ config, store, feed }: Agent): Document[] {
  const isTold = ({ kind, name }: Document) => !isPodSource(kind) && !(kind === 'Node' && name === config.nodeName);
  return [...[...store.documents()].filter(isTold), ...feed.pods()];
}

function worldLines(agent: Agent, tag: string): Iterator<WorldLine> {
  const { options } = agent.compilation.cluster;
  const { node } = agent.feed;
  const documents = documentsOf(agent);
  const identities = identityDocuments(agent);
  const cookies = cookieDocuments(agent);
  return (function* (): Generator<WorldLine> {
    yield { tag };
    yield { options };
    yield { node };
    for (const document of documents) if (document.kind !== 'Secret') yield { object: placedObject(document) };
    for (const identity of identities) yield { identity };
    for (const cookie of cookies) yield { cookie };
    yield { end: true };
  })();
}
