{{/*
The variables of a component's container, as docs/configuration.md has them: (list $ "worker"). What stands in `extraEnv` replaces
what stands here, because Kubernetes' server-side apply refuses a name that is there twice.
*/}}
{{- define "call-moderation.environment" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $isWorker := has $component (list "worker" "doctor") -}}
{{- $isWebhook := has $component (list "webhook" "doctor") -}}
{{- $isGateway := eq $component "gateway" -}}
{{- $parts := list (include "call-moderation.environment.common" .) -}}
{{- if ne $component "setup" -}}{{- $parts = append $parts (include "call-moderation.environment.process" .) -}}{{- end -}}
{{- if $isWorker -}}{{- $parts = append $parts (include "call-moderation.environment.worker" $root) -}}{{- end -}}
{{- if $isWebhook -}}{{- $parts = append $parts (include "call-moderation.environment.webhook" $root) -}}{{- end -}}
{{- if $isGateway -}}{{- $parts = append $parts (include "call-moderation.environment.gateway" $root) -}}{{- end -}}
{{- $entries := list -}}
{{- range $parts -}}{{- $entries = concat $entries (fromYamlArray .) -}}{{- end -}}
{{- $entries = concat $entries $root.Values.extraEnv -}}
{{- if $isWorker -}}{{- $entries = concat $entries $root.Values.worker.extraEnv -}}{{- end -}}
{{- if $isWebhook -}}{{- $entries = concat $entries $root.Values.webhook.extraEnv -}}{{- end -}}
{{- if $isGateway -}}{{- $entries = concat $entries $root.Values.gateway.extraEnv -}}{{- end -}}
{{- $last := dict -}}
{{- range $entries -}}{{- $_ := set $last .name . -}}{{- end -}}
{{- $once := list -}}
{{- range $entries -}}
{{- if hasKey $last .name -}}
{{- $once = append $once (get $last .name) -}}
{{- $_ := unset $last .name -}}
{{- end -}}
{{- end -}}
{{- toYaml $once -}}
{{- end -}}

{{/* Temporal, and what every process and command has. The Worker Controller adds its connection to the workers itself. */}}
{{- define "call-moderation.environment.common" -}}
{{- $root := index . 0 -}}
{{- $isControlled := and (eq (index . 1) "worker") $root.Values.worker.controller.enabled -}}
{{- with $root.Values.temporal -}}
{{- if not $isControlled }}
- name: TEMPORAL_ADDRESS
  value: {{ .address | quote }}
- name: TEMPORAL_NAMESPACE
  value: {{ .namespace | quote }}
{{- with .tls.serverName }}
- name: TEMPORAL_TLS_SERVER_NAME
  value: {{ . | quote }}
{{- end }}
{{- with .tls.clientSecret }}
- name: TEMPORAL_TLS_CLIENT_CERT_PATH
  value: /etc/call-moderation/temporal-client/tls.crt
- name: TEMPORAL_TLS_CLIENT_KEY_PATH
  value: /etc/call-moderation/temporal-client/tls.key
{{- end }}
{{- with .apiKeySecret }}
{{- if .name }}
- name: TEMPORAL_API_KEY
  valueFrom:
    secretKeyRef: {{- toYaml . | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .tls.enabled (not (and $isControlled .tls.clientSecret)) }}
- name: TEMPORAL_TLS
  value: 'true'
{{- end }}
{{- if .tls.caSecret.name }}
- name: TEMPORAL_TLS_SERVER_CA_CERT_PATH
  value: /etc/call-moderation/temporal-ca/{{ .tls.caSecret.key }}
{{- end }}
- name: MODERATION_TASK_QUEUE
  value: {{ .taskQueue | quote }}
{{- end }}
{{- with $root.Values.payloadKeysSecret }}
{{- if .name }}
- name: MODERATION_PAYLOAD_KEYS
  valueFrom:
    secretKeyRef: {{- toYaml . | nindent 6 }}
{{- end }}
{{- end }}
- name: LOG_LEVEL
  value: {{ $root.Values.logLevel | quote }}
{{- with $root.Values.tracesEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- range $name, $key := dict "HTTPS_PROXY" "https" "HTTP_PROXY" "http" "ALL_PROXY" "all" "NO_PROXY" "noProxy" "grpc_proxy" "grpc" "no_grpc_proxy" "noGrpc" }}
{{- with get $root.Values.proxy $key }}
- name: {{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What the processes have in common. Their health is read by the kubelet and by Prometheus, so from outside the pod. */}}
{{- define "call-moderation.environment.process" -}}
{{- $root := index . 0 -}}
{{- $values := get $root.Values (include "call-moderation.valuesOf" (index . 1)) -}}
{{- with $root.Values.tenants }}
- name: MODERATION_TENANTS
  value: {{ join "," . | quote }}
{{- end }}
- name: MODERATION_GRAPH_CLOUD
  value: {{ $root.Values.graph.cloud | quote }}
- name: MODERATION_HEALTH_HOST
  value: {{ $root.Values.listenAddress | quote }}
