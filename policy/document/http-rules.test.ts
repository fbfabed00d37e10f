/** What documents say of the paths of HTTP rules beside the patterns. */
import t from 'tap';
import { ports } from '../../test/policy/documents.ts';
import type { PolicyConfig } from '../rule/options.ts';
import { readDocuments } from './document.ts';

const NORMALIZE = 'sluice.io/http-normalize-path';

/** A policy with one HTTP rule about a path, and one without. */
function withAnnotation(value?: string): string {
  const text = ports('ports: [{port: "80", protocol: TCP}]\nrules: {http: [{path: /api/.*}, {method: GET}]}');
  return value === undefined
    ? text
    : text.replace('namespace: shop', `namespace: shop, annotations: {${NORMALIZE}: "${value}"}`);
}

function rulesOf(text: string, config: PolicyConfig) {
  const { documents } = readDocuments(text, 'test', config);
  return documents[0].policy?.rules[0].ingress[0].ports?.[0].l7?.rules;
}

t.test('the annotation http-normalize-path of a policy counts before the option, both ways', async (t) => {
  const strict = [{ path: '/api/.*' }, { method: 'GET' }];
  const raw = [{ path: '/api/.*', isPathRaw: true }, { method: 'GET' }];
  for (const [annotation, option, wanted] of [
    [undefined, true, strict],
    [undefined, false, raw],
    ['false', true, raw],
    ['true', false, strict],
    ['false', false, raw],
  ] as const) {
    const config = { 'http-normalize-path': option };
    t.same(rulesOf(withAnnotation(annotation), config), wanted, `annotation ${annotation}, option ${option}`);
    const codes = readDocuments(withAnnotation(annotation), 'test', config).problems.map(({ code }) => code);
    t.same(codes, wanted === raw ? ['path-escape'] : [], 'what its patterns let pass is told where they are raw');
  }
});

t.test('the annotation is true or false, and stands on Cilium policies only', async (t) => {
  const path = `metadata.annotations["${NORMALIZE}"]`;
  t.match(readDocuments(withAnnotation('no'), 'test').problems, [{ code: 'annotation', path, severity: 'error' }]);
  for (const [apiVersion, kind] of [
    ['v1', 'Pod'],
    ['networking.k8s.io/v1', 'NetworkPolicy'],
  ]) {
    const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a, annotations: {${NORMALIZE}: "false"}}\nspec: {podSelector: {}}\n`;
    const codes = readDocuments(text, 'test').problems.map(({ code }) => code);
    t.ok(codes.includes('unknown-annotation'), kind);
  }
});
