/** The version of Kubernetes that the API is like: whose kinds, fields and verbs it has. */
import type { ServedVersion } from '../../apiserver/http/kube-server.ts';
import { VERSION } from '../../linux/version.ts';

export const SERVED_VERSION: ServedVersion = {
  major: '1',
  minor: '37',
  gitVersion: `v1.37.2+sluice-${VERSION}`,
  gitCommit: '',
  gitTreeState: '',
  buildDate: '',
  goVersion: '',
  compiler: '',
};
