// Holds the folders to their order: each imports only itself and the folders named here, so every arrow points down.
// Tests and benches may import any folder.

const GROUND = ['wire', 'policy-maps'];
const EVERY_LIBRARY = [
  ...GROUND,
  'policy',
  'services',
  'dataplane',
  'dataplane/native',
  'l7proxy',
  'hubble',
  'explain',
  'linux',
  'api',
  'nameserver',
  'apiserver',
  'controllers',
  'kubelet',
  'kubeclient',
];

const allowed = {
  wire: [],
  'policy-maps': ['wire'],
  policy: GROUND,
  services: [...GROUND, 'policy'],
  'dataplane/native': [],
  dataplane: [...GROUND, 'dataplane/native'],
  l7proxy: GROUND,
  hubble: ['wire'],
  explain: [...GROUND, 'policy', 'dataplane', 'l7proxy', 'hubble'],
  linux: ['dataplane/native', 'wire'],
  api: ['wire', 'policy'],
  apiserver: ['wire', 'policy', 'linux', 'api'],
  controllers: ['apiserver', 'wire', 'policy', 'services', 'api'],
  kubelet: ['apiserver', 'wire', 'policy', 'linux', 'dataplane/native'],
  kubeclient: ['wire', 'linux', 'policy'],
  // The plugin must start fast, and talks to the agent's socket only.
  cni: ['wire', 'linux', 'api'],
  nameserver: ['wire', 'linux', 'dataplane/native'],
  cni: [], // C
  daemon: EVERY_LIBRARY,
  cli: EVERY_LIBRARY,
  // In the browser: what needs Node fails its build. Nobody imports it.
  web: ['hubble', 'api', 'policy', 'policy-maps', 'explain', 'wire'],
};

/** The folders of code, each of which has a README. */
export const codeFolders = Object.keys(allowed);

/** The longest code folder that holds `path`, or undefined. */
export function codeFolderOf(path) {
  const names = codeFolders.filter((name) => path.startsWith(`${name}/`));
  return names.sort((a, b) => b.length - a.length)[0];
}

export function imports({ sources }) {
  const problems = [];
  for (const { path, isTest, imports } of sources) {
    for (const { specifier, target, line } of imports) {
      if (target === undefined) continue;
      if (!/\.(tsx?|json|css)$/.test(specifier))
        problems.push(`${path}:${line}: a relative import ends in .ts, found '${specifier}'`);
      const from = codeFolderOf(path);
      const to = codeFolderOf(target) ?? target.split('/')[0];
      if (isTest || from === undefined || from === to || allowed[from].includes(to)) continue;
      const wanted = allowed[from].join(', ') || 'nothing';
      problems.push(`${path}:${line}: ${from}/ must not import ${to}/ (allowed: ${wanted})`);
    }
  }
  return problems;
}
