/**
 * The Service kube-system/kube-dns and the pod behind it, as documents: they are read, planned and judged as anybody's are, so that
 * policies see the name server as they would see CoreDNS.
 */
import type { Config } from '../config/config.ts';
import { addressFrom, isInside, parseRange } from '../attach/range.ts';

export const NAME_SERVICE = 'kube-system/kube-dns';
/** The pod, as endpoints are named. */
export const NAME_POD = 'kube-system/kube-dns';
/** What both are said to be written in. */
export const OWN_FILE = 'sluiced';

/** Where Kubernetes' installers put it: the tenth address of the range. */
const PLACE = 10n;

/** The network namespace of the pod. */
export function nameServerNetns(instance: string): string {
  return `${instance}-kube-dns`;
}

export function ownDocuments({ name, serviceCIDRs }: Pick<Config, 'name' | 'serviceCIDRs'>): string {
  const addresses = [serviceCIDRs.ipv4, serviceCIDRs.ipv6].filter((text) => text !== '').flatMap(tenthOf);
  const given =
    addresses.length === 0 ? '' : `\n  clusterIP: '${addresses[0]}'\n  clusterIPs: ['${addresses.join("', '")}']`;
  return `apiVersion: v1
kind: Service
metadata:
  namespace: kube-system
  name: kube-dns
  labels: { k8s-app: kube-dns, kubernetes.io/name: CoreDNS, sluice.io/component: dns }
spec:${given}
  ipFamilyPolicy: PreferDualStack
  selector: { k8s-app: kube-dns, sluice.io/component: dns }
  ports:
    - { name: dns, port: 53, protocol: UDP }
    - { name: dns-tcp, port: 53, protocol: TCP }
---
apiVersion: v1
kind: Pod
metadata:
  namespace: kube-system
  name: kube-dns
  labels: { k8s-app: kube-dns, sluice.io/component: dns }
  annotations: { sluice.io/netns: ${nameServerNetns(name)}, sluice.io/attach: veth, sluice.io/fault: none }
spec:
  dnsPolicy: Default
  containers:
    - name: dns
      image: sluice-dns
      ports:
        - { name: dns, containerPort: 53, protocol: UDP }
        - { name: dns-tcp, containerPort: 53, protocol: TCP }
`;
}

/** None in a range that is too small: then the address is drawn. */
function tenthOf(text: string): string[] {
  const range = parseRange(text);
  const address = addressFrom(range.family, range.first + PLACE);
  return isInside(range, address) && range.first + PLACE < range.last ? [address.text] : [];
}
