{{/* sluice.yaml, as JSON. */}}
{{- define "sluice.config" -}}
{{- $v := .Values -}}
{{- $config := dict "kubernetes" "in-cluster" "stateDir" "/var/lib/sluice" "clusterName" $v.cluster.name -}}
{{- $cidrs := dict -}}
{{- if not $v.ipv4.enabled }}{{ $_ := set $cidrs "ipv4" "" }}{{ else if $v.ipam.operator.clusterPoolIPv4PodCIDRList }}{{ $_ := set $cidrs "ipv4" (index $v.ipam.operator.clusterPoolIPv4PodCIDRList 0) }}{{ end -}}
{{- if not $v.ipv6.enabled }}{{ $_ := set $cidrs "ipv6" "" }}{{ else if $v.ipam.operator.clusterPoolIPv6PodCIDRList }}{{ $_ := set $cidrs "ipv6" (index $v.ipam.operator.clusterPoolIPv6PodCIDRList 0) }}{{ end -}}
{{- if $cidrs }}{{ $_ := set $config "podCIDRs" $cidrs }}{{ end -}}
{{- $services := dict -}}
{{- if $v.serviceCIDRs.ipv4 }}{{ $_ := set $services "ipv4" $v.serviceCIDRs.ipv4 }}{{ end -}}
{{- if $v.serviceCIDRs.ipv6 }}{{ $_ := set $services "ipv6" $v.serviceCIDRs.ipv6 }}{{ end -}}
{{- if $services }}{{ $_ := set $config "serviceCIDRs" $services }}{{ end -}}
{{- $masquerade := dict -}}
{{- if not $v.enableIPv4Masquerade }}{{ $_ := set $masquerade "mode" "never" }}{{ end -}}
{{- if $v.ipv4NativeRoutingCIDR }}{{ $_ := set $masquerade "ipv4-native-routing-cidr" $v.ipv4NativeRoutingCIDR }}{{ end -}}
{{- if $v.ipv6NativeRoutingCIDR }}{{ $_ := set $masquerade "ipv6-native-routing-cidr" $v.ipv6NativeRoutingCIDR }}{{ end -}}
{{- if $masquerade }}{{ $_ := set $config "masquerade" $masquerade }}{{ end -}}
{{- if $v.MTU }}{{ $_ := set $config "mtu" (int $v.MTU) }}{{ end -}}
{{- if $v.debug.enabled }}{{ $_ := set $config "logLevel" "debug" }}{{ end -}}
{{- $_ := set $config "monitor-aggregation" $v.bpf.monitorAggregation -}}
{{- $_ := set $config "policy" (dict "enable-policy" $v.policyEnforcementMode "policy-audit-mode" $v.policyAuditMode "enable-l7-proxy" $v.l7Proxy "enable-host-firewall" $v.hostFirewall.enabled "tofqdns-min-ttl" (int $v.dnsProxy.minTtl) "tofqdns-dns-reject-response-code" $v.dnsProxy.dnsRejectResponseCode "policy-cidr-match-mode" $v.policyCIDRMatchMode) -}}
{{- $_ := set $config "services" (dict "bpf-lb-algorithm" $v.loadBalancer.algorithm "bpf-lb-maglev-table-size" (int $v.maglev.tableSize)) -}}
{{- $maps := dict -}}
{{- if $v.bpf.ctTcpMax }}{{ $_ := set $maps "bpf-ct-global-tcp-max" (int $v.bpf.ctTcpMax) }}{{ end -}}
{{- if $v.bpf.ctAnyMax }}{{ $_ := set $maps "bpf-ct-global-any-max" (int $v.bpf.ctAnyMax) }}{{ end -}}
{{- if $v.bpf.natMax }}{{ $_ := set $maps "bpf-nat-global-max" (int $v.bpf.natMax) }}{{ end -}}
{{- if $v.bpf.policyMapMax }}{{ $_ := set $maps "bpf-policy-map-max" (int $v.bpf.policyMapMax) }}{{ end -}}
{{- if $v.bpf.lbMapMax }}{{ $_ := set $maps "bpf-lb-service-map-max" (int $v.bpf.lbMapMax) }}{{ end -}}
{{- if $maps }}{{ $_ := set $config "maps" $maps }}{{ end -}}
{{- $hubble := dict "enabled" $v.hubble.enabled "event-buffer-capacity" (int $v.hubble.eventBufferCapacity) -}}
{{- if $v.hubble.listenAddress -}}
{{- $_ := set $hubble "listen-address" (list $v.hubble.listenAddress) -}}
{{- if $v.hubble.tls.enabled }}{{ $_ := set $hubble "tls-cert-file" "/var/lib/sluice-tls/tls.crt" }}{{ $_ := set $hubble "tls-key-file" "/var/lib/sluice-tls/tls.key" }}{{ else }}{{ $_ := set $hubble "disable-tls" true }}{{ end -}}
{{- end -}}
{{- if $v.hubble.metrics.enabled }}{{ $_ := set $hubble "metrics" $v.hubble.metrics.enabled }}{{ $_ := set $hubble "metrics-server" (printf ":%d" (int $v.hubble.metrics.port)) }}{{ end -}}
{{- if $v.hubble.export.static.enabled }}{{ $_ := set $hubble "export-file-path" $v.hubble.export.static.filePath }}{{ end -}}
{{- $_ := set $config "hubble" $hubble -}}
{{- if $v.hubble.ui.enabled }}{{ $_ := set $config "ui" true }}{{ end -}}
{{- if $v.prometheus.enabled }}{{ $_ := set $config "prometheus-serve-addr" (printf ":%d" (int $v.prometheus.port)) }}{{ end -}}
{{- range $name, $value := $v.extraConfig -}}
{{- $block := index $config $name -}}
{{- if and (kindIs "map" $value) (kindIs "map" $block) }}{{ range $inner, $one := $value }}{{ $_ := set $block $inner $one }}{{ end }}{{ else }}{{ $_ := set $config $name $value }}{{ end -}}
{{- end -}}
{{- toJson $config -}}
{{- end -}}

{{- define "sluice.labels" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/part-of: sluice
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "sluice.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
