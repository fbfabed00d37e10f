// Made by scripts/structures.mjs: every structure of the API, a line each. structure-table.ts has the notation.
export const KUBERNETES_STRUCTURES = `
^apiextensions.v1.CustomResourceColumnDefinition|description s|format s|jsonPath! s|name! s|priority i|type! s
^apiextensions.v1.CustomResourceConversion|strategy! s|webhook ^apiextensions.v1.WebhookConversion
^apiextensions.v1.CustomResourceDefinitionCondition|lastTransitionTime t|message s|observedGeneration l|reason s|status! s|type! s
^apiextensions.v1.CustomResourceDefinitionNames|categories [s]|kind! s|listKind s|plural! s|shortNames [s]|singular s
^apiextensions.v1.CustomResourceDefinitionSpec|conversion ^apiextensions.v1.CustomResourceConversion|group! s|names! ^apiextensions.v1.CustomResourceDefinitionNames always|preserveUnknownFields b|scope! s|versions! [^apiextensions.v1.CustomResourceDefinitionVersion]
^apiextensions.v1.CustomResourceDefinitionStatus|acceptedNames ^apiextensions.v1.CustomResourceDefinitionNames always|conditions [^apiextensions.v1.CustomResourceDefinitionCondition] map=type|observedGeneration l|storedVersions [s]
^apiextensions.v1.CustomResourceDefinitionVersion|additionalPrinterColumns [^apiextensions.v1.CustomResourceColumnDefinition]|deprecated b|deprecationWarning s|name! s|schema ^apiextensions.v1.CustomResourceValidation|selectableFields [^apiextensions.v1.SelectableField]|served! b|storage! b|subresources ^apiextensions.v1.CustomResourceSubresources
^apiextensions.v1.CustomResourceDefinition|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec! ^apiextensions.v1.CustomResourceDefinitionSpec always|status ^apiextensions.v1.CustomResourceDefinitionStatus always
^apiextensions.v1.CustomResourceSubresourceScale|labelSelectorPath s|specReplicasPath! s|statusReplicasPath! s
^apiextensions.v1.CustomResourceSubresourceStatus
^apiextensions.v1.CustomResourceSubresources|scale ^apiextensions.v1.CustomResourceSubresourceScale|status ^apiextensions.v1.CustomResourceSubresourceStatus
^apiextensions.v1.CustomResourceValidation|openAPIV3Schema ^apiextensions.v1.JSONSchemaProps
^apiextensions.v1.ExternalDocumentation|description s|url s
^apiextensions.v1.JSONSchemaProps|$ref s|$schema s|additionalItems x|additionalProperties x|allOf [^apiextensions.v1.JSONSchemaProps]|anyOf [^apiextensions.v1.JSONSchemaProps]|default x|definitions {^apiextensions.v1.JSONSchemaProps}|dependencies {x}|description s|enum [x]|example x|exclusiveMaximum b|exclusiveMinimum b|externalDocs ^apiextensions.v1.ExternalDocumentation|format s|id s|items x|maxItems l|maxLength l|maxProperties l|maximum d|minItems l|minLength l|minProperties l|minimum d|multipleOf d|not ^apiextensions.v1.JSONSchemaProps|nullable b|oneOf [^apiextensions.v1.JSONSchemaProps]|pattern s|patternProperties {^apiextensions.v1.JSONSchemaProps}|properties {^apiextensions.v1.JSONSchemaProps}|required [s]|title s|type s|uniqueItems b|x-kubernetes-embedded-resource b|x-kubernetes-int-or-string b|x-kubernetes-list-map-keys [s]|x-kubernetes-list-type s|x-kubernetes-map-type s|x-kubernetes-preserve-unknown-fields b|x-kubernetes-validations [^apiextensions.v1.ValidationRule] map=rule patch=merge key=rule
^apiextensions.v1.SelectableField|jsonPath! s
^apiextensions.v1.ServiceReference|name! s|namespace! s|path s|port i
^apiextensions.v1.ValidationRule|fieldPath s|message s|messageExpression s|optionalOldSelf b|reason s|rule! s
^apiextensions.v1.WebhookClientConfig|caBundle y|service ^apiextensions.v1.ServiceReference|url s
^apiextensions.v1.WebhookConversion|clientConfig ^apiextensions.v1.WebhookClientConfig|conversionReviewVersions! [s]
apps.v1.ControllerRevision|apiVersion s|data! x|kind s|metadata ~meta.v1.ObjectMeta always|revision l
apps.v1.DaemonSetCondition|lastTransitionTime t|message s|reason s|status s|type s
apps.v1.DaemonSetSpec|minReadySeconds i|revisionHistoryLimit i|selector! ~meta.v1.LabelSelector|template! core.v1.PodTemplateSpec always|updateStrategy apps.v1.DaemonSetUpdateStrategy always
apps.v1.DaemonSetStatus|collisionCount i|conditions [apps.v1.DaemonSetCondition] map=type patch=merge key=type|currentNumberScheduled! i|desiredNumberScheduled! i|numberAvailable i|numberMisscheduled! i|numberReady! i|numberUnavailable i|observedGeneration l|updatedNumberScheduled i
apps.v1.DaemonSetUpdateStrategy|rollingUpdate apps.v1.RollingUpdateDaemonSet|type s
apps.v1.DaemonSet|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec! apps.v1.DaemonSetSpec always|status apps.v1.DaemonSetStatus always
apps.v1.DeploymentCondition|lastTransitionTime t|lastUpdateTime t|message s|reason s|status s|type s
apps.v1.DeploymentSpec|minReadySeconds i|paused b|progressDeadlineSeconds i|replicas i|revisionHistoryLimit i|selector! ~meta.v1.LabelSelector|strategy apps.v1.DeploymentStrategy patch=retainKeys always|template! core.v1.PodTemplateSpec always
apps.v1.DeploymentStatus|availableReplicas i|collisionCount i|conditions [apps.v1.DeploymentCondition] map=type patch=merge key=type|observedGeneration l|readyReplicas i|replicas i|terminatingReplicas i|unavailableReplicas i|updatedReplicas i
apps.v1.DeploymentStrategy|rollingUpdate apps.v1.RollingUpdateDeployment|type s
apps.v1.Deployment|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec! apps.v1.DeploymentSpec always|status apps.v1.DeploymentStatus always
apps.v1.ReplicaSetCondition|lastTransitionTime t|message s|reason s|status s|type s
apps.v1.ReplicaSetSpec|minReadySeconds i|replicas i|selector! ~meta.v1.LabelSelector|template core.v1.PodTemplateSpec always
apps.v1.ReplicaSetStatus|availableReplicas i|conditions [apps.v1.ReplicaSetCondition] map=type patch=merge key=type|fullyLabeledReplicas i|observedGeneration l|readyReplicas i|replicas! i|terminatingReplicas i
apps.v1.ReplicaSet|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec! apps.v1.ReplicaSetSpec always|status apps.v1.ReplicaSetStatus always
apps.v1.RollingUpdateDaemonSet|maxSurge o|maxUnavailable o
apps.v1.RollingUpdateDeployment|maxSurge o|maxUnavailable o
apps.v1.RollingUpdateStatefulSetStrategy|maxUnavailable o|partition i
apps.v1.StatefulSetCondition|lastTransitionTime t|message s|reason s|status s|type s
apps.v1.StatefulSetOrdinals|start i
apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy|whenDeleted s|whenScaled s
apps.v1.StatefulSetSpec|minReadySeconds i|ordinals apps.v1.StatefulSetOrdinals|persistentVolumeClaimRetentionPolicy apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy|podManagementPolicy s|replicas i|revisionHistoryLimit i|selector! ~meta.v1.LabelSelector|serviceName s|template! core.v1.PodTemplateSpec always|updateStrategy apps.v1.StatefulSetUpdateStrategy always|volumeClaimTemplates [core.v1.PersistentVolumeClaim]
apps.v1.StatefulSetStatus|availableReplicas i|collisionCount i|conditions [apps.v1.StatefulSetCondition] map=type patch=merge key=type|currentReplicas i|currentRevision s|observedGeneration l|readyReplicas i|replicas! i|updateRevision s|updatedReplicas i
apps.v1.StatefulSetUpdateStrategy|rollingUpdate apps.v1.RollingUpdateStatefulSetStrategy|type s
apps.v1.StatefulSet|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec! apps.v1.StatefulSetSpec always|status apps.v1.StatefulSetStatus always
authentication.v1.BoundObjectReference|apiVersion s|kind s|name s|uid s
authentication.v1.SelfSubjectReviewStatus|userInfo authentication.v1.UserInfo always
authentication.v1.SelfSubjectReview|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|status authentication.v1.SelfSubjectReviewStatus always
authentication.v1.TokenRequestSpec|attestations {[s]}|audiences [s]|boundObjectRef authentication.v1.BoundObjectReference|expirationSeconds l
authentication.v1.TokenRequestStatus|expirationTimestamp t|token s
authentication.v1.TokenRequest|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec authentication.v1.TokenRequestSpec always|status authentication.v1.TokenRequestStatus always
authentication.v1.UserInfo|extra {[s]}|groups [s]|uid s|username s
authorization.v1.FieldSelectorAttributes|rawSelector s|requirements [~meta.v1.FieldSelectorRequirement]
authorization.v1.LabelSelectorAttributes|rawSelector s|requirements [~meta.v1.LabelSelectorRequirement]
authorization.v1.NonResourceAttributes|path s|verb s
authorization.v1.NonResourceRule|nonResourceURLs [s]|verbs! [s]
authorization.v1.ResourceAttributes|fieldSelector authorization.v1.FieldSelectorAttributes|group s|labelSelector authorization.v1.LabelSelectorAttributes|name s|namespace s|resource s|subresource s|verb s|version s
authorization.v1.ResourceRule|apiGroups [s]|resourceNames [s]|resources [s]|verbs! [s]
authorization.v1.SelfSubjectAccessReviewSpec|nonResourceAttributes authorization.v1.NonResourceAttributes|resourceAttributes authorization.v1.ResourceAttributes
authorization.v1.SelfSubjectAccessReview|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec! authorization.v1.SelfSubjectAccessReviewSpec always|status authorization.v1.SubjectAccessReviewStatus always
authorization.v1.SelfSubjectRulesReviewSpec|namespace s
authorization.v1.SelfSubjectRulesReview|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec! authorization.v1.SelfSubjectRulesReviewSpec always|status authorization.v1.SubjectRulesReviewStatus always
authorization.v1.SubjectAccessReviewSpec|extra {[s]}|groups [s]|nonResourceAttributes authorization.v1.NonResourceAttributes|resourceAttributes authorization.v1.ResourceAttributes|uid s|user s
authorization.v1.SubjectAccessReviewStatus|allowed! b|denied b|evaluationError s|reason s
authorization.v1.SubjectAccessReview|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec! authorization.v1.SubjectAccessReviewSpec always|status authorization.v1.SubjectAccessReviewStatus always
authorization.v1.SubjectRulesReviewStatus|evaluationError s|incomplete! b|nonResourceRules! [authorization.v1.NonResourceRule]|resourceRules! [authorization.v1.ResourceRule]
autoscaling.v1.ScaleSpec|replicas i
autoscaling.v1.ScaleStatus|replicas! i|selector s
autoscaling.v1.Scale|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec autoscaling.v1.ScaleSpec always|status autoscaling.v1.ScaleStatus always
batch.v1.CronJobSpec|concurrencyPolicy s|failedJobsHistoryLimit i|jobTemplate! batch.v1.JobTemplateSpec always|schedule! s|startingDeadlineSeconds l|successfulJobsHistoryLimit i|suspend b|timeZone s
batch.v1.CronJobStatus|active [core.v1.ObjectReference]|lastScheduleTime t|lastSuccessfulTime t
batch.v1.CronJob|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec! batch.v1.CronJobSpec always|status batch.v1.CronJobStatus always
batch.v1.JobCondition|lastProbeTime t|lastTransitionTime t|message s|reason s|status! s|type! s
batch.v1.JobSchedulingConfiguration|disruptionMode scheduling.v1alpha3.WorkloadPodGroupDisruptionMode|resourceClaims [scheduling.v1alpha3.WorkloadPodGroupResourceClaim] map=name patch=merge key=name|schedulingConstraints scheduling.v1alpha3.WorkloadPodGroupSchedulingConstraints|schedulingPolicy scheduling.v1alpha3.WorkloadPodGroupSchedulingPolicy
batch.v1.JobSpec|activeDeadlineSeconds l|backoffLimit i|backoffLimitPerIndex i|completionMode s|completions i|managedBy s|manualSelector b|maxFailedIndexes i|parallelism i|podFailurePolicy batch.v1.PodFailurePolicy|podReplacementPolicy s|scheduling batch.v1.JobSchedulingConfiguration|selector ~meta.v1.LabelSelector|successPolicy batch.v1.SuccessPolicy|suspend b|template! core.v1.PodTemplateSpec always|ttlSecondsAfterFinished i
batch.v1.JobStatus|active i|completedIndexes s|completionTime t|conditions [batch.v1.JobCondition] patch=merge key=type|failed i|failedIndexes s|ready i|startTime t|succeeded i|terminating i|uncountedTerminatedPods batch.v1.UncountedTerminatedPods
batch.v1.JobTemplateSpec|metadata ~meta.v1.ObjectMeta always|spec batch.v1.JobSpec always
batch.v1.Job|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec batch.v1.JobSpec always|status batch.v1.JobStatus always
batch.v1.PodFailurePolicyOnExitCodesRequirement|containerName s|operator! s|values! [i] set
batch.v1.PodFailurePolicyOnPodConditionsPattern|status s|type! s
batch.v1.PodFailurePolicyRule|action! s|onExitCodes batch.v1.PodFailurePolicyOnExitCodesRequirement|onPodConditions [batch.v1.PodFailurePolicyOnPodConditionsPattern]
batch.v1.PodFailurePolicy|rules! [batch.v1.PodFailurePolicyRule]
batch.v1.SuccessPolicyRule|succeededCount i|succeededIndexes s
batch.v1.SuccessPolicy|rules! [batch.v1.SuccessPolicyRule]
batch.v1.UncountedTerminatedPods|failed [s] set|succeeded [s] set
cilium.v2.CiliumEndpointStatusControllersConfiguration|error-retry b|error-retry-base l|interval l
cilium.v2.CiliumEndpointStatusControllersStatus|consecutive-failure-count l|failure-count l|last-failure-msg s|last-failure-timestamp s|last-success-timestamp s|success-count l
cilium.v2.CiliumEndpointStatusControllers|configuration cilium.v2.CiliumEndpointStatusControllersConfiguration|name s|status cilium.v2.CiliumEndpointStatusControllersStatus|uuid s
cilium.v2.CiliumEndpointStatusEncryption|key i
cilium.v2.CiliumEndpointStatusExternal-identifiers|cni-attachment-id s|container-id s|container-name s|docker-endpoint-id s|docker-network-id s|k8s-namespace s|k8s-pod-name s|pod-name s
cilium.v2.CiliumEndpointStatusHealth|bpf s|connected b|overallHealth s|policy s
cilium.v2.CiliumEndpointStatusIdentity|id l|labels [s]
cilium.v2.CiliumEndpointStatusLog|code s|message s|state s|timestamp s
cilium.v2.CiliumEndpointStatusNamed-ports|name s|port i|protocol s
cilium.v2.CiliumEndpointStatusNetworkingAddressing|ipv4 s|ipv6 s
cilium.v2.CiliumEndpointStatusNetworking|addressing! [cilium.v2.CiliumEndpointStatusNetworkingAddressing]|node s
cilium.v2.CiliumEndpointStatusPolicyEgressAdding|dest-port i|identity l|identity-labels {s}|protocol i
cilium.v2.CiliumEndpointStatusPolicyEgress|adding [cilium.v2.CiliumEndpointStatusPolicyEgressAdding]|allowed [cilium.v2.CiliumEndpointStatusPolicyEgressAdding]|denied [cilium.v2.CiliumEndpointStatusPolicyEgressAdding]|enforcing! b|removing [cilium.v2.CiliumEndpointStatusPolicyEgressAdding]|state s
cilium.v2.CiliumEndpointStatusPolicy|egress cilium.v2.CiliumEndpointStatusPolicyEgress|ingress cilium.v2.CiliumEndpointStatusPolicyEgress
cilium.v2.CiliumEndpointStatus|controllers [cilium.v2.CiliumEndpointStatusControllers]|encryption cilium.v2.CiliumEndpointStatusEncryption|external-identifiers cilium.v2.CiliumEndpointStatusExternal-identifiers|health cilium.v2.CiliumEndpointStatusHealth|id l|identity cilium.v2.CiliumEndpointStatusIdentity|log [cilium.v2.CiliumEndpointStatusLog]|named-ports [cilium.v2.CiliumEndpointStatusNamed-ports]|networking cilium.v2.CiliumEndpointStatusNetworking|policy cilium.v2.CiliumEndpointStatusPolicy|service-account s|state s
cilium.v2.CiliumEndpoint|apiVersion s|kind s|metadata! ~meta.v1.ObjectMeta|status cilium.v2.CiliumEndpointStatus
cilium.v2.CiliumIdentity|apiVersion s|kind s|metadata! ~meta.v1.ObjectMeta|security-labels! {s}
cilium.v2.CiliumNodeSpecAddresses|ip s|type s
cilium.v2.CiliumNodeSpecAlibaba-cloud|availability-zone s|cidr-block s|instance-type s|security-group-tags {s}|security-groups [s]|vpc-id s|vswitch-tags {s}|vswitches [s]
cilium.v2.CiliumNodeSpecAzure|interface-name s
cilium.v2.CiliumNodeSpecEni|availability-zone s|delete-on-termination b|disable-prefix-delegation b|exclude-interface-tags {s}|first-interface-index i|instance-type s|node-subnet-id s|security-group-tags {s}|security-groups [s]|subnet-ids [s]|subnet-tags {s}|use-primary-address b|vpc-id s
cilium.v2.CiliumNodeSpecIpamIpv6-pool|owner s|resource s
cilium.v2.CiliumNodeSpecIpamPoolsAllocated|allowFirstIP b|allowLastIP b|cidrs [s]|pool! s
cilium.v2.CiliumNodeSpecIpamPoolsRequestedNeeded|ipv4-addrs i|ipv6-addrs i
cilium.v2.CiliumNodeSpecIpamPoolsRequested|needed cilium.v2.CiliumNodeSpecIpamPoolsRequestedNeeded|pool! s
cilium.v2.CiliumNodeSpecIpamPools|allocated [cilium.v2.CiliumNodeSpecIpamPoolsAllocated]|requested [cilium.v2.CiliumNodeSpecIpamPoolsRequested]
cilium.v2.CiliumNodeSpecIpam|ipv6-pool {cilium.v2.CiliumNodeSpecIpamIpv6-pool}|max-above-watermark i|max-allocate i|min-allocate i|podCIDRs [s]|pool {cilium.v2.CiliumNodeSpecIpamIpv6-pool}|pools cilium.v2.CiliumNodeSpecIpamPools|pre-allocate i|static-ip-tags {s}
cilium.v2.CiliumNodeSpec|addresses [cilium.v2.CiliumNodeSpecAddresses]|alibaba-cloud cilium.v2.CiliumNodeSpecAlibaba-cloud|azure cilium.v2.CiliumNodeSpecAzure|bootid s|encryption cilium.v2.CiliumEndpointStatusEncryption|eni cilium.v2.CiliumNodeSpecEni|health cilium.v2.CiliumEndpointStatusNetworkingAddressing|ingress cilium.v2.CiliumEndpointStatusNetworkingAddressing|instance-id s|ipam cilium.v2.CiliumNodeSpecIpam
cilium.v2.CiliumNodeStatusAlibaba-cloudEnisPrivate-ipsets|primary b|private-ip-address s
cilium.v2.CiliumNodeStatusAlibaba-cloudEnisVpc|cidr s|ipv6-cidr s|secondary-cidrs [s]|vpc-id s
cilium.v2.CiliumNodeStatusAlibaba-cloudEnisVswitch|cidr s|ipv6-cidr s|vswitch-id s
cilium.v2.CiliumNodeStatusAlibaba-cloudEnis|instance-id s|mac-address s|network-interface-id s|primary-ip-address s|private-ipsets [cilium.v2.CiliumNodeStatusAlibaba-cloudEnisPrivate-ipsets]|security-groupids [s]|tags {s}|type s|vpc cilium.v2.CiliumNodeStatusAlibaba-cloudEnisVpc|vswitch cilium.v2.CiliumNodeStatusAlibaba-cloudEnisVswitch|zone-id s
cilium.v2.CiliumNodeStatusAlibaba-cloud|enis {cilium.v2.CiliumNodeStatusAlibaba-cloudEnis}
cilium.v2.CiliumNodeStatusAzureInterfacesAddresses|ip s|state s|subnet s
cilium.v2.CiliumNodeStatusAzureInterfacesSubnet|cidr s|id s
cilium.v2.CiliumNodeStatusAzureInterfaces|addresses [cilium.v2.CiliumNodeStatusAzureInterfacesAddresses]|cidr s|gateway s|id s|ip s|mac s|name s|security-group s|state s|subnet cilium.v2.CiliumNodeStatusAzureInterfacesSubnet
cilium.v2.CiliumNodeStatusAzure|interfaces [cilium.v2.CiliumNodeStatusAzureInterfaces]
cilium.v2.CiliumNodeStatusEniEnisVpc|cidrs [s]|id s|primary-cidr s
cilium.v2.CiliumNodeStatusEniEnis|addresses [s]|availability-zone s|description s|id s|ip s|ipv6-prefixes [s]|mac s|number i|prefixes [s]|public-ip s|security-groups [s]|subnet cilium.v2.CiliumNodeStatusAzureInterfacesSubnet|tags {s}|vpc cilium.v2.CiliumNodeStatusEniEnisVpc
cilium.v2.CiliumNodeStatusEni|enis {cilium.v2.CiliumNodeStatusEniEnis}
cilium.v2.CiliumNodeStatusIpamOperator-status|error s
cilium.v2.CiliumNodeStatusIpamPod-cidrs|status s
cilium.v2.CiliumNodeStatusIpam|assigned-static-ip s|ipv6-used {cilium.v2.CiliumNodeSpecIpamIpv6-pool}|operator-status cilium.v2.CiliumNodeStatusIpamOperator-status|pod-cidrs {cilium.v2.CiliumNodeStatusIpamPod-cidrs}|release-ips {s}|release-ipv6s {s}|used {cilium.v2.CiliumNodeSpecIpamIpv6-pool}
cilium.v2.CiliumNodeStatus|alibaba-cloud cilium.v2.CiliumNodeStatusAlibaba-cloud|azure cilium.v2.CiliumNodeStatusAzure|eni cilium.v2.CiliumNodeStatusEni|ipam cilium.v2.CiliumNodeStatusIpam
cilium.v2.CiliumNode|apiVersion s|kind s|metadata! ~meta.v1.ObjectMeta|spec! cilium.v2.CiliumNodeSpec|status cilium.v2.CiliumNodeStatus
coordination.v1.LeaseSpec|acquireTime t|holderIdentity s|leaseDurationSeconds i|leaseTransitions i|preferredHolder s|renewTime t|strategy s
coordination.v1.Lease|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec coordination.v1.LeaseSpec always
core.v1.AWSElasticBlockStoreVolumeSource|fsType s|partition i|readOnly b|volumeID! s
core.v1.Affinity|nodeAffinity core.v1.NodeAffinity|podAffinity core.v1.PodAffinity|podAntiAffinity core.v1.PodAntiAffinity
core.v1.AppArmorProfile|localhostProfile s|type! s
core.v1.AttachedVolume|devicePath! s|name! s
core.v1.AzureDiskVolumeSource|cachingMode s =ReadWrite|diskName! s|diskURI! s|fsType s =ext4|kind s =Shared|readOnly b
core.v1.AzureFileVolumeSource|readOnly b|secretName! s|shareName! s
core.v1.Binding|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|target! core.v1.ObjectReference always
core.v1.CSIVolumeSource|driver! s|fsType s|nodePublishSecretRef core.v1.LocalObjectReference|readOnly b|volumeAttributes {s}
core.v1.Capabilities|add [s]|drop [s]
core.v1.CephFSVolumeSource|monitors! [s]|path s|readOnly b|secretFile s|secretRef core.v1.LocalObjectReference|user s
core.v1.CinderVolumeSource|fsType s|readOnly b|secretRef core.v1.LocalObjectReference|volumeID! s
core.v1.ClientIPConfig|timeoutSeconds i
core.v1.ClusterTrustBundleProjection|labelSelector ~meta.v1.LabelSelector|name s|optional b|path! s|signerName s|user l
core.v1.ConfigMapEnvSource|name s|optional b
core.v1.ConfigMapKeySelector atomic|key! s|name s|optional b
core.v1.ConfigMapNodeConfigSource|kubeletConfigKey! s|name! s|namespace! s|resourceVersion s|uid s
core.v1.ConfigMapProjection|items [core.v1.KeyToPath]|name s|optional b
core.v1.ConfigMapVolumeSource|defaultMode i|defaultUser l|items [core.v1.KeyToPath]|name s|optional b
core.v1.ConfigMap|apiVersion s|binaryData {y}|data {s}|immutable b|kind s|metadata ~meta.v1.ObjectMeta always
core.v1.ContainerExtendedResourceRequest|containerName! s|requestName! s|resourceName! s
core.v1.ContainerImage|names [s]|sizeBytes l
core.v1.ContainerPort|containerPort! i|hostIP s|hostPort i|name s|protocol s =TCP
core.v1.ContainerResizePolicy|resourceName! s|restartPolicy! s
core.v1.ContainerRestartRuleOnExitCodes|operator! s|values [i] set
core.v1.ContainerRestartRule|action! s|exitCodes core.v1.ContainerRestartRuleOnExitCodes
core.v1.ContainerStateRunning|startedAt t
core.v1.ContainerStateTerminated|containerID s|exitCode! i|finishedAt t|message s|reason s|signal i|startedAt t
core.v1.ContainerStateWaiting|message s|reason s
core.v1.ContainerState|running core.v1.ContainerStateRunning|terminated core.v1.ContainerStateTerminated|waiting core.v1.ContainerStateWaiting
core.v1.ContainerStatus|allocatedResources {q}|allocatedResourcesStatus [core.v1.ResourceStatus] map=name patch=merge key=name|containerID s|image! s|imageID! s|lastState core.v1.ContainerState always|name! s|ready! b|resources core.v1.ResourceRequirements|restartCount! i|started b|state core.v1.ContainerState always|stopSignal s|user core.v1.ContainerUser|volumeMounts [core.v1.VolumeMountStatus] map=mountPath patch=merge key=mountPath
core.v1.ContainerUser|linux core.v1.LinuxContainerUser
core.v1.Container|args [s]|command [s]|env [core.v1.EnvVar] map=name patch=merge key=name|envFrom [core.v1.EnvFromSource]|image s|imagePullPolicy s|lifecycle core.v1.Lifecycle|livenessProbe core.v1.Probe|name! s|ports [core.v1.ContainerPort] map=containerPort,protocol patch=merge key=containerPort|readinessProbe core.v1.Probe|resizePolicy [core.v1.ContainerResizePolicy]|resources core.v1.ResourceRequirements always|restartPolicy s|restartPolicyRules [core.v1.ContainerRestartRule]|securityContext core.v1.SecurityContext|startupProbe core.v1.Probe|stdin b|stdinOnce b|terminationMessagePath s|terminationMessagePolicy s|tty b|volumeDevices [core.v1.VolumeDevice] map=devicePath patch=merge key=devicePath|volumeMounts [core.v1.VolumeMount] map=mountPath patch=merge key=mountPath|workingDir s
core.v1.DaemonEndpoint|Port! i
core.v1.DownwardAPIProjection|items [core.v1.DownwardAPIVolumeFile]
core.v1.DownwardAPIVolumeFile|fieldRef core.v1.ObjectFieldSelector|mode i|path! s|resourceFieldRef core.v1.ResourceFieldSelector|user l
core.v1.DownwardAPIVolumeSource|defaultMode i|defaultUser l|items [core.v1.DownwardAPIVolumeFile]
core.v1.EmptyDirVolumeSource|medium s|mode i|sizeLimit q
core.v1.EndpointAddress atomic|hostname s|ip! s|nodeName s|targetRef core.v1.ObjectReference
core.v1.EndpointPort atomic|appProtocol s|name s|port! i|protocol s
core.v1.EndpointSubset|addresses [core.v1.EndpointAddress]|notReadyAddresses [core.v1.EndpointAddress]|ports [core.v1.EndpointPort]
core.v1.Endpoints|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|subsets [core.v1.EndpointSubset]
core.v1.EnvFromSource|configMapRef core.v1.ConfigMapEnvSource|prefix s|secretRef core.v1.SecretEnvSource
core.v1.EnvVarSource|configMapKeyRef core.v1.ConfigMapKeySelector|fieldRef core.v1.ObjectFieldSelector|fileKeyRef core.v1.FileKeySelector|resourceFieldRef core.v1.ResourceFieldSelector|secretKeyRef core.v1.SecretKeySelector
core.v1.EnvVar|name! s|value s|valueFrom core.v1.EnvVarSource
core.v1.EphemeralContainer|args [s]|command [s]|env [core.v1.EnvVar] map=name patch=merge key=name|envFrom [core.v1.EnvFromSource]|image s|imagePullPolicy s|lifecycle core.v1.Lifecycle|livenessProbe core.v1.Probe|name! s|ports [core.v1.ContainerPort] map=containerPort,protocol patch=merge key=containerPort|readinessProbe core.v1.Probe|resizePolicy [core.v1.ContainerResizePolicy]|resources core.v1.ResourceRequirements always|restartPolicy s|restartPolicyRules [core.v1.ContainerRestartRule]|securityContext core.v1.SecurityContext|startupProbe core.v1.Probe|stdin b|stdinOnce b|targetContainerName s|terminationMessagePath s|terminationMessagePolicy s|tty b|volumeDevices [core.v1.VolumeDevice] map=devicePath patch=merge key=devicePath|volumeMounts [core.v1.VolumeMount] map=mountPath patch=merge key=mountPath|workingDir s
core.v1.EphemeralVolumeSource|volumeClaimTemplate core.v1.PersistentVolumeClaimTemplate
core.v1.EventSeries|count i|lastObservedTime t
core.v1.EventSource|component s|host s
core.v1.Event|action s|apiVersion s|count i|eventTime t|firstTimestamp t|involvedObject! core.v1.ObjectReference always|kind s|lastTimestamp t|message s|metadata! ~meta.v1.ObjectMeta always|reason s|related core.v1.ObjectReference|reportingComponent s|reportingInstance s|series core.v1.EventSeries|source core.v1.EventSource always|type s
core.v1.EvictionResponder atomic|name! s|priority! i
core.v1.ExecAction|command [s]
core.v1.FCVolumeSource|fsType s|lun i|readOnly b|targetWWNs [s]|wwids [s]
core.v1.FileKeySelector atomic|key! s|optional b|path! s|volumeName! s
core.v1.FlexVolumeSource|driver! s|fsType s|options {s}|readOnly b|secretRef core.v1.LocalObjectReference
core.v1.FlockerVolumeSource|datasetName s|datasetUUID s
core.v1.GCEPersistentDiskVolumeSource|fsType s|partition i|pdName! s|readOnly b
core.v1.GRPCAction|mode s|port! i|service s
core.v1.GitRepoVolumeSource|directory s|repository! s|revision s
core.v1.GlusterfsVolumeSource|endpoints! s|path! s|readOnly b
core.v1.HTTPGetAction|host s|httpHeaders [core.v1.HTTPHeader]|path s|port! o|protocol s|scheme s
core.v1.HTTPHeader|name! s|value! s
core.v1.HostAlias|hostnames [s]|ip! s
core.v1.HostIP|ip! s
core.v1.HostPathVolumeSource|path! s|type s
core.v1.ISCSIVolumeSource|chapAuthDiscovery b|chapAuthSession b|fsType s|initiatorName s|iqn! s|iscsiInterface s =default|lun! i|portals [s]|readOnly b|secretRef core.v1.LocalObjectReference|targetPortal! s
core.v1.ImageVolumeSource|pullPolicy s|reference s
core.v1.ImageVolumeStatus|imageRef! s
core.v1.KeyToPath|key! s|mode i|path! s|user l
core.v1.LifecycleHandler|exec core.v1.ExecAction|httpGet core.v1.HTTPGetAction|sleep core.v1.SleepAction|tcpSocket core.v1.TCPSocketAction
core.v1.Lifecycle|postStart core.v1.LifecycleHandler|preStop core.v1.LifecycleHandler|stopSignal s
core.v1.LinuxContainerUser|gid! l|supplementalGroups [l]|uid! l
core.v1.LoadBalancerIngress|hostname s|ip s|ipMode s|ports [core.v1.PortStatus]
core.v1.LoadBalancerStatus|ingress [core.v1.LoadBalancerIngress]
core.v1.LocalObjectReference atomic|name s
core.v1.ModifyVolumeStatus|status! s|targetVolumeAttributesClassName s
core.v1.NFSVolumeSource|path! s|readOnly b|server! s
core.v1.NamespaceCondition|lastTransitionTime t|message s|reason s|status! s|type! s
core.v1.NamespaceSpec|finalizers [s]
core.v1.NamespaceStatus|conditions [core.v1.NamespaceCondition] map=type patch=merge key=type|phase s
core.v1.Namespace|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec core.v1.NamespaceSpec always|status core.v1.NamespaceStatus always
core.v1.NodeAddress|address! s|type! s
core.v1.NodeAffinity|preferredDuringSchedulingIgnoredDuringExecution [core.v1.PreferredSchedulingTerm]|requiredDuringSchedulingIgnoredDuringExecution core.v1.NodeSelector
core.v1.NodeAllocatableMappedResources|name! s|quantity! q
core.v1.NodeAllocatableOverheadResources|name! s|perContainer q|perPod q
core.v1.NodeAllocatableResourceClaimStatus|containers [s] set|mapping [core.v1.NodeAllocatableMappedResources] map=name patch=merge key=name|overhead [core.v1.NodeAllocatableOverheadResources] map=name patch=merge key=name|resourceClaimName! s
core.v1.NodeCondition|lastHeartbeatTime t|lastTransitionTime t|message s|reason s|status! s|type! s
core.v1.NodeConfigSource|configMap core.v1.ConfigMapNodeConfigSource
core.v1.NodeConfigStatus|active core.v1.NodeConfigSource|assigned core.v1.NodeConfigSource|error s|lastKnownGood core.v1.NodeConfigSource
core.v1.NodeDaemonEndpoints|kubeletEndpoint core.v1.DaemonEndpoint always
core.v1.NodeFeatures|supplementalGroupsPolicy b
core.v1.NodePodPreemptionPolicy|disableResizePreemption [s] set
core.v1.NodeRuntimeHandlerFeatures|recursiveReadOnlyMounts b|userNamespaces b
core.v1.NodeRuntimeHandler|features core.v1.NodeRuntimeHandlerFeatures|name s
core.v1.NodeSelector atomic|nodeSelectorTerms! [core.v1.NodeSelectorTerm]
core.v1.NodeSelectorRequirement|key! s|operator! s|values [s]
core.v1.NodeSelectorTerm atomic|matchExpressions [core.v1.NodeSelectorRequirement]|matchFields [core.v1.NodeSelectorRequirement]
core.v1.NodeSpec|configSource core.v1.NodeConfigSource|externalID s|podCIDR s|podCIDRs [s] set patch=merge|podPreemptionPolicy core.v1.NodePodPreemptionPolicy|providerID s|taints [core.v1.Taint]|unschedulable b
core.v1.NodeStatus|addresses [core.v1.NodeAddress] map=type patch=merge key=type|allocatable {q}|capacity {q}|conditions [core.v1.NodeCondition] map=type patch=merge key=type|config core.v1.NodeConfigStatus|daemonEndpoints core.v1.NodeDaemonEndpoints always|declaredFeatures [s]|features core.v1.NodeFeatures|images [core.v1.ContainerImage]|nodeInfo core.v1.NodeSystemInfo always|phase s|runtimeHandlers [core.v1.NodeRuntimeHandler]|volumesAttached [core.v1.AttachedVolume]|volumesInUse [s]
core.v1.NodeSwapStatus|capacity l
core.v1.NodeSystemInfo|architecture! s|bootID! s|containerRuntimeVersion! s|kernelVersion! s|kubeProxyVersion! s|kubeletVersion! s|machineID! s|operatingSystem! s|osImage! s|runningInUserNamespace b|swap core.v1.NodeSwapStatus|systemUUID! s
core.v1.Node|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec core.v1.NodeSpec always|status core.v1.NodeStatus always
core.v1.ObjectFieldSelector atomic|apiVersion s|fieldPath! s
core.v1.ObjectReference atomic|apiVersion s|fieldPath s|kind s|name s|namespace s|resourceVersion s|uid s
core.v1.PersistentVolumeClaimCondition|lastProbeTime t|lastTransitionTime t|message s|reason s|status! s|type! s
core.v1.PersistentVolumeClaimSpec|accessModes [s]|dataSource core.v1.TypedLocalObjectReference|dataSourceRef core.v1.TypedObjectReference|resources core.v1.VolumeResourceRequirements always|selector ~meta.v1.LabelSelector|storageClassName s|volumeAttributesClassName s|volumeMode s|volumeName s
core.v1.PersistentVolumeClaimStatus|accessModes [s]|allocatedResourceStatuses {s}|allocatedResources {q}|capacity {q}|conditions [core.v1.PersistentVolumeClaimCondition] map=type patch=merge key=type|currentVolumeAttributesClassName s|healthStatus core.v1.VolumeHealthStatus|modifyVolumeStatus core.v1.ModifyVolumeStatus|phase s
core.v1.PersistentVolumeClaimTemplate|metadata ~meta.v1.ObjectMeta always|spec! core.v1.PersistentVolumeClaimSpec always
core.v1.PersistentVolumeClaimVolumeSource|claimName! s|readOnly b
core.v1.PersistentVolumeClaim|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec core.v1.PersistentVolumeClaimSpec always|status core.v1.PersistentVolumeClaimStatus always
core.v1.PhotonPersistentDiskVolumeSource|fsType s|pdID! s
core.v1.PodAffinityTerm|labelSelector ~meta.v1.LabelSelector|matchLabelKeys [s]|mismatchLabelKeys [s]|namespaceSelector ~meta.v1.LabelSelector|namespaces [s]|topologyKey! s
core.v1.PodAffinity|preferredDuringSchedulingIgnoredDuringExecution [core.v1.WeightedPodAffinityTerm]|requiredDuringSchedulingIgnoredDuringExecution [core.v1.PodAffinityTerm]
core.v1.PodAntiAffinity|preferredDuringSchedulingIgnoredDuringExecution [core.v1.WeightedPodAffinityTerm]|requiredDuringSchedulingIgnoredDuringExecution [core.v1.PodAffinityTerm]
core.v1.PodCertificateProjection|certificateChainPath s|credentialBundlePath s|keyPath s|keyType! s|maxExpirationSeconds i|signerName! s|user l|userAnnotations {s}
core.v1.PodCondition|lastProbeTime t|lastTransitionTime t|message s|observedGeneration l|reason s|status! s|type! s
core.v1.PodDNSConfigOption|name s|value s
core.v1.PodDNSConfig|nameservers [s]|options [core.v1.PodDNSConfigOption]|searches [s]
core.v1.PodExtendedResourceClaimStatus|requestMappings! [core.v1.ContainerExtendedResourceRequest]|resourceClaimName! s
core.v1.PodIP|ip! s
core.v1.PodOS|name! s
core.v1.PodReadinessGate|conditionType! s
core.v1.PodResourceClaimStatus|name! s|resourceClaimName s
core.v1.PodResourceClaim|name! s|resourceClaimName s|resourceClaimTemplateName s
core.v1.PodSchedulingGate|name! s
core.v1.PodSchedulingGroup|podGroupName s
core.v1.PodSecurityContext|appArmorProfile core.v1.AppArmorProfile|fsGroup l|fsGroupChangePolicy s|runAsGroup l|runAsNonRoot b|runAsUser l|seLinuxChangePolicy s|seLinuxOptions core.v1.SELinuxOptions|seccompProfile core.v1.SeccompProfile|supplementalGroups [l]|supplementalGroupsPolicy s|sysctls [core.v1.Sysctl]|windowsOptions core.v1.WindowsSecurityContextOptions
core.v1.PodSpec|activeDeadlineSeconds l|affinity core.v1.Affinity|automountServiceAccountToken b|containers! [core.v1.Container] map=name patch=merge key=name|dnsConfig core.v1.PodDNSConfig|dnsPolicy s|enableServiceLinks b|ephemeralContainers [core.v1.EphemeralContainer] map=name patch=merge key=name|evictionResponders [core.v1.EvictionResponder] map=name patch=merge key=name|hostAliases [core.v1.HostAlias] map=ip patch=merge key=ip|hostIPC b|hostNetwork b|hostPID b|hostUsers b|hostname s|hostnameOverride s|imagePullSecrets [core.v1.LocalObjectReference] map=name patch=merge key=name|initContainers [core.v1.Container] map=name patch=merge key=name|nodeName s|nodeSelector {s} atomic|os core.v1.PodOS|overhead {q}|preemptionPolicy s|priority i|priorityClassName s|readinessGates [core.v1.PodReadinessGate]|resourceClaims [core.v1.PodResourceClaim] map=name patch=merge+retainKeys key=name|resources core.v1.ResourceRequirements|restartPolicy s|runtimeClassName s|schedulerName s|schedulingGates [core.v1.PodSchedulingGate] map=name patch=merge key=name|schedulingGroup core.v1.PodSchedulingGroup|securityContext core.v1.PodSecurityContext|serviceAccount s|serviceAccountName s|setHostnameAsFQDN b|shareProcessNamespace b|subdomain s|terminationGracePeriodSeconds l|tolerations [core.v1.Toleration]|topologySpreadConstraints [core.v1.TopologySpreadConstraint] map=topologyKey,whenUnsatisfiable patch=merge key=topologyKey|volumes [core.v1.Volume] map=name patch=merge+retainKeys key=name
core.v1.PodStatus|allocatedResources {q}|conditions [core.v1.PodCondition] map=type patch=merge key=type|containerStatuses [core.v1.ContainerStatus]|ephemeralContainerStatuses [core.v1.ContainerStatus]|extendedResourceClaimStatus core.v1.PodExtendedResourceClaimStatus|hostIP s|hostIPs [core.v1.HostIP] patch=merge key=ip|initContainerStatuses [core.v1.ContainerStatus]|message s|nodeAllocatableResourceClaimStatuses [core.v1.NodeAllocatableResourceClaimStatus] map=resourceClaimName patch=merge key=resourceClaimName|nominatedNodeName s|observedGeneration l|phase s|podIP s|podIPs [core.v1.PodIP] map=ip patch=merge key=ip|qosClass s|reason s|resize s|resourceClaimStatuses [core.v1.PodResourceClaimStatus] map=name patch=merge+retainKeys key=name|resources core.v1.ResourceRequirements|startTime t|volumeHealth [core.v1.PodVolumeHealth] map=name
core.v1.PodTemplateSpec|metadata ~meta.v1.ObjectMeta always|spec core.v1.PodSpec always
core.v1.PodVolumeHealth|healthConditions [core.v1.VolumeHealthCondition] map=status,reason patch=merge key=status|lastTransitionTime t|name! s
core.v1.Pod|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec core.v1.PodSpec always|status core.v1.PodStatus always
core.v1.PortStatus|error s|port! i|protocol! s
core.v1.PortworxVolumeSource|fsType s|readOnly b|volumeID! s
core.v1.PreferredSchedulingTerm|preference! core.v1.NodeSelectorTerm always|weight! i
core.v1.Probe|exec core.v1.ExecAction|failureThreshold i|grpc core.v1.GRPCAction|httpGet core.v1.HTTPGetAction|initialDelaySeconds i|periodSeconds i|successThreshold i|tcpSocket core.v1.TCPSocketAction|terminationGracePeriodSeconds l|timeoutSeconds i
core.v1.ProjectedVolumeSource|defaultMode i|defaultUser l|sources [core.v1.VolumeProjection]
core.v1.QuobyteVolumeSource|group s|readOnly b|registry! s|tenant s|user s|volume! s
core.v1.RBDVolumeSource|fsType s|image! s|keyring s =/etc/ceph/keyring|monitors! [s]|pool s =rbd|readOnly b|secretRef core.v1.LocalObjectReference|user s =admin
core.v1.ReplicationControllerCondition|lastTransitionTime t|message s|reason s|status! s|type! s
core.v1.ReplicationControllerSpec|minReadySeconds i|replicas i =1|selector {s} atomic|template core.v1.PodTemplateSpec
core.v1.ReplicationControllerStatus|availableReplicas i|conditions [core.v1.ReplicationControllerCondition] map=type patch=merge key=type|fullyLabeledReplicas i|observedGeneration l|readyReplicas i|replicas! i
core.v1.ReplicationController|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec core.v1.ReplicationControllerSpec always|status core.v1.ReplicationControllerStatus always
core.v1.ResourceClaim|name! s|request s
core.v1.ResourceFieldSelector atomic|containerName s|divisor q|resource! s
core.v1.ResourceHealth|health s|message s|resourceID! s
core.v1.ResourceRequirements|claims [core.v1.ResourceClaim] map=name|limits {q}|requests {q}
core.v1.ResourceStatus|name! s|resources [core.v1.ResourceHealth] map=resourceID
core.v1.SELinuxOptions|level s|role s|type s|user s
core.v1.ScaleIOVolumeSource|fsType s =xfs|gateway! s|protectionDomain s|readOnly b|secretRef! core.v1.LocalObjectReference|sslEnabled b|storageMode s =ThinProvisioned|storagePool s|system! s|volumeName s
core.v1.SeccompProfile|localhostProfile s|type! s
core.v1.SecretEnvSource|name s|optional b
core.v1.SecretKeySelector atomic|key! s|name s|optional b
core.v1.SecretProjection|items [core.v1.KeyToPath]|name s|optional b
core.v1.SecretVolumeSource|defaultMode i|defaultUser l|items [core.v1.KeyToPath]|optional b|secretName s
core.v1.Secret|apiVersion s|data {y}|immutable b|kind s|metadata ~meta.v1.ObjectMeta always|stringData {s}|type s
core.v1.SecurityContext|allowPrivilegeEscalation b|appArmorProfile core.v1.AppArmorProfile|capabilities core.v1.Capabilities|privileged b|procMount s|readOnlyRootFilesystem b|runAsGroup l|runAsNonRoot b|runAsUser l|seLinuxOptions core.v1.SELinuxOptions|seccompProfile core.v1.SeccompProfile|windowsOptions core.v1.WindowsSecurityContextOptions
core.v1.ServiceAccountTokenProjection|audience s|expirationSeconds l|path! s|user l
core.v1.ServiceAccount|apiVersion s|automountServiceAccountToken b|imagePullSecrets [core.v1.LocalObjectReference]|kind s|metadata ~meta.v1.ObjectMeta always|secrets [core.v1.ObjectReference] map=name patch=merge key=name
core.v1.ServicePort|appProtocol s|name s|nodePort i|port! i|protocol s =TCP|targetPort o
core.v1.ServiceSpec|allocateLoadBalancerNodePorts b|clusterIP s|clusterIPs [s]|externalIPs [s]|externalName s|externalTrafficPolicy s|healthCheckNodePort i|internalTrafficPolicy s|ipFamilies [s]|ipFamilyPolicy s|loadBalancerClass s|loadBalancerIP s|loadBalancerSourceRanges [s]|ports [core.v1.ServicePort] map=port,protocol patch=merge key=port|publishNotReadyAddresses b|selector {s} atomic|sessionAffinity s|sessionAffinityConfig core.v1.SessionAffinityConfig|trafficDistribution s|type s
core.v1.ServiceStatus|conditions [~meta.v1.Condition] map=type patch=merge key=type|loadBalancer core.v1.LoadBalancerStatus always
core.v1.Service|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec core.v1.ServiceSpec always|status core.v1.ServiceStatus always
core.v1.SessionAffinityConfig|clientIP core.v1.ClientIPConfig
core.v1.SleepAction|seconds! l
core.v1.StorageOSVolumeSource|fsType s|readOnly b|secretRef core.v1.LocalObjectReference|volumeName s|volumeNamespace s
core.v1.Sysctl|name! s|value! s
core.v1.TCPSocketAction|host s|port! o
core.v1.Taint|effect! s|key! s|timeAdded t|value s
core.v1.Toleration|effect s|key s|operator s|tolerationSeconds l|value s
core.v1.TopologySpreadConstraint|labelSelector ~meta.v1.LabelSelector|matchLabelKeys [s]|maxSkew! i|minDomains i|nodeAffinityPolicy s|nodeTaintsPolicy s|topologyKey! s|whenUnsatisfiable! s
core.v1.TypedLocalObjectReference atomic|apiGroup s|kind! s|name! s
core.v1.TypedObjectReference|apiGroup s|kind! s|name! s|namespace s
core.v1.VolumeDevice|devicePath! s|name! s
core.v1.VolumeHealthCondition|message s|reason! s|status! s
core.v1.VolumeHealthStatus|healthConditions [core.v1.VolumeHealthCondition] map=status,reason patch=merge key=status|lastTransitionTime t
core.v1.VolumeMountStatus|mountPath! s|name! s|readOnly b|recursiveReadOnly s|volumeStatus core.v1.VolumeStatus
core.v1.VolumeMount|bindMountOptions [s] set|mountPath! s|mountPropagation s|name! s|readOnly b|recursiveReadOnly s|subPath s|subPathExpr s
core.v1.VolumeProjection|clusterTrustBundle core.v1.ClusterTrustBundleProjection|configMap core.v1.ConfigMapProjection|downwardAPI core.v1.DownwardAPIProjection|podCertificate core.v1.PodCertificateProjection|secret core.v1.SecretProjection|serviceAccountToken core.v1.ServiceAccountTokenProjection
core.v1.VolumeResourceRequirements|limits {q}|requests {q}
core.v1.VolumeStatus|image core.v1.ImageVolumeStatus
core.v1.Volume|awsElasticBlockStore core.v1.AWSElasticBlockStoreVolumeSource|azureDisk core.v1.AzureDiskVolumeSource|azureFile core.v1.AzureFileVolumeSource|cephfs core.v1.CephFSVolumeSource|cinder core.v1.CinderVolumeSource|configMap core.v1.ConfigMapVolumeSource|csi core.v1.CSIVolumeSource|downwardAPI core.v1.DownwardAPIVolumeSource|emptyDir core.v1.EmptyDirVolumeSource|ephemeral core.v1.EphemeralVolumeSource|fc core.v1.FCVolumeSource|flexVolume core.v1.FlexVolumeSource|flocker core.v1.FlockerVolumeSource|gcePersistentDisk core.v1.GCEPersistentDiskVolumeSource|gitRepo core.v1.GitRepoVolumeSource|glusterfs core.v1.GlusterfsVolumeSource|hostPath core.v1.HostPathVolumeSource|image core.v1.ImageVolumeSource|iscsi core.v1.ISCSIVolumeSource|name! s|nfs core.v1.NFSVolumeSource|persistentVolumeClaim core.v1.PersistentVolumeClaimVolumeSource|photonPersistentDisk core.v1.PhotonPersistentDiskVolumeSource|portworxVolume core.v1.PortworxVolumeSource|projected core.v1.ProjectedVolumeSource|quobyte core.v1.QuobyteVolumeSource|rbd core.v1.RBDVolumeSource|scaleIO core.v1.ScaleIOVolumeSource|secret core.v1.SecretVolumeSource|storageos core.v1.StorageOSVolumeSource|vsphereVolume core.v1.VsphereVirtualDiskVolumeSource
core.v1.VsphereVirtualDiskVolumeSource|fsType s|storagePolicyID s|storagePolicyName s|volumePath! s
core.v1.WeightedPodAffinityTerm|podAffinityTerm! core.v1.PodAffinityTerm always|weight! i
core.v1.WindowsSecurityContextOptions|gmsaCredentialSpec s|gmsaCredentialSpecName s|hostProcess b|runAsUserName s
discovery.v1.EndpointConditions|ready b|serving b|terminating b
discovery.v1.EndpointHints|forNodes [discovery.v1.ForNode]|forZones [discovery.v1.ForZone]
discovery.v1.EndpointPort atomic|appProtocol s|name s|port i|protocol s
discovery.v1.EndpointSlice|addressType! s|apiVersion s|endpoints [discovery.v1.Endpoint]|kind s|metadata ~meta.v1.ObjectMeta always|ports [discovery.v1.EndpointPort]
discovery.v1.Endpoint|addresses! [s] set|conditions discovery.v1.EndpointConditions always|deprecatedTopology {s}|hints discovery.v1.EndpointHints|hostname s|nodeName s|targetRef core.v1.ObjectReference|zone s
discovery.v1.ForNode|name! s
discovery.v1.ForZone|name! s
events.v1.EventSeries|count! i|lastObservedTime! t
events.v1.Event|action s|apiVersion s|deprecatedCount i|deprecatedFirstTimestamp t|deprecatedLastTimestamp t|deprecatedSource core.v1.EventSource always|eventTime! t|kind s|metadata ~meta.v1.ObjectMeta always|note s|reason s|regarding core.v1.ObjectReference always|related core.v1.ObjectReference|reportingController s|reportingInstance s|series events.v1.EventSeries|type s
networking.v1.IPBlock|cidr! s|except [s]
networking.v1.NetworkPolicyEgressRule|ports [networking.v1.NetworkPolicyPort]|to [networking.v1.NetworkPolicyPeer]
networking.v1.NetworkPolicyIngressRule|from [networking.v1.NetworkPolicyPeer]|ports [networking.v1.NetworkPolicyPort]
networking.v1.NetworkPolicyPeer|ipBlock networking.v1.IPBlock|namespaceSelector ~meta.v1.LabelSelector|podSelector ~meta.v1.LabelSelector
networking.v1.NetworkPolicyPort|endPort i|port o|protocol s
networking.v1.NetworkPolicySpec|egress [networking.v1.NetworkPolicyEgressRule]|ingress [networking.v1.NetworkPolicyIngressRule]|podSelector ~meta.v1.LabelSelector always|policyTypes [s]
networking.v1.NetworkPolicy|apiVersion s|kind s|metadata ~meta.v1.ObjectMeta always|spec networking.v1.NetworkPolicySpec always
policy.v1.Eviction|apiVersion s|deleteOptions ~meta.v1.DeleteOptions|kind s|metadata ~meta.v1.ObjectMeta always
scheduling.v1alpha3.TopologyConstraint|key! s
scheduling.v1alpha3.WorkloadPodGroupAllDisruptionMode
scheduling.v1alpha3.WorkloadPodGroupBasicSchedulingPolicy
scheduling.v1alpha3.WorkloadPodGroupDisruptionMode|all scheduling.v1alpha3.WorkloadPodGroupAllDisruptionMode|single scheduling.v1alpha3.WorkloadPodGroupSingleDisruptionMode
scheduling.v1alpha3.WorkloadPodGroupGangSchedulingPolicy|minCount i
scheduling.v1alpha3.WorkloadPodGroupResourceClaim|name! s|resourceClaimName s|resourceClaimTemplateName s
scheduling.v1alpha3.WorkloadPodGroupSchedulingConstraints|topology [scheduling.v1alpha3.TopologyConstraint]
scheduling.v1alpha3.WorkloadPodGroupSchedulingPolicy|basic scheduling.v1alpha3.WorkloadPodGroupBasicSchedulingPolicy|gang scheduling.v1alpha3.WorkloadPodGroupGangSchedulingPolicy
scheduling.v1alpha3.WorkloadPodGroupSingleDisruptionMode
~meta.v1.APIGroupList|apiVersion s|groups! [~meta.v1.APIGroup]|kind s
~meta.v1.APIGroup|apiVersion s|kind s|name! s|preferredVersion ~meta.v1.GroupVersionForDiscovery always|serverAddressByClientCIDRs [~meta.v1.ServerAddressByClientCIDR]|versions! [~meta.v1.GroupVersionForDiscovery]
~meta.v1.APIResourceList|apiVersion s|groupVersion! s|kind s|resources! [~meta.v1.APIResource]
~meta.v1.APIResource|categories [s]|group s|kind! s|name! s|namespaced! b|shortNames [s]|singularName! s|storageVersionHash s|verbs! [s]|version s
~meta.v1.Condition|lastTransitionTime! t|message! s|observedGeneration l|reason! s|status! s|type! s
~meta.v1.DeleteOptions|apiVersion s|dryRun [s]|gracePeriodSeconds l|ignoreStoreReadErrorWithClusterBreakingPotential b|kind s|orphanDependents b|preconditions ~meta.v1.Preconditions|propagationPolicy s
~meta.v1.FieldSelectorRequirement|key! s|operator! s|values [s]
~meta.v1.GroupVersionForDiscovery|groupVersion! s|version! s
~meta.v1.LabelSelector atomic|matchExpressions [~meta.v1.LabelSelectorRequirement]|matchLabels {s}
~meta.v1.LabelSelectorRequirement|key! s|operator! s|values [s]
~meta.v1.ListMeta|continue s|remainingItemCount l|resourceVersion s|selfLink s|shardInfo ~meta.v1.ShardInfo
~meta.v1.ManagedFieldsEntry|apiVersion s|fieldsType s|fieldsV1 x|manager s|operation s|subresource s|time t
~meta.v1.ObjectMeta|annotations {s}|creationTimestamp t|deletionGracePeriodSeconds l|deletionTimestamp t|finalizers [s] set patch=merge|generateName s|generation l|labels {s}|managedFields [~meta.v1.ManagedFieldsEntry]|name s|namespace s|ownerReferences [~meta.v1.OwnerReference] map=uid patch=merge key=uid|resourceVersion s|selfLink s|uid s
~meta.v1.OwnerReference atomic|apiVersion! s|blockOwnerDeletion b|controller b|kind! s|name! s|uid! s
~meta.v1.Preconditions|resourceVersion s|uid s
~meta.v1.ServerAddressByClientCIDR|clientCIDR! s|serverAddress! s
~meta.v1.ShardInfo|selector! s
~meta.v1.StatusCause|field s|message s|reason s
~meta.v1.StatusDetails|causes [~meta.v1.StatusCause]|group s|kind s|name s|retryAfterSeconds i|uid s
~meta.v1.Status|apiVersion s|code i|details ~meta.v1.StatusDetails|kind s|message s|metadata ~meta.v1.ListMeta always|reason s|status s
`;