- name: MODERATION_HEALTH_PORT
  value: '9465'
{{- if ne (index . 1) "doctor" }}
{{- with include "call-moderation.heapMiB" $values }}
- name: NODE_OPTIONS
  value: --max-old-space-size={{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "call-moderation.environment.worker" -}}
{{- with .Values.graph }}
- name: MODERATION_GRAPH_VERSION
  value: {{ .version | quote }}
{{- with .url }}
- name: MODERATION_GRAPH_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.worker }}
{{- if .maxActivitiesPerSecond }}
- name: MODERATION_MAX_ACTIVITIES_PER_SECOND
  value: {{ .maxActivitiesPerSecond | toString | quote }}
{{- end }}
{{- if .callStacks }}
- name: MODERATION_CALL_STACKS
  value: 'true'
{{- end }}
{{- with .nexusEndpoint }}
- name: MODERATION_NEXUS_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.events }}
{{- if .url }}
- name: MODERATION_EVENTS_URL
  value: {{ .url | quote }}
- name: MODERATION_EVENTS_SECRETS
  valueFrom:
    secretKeyRef: {{- toYaml .secret | nindent 6 }}
{{- end }}
{{- end }}
{{- with .Values.azure }}
- name: AZURE_CLIENT_ID
  value: {{ ternary .managedIdentityClientId .clientId (eq .credential "managedIdentity") | quote }}
{{- with .tenantId }}
- name: AZURE_TENANT_ID
  value: {{ . | quote }}
{{- end }}
{{- with .authorityHost }}
- name: AZURE_AUTHORITY_HOST
  value: {{ . | quote }}
{{- end }}
{{- if eq .credential "clientCertificate" }}
- name: AZURE_CLIENT_CERTIFICATE_PATH
  value: /etc/call-moderation/azure/{{ .clientCertificate.key }}
{{- else if eq .credential "clientSecret" }}
- name: AZURE_CLIENT_SECRET
  valueFrom:
    secretKeyRef: {{- toYaml .clientSecret | nindent 6 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "call-moderation.environment.webhook" -}}
{{- with .Values.webhook }}
- name: MODERATION_WEBHOOK_HOST
  value: {{ $.Values.listenAddress | quote }}
- name: MODERATION_WEBHOOK_PORT
  value: {{ include "call-moderation.httpPort" "webhook" | quote }}
- name: MODERATION_WEBHOOK_PATH
  value: {{ .path | quote }}
- name: MODERATION_WEBHOOK_AUDIENCE
  value: {{ default $.Values.azure.clientId .audience | quote }}
{{- with .issuers }}
- name: MODERATION_WEBHOOK_ISSUERS
  value: {{ join "," . | quote }}
{{- end }}
{{- with .openIdUrl }}
- name: MODERATION_WEBHOOK_OPENID_URL
  value: {{ . | quote }}
{{- end }}
{{- with .forwardUrl }}
- name: MODERATION_WEBHOOK_FORWARD_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The gateway asks Entra ID for its public keys only, so it gets the tenant and no credential. */}}
{{- define "call-moderation.environment.gateway" -}}
{{- with .Values.gateway }}
- name: MODERATION_GATEWAY_HOST
  value: {{ $.Values.listenAddress | quote }}
- name: MODERATION_GATEWAY_PORT
  value: {{ include "call-moderation.httpPort" "gateway" | quote }}
- name: MODERATION_GATEWAY_AUDIENCE
  value: {{ .audience | quote }}
- name: MODERATION_GATEWAY_ROLE
  value: {{ .role | quote }}
- name: MODERATION_GATEWAY_REQUESTS_PER_SECOND
  value: {{ .requestsPerSecond | int | quote }}
{{- with include "call-moderation.gatewayUrl" $ }}
- name: MODERATION_GATEWAY_URL
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.azure.tenantId }}
- name: AZURE_TENANT_ID
  value: {{ . | quote }}
{{- end }}
{{- with .Values.azure.authorityHost }}
- name: AZURE_AUTHORITY_HOST
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The root that callers use: nothing if no value of the chart says. */}}
{{- define "call-moderation.gatewayUrl" -}}
{{- with .Values.gateway -}}
{{- if .url -}}
{{ .url }}
{{- else if .ingress.enabled -}}
https://{{ .ingress.host }}
{{- else if .httpRoute.enabled -}}
https://{{ first .httpRoute.hostnames }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* 80 % of the memory's limit, which docs/sizing.md advises. Nothing without a limit in Mi or Gi: Node then decides. */}}
{{- define "call-moderation.heapMiB" -}}
{{- $limits := default dict .resources.limits -}}
{{- $limit := toString (default "" (get $limits "memory")) -}}
{{- if regexMatch "^[0-9]+Gi$" $limit -}}
{{ div (mul (trimSuffix "Gi" $limit | int) 1024 8) 10 }}
{{- else if regexMatch "^[0-9]+Mi$" $limit -}}
{{ div (mul (trimSuffix "Mi" $limit | int) 8) 10 }}
{{- end -}}
{{- end -}}
