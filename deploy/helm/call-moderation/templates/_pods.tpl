{{/*
Labels, annotations and specification of a component's pods: (list $ "worker"). They carry neither the chart's nor the
application's version, because each change makes a new build for the Worker Controller.
*/}}
{{- define "call-moderation.podTemplate" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $values := get $root.Values (include "call-moderation.valuesOf" $component) -}}
{{- $isProcess := not (has $component (list "setup" "doctor")) -}}
{{- $usesIdentity := and (has $component (list "worker" "doctor")) (eq $root.Values.azure.credential "workloadIdentity") -}}
metadata:
  {{- with $values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  labels:
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- include "call-moderation.selector" . | nindent 4 }}
    {{- if $usesIdentity }}
    azure.workload.identity/use: 'true'
    {{- end }}
spec:
  serviceAccountName: {{ include "call-moderation.serviceAccount" . }}
  # Nothing here asks Kubernetes. Azure Workload Identity mounts a token of its own.
  automountServiceAccountToken: false
  # Kubernetes' own variables would begin with the names of Services.
  enableServiceLinks: false
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- if $isProcess }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- with include "call-moderation.topologySpread" . | trim }}
  topologySpreadConstraints:
    {{- . | nindent 4 }}
  {{- end }}
  {{- else }}
  restartPolicy: Never
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    {{- with $root.Values.security }}
    {{- with .runAsUser }}
    runAsUser: {{ . | int64 }}
    {{- end }}
    {{- with .runAsGroup }}
    runAsGroup: {{ . | int64 }}
    {{- end }}
    {{- with .fsGroup }}
    fsGroup: {{ . | int64 }}
    {{- end }}
    {{- end }}
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: {{ $component }}
      image: {{ include "call-moderation.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args:
        - {{ $component }}
        {{- if and (eq $component "doctor") $root.Values.webhook.enabled }}
        - --webhook-url=http://{{ include "call-moderation.component" (list $root "webhook") }}:{{ $root.Values.webhook.service.port }}{{ $root.Values.webhook.path }}
        {{- end }}
      env:
        {{- include "call-moderation.environment" . | nindent 8 }}
      {{- if eq $component "worker" }}
      {{- include "call-moderation.workerProbes" $root | nindent 6 }}
      {{- else if $isProcess }}
      {{- include "call-moderation.httpProbes" . | nindent 6 }}
      {{- end }}
      resources:
        {{- if $isProcess }}
        {{- toYaml $values.resources | nindent 8 }}
        {{- else }}
        requests: { cpu: 100m, memory: 128Mi }
        limits: { memory: 512Mi }
        {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        privileged: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        {{- include "call-moderation.volumeMounts" . | nindent 8 }}
  volumes:
    {{- include "call-moderation.volumes" . | nindent 4 }}
{{- end -}}

{{/*
Live is the process itself. A worker serves health only once Temporal answers and the search attributes are there, so it has
time to start. /readyz gives a check 2 s.
*/}}
{{- define "call-moderation.workerProbes" -}}
ports:
  - { name: health, containerPort: 9465, protocol: TCP }
startupProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: health }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 3
{{- end -}}

{{/*
Of the webhook and the gateway: (list $ "webhook"). While a pod ends it serves on, until load balancers have learned of it: its
endpoint is removed as `preStop` begins. After SIGTERM /readyz answers 503 for another second. A webhook with a bot behind it stays
ready while Temporal is away, because the bot is served all the same (docs/decisions/0010).
*/}}
{{- define "call-moderation.httpProbes" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
ports:
  - { name: http, containerPort: {{ include "call-moderation.httpPort" $component }}, protocol: TCP }
  - { name: health, containerPort: 9465, protocol: TCP }
startupProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: { path: /livez, port: health }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /readyz{{ if and (eq $component "webhook") $root.Values.webhook.forwardUrl }}?exclude=temporal{{ end }}
    port: health
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
lifecycle:
  preStop:
    sleep:
      seconds: {{ (get $root.Values $component).drainSeconds | int }}
{{- end -}}

{{/* The file system is read-only, but libraries may expect /tmp. */}}
{{- define "call-moderation.volumeMounts" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $isControlled := and (eq $component "worker") $root.Values.worker.controller.enabled -}}
- name: tmp
  mountPath: /tmp
{{- if and $root.Values.temporal.tls.clientSecret (not $isControlled) }}
- name: temporal-client
  mountPath: /etc/call-moderation/temporal-client
  readOnly: true
{{- end }}
{{- if $root.Values.temporal.tls.caSecret.name }}
- name: temporal-ca
  mountPath: /etc/call-moderation/temporal-ca
  readOnly: true
{{- end }}
{{- if and (eq $root.Values.azure.credential "clientCertificate") (has $component (list "worker" "doctor")) }}
- name: azure
  mountPath: /etc/call-moderation/azure
  readOnly: true
{{- end }}
{{- end -}}

{{- define "call-moderation.volumes" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $isControlled := and (eq $component "worker") $root.Values.worker.controller.enabled -}}
- name: tmp
  emptyDir:
    sizeLimit: 128Mi
{{- with $root.Values.temporal.tls }}
{{- if and .clientSecret (not $isControlled) }}
- name: temporal-client
  secret:
    secretName: {{ .clientSecret }}
    defaultMode: 288 # 0440
    items:
      - { key: tls.crt, path: tls.crt }
      - { key: tls.key, path: tls.key }
{{- end }}
{{- if .caSecret.name }}
- name: temporal-ca
  secret:
    secretName: {{ .caSecret.name }}
    defaultMode: 288 # 0440
    items:
      - { key: {{ .caSecret.key | quote }}, path: {{ .caSecret.key | quote }} }
{{- end }}
{{- end }}
{{- if and (eq $root.Values.azure.credential "clientCertificate") (has $component (list "worker" "doctor")) }}
{{- with $root.Values.azure.clientCertificate }}
- name: azure
  secret:
    secretName: {{ .name }}
    defaultMode: 288 # 0440
    items:
      - { key: {{ .key | quote }}, path: {{ .key | quote }} }
{{- end }}
{{- end }}
{{- end -}}

{{/* Of each build alone, so that a rolling update counts only its own pods. */}}
{{- define "call-moderation.topologySpread" -}}
{{- $root := index . 0 -}}
{{- $selector := include "call-moderation.selector" . -}}
{{- range $value, $key := dict "node" "kubernetes.io/hostname" "zone" "topology.kubernetes.io/zone" }}
{{- $when := get $root.Values.topologySpread $value }}
{{- if ne $when "none" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: {{ $when }}
  labelSelector:
    matchLabels:
      {{- $selector | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end -}}
