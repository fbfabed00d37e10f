/** Labels as Kubernetes has them. */
import { CNI_CODES, CniError } from './cni-error.ts';

export type Labels = Readonly<Record<string, string>>;

const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const LABEL_LIMIT = 256;

/** Whether it could be a label in Kubernetes. */
export function isLabel(key: string, value: string): boolean {
  return LABEL_KEY.test(key) && LABEL_VALUE.test(value);
}

/** @param where they were found @throws CniError for what is no label: leaving one out might open a door */
export function checkLabels(labels: Labels, where: string): Labels {
  const all = Object.entries(labels);
  const wrongOne = all.find(([key, value]) => !isLabel(key, value));
  if (wrongOne !== undefined) {
    const found = JSON.stringify(wrongOne.join('=').slice(0, 400));
    throw new CniError(CNI_CODES.config, `${where}: found ${found}, wanted a label of Kubernetes`);
  }
  if (all.length > LABEL_LIMIT)
    throw new CniError(CNI_CODES.config, `${where}: found ${all.length} labels, wanted at most ${LABEL_LIMIT}`);
  return labels;
}
