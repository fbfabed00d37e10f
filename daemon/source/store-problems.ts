/** What is wrong with a request to create or delete objects: one sentence each, that names who holds the object. */
import type { Document } from '../../policy/document/document.ts';
import type { Problem } from '../../policy/rule/problems.ts';
import { referenceOf } from './text.ts';
import { placeOf, type Versions } from './versions.ts';

/** Of an object that was to be created and is there. */
export function takenProblem({ file, line, ...document }: Document): Problem {
  const key = referenceOf(document);
  return problemOf(file, line, 'already-exists', key, `create ${key}: found that it exists, wanted none of this name`);
}

/** Of a pod that goes with its workload only. */
export function ownedProblem(pod: string, owner: string, file: string): Problem {
  const message = `delete ${pod}: found a pod of ${owner}, wanted an object of its own`;
  return { ...problemOf(file, 1, 'owned', pod, message), hint: `delete ${owner}, or scale it` };
}

function problemOf(file: string, line: number, code: string, document: string, message: string): Problem {
  return { file, line, column: 1, path: '', severity: 'error', message, code, document };
}

/** An object of the agent's own is not anybody's to delete. */
export function ownProblem(key: string, file: string): Problem {
  const message = `delete ${key}: found it to be of Sluice itself, wanted one that was applied`;
  return { ...problemOf(file, 1, 'own', key, message), hint: 'dns.enabled: false in the configuration takes it away' };
}

/** Of an object that was not applied, whoever else has it. */
export function notAppliedProblem(key: string, { directory, kubernetes }: Versions, file: string): Problem {
  if (directory !== undefined) {
    const message = `delete ${key}: found it only in ${placeOf(directory.document)}, wanted one that was applied`;
    const hint = 'remove it from that file; the daemon watches the directory';
    return { ...problemOf(file, 1, 'not-applied', key, message), hint };
  }
  if (kubernetes !== undefined) {
    const message = `delete ${key}: found it only in Kubernetes, wanted one that was applied`;
    return { ...problemOf(file, 1, 'not-applied', key, message), hint: 'delete it there, with kubectl' };
  }
  return problemOf(file, 1, 'not-found', key, `delete ${key}: found no such object, wanted one that was applied`);
}
