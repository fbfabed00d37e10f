/** The words that may stand in fields which are no free text: `STRUCTURE.FIELD`, as in the table of structures. */

const PULL = 'Always IfNotPresent Never';
const PROTOCOLS = 'TCP UDP SCTP';
const TRAFFIC = 'Cluster Local';
const OPERATORS = 'In NotIn Exists DoesNotExist';
const EFFECTS = 'NoSchedule PreferNoSchedule NoExecute';

const WORDS = new Map(
  Object.entries({
    'core.v1.PodSpec.restartPolicy': 'Always OnFailure Never',
    'core.v1.PodSpec.dnsPolicy': 'ClusterFirst ClusterFirstWithHostNet Default None',
    'core.v1.Container.imagePullPolicy': PULL,
    'core.v1.EphemeralContainer.imagePullPolicy': PULL,
    'core.v1.Container.terminationMessagePolicy': 'File FallbackToLogsOnError',
    'core.v1.ContainerPort.protocol': PROTOCOLS,
    'core.v1.HTTPGetAction.scheme': 'HTTP HTTPS',
    'core.v1.Toleration.effect': EFFECTS,
    'core.v1.Toleration.operator': 'Equal Exists Gt Lt',
    'core.v1.Taint.effect': EFFECTS,
    'core.v1.NodeSelectorRequirement.operator': `${OPERATORS} Gt Lt`,
    'core.v1.ServiceSpec.type': 'ClusterIP ExternalName LoadBalancer NodePort',
    'core.v1.ServiceSpec.sessionAffinity': 'ClientIP None',
    'core.v1.ServiceSpec.externalTrafficPolicy': TRAFFIC,
    'core.v1.ServiceSpec.internalTrafficPolicy': TRAFFIC,
    'core.v1.ServiceSpec.ipFamilies': 'IPv4 IPv6',
    'core.v1.ServiceSpec.ipFamilyPolicy': 'PreferDualStack RequireDualStack SingleStack',
    'core.v1.ServicePort.protocol': PROTOCOLS,
    'core.v1.EndpointPort.protocol': PROTOCOLS,
    'core.v1.NamespaceStatus.phase': 'Active Terminating',
    'core.v1.PodStatus.phase': 'Pending Running Succeeded Failed Unknown',
    'discovery.v1.EndpointSlice.addressType': 'FQDN IPv4 IPv6',
    'discovery.v1.EndpointPort.protocol': PROTOCOLS,
    'apps.v1.DeploymentStrategy.type': 'Recreate RollingUpdate',
    'apps.v1.StatefulSetSpec.podManagementPolicy': 'OrderedReady Parallel',
    'apps.v1.StatefulSetUpdateStrategy.type': 'OnDelete RollingUpdate',
    'apps.v1.DaemonSetUpdateStrategy.type': 'OnDelete RollingUpdate',
    'batch.v1.CronJobSpec.concurrencyPolicy': 'Allow Forbid Replace',
    'batch.v1.JobSpec.completionMode': 'Indexed NonIndexed',
    'networking.v1.NetworkPolicyPort.protocol': PROTOCOLS,
    'networking.v1.NetworkPolicySpec.policyTypes': 'Egress Ingress',
    '~meta.v1.LabelSelectorRequirement.operator': OPERATORS,
    '^apiextensions.v1.CustomResourceDefinitionSpec.scope': 'Cluster Namespaced',
  }),
);

/** @param structure the name of a structure of the table. @returns undefined where any text may stand */
export function wordsOf(structure: string, field: string): readonly string[] | undefined {
  return WORDS.get(`${structure}.${field}`)?.split(' ');
}
