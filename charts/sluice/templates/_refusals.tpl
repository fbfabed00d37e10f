{{/* What is asked for and cannot be had ends the rendering with a sentence. */}}
{{- define "sluice.refusals" -}}
{{- $v := .Values -}}
{{- if $v.hubble.relay.enabled }}{{ fail "hubble.relay.enabled: there is no relay: the agent of each node serves Hubble's API itself; set hubble.listenAddress, or use `sluice hubble port-forward`" }}{{ end -}}
{{- if not $v.kubeProxyReplacement }}{{ fail "kubeProxyReplacement: false: Sluice always balances the Services that pods ask for; leave it true; kube-proxy may run beside it for the host" }}{{ end -}}
{{- if not (has (toString $v.kubeProxyReplacement) (list "true" "strict")) }}{{ fail (printf "kubeProxyReplacement: found %s, wanted true" (toString $v.kubeProxyReplacement)) }}{{ end -}}
{{- if ne $v.routingMode "native" }}{{ fail (printf "routingMode: %s: Sluice makes no tunnels: nodes must reach each other's pods by the network's own routes; set routingMode=native" $v.routingMode) }}{{ end -}}
{{- if $v.tunnelProtocol }}{{ fail (printf "tunnelProtocol: %s: Sluice makes no tunnels; leave it empty" $v.tunnelProtocol) }}{{ end -}}
{{- if not (has $v.ipam.mode (list "cluster-pool" "kubernetes")) }}{{ fail (printf "ipam.mode: %s: addresses come from a range of the agent (cluster-pool)" $v.ipam.mode) }}{{ end -}}
{{- if eq $v.ipam.mode "kubernetes" }}{{ fail "ipam.mode: kubernetes: the ranges of Node.spec.podCIDRs are not read; give this cluster's range in ipam.operator.clusterPoolIPv4PodCIDRList (cluster-pool)" }}{{ end -}}
{{- if gt (len $v.ipam.operator.clusterPoolIPv4PodCIDRList) 1 }}{{ fail "ipam.operator.clusterPoolIPv4PodCIDRList: found several ranges, wanted one" }}{{ end -}}
{{- if gt (len $v.ipam.operator.clusterPoolIPv6PodCIDRList) 1 }}{{ fail "ipam.operator.clusterPoolIPv6PodCIDRList: found several ranges, wanted one" }}{{ end -}}
{{- if not (or $v.ipv4.enabled $v.ipv6.enabled) }}{{ fail "ipv4.enabled and ipv6.enabled: found both off, wanted one" }}{{ end -}}
{{- if ne $v.enableIPv4Masquerade $v.enableIPv6Masquerade }}{{ fail "enableIPv4Masquerade and enableIPv6Masquerade: pods are seen outside with an address of the host in both families or in none; give both the same value" }}{{ end -}}
{{- if ne $v.cni.chainingMode "none" }}{{ fail (printf "cni.chainingMode: %s: chaining takes a configuration file of the other plugin: leave cni.install=false and use `sluice cni install --chain FILE` on the node" $v.cni.chainingMode) }}{{ end -}}
{{- if ne $v.loadBalancer.mode "snat" }}{{ fail (printf "loadBalancer.mode: %s: answers go back through the node that was asked (snat)" $v.loadBalancer.mode) }}{{ end -}}
{{- if and $v.hubble.listenAddress $v.hubble.tls.enabled (not $v.hubble.tls.secret) }}{{ fail "hubble.listenAddress: others reach it, so it needs TLS: name a secret in hubble.tls.secret, or set hubble.tls.enabled=false" }}{{ end -}}
{{- if and $v.hubble.export.static.enabled (not $v.hubble.export.static.filePath) }}{{ fail "hubble.export.static.enabled: wanted hubble.export.static.filePath with it" }}{{ end -}}
{{- if $v.encryption.enabled }}{{ fail "encryption.enabled: Sluice does not encrypt between nodes" }}{{ end -}}
{{- if $v.clustermesh.useAPIServer }}{{ fail "clustermesh.useAPIServer: Sluice knows one cluster" }}{{ end -}}
{{- if $v.bgpControlPlane.enabled }}{{ fail "bgpControlPlane.enabled: Sluice speaks no BGP" }}{{ end -}}
{{- if $v.gatewayAPI.enabled }}{{ fail "gatewayAPI.enabled: Sluice has no gateway" }}{{ end -}}
{{- if $v.ingressController.enabled }}{{ fail "ingressController.enabled: Sluice has no ingress controller" }}{{ end -}}
{{- if $v.l2announcements.enabled }}{{ fail "l2announcements.enabled: every agent answers for the addresses of load balancers on its own links; there is no election among nodes" }}{{ end -}}
{{- if $v.envoy.enabled }}{{ fail "envoy.enabled: there is no Envoy: rules of HTTP, DNS and Kafka are judged in the dataplane" }}{{ end -}}
{{- if $v.authentication.mutual.spire.enabled }}{{ fail "authentication.mutual.spire.enabled: Sluice does not authenticate peers" }}{{ end -}}
{{- if $v.eni.enabled }}{{ fail "eni.enabled: Sluice asks no cloud for addresses" }}{{ end -}}
{{- if $v.azure.enabled }}{{ fail "azure.enabled: Sluice asks no cloud for addresses" }}{{ end -}}
{{- end -}}
